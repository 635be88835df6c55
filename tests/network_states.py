"""Seeded weights: they say nothing about sounds or pictures, and everything about the arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

State = dict[str, Tensor]


def seeded(make: Callable[[], nn.Module], seed: int = 0, gain: float = 1.0) -> State:
    """A state dict for a network, drawn for each key from its name and the seed.

    Matrices and convolutions keep the size of what passes through them (times `gain`), norms are near one, biases and
    positions small: deep networks stay in the range where every layer matters. Independent of the torch version: the
    numbers come from NumPy.
    """
    with torch.device("meta"):
        network = make()
    return {key: _drawn(key, tuple(value.shape), seed, gain) for key, value in network.state_dict().items()}


def _drawn(key: str, shape: tuple[int, ...], seed: int, gain: float) -> Tensor:
    if key.endswith("num_batches_tracked"):
        return torch.tensor(1)
    name = key.rsplit(".", 1)[-1]
    rng = np.random.default_rng([seed, *key.encode()])
    noise = rng.standard_normal(shape, dtype=np.float32)
    if name == "running_var":
        values = np.exp(0.3 * noise)
    elif name in ("running_mean", "bias") or key.endswith("bias"):
        values = 0.1 * noise
    elif len(shape) < 2:
        values = 1.0 + 0.1 * noise if name in ("weight", "gamma") else 0.3 * noise
    elif any(part in name for part in ("token", "tok", "pos", "embed")) or (
        "embed" in key and name == "weight" and len(shape) == 2
    ):
        values = 0.3 * noise
    else:
        values = noise * np.float32(gain / np.sqrt(np.prod(shape[1:])))
    return torch.from_numpy(np.asarray(values, np.float32).reshape(shape))


def cnn14_state(config: object = None, seed: int = 0) -> State:
    """A Cnn14 with real Fourier bases and mel filters, and seeded weights behind them."""
    import librosa

    from metrics.inception_score.cnn14 import RATE, Cnn14, Cnn14Config

    sizes = config if isinstance(config, Cnn14Config) else Cnn14Config()
    state = seeded(lambda: Cnn14(sizes), seed, gain=1.4)
    window = sizes.window
    turns = np.outer(np.arange(window // 2 + 1), np.arange(window)) / window
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    for part, wave in (("real", np.cos(2 * np.pi * turns)), ("imag", -np.sin(2 * np.pi * turns))):
        state[f"spectrogram_extractor.stft.conv_{part}.weight"] = torch.from_numpy((wave * hann)[:, None]).float()
    filters = librosa.filters.mel(sr=RATE, n_fft=window, n_mels=sizes.mels, fmin=50, fmax=14000)
    state["logmel_extractor.melW"] = torch.from_numpy(filters.T.copy())
    state["bn0.running_mean"] = torch.full((sizes.mels,), -30.0)
    state["bn0.running_var"] = torch.full((sizes.mels,), 400.0)
    state["fc_audioset.weight"] *= 2.0
    state["fc_audioset.bias"] -= 2.0
    return state


def fingerprint(shapes: dict[str, tuple[int, ...]]) -> str:
    """A short digest of state-dict keys and shapes, counters of batches left out."""
    import hashlib

    lines = [f"{key} {list(shape)}" for key, shape in sorted(shapes.items()) if not key.endswith("num_batches_tracked")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def fingerprint_of(make: Callable[[], nn.Module]) -> str:
    """The digest of a network at full size, without its memory."""
    with torch.device("meta"):
        network = make()
    return fingerprint({key: tuple(value.shape) for key, value in network.state_dict().items()})
