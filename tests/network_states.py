"""Seeded weights: they say nothing about sounds or pictures, and everything about the arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

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


def clap_state(config: object = None, seed: int = 0) -> State:
    """The official file's state dict for a CLAP, made from its layout in transformers: the way back of the loading."""
    from transformers import ClapModel

    from metrics.clap.network import clap_config

    state = seeded(lambda: ClapModel(config or clap_config()), seed)
    state["audio_model.audio_encoder.batch_norm.running_mean"] -= 20.0
    state["audio_model.audio_encoder.batch_norm.running_var"] *= 400.0
    return dict(official_clap(state))


def official_clap(state: State) -> Iterator[tuple[str, Tensor]]:
    names = (
        ("audio_model.audio_encoder.batch_norm.", "audio_branch.bn0."),
        ("audio_model.audio_encoder.", "audio_branch."),
        (".layernorm_before.", ".norm1."),
        (".layernorm_after.", ".norm2."),
        ("text_model.", "text_branch."),
        ("projection.linear1.", "projection.0."),
        ("projection.linear2.", "projection.2."),
    )
    swin = (
        (".attention.output.dense.", ".attn.proj."),
        (".attention.self.", ".attn."),
        (".intermediate.dense.", ".mlp.fc1."),
        (".output.dense.", ".mlp.fc2."),
    )
    for key, value in state.items():
        if key.endswith(("position_ids", "token_type_ids")):
            continue
        new = key
        for ours, official in (*names, *(swin if key.startswith("audio_model") else ())):
            new = new.replace(ours, official)
        if new.endswith("relative_position_index"):
            yield new, window_index(int(value.shape[0] ** 0.5))
        elif ".attn.query." in new:
            parts = [state[key.replace("query", part)] for part in ("query", "key", "value")]
            yield new.replace(".query.", ".qkv."), torch.cat(parts)
        elif ".attn.key." not in new and ".attn.value." not in new:
            yield new, value


def window_index(side: int) -> Tensor:
    """Of a Swin window: which entry of the table of relative positions belongs to each pair of places."""
    places = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")).flatten(1)
    apart = places[:, :, None] - places[:, None, :] + side - 1
    return apart[0] * (2 * side - 1) + apart[1]


def roberta_folder(folder: Path, size: int = 270) -> Path:
    """A byte-level BPE tokenizer of `size` tokens in RoBERTa's file layout: its special tokens and a few merges."""
    import json

    from tokenizers.pre_tokenizers import ByteLevel

    alphabet = sorted(ByteLevel.alphabet())
    merges = [
        ("t", "h"),
        ("th", "e"),
        ("Ġ", "the"),
        ("i", "n"),
        ("a", "n"),
        ("Ġ", "a"),
        ("e", "r"),
        ("o", "n"),
        ("s", "t"),
    ]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *alphabet, *("".join(pair) for pair in merges)]
    tokens += [f"<unused{place}>" for place in range(size - len(tokens))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: place for place, token in enumerate(dict.fromkeys(tokens))}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    return folder


def synchformer_state(config: object = None, seed: int = 0) -> State:
    """A Synchformer whose activations differ from clip to clip."""
    from metrics.desync.synchformer import Synchformer, SynchformerConfig

    return seeded(lambda: Synchformer(config if isinstance(config, SynchformerConfig) else None), seed)


def imagebind_state(config: object = None, seed: int = 0) -> State:
    """The two towers of an ImageBind, with the published scale of sounds."""
    from metrics.imagebind.network import ImageBind, ImageBindConfig

    state = seeded(lambda: ImageBind(config if isinstance(config, ImageBindConfig) else None), seed)
    state["modality_postprocessors.audio.1.log_logit_scale"] = torch.tensor(20.0).log()
    return state
