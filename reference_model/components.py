"""The seven parts of a model, by the names of their folders: on the meta device, or filled with seeded weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from reference_model import fill, text, video_vae
from reference_model.audio_vae import AudioVae
from reference_model.bridge import Bridge
from reference_model.configs import ModelConfig
from reference_model.towers import AudioTower, VideoTower

COMPONENTS = ("text_encoder", "video_vae", "video_dit", "video_dit_2", "audio_dit", "dual_tower_bridge", "audio_vae")
"""In the order in which a sample needs them."""
TRANSFORMERS = ("video_dit", "video_dit_2", "audio_dit", "dual_tower_bridge")
TIED = {"text_encoder": ("encoder.embed_tokens.weight",)}
"""Tensors that are another's and stand in no file."""


def build(component: str, config: ModelConfig) -> nn.Module:
    """A component with whatever weights its framework gives it; under `torch.device("meta")` with none."""
    builders: dict[str, Callable[[], Any]] = {
        "text_encoder": lambda: text.build(config.text_encoder),
        "video_vae": lambda: video_vae.build(config.video_vae),
        "video_dit": lambda: VideoTower(config.video_dit),
        "video_dit_2": lambda: VideoTower(config.video_dit),
        "audio_dit": lambda: AudioTower(config.audio_dit),
        "dual_tower_bridge": lambda: Bridge(config.dual_tower_bridge),
        "audio_vae": lambda: AudioVae(config.audio_vae),
    }
    module: nn.Module = builders[component]()
    return module.eval().requires_grad_(False)


def skeleton(component: str, config: ModelConfig) -> nn.Module:
    """A component on the meta device: names and shapes without memory."""
    with torch.device("meta"):
        return build(component, config)


def tensor_shapes(component: str, module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors that a checkpoint holds for a component."""
    tied = TIED.get(component, ())
    return {name: tuple(t.shape) for name, t in module.state_dict().items() if name not in tied}


def fingerprint(shapes: Mapping[str, Iterable[int]]) -> str:
    """MD5 over all names and name:shape strings, by which a component's files can be recognised."""
    both = [f"{name}:{'_'.join(map(str, shape))}" for name, shape in shapes.items()] + list(shapes)
    return hashlib.md5(",".join(sorted(both)).encode(), usedforsecurity=False).hexdigest()


@dataclass
class Components:
    """A loaded model. origin: where the weights are from. seeded: they are made up, and clips will be noise."""

    config: ModelConfig
    modules: dict[str, nn.Module]
    tokenizer: Any
    origin: str
    seeded: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


def seeded_components(config: ModelConfig, dtypes: Mapping[str, torch.dtype], origin: str) -> Components:
    """A model with deterministic weights: the same on every machine, and good for nothing but running the code."""
    from transformers import ByT5Tokenizer

    modules = {}
    for name in COMPONENTS:
        module = skeleton(name, config).to_empty(device="cpu")
        if name == "text_encoder":
            module.set_input_embeddings(module.shared)  # type: ignore[operator]
        fill.fill(module, name)
        modules[name] = module.to(dtypes[name])
    return Components(config, modules, ByT5Tokenizer(), origin, seeded=True)
