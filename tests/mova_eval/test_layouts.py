"""Export to the layouts of other tools, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import av
import pytest
from support import make_clip, shared_data

from metrics.errors import UserError
from mova_eval import benchmarks
from mova_eval.layouts import export_run
from mova_eval.layouts.exporting import original_id
from mova_eval.records import GeneratorRef
from mova_eval.runs.items import make_items, write_items
from mova_eval.runs.manifest import make_manifest, write_manifest
from mova_eval.runs.paths import RunPaths


def a_run(folder: Path, benchmark: benchmarks.Benchmark, clips: dict[str, Path]) -> Path:
    """A run directory as far as its items and their clips go."""
    paths = RunPaths(folder)
    folder.mkdir(parents=True)
    ref = GeneratorRef(kind="trial", name="trial", seed=7)
    manifest = make_manifest(
        benchmark, [], [], run="run", generator=ref, protocol="official", seed=0, device="cpu", command=[]
    )
    write_manifest(paths.manifest, manifest)
    write_items(paths.items, make_items(benchmark, benchmarks.Matching(clips), paths))
    return folder


def video_reward_prompt(prompts: dict[str, dict[str, dict[str, str]]], file: Path) -> str | None:
    """That script's lookup: directories named step_<int>, then the text before `_video_`."""
    assert re.fullmatch(r"step_[0-9]+", file.parent.parent.name)
    head, mark, _ = file.stem.partition("_video_")
    record = prompts[file.parent.name].get(head) if mark else None
    return record["prompt"] if record else None


def clap_prompt(prompts: dict[str, dict[str, dict[str, str]]], file: Path) -> str | None:
    """That script's lookup: the first id that the name starts with, else clip_<hex>, else leading digits."""
    known = prompts[file.parent.name]
    for name, record in known.items():
        if file.name.startswith(name):
            return record["prompt"]
    found = re.search(r"clip_[a-f0-9]+", file.name) or re.match(r"\d+", file.name)
    return known[found[0]]["prompt"] if found and found[0] in known else None


def test_all_of_verse_bench_there_and_back(tmp_path: Path) -> None:
    benchmark = benchmarks.load("verse-bench", root=shared_data() / "verse_bench_prompts.json")
    source = tmp_path / "clips"
    source.mkdir()
    clips = {}
    for item in benchmark.items:
        clips[item.id] = source / f"{item.id}.mp4"
        clips[item.id].write_bytes(item.id.encode())
    done = export_run(a_run(tmp_path / "run", benchmark, clips), tmp_path / "out")
    files = sorted((tmp_path / "out").rglob("*.mp4"))
    assert len(files) == len(done.clips) == 600
    matching = benchmarks.match_clips(tmp_path / "out", benchmark)
    assert {item: path.read_bytes().decode() for item, path in matching.clips.items()} == {i: i for i in clips}
    assert matching.clips == {item: done.clips[item] for item in matching.clips}
    prompts = json.loads((tmp_path / "out/prompts.json").read_text())
    expected = {item.id: item.prompt for item in benchmark.items}
    for item, file in done.clips.items():
        assert video_reward_prompt(prompts, file) == expected[item]
        assert clap_prompt(prompts, file) == expected[item]
        assert file.name.endswith("_step0_seed7.mp4")
        assert len(file.name.encode()) < 200


def test_dialogues_carry_their_reference_line(tmp_path: Path) -> None:
    lines = [f"[S01] line {i} [S02] answer {i}" for i in range(1, 28)]
    (tmp_path / "references.txt").write_text("\n".join(lines))
    benchmark = benchmarks.load("mybench", root=tmp_path / "references.txt", ids=["3", "27"])
    clip = make_clip(tmp_path / "clip.mp4")
    run = a_run(tmp_path / "run", benchmark, {item.id: clip for item in benchmark.items})
    done = export_run(run, tmp_path / "out")
    names = [path.name for path in done.clips.values()]
    assert names[0].startswith("03_multi-speaker-03_video_")
    assert names[1].startswith("27_")
    whole = benchmarks.load("mybench", root=tmp_path / "references.txt")
    found = benchmarks.match_clips(tmp_path / "out", whole).clips
    assert list(found) == list(done.clips)


def test_the_flat_folder_of_the_scorer(tmp_path: Path) -> None:
    benchmark = benchmarks.load("verse-bench", root=shared_data() / "verse_bench_prompts.json")
    chosen = [benchmark.items[0].id, "00000303", "clip_6b343c3b", "00001083"]
    benchmark = benchmarks.load("verse-bench", root=shared_data() / "verse_bench_prompts.json", ids=chosen)
    loud, mute = make_clip(tmp_path / "a.mp4", audio_rate=48000), make_clip(tmp_path / "b.mp4", audio=None)
    clips = {name: mute if name.startswith("clip") else loud for name in chosen}
    done = export_run(a_run(tmp_path / "run", benchmark, clips), tmp_path / "out", "verse-bench", copy=True)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    stems = {f"{int(chosen[0]):05d}", "303", "01083"}
    assert names == {f"{s}.mp4" for s in stems} | {f"{s}.wav" for s in stems} | {"clip_6b343c3b.mp4"}
    assert done.without_sound == ["clip_6b343c3b"]
    with av.open(str(tmp_path / "out/303.wav")) as sound:
        stream = sound.streams.audio[0]
        assert (stream.rate, stream.channels, stream.codec_context.name) == (16000, 1, "pcm_s16le")
    assert not (tmp_path / "out/303.mp4").is_symlink()
    matching = benchmarks.match_clips(tmp_path / "out", benchmark)
    assert matching.clips.keys() == set(chosen)


def test_original_ids() -> None:
    assert [original_id("00000023", s) for s in ("set1", "set2", "set3")] == ["00023", "23", "00023"]
    assert original_id("clip_6b343c3b", "set2") == "clip_6b343c3b"


def test_refusals(tmp_path: Path) -> None:
    benchmark = benchmarks.load("mini", ids=["m01"])
    run = a_run(tmp_path / "run", benchmark, {})
    with pytest.raises(UserError, match="has no clips to export"):
        export_run(run, tmp_path / "out")
    with pytest.raises(UserError, match="no layout is called 'flat'"):
        export_run(run, tmp_path / "out", "flat")  # type: ignore[arg-type]
