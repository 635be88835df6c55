"""The `reference` generator: plans, probes without loading anything, real nano clips."""

from __future__ import annotations

import json
import os
import stat
import struct
from pathlib import Path
from typing import Any

import pytest
from generator_support import ledger
from support import run_python

from metrics.errors import UserError
from mova_eval import benchmarks
from mova_eval.generators import PlanOptions, generate_clips, make
from mova_eval.generators.checkpoint import COMPONENTS, check, digests, revision


def shard(path: Path, tensors: dict[str, int], *, lost: int = 0) -> None:
    """A safetensors file of zeros; lost: bytes missing at its end."""
    header, offset = {}, 0
    for name, size in tensors.items():
        header[name] = {"dtype": "U8", "shape": [size], "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    path.write_bytes((struct.pack("<Q", len(text)) + text + bytes(offset))[: 8 + len(text) + offset - lost])


def checkpoint(folder: Path) -> Path:
    """A tree that looks like a released checkpoint, with tiny weights."""
    folder.mkdir(parents=True)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "MOVA"}))
    for name in ("tokenizer", "scheduler", *COMPONENTS):
        (folder / name).mkdir()
    for name in COMPONENTS:
        if name in {"text_encoder", "video_dit", "video_dit_2"}:
            stem = "model" if name == "text_encoder" else "diffusion_pytorch_model"
            names = [f"{stem}-{i:05d}-of-00003.safetensors" for i in (1, 2, 3)]
            for i, file in enumerate(names):
                shard(folder / name / file, {f"w{i}": 16})
            index = {"weight_map": {f"w{i}": file for i, file in enumerate(names)}}
            (folder / name / f"{stem}.safetensors.index.json").write_text(json.dumps(index))
        else:
            shard(folder / name / "diffusion_pytorch_model.safetensors", {"w": 16})
    return folder


def test_a_whole_checkpoint(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "MOVA-360p")
    assert [c.state for c in check(folder)] == ["ok"]
    found = digests(folder)
    assert len(found) == 3 * 3 + 4
    assert revision(folder) == ""
    generator = make("360p", {"checkpoint": str(folder), "device": "cpu"})
    assert not [c for c in generator.probe("server") if c.fails]
    assert generator.identity().model == "MOVA-360p"
    assert generator.identity().weights == found
    assert not generator.identity().caveats


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("shard", "model-00002-of-00003.safetensors cannot be read"),
        ("cut", "has 83 bytes, its header promises 86"),
        ("class", "holds a model of class WanPipeline, not MOVA"),
        ("folder", "dual_tower_bridge is missing"),
        ("text", "has no safetensors header"),
        ("empty", "audio_vae holds no weights"),
        ("index", "has no readable model_index.json"),
    ],
)
def test_damaged_checkpoints(tmp_path: Path, damage: str, message: str) -> None:
    folder = checkpoint(tmp_path / "MOVA-360p")
    weights = "diffusion_pytorch_model.safetensors"
    match damage:
        case "shard":
            (folder / "text_encoder/model-00002-of-00003.safetensors").unlink()
        case "cut":
            shard(folder / "audio_dit" / weights, {"w": 16}, lost=3)
        case "class":
            (folder / "model_index.json").write_text(json.dumps({"_class_name": "WanPipeline"}))
        case "folder":
            (folder / "dual_tower_bridge" / weights).unlink()
            (folder / "dual_tower_bridge").rmdir()
        case "text":
            (folder / "audio_dit" / weights).write_text("<html>not found</html>")
        case "empty":
            (folder / "audio_vae" / weights).unlink()
        case "index":
            (folder / "model_index.json").write_text("{")
    failing = [c for c in check(folder) if c.fails]
    assert len(failing) == 1
    assert message in failing[0].detail
    assert "complete the download" in failing[0].remedy


def test_a_probe_imports_nothing_heavy(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "MOVA-720p")
    code = f"""
import sys
for name in ("torch", "transformers", "diffusers", "numpy", "av"):
    sys.modules[name] = None  # importing it is an error
from mova_eval.generators import make
generator = make("720p", {{"checkpoint": {str(folder)!r}}})
generator.describe()
print([check.state for check in generator.probe("files")], [c.name for c in generator.probe("device") if c.fails])
"""
    done = run_python(code, CUDA_VISIBLE_DEVICES="")
    assert done.stdout.splitlines()[-1:] == ["['ok'] ['GPU']"] or "['ok']" in done.stdout, done.stderr


def test_the_hub_cache_is_found_and_its_names_are_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "hub/models--OpenMOSS-Team--MOVA-720p"
    folder = checkpoint(cache / "snapshots" / ("ab" * 20))
    (cache / "refs").mkdir()
    (cache / "refs/main").write_text("ab" * 20)
    (cache / "blobs").mkdir()
    file = folder / "audio_vae/diffusion_pytorch_model.safetensors"
    file.rename(cache / "blobs" / ("cd" * 32))
    file.symlink_to(cache / "blobs" / ("cd" * 32))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    generator = make("720p", {"device": "cpu"})
    assert not [c for c in generator.probe("files") if c.fails]
    assert generator.identity().model == f"OpenMOSS-Team/MOVA-720p@{'ab' * 20}"
    assert generator.identity().weights["audio_vae/diffusion_pytorch_model.safetensors"] == "cd" * 32


@pytest.fixture
def _nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.delenv("MOVA_CHECKPOINTS", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.mark.usefixtures("_nothing_here")
def test_720p_where_nothing_is_says_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        generate_clips(benchmarks.load("mini"), make("720p", {"offload": "layer"}), out=tmp_path / "run")
    said = str(refused.value)
    assert said.startswith(
        "--model 720p cannot run here: OpenMOSS-Team/MOVA-720p (78 GB on disk) is not on this machine"
    )
    for part in ("there is no CUDA GPU here", "a GPU with 100 GB", "32 GB with --offload layer", "run --model nano"):
        assert part in said
    assert "\n" not in said
    assert not (tmp_path / "run/generation.json").exists()


def plan(model: str, item: str, duration: float | None = None, **settings: Any) -> Any:
    """mini: m01 landscape, m02 portrait, m15 square."""
    (one,) = benchmarks.load("mini", ids=[item]).items
    return make(model, settings).plan(one, PlanOptions(duration=duration))


def test_plans_obey_the_model(tmp_path: Path) -> None:
    assert [plan("360p", item).size for item in ("m01", "m02", "m15")] == ["640x352", "352x640", "640x352"]
    assert [plan("720p", item).size for item in ("m01", "m02", "m15")] == ["1280x720", "720x1280", "1280x720"]
    assert [plan("nano", item).size for item in ("m01", "m02", "m15")] == ["96x64", "64x96", "96x64"]
    assert [plan("720p", "m01", seconds).frames for seconds in (None, 5, 8, 10)] == [193, 121, 193, 241]
    assert plan("nano", "m01").frames == 17
    assert plan("720p", "m01").parameters["steps"] == 50
    assert plan("nano", "m01", steps=2).parameters["steps"] == 2
    assert plan("360p", "m15").kept == pytest.approx(0.55, abs=0.01)
    with pytest.raises(UserError, match="size 640x360: sides must be multiples of 16; the nearest is 640x352"):
        plan("360p", "m01", size="640x360")
    with pytest.raises(UserError, match="the nearest are 189 and 193"):
        plan("360p", "m01", frames=190)
    with pytest.raises(UserError, match="offload=disk: expected one of none, component, layer"):
        make("360p", {"offload": "disk"})


def test_one_clip_at_a_time_on_each_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\necho '0, GPU-aa, NVIDIA H100, 81559, 80000'\necho '1, GPU-bb, NVIDIA L4, 23034, 22000'\n"
    )
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    lanes = make("720p").lanes(None)
    assert [lane.environment["CUDA_VISIBLE_DEVICES"] for lane in lanes] == ["0", "1"]
    assert len(make("720p").lanes(1)) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa")
    assert len(make("360p").lanes(None)) == 1
    (enough,) = make("360p", {"checkpoint": str(checkpoint(tmp_path / "c")), "offload": "component"}).probe("server")[
        1:
    ]
    assert (enough.state, enough.detail) == ("ok", "1 x NVIDIA H100")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    (small,) = [
        c for c in make("360p", {"checkpoint": str(tmp_path / "c"), "offload": "component"}).probe("server") if c.fails
    ]
    assert "NVIDIA L4 has 24 GB, and --offload component needs 48" in small.detail
    assert [lane.options for lane in make("nano", {"device": "cpu"}).lanes(2)] == [{"device": "cpu"}] * 2


def own_items(folder: Path) -> benchmarks.Benchmark:
    """A good item, one with a long prompt, one whose picture breaks off, one without a prompt."""
    folder.mkdir()
    frame = benchmarks.load("mini", ids=["m01"]).items[0].first_frame
    assert frame is not None
    whole = Path(frame.path).read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 3])
    prompts = {"good": "a dog barks", "long": "a dog barks " * 5000, "cut": "a dog barks", "empty": " "}
    lines = [
        {
            "id": name,
            "set": "s",
            "prompt": prompt,
            "first_frame": str(folder / "cut.jpg") if name == "cut" else frame.path,
        }
        for name, prompt in prompts.items()
    ]
    (folder / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return benchmarks.load(folder)


def test_nano_clips_and_bad_items(tmp_path: Path) -> None:
    generator = make("nano", {"steps": 1, "guidance_text": 1.0, "frames": 5, "device": "cpu"})
    outcome = generate_clips(own_items(tmp_path / "own"), generator, out=tmp_path / "run", workers=0, retries=1)
    assert list(outcome.clips) == ["good", "long"]
    assert "empty prompt" in outcome.not_runnable["empty"]
    assert "picture" in outcome.failed["cut"] or "image" in outcome.failed["cut"]
    records = {record.item: record for record in ledger(tmp_path / "run")}
    good, long = records["good"], records["long"]
    assert good.facts is not None
    assert (good.facts.width, good.facts.height, good.facts.frames, good.facts.sample_rate) == (96, 64, 5, 48000)
    assert good.details["evaluations"] == 1
    assert long.flags[:1] == ["prompt-cut"]
    assert long.details["prompt_tokens_cut"] > 10_000
    assert records["cut"].attempt == 1  # a broken picture is not tried again
    assert outcome.reference.caveats[0].startswith(
        "the clips are noise: MOVA-nano (seeded weights) has no trained weights"
    )
    assert outcome.reference.settings["steps"] == 1
    again = generate_clips(
        benchmarks.load(tmp_path / "own", ids=["good"]), generator, out=tmp_path / "again", workers=0
    )
    assert again.clips["good"].read_bytes() == outcome.clips["good"].read_bytes()


def test_the_same_pictures_give_the_same_file(tmp_path: Path) -> None:
    """Narrow pictures too: libx264's macroblock tree depends on stray memory there, and so is not used."""
    import numpy as np

    from reference_model.output import write_clip

    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (5, 64, 96, 3), np.uint8)
    files, stray = set(), []
    for _ in range(40):
        stray.append(np.empty(int(rng.integers(1, 200_000)), np.uint8))  # moves what lies where in memory
        write_clip(tmp_path / "clip.mp4", frames, 24.0, np.zeros(10_000, np.float32), 48_000)
        files.add((tmp_path / "clip.mp4").read_bytes())
    assert len(files) == 1
