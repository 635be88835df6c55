"""What the tests of the sampler share: the nano model with its deterministic weights and inputs."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reference_model import fill
from reference_model.components import COMPONENTS, TRANSFORMERS, skeleton, tensor_shapes
from reference_model.latents import Latents
from reference_model.network import Network
from reference_model.presets import NANO

VIDEO = (1, 16, 5, 8, 12)
AUDIO = (1, 16, 36)


@cache
def nano_module(component: str) -> Any:
    """A component of the nano model in float32. Shared: do not change its weights."""
    module: Any = skeleton(component, NANO).to_empty(device="cpu")
    if component == "text_encoder":
        module.set_input_embeddings(module.shared)
    fill.fill(module, component)
    return module


def nano_network() -> Network:
    """The four transformers (a new container around shared modules)."""
    video, second, audio, bridge = (nano_module(name) for name in TRANSFORMERS)
    return Network({"video_dit": video, "video_dit_2": second}, audio, bridge)


def inputs() -> Latents:
    """Latents to start from."""
    return Latents(fill.values("input/video_latents", VIDEO), fill.values("input/audio_latents", AUDIO))


def condition() -> Tensor:
    """Mask and first-frame latents, [1, 20, 5, 8, 12]."""
    mask = torch.zeros(1, 4, 5, 8, 12)
    mask[:, :, 0] = 1
    return torch.cat([mask, fill.values("input/first_frame_latents", VIDEO)], dim=1)


def contexts() -> tuple[Tensor, Tensor]:
    """Of the prompt (20 rows, then zeros) and the negative prompt (12 rows, then zeros), [1, 512, 64] each."""
    found = []
    for key, rows in (("input/context", 20), ("input/negative_context", 12)):
        value = fill.values(key, (1, 512, 64))
        value[:, rows:] = 0
        found.append(value)
    return found[0], found[1]


def statistics(x: Tensor) -> dict[str, Any]:
    """Size, mean, population deviation, largest magnitude, and the values at 0, 1, n//3, n//2, n-1."""
    flat = x.detach().double().flatten()
    n = len(flat)
    return {
        "n": n,
        "mean": float(flat.mean()),
        "std": float(flat.std(unbiased=False)),
        "max": float(flat.abs().max()),
        "probes": [float(flat[i]) for i in (0, 1, n // 3, n // 2, n - 1)],
    }


def config_files() -> dict[str, dict[str, Any]]:
    """The configuration files of a nano checkpoint, as the released folders spell them."""
    tower = {
        "_class_name": "WanModel", "_diffusers_version": "0.36.0", "has_image_input": False, "has_image_pos_emb": False,
        "has_ref_conv": False, "add_control_adapter": False, "in_dim_control_adapter": 24, "seperated_timestep": False,
        "require_vae_embedding": True, "require_clip_embedding": False, "fuse_vae_embedding_in_latents": False,
    }  # fmt: skip
    sound = {"_class_name": "WanAudioModel", "require_clip_embedding": True, "vae_type": "dac"}
    idle = {"n_codebooks": 9, "codebook_size": 1024, "codebook_dim": 8, "quantizer_dropout": False}
    off = {"inverse_timesteps": False, "reverse_sigmas": False, "exponential_shift": False, "shift_terminal": None}
    video = {**tower, **asdict(NANO.video_dit)}
    return {
        "model_index.json": {"_class_name": "MOVA", "audio_vae_type": "dac", "boundary_ratio": NANO.boundary_ratio},
        "video_dit/config.json": video,
        "video_dit_2/config.json": video,
        "audio_dit/config.json": {**tower, **sound, **asdict(NANO.audio_dit)},
        "dual_tower_bridge/config.json": {
            "trainable_condition_scale": False, "pooled_adaln": False, **asdict(NANO.dual_tower_bridge)
        },
        "audio_vae/config.json": {"continuous": True, "use_weight_norm": False, **idle, **asdict(NANO.audio_vae)},
        "video_vae/config.json": {"_class_name": "AutoencoderKLWan", "dropout": 0.0, **asdict(NANO.video_vae)},
        "text_encoder/config.json": {"model_type": "umt5", "architectures": ["UMT5EncoderModel"], "pad_token_id": 0}
        | asdict(NANO.text_encoder),
        "scheduler/scheduler_config.json": {"_class_name": "FlowMatchPairScheduler", **off, **asdict(NANO.scheduler)},
    }  # fmt: skip


def write_checkpoint(folder: Path, shards: int = 3, dtype: torch.dtype = torch.float32) -> Path:
    """A nano checkpoint in the layout of the released ones: experts and text encoder in shards, the rest in one file."""
    from safetensors.torch import save_file
    from transformers import ByT5Tokenizer

    for name, values in config_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(values))
    ByT5Tokenizer().save_pretrained(folder / "tokenizer")
    for component in COMPONENTS:
        module = nano_module(component)
        wanted = tensor_shapes(component, module)
        tensors = {k: t.to(dtype).contiguous() for k, t in module.state_dict().items() if k in wanted}
        stem = "model" if component == "text_encoder" else "diffusion_pytorch_model"
        if component not in ("video_dit", "video_dit_2", "text_encoder"):
            save_file(tensors, folder / component / f"{stem}.safetensors")
            continue
        names, places = sorted(tensors), {}
        for part in range(shards):
            shard = f"{stem}-{part + 1:05}-of-{shards:05}.safetensors"
            own = names[part::shards]
            save_file({name: tensors[name] for name in own}, folder / component / shard, {"format": "pt"})
            places.update(dict.fromkeys(own, shard))
        index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": places}
        (folder / component / f"{stem}.safetensors.index.json").write_text(json.dumps(index))
    return folder
