"""LAION-CLAP (HTSAT-tiny with fusion, RoBERTa-base) in transformers, with the weights of the official file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from metrics.errors import UserError
from metrics.networks.states import StateDict, loaded

_ENCODER = "audio_model.audio_encoder."
_RENAMED = (
    (r"^audio_branch\.bn0\.", f"{_ENCODER}batch_norm."),
    (r"^audio_branch\.", _ENCODER),
    (r"\.norm1\.", ".layernorm_before."),
    (r"\.norm2\.", ".layernorm_after."),
    (r"\.attn\.proj\.", ".attention.output.dense."),
    (r"\.attn\.", ".attention.self."),
    (r"\.mlp\.fc1\.", ".intermediate.dense."),
    (r"\.mlp\.fc2\.", ".output.dense."),
    (r"^text_branch\.", "text_model."),
    (r"^(text|audio)_projection\.0\.", r"\1_projection.linear1."),
    (r"^(text|audio)_projection\.2\.", r"\1_projection.linear2."),
)
_UNUSED = re.compile(
    r"audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\."  # spectra and classes of its own
    r"|(text|audio)_transform\.|.*\.attn_mask$|text_branch\.embeddings\.position_ids$"
)
"""Keys of the official file that take no part in an embedding."""


def clap_config(**changes: Mapping[str, Any]) -> Any:
    """Configuration of the published network. changes: `text_config` and `audio_config` entries for a smaller one.

    The text tower's norms have RoBERTa's epsilon of 1e-5; the configuration on the hub says 1e-12, which is not what
    the network was trained with.
    """
    from transformers import ClapConfig

    text = {"layer_norm_eps": 1e-5, **changes.get("text_config", {})}
    audio = {"enable_fusion": True, "fusion_type": "aff_2d", **changes.get("audio_config", {})}
    return ClapConfig(text_config=text, audio_config=audio)


def clap_model(state: StateDict, config: Any = None) -> Any:
    """The network (`transformers.ClapModel`) with a state dict that has the official file's keys, or its own.

    Every key has to find its place: raises UserError naming the first that does not, or that is missing.
    """
    from transformers import ClapModel

    config = config or clap_config()
    if any(key.startswith("audio_branch.") for key in state):
        state = dict(_translated(state))
    positions = torch.arange(config.text_config.max_position_embeddings)[None]
    buffers = {
        "text_model.embeddings.position_ids": positions,
        "text_model.embeddings.token_type_ids": torch.zeros_like(positions),
    }
    return loaded(lambda: ClapModel(config), buffers | dict(state), "CLAP")


def _translated(state: StateDict) -> Iterator[tuple[str, Tensor]]:
    for key, value in state.items():
        if _UNUSED.match(key):
            continue
        name = key
        for pattern, replacement in _RENAMED:
            name = re.sub(pattern, replacement, name)
        if name == key and not key.startswith("logit_scale"):
            raise UserError(f"CLAP weights: key '{key}' is not one of its keys; is it the file of another network?")
        if ".self.qkv." in name:
            for part, rows in zip(("query", "key", "value"), value.chunk(3), strict=True):
                yield name.replace(".qkv.", f".{part}."), rows
        else:
            yield name, value
