"""State dicts: reading them from files without running code, and refusing another network's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn

from metrics.errors import UserError

StateDict: TypeAlias = Mapping[str, Tensor]


def read_state(weights: str | os.PathLike[str] | StateDict, what: str) -> StateDict:
    """A state dict from a file (tensors only, nothing in it is executed) or as given.

    A `module.` in front of every key (a network saved from several GPUs) is taken off. Raises UserError for a file that
    cannot be read as a state dict; `what` names the network in the message.
    """
    if not isinstance(weights, str | os.PathLike):
        return weights
    path = os.fspath(weights)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{what} weights: no file {path}; see 'mova-eval weights list' for where to get it") from error
    except Exception as error:  # torch raises many kinds for a file that is not one of its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{what} weights: {path} is not a readable PyTorch file ({reason:.120}); get it again"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{what} weights: {path} holds no plain state dict; is it the file of another network?")
    if state and all(str(key).startswith("module.") for key in state):
        return {str(key).removeprefix("module."): value for key, value in state.items()}
    return state


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
