"""The mini benchmark's items, their fields, and the drawn first frames."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest

from metrics import Request
from metrics.requests import parse_turns
from mova_eval import mini
from mova_eval.mini.stage import MAX_FRAME_BYTES, first_frame_jpeg, scene_of

FIELDS = {
    "id", "set", "aliases", "prompt", "video_prompt", "audio_prompts", "speech", "language", "mixed_script",
    "first_frame", "reference", "category", "flags", "onsets_s", "raw",
}  # fmt: skip
ITEMS = {item["id"]: item for item in mini.items()}


def test_ids_order_and_fields() -> None:
    assert list(ITEMS) == [f"m{k:02d}" for k in range(1, 25)]
    assert all(set(item) == FIELDS for item in ITEMS.values())
    assert len({item["prompt"] for item in ITEMS.values()}) == 24


def test_sets_are_the_categories_in_header_order() -> None:
    counts = Counter(item["set"] for item in ITEMS.values())
    assert [(entry["name"], entry["count"]) for entry in mini.HEADER["sets"]] == list(counts.items())
    assert all(item["category"] == item["set"] for item in ITEMS.values())


def test_coverage_that_metrics_rely_on() -> None:
    languages = Counter(item["language"] for item in ITEMS.values() if len(item["speech"]) == 1)
    assert (languages["en"], languages["zh"]) == (4, 4)
    assert sum(len(item["speech"]) > 1 for item in ITEMS.values()) == 4
    assert sum(bool(item["audio_prompts"]) for item in ITEMS.values()) == 15
    assert sum(item["onsets_s"] is not None for item in ITEMS.values()) == 5
    assert [i for i, item in ITEMS.items() if item["mixed_script"]] == ["m07"]
    assert ITEMS["m24"]["raw"]["audio_prompt"] == [""]
    assert ITEMS["m23"]["raw"]["audio_prompt"] == []
    assert len(ITEMS["m04"]["speech"][0]["text"].split()) == 38


def test_every_line_stands_in_its_prompt() -> None:
    for item in ITEMS.values():
        for turn in item["speech"]:
            assert f"“{turn['text']}”" in item["prompt"], item["id"]


def test_language_is_null_exactly_without_speech() -> None:
    assert all((item["language"] is None) == (not item["speech"]) for item in ITEMS.values())


def test_metrics_can_read_every_item() -> None:
    names = ("id", "prompt", "video_prompt", "audio_prompts", "speech", "language", "category")
    for item in ITEMS.values():
        request = Request.of({name: item[name] for name in names})
        assert request.text == " ".join(turn["text"] for turn in item["speech"])


def test_dialogue_references_parse_to_the_turns_of_the_items() -> None:
    for line, item in zip(mini.references(), ("m09", "m10", "m11", "m12"), strict=True):
        turns = [{"speaker": turn.speaker, "text": turn.text} for turn in parse_turns(line)]
        assert turns == ITEMS[item]["speech"]


def test_smoke_is_a_subset() -> None:
    assert set(mini.SMOKE) <= set(ITEMS)
    assert len(mini.SMOKE) == 6


@pytest.mark.parametrize("item", list(ITEMS))
def test_shipped_first_frame_is_what_its_record_says(item: str) -> None:
    import cv2

    frame = ITEMS[item]["first_frame"]
    data = mini.first_frame(item).read_bytes()
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert hashlib.sha256(data).hexdigest() == frame["sha256"]
    assert len(data) <= MAX_FRAME_BYTES
    assert picture.shape == (frame["height"], frame["width"], 3)
    assert max(frame["width"], frame["height"]) == 1280
    assert picture.std() > 8  # not an empty picture


@pytest.mark.parametrize("item", ["m01", "m13", "m15", "m19", "m20", "m24"])
def test_first_frames_are_drawn_the_same_again(item: str) -> None:
    import cv2

    drawn = first_frame_jpeg(item)
    assert first_frame_jpeg(item) == drawn
    shipped, again = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).astype(int)
        for data in (mini.first_frame(item).read_bytes(), drawn)
    )
    assert np.abs(shipped - again).mean() < 0.5  # another processor may round a few pixels the other way


@pytest.mark.parametrize("item", list(ITEMS))
def test_a_scene_is_the_same_picture_at_every_size(item: str) -> None:
    import cv2

    width, height = (90, 160) if ITEMS[item]["first_frame"]["width"] == 720 else (160, 90)
    if ITEMS[item]["first_frame"]["width"] == ITEMS[item]["first_frame"]["height"]:
        width = height = 128
    small = scene_of(item, width, height).frame(0.0)
    large = scene_of(item, 4 * width, 4 * height).frame(0.0)
    reduced = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - reduced.astype(int)).mean() < 4
