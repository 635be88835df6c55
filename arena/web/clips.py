"""Answers of the media route: a file or a part of it, with nothing in the headers that tells clips apart."""

from __future__ import annotations

import os
from pathlib import Path

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from arena.media import Unsatisfiable, parse_range

CHUNK = 256 * 1024


class ClipResponse(Response):
    """Streams a file in pieces of 256 KiB, so that memory does not depend on what is watched.

    No ETag, no Last-Modified and no name: all of them would be the same for a clip in every battle. A file that
    vanishes in between ends the answer short, which the browser reports as a media error.
    """

    def __init__(self, path: Path, request_headers: Headers, content_type: str, delegate: str = "") -> None:
        self.background = None
        self._fd: int | None = None
        self.sent = 0
        self.status_code = 200
        self.raw_headers = []
        self._open(path, request_headers, content_type, delegate)

    def _open(self, path: Path, request_headers: Headers, content_type: str, delegate: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        size = os.fstat(fd).st_size
        headers = MutableHeaders(raw=self.raw_headers)
        for name, value in COMMON_HEADERS.items():
            headers[name] = value
        headers["content-type"] = content_type
        headers["accept-ranges"] = "bytes"
        self.start, self.stop = 0, size
        if delegate:
            os.close(fd)
            headers["x-accel-redirect"] = delegate
            self.stop = 0
            return
        try:
            part = parse_range(request_headers.get("range"), size)
        except Unsatisfiable as error:
            os.close(fd)
            self.status_code, self.stop = 416, 0
            headers["content-range"], headers["content-length"] = error.content_range, "0"
            return
        if part is not None:
            self.status_code, self.start, self.stop = 206, part.start, part.stop
            headers["content-range"] = part.content_range
        headers["content-length"] = str(self.stop - self.start)
        self._fd = fd

    @property
    def length(self) -> int:
        """Bytes that will be sent."""
        return self.stop - self.start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        try:
            await send(start)
            at = self.start
            while self._fd is not None and at < self.stop and scope["method"] != "HEAD":
                piece = await anyio.to_thread.run_sync(os.pread, self._fd, min(CHUNK, self.stop - at), at)
                if not piece:
                    raise OSError("the file became shorter while it was sent")
                at += len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": at < self.stop})
            if at == self.start:
                await send({"type": "http.response.body", "body": b""})
        finally:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None


COMMON_HEADERS = {
    "cache-control": "private, max-age=600",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


def refusal(status: int) -> Response:
    """404 unknown, 403 another visitor's, 410 too late; nothing more is said."""
    words = {403: "not yours", 404: "not found", 410: "gone"}
    return PlainTextResponse(words[status], status_code=status, headers={"cache-control": "no-store"})
