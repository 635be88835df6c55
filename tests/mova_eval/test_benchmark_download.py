"""Fetching files: whole, interrupted, refused, wrong, offline; against a server on this machine."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pytest

from metrics.errors import UserError
from mova_eval.benchmarks import catalogue, fetch, load
from mova_eval.benchmarks.download import download

DATA = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(DATA).hexdigest()


@dataclass
class Server:
    """Answers every path with what `answer` does; keeps the `Range` header of every request."""

    url: str = ""
    ranges: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None
    """None: the file."""


def send(
    handler: BaseHTTPRequestHandler,
    data: bytes = DATA,
    *,
    status: int = 200,
    kind: str = "application/octet-stream",
    only: int | None = None,
    ranges: bool = True,
) -> None:
    """Answer with data, from the asked byte on; `only`: break off after so many bytes."""
    asked = handler.headers.get("Range")
    start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and ranges and status == 200 else 0
    if start >= len(data) > 0:
        handler.send_error(416)
        return
    handler.send_response(206 if start else status)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data) - start))
    handler.end_headers()
    handler.wfile.write(data[start:] if only is None else data[start : start + only])


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.ranges.append(self.headers.get("Range"))
            state.paths.append(self.path)
            (state.answer or send)(self)

        def log_message(self, *_: Any) -> None:
            """Keep the test output clean."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


def get(server: Server, target: Path, sha256: str | None = DIGEST, **more: Any) -> Path:
    return download(f"{server.url}/file.bin", target, sha256=sha256, pause_s=0.01, **more)


def test_a_file_arrives_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "deep" / "file.bin"
    assert get(server, target, progress=lambda done, total: seen.append((done, total))).read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert not target.with_name("file.bin.part").exists()
    get(server, target)
    assert len(server.ranges) == 1


def test_a_file_that_is_there_but_wrong_is_replaced(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")
    assert get(server, target).read_bytes() == DATA


def test_an_interrupted_transfer_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, only=100_000 if len(server.ranges) < 3 else None)

    server.answer = answer
    assert get(server, tmp_path / "file.bin").read_bytes() == DATA
    assert server.ranges[0] is None
    assert len(server.ranges) == 3
    starts = [int(str(asked).removeprefix("bytes=").rstrip("-")) for asked in server.ranges[1:]]
    assert 0 < starts[0] < starts[1] <= 200_000


def test_what_has_arrived_is_kept_for_the_next_call(server: Server, tmp_path: Path) -> None:
    server.answer = lambda handler: send(handler, only=30_000)
    target = tmp_path / "file.bin"
    with pytest.raises(UserError, match="are kept, the same command goes on from there"):
        get(server, target)
    assert not target.exists()
    kept = target.with_name("file.bin.part").stat().st_size
    assert 0 < kept <= 120_000
    server.answer = send
    assert get(server, target).read_bytes() == DATA
    assert server.ranges[-1] == f"bytes={kept}-"


def test_a_server_that_cannot_resume_starts_over(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(DATA[:5000])
    server.answer = lambda handler: send(handler, ranges=False)
    assert get(server, tmp_path / "file.bin").read_bytes() == DATA


@pytest.mark.parametrize("left", [b"x" * 5000, b"x" * len(DATA), DATA])
def test_a_wrong_or_overlong_piece_is_thrown_away(server: Server, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "file.bin.part").write_bytes(left)
    assert get(server, tmp_path / "file.bin").read_bytes() == DATA


def test_a_wrong_digest_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has sha256 .*, expected 000000000000\.\.\."):
        get(server, tmp_path / "file.bin", "0" * 64)
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == []
    assert len(server.ranges) == 1


def test_a_missing_file_is_told_at_once(server: Server, tmp_path: Path) -> None:
    server.answer = lambda handler: handler.send_error(404)
    with pytest.raises(UserError, match="the server answered 404 Not Found"):
        get(server, tmp_path / "file.bin")
    assert len(server.ranges) == 1


def test_a_web_page_is_not_taken_for_the_file(server: Server, tmp_path: Path) -> None:
    server.answer = lambda handler: send(handler, b"<html>log in</html>", kind="text/html; charset=utf-8")
    for digest in (DIGEST, None):
        with pytest.raises(UserError, match="the answer is a web page, not the file"):
            get(server, tmp_path / "file.bin", digest)
    assert not (tmp_path / "file.bin").exists()


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.answer = lambda handler: handler.send_error(503) if len(server.ranges) < 3 else send(handler)
    assert get(server, tmp_path / "file.bin").read_bytes() == DATA
    server.answer = lambda handler: handler.send_error(503)
    with pytest.raises(UserError, match="503 Service Unavailable; try again later"):
        get(server, tmp_path / "other.bin")


def test_no_server_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/file.bin"
    with pytest.raises(UserError, match="could not be fetched: the connection failed after 0 bytes"):
        download(address, tmp_path / "file.bin", sha256=DIGEST, pause_s=0.01)


def test_a_folder_that_cannot_be_written_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        get(server, tmp_path / "file" / "file.bin")


def test_offline_opens_no_socket(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setenv("MOVA_EVAL_OFFLINE", "1")
    monkeypatch.setattr(socket, "socket", no_socket)
    with pytest.raises(UserError, match="MOVA_EVAL_OFFLINE forbids"):
        get(server, tmp_path / "file.bin")
    (tmp_path / "file.bin").write_bytes(DATA)
    assert get(server, tmp_path / "file.bin").read_bytes() == DATA
    assert server.ranges == []


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
