"""Loading a checkpoint: what is accepted, what is refused and in which words, and how much memory it takes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from model_support import nano_module, write_checkpoint
from safetensors.torch import load_file, save_file

from reference_model import MissingCheckpoint, MovaSampler, UnsupportedCheckpoint, UserError
from reference_model.components import COMPONENTS
from reference_model.loading import check_checkpoint, find_checkpoint, load_components, local_checkpoint, preset_of

CPU = torch.device("cpu")
FLOAT32 = dict.fromkeys(COMPONENTS, torch.float32)
AUDIO_VAE = "audio_vae/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "MOVA-nano")


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def edit(folder: Path, name: str, **changes: Any) -> None:
    values = json.loads((folder / name).read_text())
    values.update(changes)
    (folder / name).write_text(json.dumps({k: v for k, v in values.items() if v != "REMOVE"}))


def edit_tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def refused(folder: Path, kind: type[UserError], *words: str) -> None:
    """Loading and the check without loading refuse in the same sentence, which holds the words."""
    with pytest.raises(kind) as first:
        load_components(folder, FLOAT32, CPU)
    with pytest.raises(kind) as second:
        check_checkpoint(folder)
    message = str(first.value)
    assert message == str(second.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_every_tensor_arrives(checkpoint: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    loaded = load_components(checkpoint, FLOAT32, CPU, lambda *at: seen.append(at))
    for name in COMPONENTS:
        expected = nano_module(name).state_dict()
        found = loaded.modules[name].state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert [name for name, _, _ in seen[:-1]] == list(COMPONENTS)
    assert seen[0][1] == 0
    assert seen[-1][1] == seen[-1][2] == check_checkpoint(checkpoint)


def test_types_per_component(checkpoint: Path) -> None:
    dtypes = {**FLOAT32, "video_dit": torch.bfloat16}
    loaded = load_components(checkpoint, dtypes, CPU).modules
    assert {p.dtype for p in loaded["video_dit"].parameters()} == {torch.bfloat16}
    assert {p.dtype for p in loaded["video_dit_2"].parameters()} == {torch.float32}
    weight = nano_module("video_dit").blocks[0].ffn[0].weight
    assert torch.equal(loaded["video_dit"].blocks[0].ffn[0].weight, weight.bfloat16())  # type: ignore[index, union-attr, operator]


def test_weight_norm_is_folded(copy: Path) -> None:
    plain = load_file(copy / AUDIO_VAE)

    def unfold(tensors: dict[str, torch.Tensor]) -> None:
        for key in [k for k in tensors if k.endswith(".weight") and "quant" not in k]:
            weight = tensors.pop(key)
            norm = weight.flatten(1).norm(dim=1).view(-1, 1, 1)
            tensors[key + "_g"] = norm.clone()
            tensors[key + "_v"] = 2.5 * weight  # the scale of v says nothing

    edit_tensors(copy / AUDIO_VAE, unfold)
    found = load_components(copy, FLOAT32, CPU).modules["audio_vae"].state_dict()
    for key, weight in plain.items():
        torch.testing.assert_close(found[key], weight, atol=1e-6, rtol=1e-6)


def test_keys_that_begin_with_an_underscore_are_ignored(copy: Path) -> None:
    edit_tensors(copy / AUDIO_VAE, lambda t: t.update(_note=torch.zeros(3)))
    edit(copy, "audio_vae/config.json", _comment="x")
    load_components(copy, FLOAT32, CPU)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("video_dit/config.json", {"has_image_input": True}, ("has_image_input = true", "false")),
        ("video_dit/config.json", {"has_ref_conv": True}, ("has_ref_conv",)),
        ("video_dit_2/config.json", {"add_control_adapter": True}, ("video_dit_2", "add_control_adapter")),
        ("video_dit/config.json", {"seperated_timestep": True}, ("seperated_timestep",)),
        ("audio_dit/config.json", {"seperated_timestep": True}, ("audio_dit", "seperated_timestep")),
        ("audio_dit/config.json", {"vae_type": "oobleck"}, ('vae_type = "oobleck"', '"dac"')),
        ("dual_tower_bridge/config.json", {"pooled_adaln": True}, ("pooled_adaln",)),
        ("dual_tower_bridge/config.json", {"trainable_condition_scale": True}, ("trainable_condition_scale",)),
        ("dual_tower_bridge/config.json", {"interaction_strategy": "sparse"}, ("interaction_strategy", "sparse")),
        ("dual_tower_bridge/config.json", {"audio_fps": "REMOVE"}, ("lacks audio_fps",)),
        ("audio_vae/config.json", {"continuous": False}, ("continuous = false",)),
        ("scheduler/scheduler_config.json", {"shift": "REMOVE"}, ("lacks shift",)),
        ("scheduler/scheduler_config.json", {"exponential_shift": True}, ("exponential_shift",)),
        ("scheduler/scheduler_config.json", {"use_karras_sigmas": True}, ("use_karras_sigmas", "does not know")),
        ("video_vae/config.json", {"is_residual": True}, ("is_residual",)),
        ("video_vae/config.json", {"latents_std": "REMOVE"}, ("lacks latents_std",)),
        ("video_dit/config.json", {"dim": "wide"}, ("dim", '"wide"')),
        ("video_dit/config.json", {"eps": "REMOVE"}, ("lacks eps",)),
        ("video_dit_2/config.json", {"eps": 1e-5}, ("video_dit_2", "alike")),
        ("audio_dit/config.json", {"num_layers": 5}, ("deeper",)),
        ("model_index.json", {"_class_name": "WanPipeline"}, ("WanPipeline", "not a MOVA checkpoint")),
        ("model_index.json", {"boundary_ratio": "REMOVE"}, ("boundary_ratio",)),
        ("model_index.json", {"audio_vae_type": "oobleck"}, ("audio_vae_type",)),
    ],
)  # fmt: skip
def test_unsupported_configurations_are_refused_by_name(
    copy: Path, name: str, change: dict[str, Any], words: tuple[str, ...]
) -> None:
    edit(copy, name, **change)
    refused(copy, UnsupportedCheckpoint, *words)


def test_fields_that_switch_nothing_on_are_accepted(copy: Path) -> None:
    edit(copy, "video_dit/config.json", some_later_flag=False)
    edit(copy, "scheduler/scheduler_config.json", some_later_value=None)
    check_checkpoint(copy)


def test_missing_unexpected_and_misshapen_tensors(copy: Path) -> None:
    path = copy / AUDIO_VAE
    edit_tensors(path, lambda t: t.pop("decoder.model.0.bias"))
    refused(copy, UnsupportedCheckpoint, "audio_vae", "lacks decoder.model.0.bias")
    edit_tensors(path, lambda t: t.update({"decoder.model.0.bias": torch.zeros(64), "quantizer.weight": torch.ones(1)}))
    refused(copy, UnsupportedCheckpoint, "unexpected", "quantizer.weight")
    edit_tensors(path, lambda t: (t.pop("quantizer.weight"), t.update({"decoder.model.0.bias": torch.zeros(63)})))
    refused(copy, UnsupportedCheckpoint, "decoder.model.0.bias [63] instead of [64]")


def test_missing_and_damaged_files(copy: Path) -> None:
    shard = copy / "video_dit/diffusion_pytorch_model-00002-of-00003.safetensors"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-100])
    refused(copy, MissingCheckpoint, shard.name, "cut short", "again")
    shard.write_bytes(whole[:5])
    refused(copy, UnsupportedCheckpoint, shard.name)
    shard.write_bytes(b"<html>not found</html>" * 20)
    refused(copy, UnsupportedCheckpoint, shard.name, "not a safetensors file")
    shard.unlink()
    refused(copy, MissingCheckpoint, "lacks", shard.name)
    (copy / "video_dit/diffusion_pytorch_model.safetensors.index.json").write_text("{")
    refused(copy, UnsupportedCheckpoint, "not JSON")
    shutil.rmtree(copy / "tokenizer")
    refused(copy, MissingCheckpoint, "tokenizer")
    (copy / "scheduler/scheduler_config.json").unlink()
    refused(copy, MissingCheckpoint, "scheduler_config.json")


def test_another_models_files(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    refused(tmp_path, UnsupportedCheckpoint, "StableDiffusionPipeline")
    with pytest.raises(MissingCheckpoint, match=r"model_index\.json"):
        check_checkpoint(tmp_path / "nothing")


def test_names(checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MOVA_CHECKPOINTS", raising=False)
    assert local_checkpoint(checkpoint) == checkpoint
    assert local_checkpoint("720p") is None
    with pytest.raises(MissingCheckpoint, match=r"OpenMOSS-Team/MOVA-720p \(78 GB\).*MOVA_CHECKPOINTS"):
        find_checkpoint("720p")
    with pytest.raises(MissingCheckpoint, match="seeded"):
        find_checkpoint("nano")
    with pytest.raises(MissingCheckpoint, match="neither a folder nor"):
        find_checkpoint("some folder")
    (tmp_path / "MOVA-720p").mkdir()
    monkeypatch.setenv("MOVA_CHECKPOINTS", str(tmp_path))
    assert find_checkpoint("720p") == find_checkpoint("OpenMOSS-Team/MOVA-720p") == tmp_path / "MOVA-720p"
    for source in ("360p", "OpenMOSS-Team/MOVA-360p", "/models/MOVA-360p"):
        preset = preset_of(source, Path(source))
        assert preset is not None
        assert preset.name == "360p"
    assert preset_of(checkpoint, checkpoint) is None


def test_a_loaded_sampler_makes_the_clip_of_the_seeded_one(checkpoint: Path) -> None:
    loaded = MovaSampler.from_pretrained(checkpoint, device="cpu")
    settings: dict[str, Any] = {"steps": 2, "frames": 5, "height": 32, "width": 48, "seed": 3}
    ours, made_up = (s.sample("rain on a roof", **settings) for s in (loaded, MovaSampler.seeded(device="cpu")))
    assert torch.equal(ours.latents.video, made_up.latents.video)
    assert (ours.frames == made_up.frames).all()
    assert (ours.audio == made_up.audio).all()
    assert not ours.facts["seeded_weights"]
    with pytest.raises(UserError, match="height and width"):
        loaded.sample("rain on a roof")
