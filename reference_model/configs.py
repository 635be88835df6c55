"""Configurations of the components, and their strict reading from the files of a checkpoint.

The numbers of a model come from its files. A field that changes numbers and is missing is an error, never a default;
a field that asks for something this package does not implement is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from reference_model.errors import MissingCheckpoint, UnsupportedCheckpoint

Strategy = Literal["full", "shallow_focus", "distributed", "progressive", "custom"]


@dataclass(frozen=True)
class TowerConfig:
    """A tower: the video tower has three patch axes (time, row, column), the audio tower one."""

    dim: int
    num_heads: int
    num_layers: int
    ffn_dim: int
    in_dim: int
    out_dim: int
    patch_size: tuple[int, ...]
    freq_dim: int
    text_dim: int
    eps: float

    @property
    def head_dim(self) -> int:
        return self.dim // self.num_heads


@dataclass(frozen=True)
class BridgeConfig:
    """The Bridge between the towers. audio_fps: audio latents per second, the unit of its positions."""

    visual_layers: int
    audio_layers: int
    visual_hidden_dim: int
    audio_hidden_dim: int
    head_dim: int
    audio_fps: float
    interaction_strategy: Strategy
    apply_cross_rope: bool
    apply_first_frame_bias_in_rope: bool

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that exchange, ascending."""
        depth = min(self.visual_layers, self.audio_layers)
        chosen: dict[str, Collection[int]] = {
            "full": range(depth),
            "shallow_focus": range(min(10, depth // 3)),
            "distributed": range(0, depth, 3),
            "progressive": (*range(min(8, depth)), *range(8, depth, 3)),
            "custom": (0, 2, 4, 6, 8, 12, 16, 20),
        }
        return tuple(i for i in chosen[self.interaction_strategy] if i < depth)


@dataclass(frozen=True)
class AudioVaeConfig:
    """The continuous DAC. Its hop, the product of the encoder's rates, is the number of samples per latent."""

    encoder_dim: int
    encoder_rates: tuple[int, ...]
    latent_dim: int
    decoder_dim: int
    decoder_rates: tuple[int, ...]
    sample_rate: int

    @property
    def hop(self) -> int:
        product = 1
        for rate in self.encoder_rates:
            product *= rate
        return product


@dataclass(frozen=True)
class VideoVaeConfig:
    """What AutoencoderKLWan is built from; the statistics normalise its latents, per channel."""

    base_dim: int
    z_dim: int
    dim_mult: tuple[int, ...]
    num_res_blocks: int
    attn_scales: tuple[float, ...]
    temperal_downsample: tuple[bool, ...]
    latents_mean: tuple[float, ...]
    latents_std: tuple[float, ...]


@dataclass(frozen=True)
class TextConfig:
    """The UMT5 encoder."""

    vocab_size: int
    d_model: int
    d_kv: int
    d_ff: int
    num_layers: int
    num_heads: int
    relative_attention_num_buckets: int
    relative_attention_max_distance: int
    layer_norm_epsilon: float
    feed_forward_proj: str


@dataclass(frozen=True)
class SchedulerConfig:
    """The noise schedule. The training grid, to which the sampler snaps, follows from it alone."""

    shift: float
    sigma_min: float
    sigma_max: float
    extra_one_step: bool
    num_train_timesteps: int


@dataclass(frozen=True)
class ModelConfig:
    """All components. boundary_ratio: below this part of the timesteps the low-noise expert works."""

    video_dit: TowerConfig
    audio_dit: TowerConfig
    dual_tower_bridge: BridgeConfig
    audio_vae: AudioVaeConfig
    video_vae: VideoVaeConfig
    text_encoder: TextConfig
    scheduler: SchedulerConfig
    boundary_ratio: float

    def __post_init__(self) -> None:
        video, audio, bridge = self.video_dit, self.audio_dit, self.dual_tower_bridge
        rules = (
            (video.num_layers >= audio.num_layers, "the audio tower is deeper than the video tower"),
            (len(video.patch_size) == 3 and len(audio.patch_size) == 1, "the patch sizes do not fit the towers"),
            (video.patch_size[0] == 1 and audio.patch_size == (1,), "patches over time are not supported"),
            (
                (bridge.visual_hidden_dim, bridge.audio_hidden_dim) == (video.dim, audio.dim),
                "the widths of the Bridge are not those of the towers",
            ),
            (
                (bridge.visual_layers, bridge.audio_layers) == (video.num_layers, audio.num_layers),
                "the depths of the Bridge are not those of the towers",
            ),
            (video.dim % video.num_heads == 0 == audio.dim % audio.num_heads, "a width is no multiple of its heads"),
            (
                video.dim % bridge.head_dim == 0 == audio.dim % bridge.head_dim,
                "the widths of the Bridge are no multiples of its head size",
            ),
            (video.head_dim // 3 % 2 == 0 == video.head_dim % 2, "the video head does not split into three axes"),
            (video.text_dim == audio.text_dim == self.text_encoder.d_model, "the text widths differ"),
            (audio.in_dim == audio.out_dim == self.audio_vae.latent_dim, "the audio latent widths differ"),
            (video.out_dim == self.video_vae.z_dim, "the video latent widths differ"),
            (video.in_dim == 2 * video.out_dim + 4, "the video tower has no room for mask and first frame"),
        )
        for holds, what in rules:
            if not holds:
                raise UnsupportedCheckpoint(f"these configurations do not fit together: {what}")


T = TypeVar("T")

_NO = dict.fromkeys(("has_image_input", "has_ref_conv", "add_control_adapter", "seperated_timestep"), False)
_VIDEO_FIXED = {**_NO, "fuse_vae_embedding_in_latents": False, "require_vae_embedding": True}
_TOWER_IDLE = frozenset({"has_image_pos_emb", "in_dim_control_adapter", "require_clip_embedding"})
_WITHOUT_EFFECT: Mapping[str, frozenset[str]] = {
    "video_dit": _TOWER_IDLE,
    "audio_dit": _TOWER_IDLE | {"require_vae_embedding", "fuse_vae_embedding_in_latents"},
    "audio_vae": frozenset({"n_codebooks", "codebook_size", "codebook_dim", "quantizer_dropout", "use_weight_norm"}),
    "scheduler": frozenset({"num_inference_steps", "exponential_shift_mu"}),
    "video_vae": frozenset({"dropout", "scale_factor_temporal", "scale_factor_spatial", "clip_output"}),
}
_FIXED: Mapping[str, Mapping[str, object]] = {
    "video_dit": {**_VIDEO_FIXED, "require_clip_embedding": False},
    "audio_dit": {"has_image_input": False, "vae_type": "dac"},
    "dual_tower_bridge": {"trainable_condition_scale": False, "pooled_adaln": False},
    "audio_vae": {"continuous": True},
    "scheduler": {
        "inverse_timesteps": False, "reverse_sigmas": False, "exponential_shift": False, "shift_terminal": None,
    },
}  # fmt: skip
"""Fields that must be there with exactly this value."""
_FIXED_IF_THERE: Mapping[str, Mapping[str, object]] = {
    "audio_dit": _NO,
    "video_vae": {"is_residual": False, "patch_size": None, "in_channels": 3, "out_channels": 3},
    "text_encoder": {"model_type": "umt5"},
}


def read_config(kind: type[T], component: str, values: Mapping[str, Any], where: str) -> T:
    """The configuration of a component from the content of its file.

    where: the file, for messages. Keys that begin with an underscore are skipped; so are keys that this package does
    not know as long as they switch nothing on (false, null, zero, empty). Raises UnsupportedCheckpoint.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    fixed = _FIXED.get(component, {})
    missing = [name for name in (*names, *fixed) if name not in values]
    if missing:
        raise UnsupportedCheckpoint(f"{where} lacks {', '.join(missing)}: get the file again from the model's origin")
    for name, wanted in {**_FIXED_IF_THERE.get(component, {}), **fixed}.items():
        if name in values and values[name] != wanted:
            raise UnsupportedCheckpoint(
                f"{where} says {name} = {json.dumps(values[name])}, and only {json.dumps(wanted)} is supported here"
            )
    known = {*names, *fixed, *_FIXED_IF_THERE.get(component, {}), *_WITHOUT_EFFECT.get(component, ())}
    if component != "text_encoder":  # transformers writes dozens of fields that concern generation alone
        strange = [name for name, value in values.items() if value and not name.startswith("_") and name not in known]
        if strange:
            raise UnsupportedCheckpoint(
                f"{where} sets {', '.join(strange)}, which this package does not know: it may be another model"
            )
    return kind(**{field.name: _typed(field.type, field.name, values, where) for field in fields(kind)})  # type: ignore[arg-type]


def _typed(annotation: object, name: str, values: Mapping[str, Any], where: str) -> Any:
    """A value of the file in the type that the field names; wrong types are refused."""
    value = values[name]
    kind = str(annotation)
    if kind == "Strategy":
        right = value in get_args(Strategy)
    elif kind.startswith("tuple"):
        right = isinstance(value, list | tuple)
        value = tuple(value) if right else value
    elif kind == "float":
        right = isinstance(value, int | float) and not isinstance(value, bool)
        value = float(value) if right else value
    else:
        right = type(value).__name__ == kind and not (kind == "int" and value <= 0)
    if not right:
        raise UnsupportedCheckpoint(f"{where} says {name} = {json.dumps(value)}, which is not a value for it")
    return value


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file. Raises MissingCheckpoint or UnsupportedCheckpoint."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingCheckpoint(f"{path} is missing: complete the download of the checkpoint") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise UnsupportedCheckpoint(f"{path} is not JSON ({problem}): get it again") from problem
    if not isinstance(found, dict):
        raise UnsupportedCheckpoint(f"{path} is not a JSON object: get it again")
    return found


_PARTS: tuple[tuple[str, type], ...] = (
    ("video_dit", TowerConfig),
    ("audio_dit", TowerConfig),
    ("dual_tower_bridge", BridgeConfig),
    ("audio_vae", AudioVaeConfig),
    ("video_vae", VideoVaeConfig),
    ("text_encoder", TextConfig),
    ("scheduler", SchedulerConfig),
)


def config_file(component: str) -> str:
    """The name of the configuration file of a component, relative to the checkpoint."""
    return f"{component}/{'scheduler_config' if component == 'scheduler' else 'config'}.json"


def read_model_config(folder: Path) -> ModelConfig:
    """The configuration of a whole checkpoint. Raises MissingCheckpoint, UnsupportedCheckpoint."""
    index = read_json(folder / "model_index.json")
    where = str(folder / "model_index.json")
    if index.get("_class_name") != "MOVA":
        raise UnsupportedCheckpoint(
            f"{where} names the class {index.get('_class_name')!r}: this is not a MOVA checkpoint"
        )
    if index.get("audio_vae_type") != "dac":
        raise UnsupportedCheckpoint(
            f'{where} says audio_vae_type = {json.dumps(index.get("audio_vae_type"))}, and only "dac" is supported here'
        )
    if not isinstance(index.get("boundary_ratio"), float):
        raise UnsupportedCheckpoint(f"{where} lacks boundary_ratio: get the file again from the model's origin")
    parts: dict[str, Any] = {}
    for component, kind in _PARTS:
        path = folder / config_file(component)
        parts[component] = read_config(kind, component, read_json(path), str(path))
    second = folder / config_file("video_dit_2")
    if read_config(TowerConfig, "video_dit", read_json(second), str(second)) != parts["video_dit"]:
        raise UnsupportedCheckpoint(f"{second} differs from that of video_dit: the experts must be alike")
    return ModelConfig(**parts, boundary_ratio=index["boundary_ratio"])
