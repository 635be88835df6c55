"""Benchmarks of one's own, the mini benchmark, media, and what `verify` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from metrics.errors import UserError
from metrics.weights import sha256_of
from mova_eval.benchmarks import describe, load, media_sha256, names, verify


def write_items(folder: Path, *items: dict[str, Any] | str, header: dict[str, Any] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in items]
    (folder / "items.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    if header is not None:
        (folder / "benchmark.json").write_text(json.dumps(header), "utf-8")
    return folder


def picture(path: Path, width: int = 40, height: int = 30) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


def messages(level: str, *args: Any, **more: Any) -> list[str]:
    return [finding.message for finding in verify(*args, **more) if finding.level == level]


def test_a_folder_and_its_file_are_the_same_benchmark(tmp_path: Path) -> None:
    folder = write_items(
        tmp_path / "ours",
        {"id": "b", "set": "two", "prompt": "B."},
        "",
        {"id": "10", "set": "one", "prompt": "Ten.", "speech": [{"speaker": "x", "text": "你好"}]},
        {"id": "9", "set": "one", "prompt": "Nine."},
    )
    benchmark = load(folder)
    assert (benchmark.name, benchmark.title, benchmark.sets) == ("ours", "ours", ("one", "two"))
    assert [item.id for item in benchmark.items] == ["00000009", "00000010", "b"]
    assert load(folder / "items.jsonl").content_sha256 == benchmark.content_sha256


def test_the_header_gives_name_order_and_subsets(tmp_path: Path) -> None:
    header = {
        "name": "night",
        "version": "3",
        "title": "Night scenes",
        "sets": ["two", {"name": "one", "count": 1}],
        "subsets": {"quick": ["a"]},
        "default_duration_s": 5,
    }
    folder = write_items(tmp_path, {"id": "a", "set": "one"}, {"id": "b", "set": "two"}, header=header)
    benchmark = load(folder)
    assert (benchmark.name, benchmark.version, benchmark.title) == ("night", "3", "Night scenes")
    assert benchmark.default_duration_s == 5.0
    assert [item.id for item in benchmark.items] == ["b", "a"]
    assert [item.id for item in load(folder, sets=["quick"]).items] == ["a"]


def test_one_set_needs_no_name(tmp_path: Path) -> None:
    assert load(write_items(tmp_path, {"id": "a", "prompt": "A."})).sets == ("all",)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"id": "a", "set": "s", "prompt": 3}', "items.jsonl: line 2: prompt: expected a text, got number"),
        ('{"id": "a", "set": "s", "speech": [{"text": null}]}', "line 2: speech.0.text: expected a text, got null"),
        ('{"id": "a", "set": "s", "speech": [{"speaker": "x"}]}', "line 2: speech.0.text: expected a value"),
        ('{"id": "a", "set": "s", "promt": "x"}', "line 2: promt: no such field; remove it or correct its name"),
        ('{"set": "s"}', "line 2: id: expected a value, got none; add the field"),
        ('{"id": 7, "set": "s"}', "line 2: id: expected a text, got number"),
        ('{"id": "a", "set": "s", "flags": "x"}', "line 2: flags: expected a list, got text"),
        ('{"id": "a", "set": "s", "onsets_s": ["x"]}', "line 2: onsets_s.0: expected a number, got text"),
        ('{"id": "a", "set": "s", "language": "fr"}', "line 2: language: expected 'zh' or 'en', got text 'fr'"),
        ('{"id": "a", "set": "s", "speech": "Hi [S01] a"}', "line 2: speech starts with 'Hi'"),
        ('["a"]', "line 2: expected an object, got list"),
        ('{"id": "a" "set"}', "line 2 is not JSON: line 2, column 12"),
        ('{"id": "first", "set": "s"}', "line 2: the id first stands there and in items.jsonl: line 1"),
        ('{"id": "a", "set": "other"}', "line 2: set: no set 'other' in benchmark.json; known: s"),
    ],
)
def test_wrong_lines_are_told_with_file_and_line(tmp_path: Path, line: str, complaint: str) -> None:
    folder = write_items(tmp_path, {"id": "first", "set": "s"}, line, header={"name": "x", "sets": ["s"]})
    with pytest.raises(UserError) as error:
        load(folder)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_empty_and_absent_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is empty; write one JSON object per line"):
        load(write_items(tmp_path / "empty"))
    (tmp_path / "bare").mkdir()
    with pytest.raises(UserError, match=r"holds no items\.jsonl"):
        load(tmp_path / "bare")


def test_a_wrong_header_is_told(tmp_path: Path) -> None:
    folder = write_items(tmp_path, {"id": "a", "set": "s"}, header={"name": "x", "default_duration_s": "long"})
    with pytest.raises(UserError, match=r"benchmark\.json: default_duration_s: expected a number, got text"):
        load(folder)


def test_media_paths_are_relative_to_the_folder(tmp_path: Path) -> None:
    frame = picture(tmp_path / "frames" / "a.jpg", 64, 32)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    folder = write_items(
        tmp_path,
        {"id": "a", "set": "s", "first_frame": "frames/a.jpg", "reference": {"audio": "a.wav"}},
        {"id": "b", "set": "s", "first_frame": {"path": "frames/none.jpg"}},
    )
    first, second = load(folder).items
    assert first.first_frame is not None
    assert (first.first_frame.width, first.first_frame.height) == (64, 32)
    assert first.first_frame.sha256 == sha256_of(frame)
    assert first.request().first_frame == str(frame)
    assert first.request().reference_audio == str(tmp_path / "a.wav")
    assert second.first_frame is None


def test_media_folders_in_both_spellings(tmp_path: Path) -> None:
    items = [{"id": name, "set": "set1"} for name in ("00000023", "00000419", "clip_0a0b0c0d")]
    folder = write_items(tmp_path / "b", *items)
    media = tmp_path / "media"
    picture(media / "set1" / "00023.jpg", 50, 20)
    picture(media / "419.png")
    picture(media / "set1" / "clip_0a0b0c0d.jpg")
    picture(media / "set1" / "clip_0a0b0c0d_draft.jpg")
    with_frames = load(folder, media=media)
    assert [item.first_frame is not None for item in with_frames.items] == [True, True, True]
    assert with_frames.content_sha256 == load(folder).content_sha256
    assert media_sha256(with_frames.items) != media_sha256(load(folder).items)
    picture(media / "set1" / "00000023.png")
    with pytest.raises(UserError, match="two frame files for item 00000023"):
        load(folder, media=media)


def test_mini_is_complete() -> None:
    mini = load("mini")
    assert (mini.name, mini.n_total, mini.default_duration_s) == ("mini", 24, 5.0)
    assert [item.id for item in load("mini", sets=["smoke"]).items] == ["m01", "m05", "m09", "m13", "m20", "m23"]
    by_id = {item.id: item for item in mini.items}
    assert by_id["m11"].request().speakers == ("S01", "S02")
    assert len(by_id["m11"].speech) == 3
    assert by_id["m07"].mixed_script
    assert by_id["m13"].onsets_s == (1.0, 2.2, 3.2, 4.0)
    assert (by_id["m24"].audio_prompts, by_id["m24"].raw["audio_prompt"]) == ((), [""])
    assert not messages("error", "mini")


def test_mini_takes_its_reference_sounds_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "m13.wav").write_bytes(b"RIFF")
    found = [item.id for item in load("mini", media=tmp_path).items if item.reference is not None]
    assert found == ["m13"]


def test_every_known_benchmark_describes_itself() -> None:
    rows = [describe(name) for name in names()]
    assert [(row["name"], row["n_items"]) for row in rows] == [("verse-bench", 600), ("mybench", 27), ("mini", 24)]
    assert json.loads(json.dumps(rows)) == rows
    with pytest.raises(UserError, match="no benchmark is called 'x'"):
        describe("x")


def test_verify_counts_items_frames_and_references(tmp_path: Path) -> None:
    folder = write_items(
        tmp_path / "b",
        {"id": "a", "set": "s", "speech": "word " * 30, "flags": ["odd"]},
        {"id": "b", "set": "s"},
        header={"name": "x", "sets": [{"name": "s", "count": 3}], "default_duration_s": 5, "content_sha256": "0" * 64},
    )
    picture(tmp_path / "media" / "a.jpg")
    (tmp_path / "media" / "b.jpg").write_text("no picture")
    (tmp_path / "media" / "b.wav").write_bytes(b"RIFF")
    errors = messages("error", folder, media=tmp_path / "media")
    assert errors[0] == "s: 2 items, expected 3"
    assert "differs from the published 0000000000000000..." in errors[1]
    assert errors[2].startswith("b: first frame")
    assert errors[2].endswith("cannot be read as a picture")
    fine = messages("ok", folder, media=tmp_path / "media")
    assert "s: first frames 2 present, 0 missing" in fine
    assert "s: reference sounds 1 present, 1 missing" in fine
    assert "speech: 1 items, 1 do not fit 5 s" in fine
    assert "flags: odd 1" in fine
    missing = messages("warning", folder)
    assert "s: first frames 0 present, 2 missing (items without one cannot start from a picture)" in missing
    assert "s: reference sounds 0 present, 2 missing (FD and KL do not apply)" in missing


def test_verify_sees_a_changed_frame(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    folder = write_items(tmp_path, {"id": "a", "set": "s", "first_frame": {"path": "a.jpg", "sha256": "0" * 64}})
    assert [m.split("first frame")[0] for m in messages("error", folder)] == ["a: "]
    assert "another sha256" in messages("error", folder)[0]
