"""The public MOVA modules, from a checkout that the caller has (MOVA_TEST_PUBLIC_MOVA names its root), run on the CPU.

Only the three network files are imported; they need einops and diffusers. Nothing of theirs is part of this project.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_model.configs import ModelConfig
from reference_model.network import Expert

VARIABLE = "MOVA_TEST_PUBLIC_MOVA"
_PACKAGE = "public_mova_models"


def public_modules() -> Any:
    """A namespace with WanModel, WanAudioModel and DualTowerConditionalBridge; skips where there is no checkout."""
    root = os.environ.get(VARIABLE)
    if not root:
        pytest.skip(f"no checkout of the public MOVA program (set {VARIABLE})")
    if _PACKAGE not in sys.modules:
        package = types.ModuleType(_PACKAGE)
        package.__path__ = [str(Path(root) / "mova" / "diffusion" / "models")]
        sys.modules[_PACKAGE] = package
        _stand_in_for_sequence_parallelism()
    video, audio, bridge = (
        importlib.import_module(f"{_PACKAGE}.{name}") for name in ("wan_video_dit", "wan_audio_dit", "interactionv2")
    )
    return types.SimpleNamespace(
        video=video, WanModel=video.WanModel, WanAudioModel=audio.WanAudioModel,
        Bridge=bridge.DualTowerConditionalBridge,
    )  # fmt: skip


def _stand_in_for_sequence_parallelism() -> None:
    """One file names a default from yunchang in a signature; the class it belongs to is not used here."""
    parallel, kernels = types.ModuleType("yunchang"), types.ModuleType("yunchang.kernels")
    vars(parallel)["LongContextAttention"] = None
    vars(kernels)["AttnType"] = types.SimpleNamespace(FA=None)
    sys.modules.setdefault("yunchang", parallel)
    sys.modules.setdefault("yunchang.kernels", kernels)


class PublicNetwork:
    """The public towers and Bridge with given weights, driven as the public pipeline drives them, for one clip."""

    def __init__(self, config: ModelConfig, weights: dict[str, dict[str, Tensor]]) -> None:
        public = public_modules()
        self.sinusoid = public.video.sinusoidal_embedding_1d
        common = {"has_image_input": False, "require_clip_embedding": False}
        self.experts = {name: public.WanModel(**vars(config.video_dit), **common) for name in _experts(weights)}
        self.audio = public.WanAudioModel(**vars(config.audio_dit), **common, vae_type="dac")
        self.bridge = public.Bridge(**vars(config.dual_tower_bridge))
        for name, module in {**self.experts, "audio_dit": self.audio, "dual_tower_bridge": self.bridge}.items():
            module.load_state_dict(weights[name])
            module.eval().requires_grad_(False)

    @torch.inference_mode()
    def predict(
        self,
        expert: Expert,
        video: Tensor,
        audio: Tensor,
        condition: Tensor,
        context: Tensor,
        video_timestep: float,
        audio_timestep: float,
        fps: float,
    ) -> tuple[Tensor, Tensor]:
        """One evaluation of one clip."""
        tower = self.experts[expert]
        signals = []
        for side, t in ((tower, video_timestep), (self.audio, audio_timestep)):
            embedding = side.time_embedding(self.sinusoid(side.freq_dim, torch.tensor([t])))
            signals.append((embedding, side.time_projection(embedding).unflatten(1, (6, side.dim))))
        texts = [side.text_embedding(context) for side in (tower, self.audio)]
        x, grid = tower.patchify(torch.cat([video, condition], dim=1))
        y, (length,) = self.audio.patchify(audio, None)
        axes = [table[:n] for table, n in zip(tower.freqs, grid, strict=True)]
        views = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))
        spread = [axis.view(*view, axis.shape[-1]).expand(*grid, -1) for axis, view in zip(axes, views, strict=True)]
        turns = torch.cat(spread, dim=-1).reshape(len(x[0]), 1, -1)
        audio_turns = torch.cat([table[:length] for table in self.audio.freqs], dim=-1).reshape(length, 1, -1)
        aligned = self.bridge.build_aligned_freqs(
            video_fps=fps, grid_size=tuple(grid), audio_steps=length, device=x.device, dtype=x.dtype
        )
        for layer, block in enumerate(tower.blocks):
            both = layer < len(self.audio.blocks)
            if both and self.bridge.should_interact(layer, "a2v"):
                x, y = self.bridge(
                    layer,
                    x,
                    y,
                    x_freqs=aligned[0],
                    y_freqs=aligned[1],
                    condition_scale=1.0,
                    video_grid_size=tuple(grid),
                )
            x = block(x, texts[0], signals[0][1], turns)
            if both:
                y = self.audio.blocks[layer](y, texts[1], signals[1][1], audio_turns)
        return (
            tower.unpatchify(tower.head(x, signals[0][0]), grid),
            self.audio.unpatchify(self.audio.head(y, signals[1][0]), (length,)),
        )


def _experts(weights: dict[str, dict[str, Tensor]]) -> list[str]:
    return [name for name in weights if name.startswith("video_dit")]
