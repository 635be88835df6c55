"""Fetching a benchmark's files from a server on this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from file_server import Server, send, serving

from metrics.errors import UserError
from mova_eval.benchmarks import catalogue, fetch, load


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


@pytest.fixture
def small_source(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Verse-Bench's file, as small as can be, on the server; the cache is empty."""
    text = b'{"set1": {"00000007": {"prompt": "A."}, "00000012": {"prompt": "B."}}}'
    asset = replace(
        catalogue.ASSETS["verse-bench"], url=f"{server.url}/prompts.json", sha256=hashlib.sha256(text).hexdigest()
    )
    monkeypatch.setitem(catalogue.ASSETS, "verse-bench", asset)
    monkeypatch.setattr(catalogue, "FIRST_FRAMES", server.url)
    monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path / "cache"))
    server.answer = lambda handler: send(handler, text)
    return text


def test_fetched_prompts_load(small_source: bytes) -> None:
    (path,) = fetch("verse-bench", pause_s=0.01)
    assert path.read_bytes() == small_source
    assert [item.id for item in load("verse-bench").items] == ["00000007", "00000012"]


def test_fetched_frames_are_found_by_load(server: Server, small_source: bytes) -> None:
    fetch("verse-bench", pause_s=0.01)
    picture = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    server.answer = lambda handler: send(handler, picture, kind="image/jpeg")
    fetch("verse-bench", {"frames"}, pause_s=0.01)
    assert server.paths[-2:] == ["/set1/00007.jpg", "/set1/00012.jpg"]
    frames = [item.first_frame for item in load("verse-bench").items]
    assert [(frame.width, frame.height) for frame in frames if frame] == [(30, 20), (30, 20)]


def test_a_frame_that_is_no_picture_is_not_kept(server: Server, small_source: bytes, tmp_path: Path) -> None:
    fetch("verse-bench", pause_s=0.01)
    server.answer = lambda handler: send(handler, b"version https://git-lfs", kind="text/plain")
    with pytest.raises(UserError, match=r"00007\.jpg: what arrived is no picture"):
        fetch("verse-bench", {"frames"}, pause_s=0.01)
    assert not list(tmp_path.rglob("*.jpg"))


@pytest.mark.parametrize(
    ("name", "what", "complaint"),
    [
        ("verse-bench", {"references"}, "publishes no reference sounds"),
        ("mybench", {"prompts"}, "MOVA_benchmark_for_arena"),
        ("mybench", {"frames"}, "MOVA_benchmark_for_arena"),
        ("verse-bench", {"songs"}, "'songs' is nothing to fetch"),
        ("nothing", None, "no benchmark is called 'nothing'"),
    ],
)
def test_what_cannot_be_fetched_is_told(name: str, what: set[str] | None, complaint: str) -> None:
    with pytest.raises(UserError) as error:
        fetch(name, what)
    assert complaint in str(error.value)


def test_mini_needs_nothing() -> None:
    assert fetch("mini") == []


def test_addresses_are_pinned() -> None:
    for asset in catalogue.ASSETS.values():
        revision = asset.url.split("/OpenMOSS/MOVA/")[1].split("/")[0]
        assert len(revision) == 40
        assert asset.url.startswith("https://")
        assert len(asset.sha256) == 64
