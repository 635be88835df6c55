"""State dicts: reading them from files without running code, and refusing another network's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from metrics.errors import UserError

StateDict: TypeAlias = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


def read_state(weights: str | os.PathLike[str] | StateDict, what: str, inside: Sequence[str] = ()) -> StateDict:
    """A state dict from a file (tensors only, nothing in it is executed) or as given.

    inside: keys under which a training checkpoint may hold the state dict; the first one present is taken, none of them
    means that the file is the state dict. A `module.` in front of every key (a network saved from several GPUs) is
    taken off. Raises UserError for a file that cannot be read as a state dict; `what` names the network in the message.
    """
    if not isinstance(weights, str | os.PathLike):
        return weights
    path = os.fspath(weights)
    try:
        state = _load(path)
    except FileNotFoundError as error:
        raise UserError(f"{what} weights: no file {path}; see 'mova-eval weights list' for where to get it") from error
    except Exception as error:  # torch raises many kinds for a file that is not one of its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{what} weights: {path} is not a readable PyTorch file ({reason:.120}); get it again"
        ) from error
    if isinstance(state, Mapping):
        state = next((state[key] for key in inside if isinstance(state.get(key), Mapping)), state)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{what} weights: {path} holds no plain state dict; is it the file of another network?")
    if state and all(str(key).startswith("module.") for key in state):
        return {str(key).removeprefix("module."): value for key, value in state.items()}
    return state


def _load(path: str) -> Any:
    """The file's content; large files are mapped into memory, and only what a network takes is read.

    Training checkpoints hold counters and samplers beside the tensors: plain NumPy arrays and numbers are let through,
    nothing else is.
    """
    with torch.serialization.safe_globals(_numpy_globals()):
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
            return torch.load(path, map_location="cpu", weights_only=True)  # a file of the format before torch 1.6


@lru_cache(maxsize=1)
def _numpy_globals() -> list[Any]:
    """What pickled NumPy arrays and numbers name, under the module names of NumPy 1 and 2."""
    from numpy._core import multiarray

    types = [kind for kind in vars(np.dtypes).values() if isinstance(kind, type)]
    made = [(getattr(multiarray, name), name) for name in ("_reconstruct", "scalar")]
    renamed = [(what, f"{home}.multiarray.{name}") for what, name in made for home in ("numpy.core", "numpy._core")]
    return [np.ndarray, np.dtype, *types, *renamed]


def check_state(network: nn.Module, state: StateDict, what: str) -> None:
    """Raise UserError naming the first wrong key if `state` does not fit `network`.

    `num_batches_tracked` counters may be absent: they take no part in inference and old files lack them.
    """
    for key, expected in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        if key not in state:
            raise UserError(f"{what} weights: key '{key}' is missing; is it the file of another network?")
        if state[key].shape != expected.shape:
            found, wanted = list(state[key].shape), list(expected.shape)
            raise UserError(
                f"{what} weights: key '{key}' has shape {found} instead of {wanted}; is it another network?"
            )
    known = network.state_dict()
    for key in state:
        if key not in known:
            raise UserError(f"{what} weights: key '{key}' is not one of its keys; is it the file of another network?")


def loaded(make: Callable[[], Network], state: StateDict, what: str) -> Network:
    """A network in evaluation mode that holds `state`, converted to float32; its memory is the state's own.

    make: builds the network; it is run without allocating memory or drawing random numbers. Raises UserError as
    `check_state`.
    """
    with torch.device("meta"):
        network = make()
    check_state(network, state, what)
    counters = {key: torch.tensor(0) for key in network.state_dict() if key.endswith("num_batches_tracked")}
    tensors = {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    network.load_state_dict(counters | tensors, assign=True)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network.eval()


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Float32 on a GPU without TensorFloat-32 and with deterministic kernels."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
