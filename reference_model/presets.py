"""The models in one table: sizes, defaults, configurations, and what a machine needs for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reference_model.configs import (
    AudioVaeConfig,
    BridgeConfig,
    ModelConfig,
    SchedulerConfig,
    TextConfig,
    TowerConfig,
    VideoVaeConfig,
)
from reference_model.errors import UserError

WAN_MEAN = (
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
)  # fmt: skip
WAN_STD = (
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
)  # fmt: skip
"""Statistics of the Wan2.1 video VAE's latents, per channel."""


def _video_vae(base_dim: int) -> VideoVaeConfig:
    return VideoVaeConfig(
        base_dim=base_dim, z_dim=16, dim_mult=(1, 2, 4, 4), num_res_blocks=2, attn_scales=(),
        temperal_downsample=(False, True, True), latents_mean=WAN_MEAN, latents_std=WAN_STD,
    )  # fmt: skip


_SCHEDULE = SchedulerConfig(shift=5.0, sigma_min=0.0, sigma_max=1.0, extra_one_step=True, num_train_timesteps=1000)

RELEASED = ModelConfig(
    video_dit=TowerConfig(
        dim=5120, num_heads=40, num_layers=40, ffn_dim=13824, in_dim=36, out_dim=16, patch_size=(1, 2, 2),
        freq_dim=256, text_dim=4096, eps=1e-6,
    ),
    audio_dit=TowerConfig(
        dim=1536, num_heads=12, num_layers=30, ffn_dim=8960, in_dim=128, out_dim=128, patch_size=(1,),
        freq_dim=256, text_dim=4096, eps=1e-6,
    ),
    dual_tower_bridge=BridgeConfig(
        visual_layers=40, audio_layers=30, visual_hidden_dim=5120, audio_hidden_dim=1536, head_dim=128,
        audio_fps=50.0, interaction_strategy="full", apply_cross_rope=True, apply_first_frame_bias_in_rope=False,
    ),
    audio_vae=AudioVaeConfig(
        encoder_dim=128, encoder_rates=(2, 3, 4, 5, 8), latent_dim=128, decoder_dim=2048,
        decoder_rates=(8, 5, 4, 3, 2), sample_rate=48_000,
    ),
    video_vae=_video_vae(base_dim=96),
    text_encoder=TextConfig(
        vocab_size=256_384, d_model=4096, d_kv=64, d_ff=10_240, num_layers=24, num_heads=64,
        relative_attention_num_buckets=32, relative_attention_max_distance=128, layer_norm_epsilon=1e-6,
        feed_forward_proj="gated-gelu",
    ),
    scheduler=_SCHEDULE,
    boundary_ratio=0.9,
)  # fmt: skip
"""The 32 B model. Both released checkpoints share it; they differ in their weights."""

NANO = ModelConfig(
    video_dit=TowerConfig(
        dim=192, num_heads=6, num_layers=4, ffn_dim=512, in_dim=36, out_dim=16, patch_size=(1, 2, 2),
        freq_dim=64, text_dim=64, eps=1e-6,
    ),
    audio_dit=TowerConfig(
        dim=96, num_heads=3, num_layers=3, ffn_dim=256, in_dim=16, out_dim=16, patch_size=(1,),
        freq_dim=64, text_dim=64, eps=1e-6,
    ),
    dual_tower_bridge=BridgeConfig(
        visual_layers=4, audio_layers=3, visual_hidden_dim=192, audio_hidden_dim=96, head_dim=32,
        audio_fps=50.0, interaction_strategy="full", apply_cross_rope=True, apply_first_frame_bias_in_rope=False,
    ),
    audio_vae=AudioVaeConfig(
        encoder_dim=8, encoder_rates=(2, 3, 4, 5, 8), latent_dim=16, decoder_dim=64, decoder_rates=(8, 5, 4, 3, 2),
        sample_rate=48_000,
    ),
    video_vae=_video_vae(base_dim=8),
    text_encoder=TextConfig(
        vocab_size=384, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4,
        relative_attention_num_buckets=32, relative_attention_max_distance=128, layer_norm_epsilon=1e-6,
        feed_forward_proj="gated-gelu",
    ),
    scheduler=_SCHEDULE,
    boundary_ratio=0.9,
)  # fmt: skip
"""The same code with small numbers: runs on a CPU in seconds. No trained weights exist for it."""


@dataclass(frozen=True)
class Preset:
    """A model by name.

    hub: its repository on the model hub, None where there is none. disk_gb: 10^9 bytes of the checkpoint. vram_gb:
    10^9 bytes of GPU memory per offload mode; `vram_source` says who measured. height, width, frames, fps, steps:
    defaults (landscape; swapped for a portrait frame).
    """

    name: str
    title: str
    config: ModelConfig
    hub: str | None
    height: int
    width: int
    frames: int
    fps: float
    steps: int
    disk_gb: float
    vram_gb: Mapping[str, float]
    vram_source: str

    @property
    def landscape(self) -> tuple[int, int]:
        """(height, width)"""
        return self.height, self.width

    @property
    def portrait(self) -> tuple[int, int]:
        """(height, width)"""
        return self.width, self.height


_CHECKPOINT_GB = 77.7
"""Video experts 2 x 28.58, text encoder 11.36, Bridge 5.32, audio tower 2.84, audio VAE 0.74, video VAE about 0.25."""

PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="360p", title="MOVA-360p", config=RELEASED, hub="OpenMOSS-Team/MOVA-360p",
            height=352, width=640, frames=193, fps=24.0, steps=50, disk_gb=_CHECKPOINT_GB,
            vram_gb={"none": 80.0, "component": 48.0, "layer": 12.0},
            vram_source="component and layer: upstream's measurements of its own program at 360p, 8 s; "
            "none: the weights alone (77.7), not measured",
        ),
        Preset(
            name="720p", title="MOVA-720p", config=RELEASED, hub="OpenMOSS-Team/MOVA-720p",
            height=720, width=1280, frames=193, fps=24.0, steps=50, disk_gb=_CHECKPOINT_GB,
            vram_gb={"none": 100.0, "component": 64.0, "layer": 32.0},
            vram_source="estimates (weights resident at once plus activations of 176,400 tokens), not measured; "
            "upstream publishes figures for 360p only",
        ),
        Preset(
            name="nano", title="MOVA-nano (seeded weights)", config=NANO, hub=None,
            height=64, width=96, frames=17, fps=24.0, steps=4, disk_gb=0.0,
            vram_gb={"none": 0.1, "component": 0.1, "layer": 0.1}, vram_source="no GPU needed",
        ),
    )
}  # fmt: skip


def get_preset(name: str) -> Preset:
    """A preset by name. Raises UserError that names those there are."""
    if name not in PRESETS:
        raise UserError(f"there is no preset {name!r}: choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
