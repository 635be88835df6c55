"""Fetching one file: whole, interrupted, refused, wrong, offline, through a proxy, by two processes at once."""

from __future__ import annotations

import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NoReturn

import pytest
from file_server import DATA, DIGEST, Server, send, serving

from metrics.errors import UserError
from metrics.weights import download as module
from metrics.weights.download import Expected, download


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as state:
        yield state


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


def test_another_length_is_refused_before_the_transfer(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"offers 512,000 bytes, expected 512,001; nothing was kept"):
        download(f"{server.url}/f", tmp_path / "f", expected=Expected(size=len(DATA) + 1), pause_s=0.01)
    assert not (tmp_path / "f").exists()


def test_a_length_that_only_the_caller_knows(server: Server, tmp_path: Path) -> None:
    def unsaid(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(DATA[:-5])

    server.answer = unsaid
    with pytest.raises(UserError, match=r"the file has 511,995 bytes, expected 512,000"):
        download(f"{server.url}/f", tmp_path / "f", expected=Expected(size=len(DATA)), pause_s=0.01)


@pytest.mark.parametrize(
    "expected",
    [Expected(md5="0" * 32), Expected(blob="0" * 40)],
)
def test_other_digests_are_checked(server: Server, tmp_path: Path, expected: Expected) -> None:
    with pytest.raises(UserError, match="it was not kept"):
        download(f"{server.url}/f", tmp_path / "f", expected=expected, pause_s=0.01)


def test_the_digest_of_git(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(b"hello\n")
    assert (
        Expected(blob="ce013625030ba8dba906f756967f9e9ca394464a").wrong(tmp_path / "hello") is None
    )  # git hash-object


def test_a_file_that_does_not_fit_is_not_begun(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPARE_BYTES", 1000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: shutil_usage(len(DATA)))
    with pytest.raises(UserError, match=r"GiB free and .* more are needed; .*MOVA_EVAL_CACHE"):
        get(server, tmp_path / "file.bin")


def shutil_usage(free: int) -> Any:
    import shutil

    return shutil._ntuple_diskusage(free, 0, free)  # type: ignore[attr-defined]


def test_through_a_proxy(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server plays the proxy: the host that is asked for does not exist."""
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    got = download("http://weights.invalid/file.bin", tmp_path / "file.bin", sha256=DIGEST, pause_s=0.01)
    assert got.read_bytes() == DATA
    assert server.paths == ["http://weights.invalid/file.bin"]


def test_a_proxy_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{taken.getsockname()[1]}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(UserError, match=r"the proxy did not let the request through .*http_proxy"):
        download("http://weights.invalid/file.bin", tmp_path / "file.bin", pause_s=0.01)


def test_a_proxy_s_page_is_not_the_file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    server.answer = lambda handler: send(handler, b"<html>log in to the network</html>", kind="text/html")
    with pytest.raises(UserError, match="a login or proxy page"):
        download("http://weights.invalid/file.bin", tmp_path / "file.bin", pause_s=0.01)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_what_may_help(server: Server, tmp_path: Path, status: int) -> None:
    server.answer = lambda handler: handler.send_error(status)
    with pytest.raises(UserError, match=rf"answered {status} .*HF_TOKEN"):
        get(server, tmp_path / "file.bin")
    assert len(server.ranges) == 1


def test_two_processes_fetch_one_file_once(server: Server, tmp_path: Path) -> None:
    together = threading.Barrier(2, timeout=60)

    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)  # the other process wants the file meanwhile
        send(handler)

    def gate(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/ready":
            together.wait()
            send(handler, b"go")
        else:
            slow(handler)

    server.answer = gate
    code = textwrap.dedent(
        f"""
        from pathlib import Path
        import requests
        from metrics.weights.download import download
        requests.get("{server.url}/ready", timeout=60)
        print(download("{server.url}/file.bin", Path({str(tmp_path / "file.bin")!r}), sha256="{DIGEST}").stat().st_size)
        """
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0].strip() for process in both] == [str(len(DATA))] * 2
    assert server.paths.count("/file.bin") == 1
    assert (tmp_path / "file.bin").read_bytes() == DATA


def test_a_killed_download_goes_on(server: Server, tmp_path: Path) -> None:
    stuck = threading.Event()

    def half(handler: BaseHTTPRequestHandler) -> None:
        if len(server.ranges) > 1:
            return send(handler)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(DATA)))
        handler.end_headers()
        handler.wfile.write(DATA[: len(DATA) // 2])
        handler.wfile.flush()
        stuck.wait(60)
        return None

    server.answer = half
    part = tmp_path / "file.bin.part"
    code = (
        "import sys; from pathlib import Path; from metrics.weights.download import download; "
        f"download('{server.url}/file.bin', Path({str(tmp_path / 'file.bin')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    stuck.set()
    kept = part.stat().st_size
    assert get(server, tmp_path / "file.bin").read_bytes() == DATA  # its lock died with it
    assert server.ranges[-1] == f"bytes={kept}-"
