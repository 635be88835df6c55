"""A server of files on this machine, for tests of downloads: whole, broken off, refused, slow, or through a proxy."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DATA = bytes(range(256)) * 2000
DIGEST = hashlib.sha256(DATA).hexdigest()


@dataclass
class Server:
    """Answers every path with what `answer` does; keeps path and headers of every request."""

    url: str = ""
    ranges: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
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


@contextmanager
def serving() -> Iterator[Server]:
    """A server for the time of the block."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.ranges.append(self.headers.get("Range"))
            state.paths.append(self.path)
            state.headers.append(dict(self.headers))
            (state.answer or send)(self)

        def log_message(self, *_: Any) -> None:
            """Keep the test output clean."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
