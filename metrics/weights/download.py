"""Downloading one file: resumed after an interruption, checked by length and digest, in its place only when whole."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from metrics.errors import UserError

if TYPE_CHECKING:
    import requests

ATTEMPTS = 4
TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two pieces of the answer."""
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers of a server that may be another one in a while."""
_CHUNK = 1 << 14  # a piece that breaks off in the middle is lost whole
_SPARE_BYTES = 1 << 26

Progress = Callable[[int, int | None], None]
"""Called with bytes so far and bytes in all, if known."""


class TryAgain(Exception):
    """An attempt that ended early; what has arrived is kept."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a file beforehand. blob: the sha1 that git gives its content. headers: of the request."""

    sha256: str | None = None
    size: int | None = None
    md5: str | None = None
    blob: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def wrong(self, path: Path) -> str | None:
        """What is wrong with a file, half a sentence; None if nothing is."""
        if self.size is not None and path.stat().st_size != self.size:
            return f"the file has {path.stat().st_size:,} bytes, expected {self.size:,}"
        for kind, expected in (("sha256", self.sha256), ("md5", self.md5), ("git blob", self.blob)):
            if expected is not None and (found := _digest(path, kind)) != expected:
                return f"the file has {kind} {found[:12]}..., expected {expected[:12]}..."
        return None


def offline() -> bool:
    """Whether MOVA_EVAL_OFFLINE forbids opening sockets ("0" and empty do not)."""
    return os.environ.get("MOVA_EVAL_OFFLINE", "") not in ("", "0")


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    expected: Expected | None = None,
    progress: Progress | None = None,
    pause_s: float = 1.0,
) -> Path:
    """Get a file to `target`. A file that is there and is as expected is left as it is.

    What has arrived lies in `<target>.part`; a broken transfer is tried again from there, also by the next call. Two
    processes that want the same file fetch it once. Proxies are taken from the environment (`https_proxy` and kin).
    sha256: expected digest in hex; expected: more than that. Without either, a file that is there is taken as it is.
    pause_s: seconds before the second attempt, doubled each time.

    Raises UserError: offline, refused address, an HTML page instead of the file, a wrong digest or length, a connection
    that keeps breaking, too little space, a folder that cannot be written.
    """
    from filelock import FileLock

    known = expected if expected is not None else Expected(sha256)
    if _is_there(target, known):
        return target
    if offline():
        raise UserError(f"{target.name} is not on this machine and MOVA_EVAL_OFFLINE forbids to fetch {url}; unset it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            return target if _is_there(target, known) else _attempts(url, target, known, progress, pause_s)
    except OSError as error:
        raise UserError(f"{target} cannot be written ({error.strerror or error}); check the folder") from error


def _is_there(target: Path, expected: Expected) -> bool:
    return target.is_file() and expected.wrong(target) is None


def _attempts(url: str, target: Path, expected: Expected, progress: Progress | None, pause_s: float) -> Path:
    part = target.with_name(target.name + ".part")
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause_s * 2 ** (attempt - 1))
        resumed = part.is_file() and part.stat().st_size > 0
        try:
            _transfer(url, part, expected, progress)
        except TryAgain as error:
            reason = str(error)
            continue
        wrong = expected.wrong(part)
        if wrong is None:
            os.replace(part, target)
            return target
        part.unlink()
        reason = wrong
        if not resumed:  # a piece left by an earlier, other version may be at fault; a whole download is not
            raise UserError(f"{url}: {reason}; it was not kept, get the file by other means or report the change")
    size = part.stat().st_size if part.is_file() else 0
    kept = f"; {size} bytes are kept, the same command goes on from there" if size else ""
    raise UserError(f"{url} could not be fetched: {reason}{kept or '; try again later'}")


def _transfer(url: str, part: Path, expected: Expected, progress: Progress | None) -> None:
    """One request, from the end of what is there. Raises TryAgain or UserError."""
    import requests

    have = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity", **dict(expected.headers)}
    headers |= {"Range": f"bytes={have}-"} if have else {}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
            _refuse(answer, url, part)
            have = have if _continues(answer, have) else 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            _check_length(url, part, have, total, expected)
            with open(part, "ab" if have else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    file.write(chunk)
                    have += len(chunk)
                    if progress is not None:
                        progress(have, total)
                file.flush()
                os.fsync(file.fileno())
    except requests.exceptions.RequestException as error:
        raise connection_problem(url, error, have) from error
    if total is not None and have != total:
        raise TryAgain(f"the connection ended after {have} of {total} bytes")


def connection_problem(url: str, error: requests.exceptions.RequestException, have: int = 0) -> Exception:
    """The `TryAgain` or `UserError` that a failed request amounts to."""
    import requests

    if isinstance(error, requests.exceptions.InvalidProxyURL | requests.exceptions.ProxyError):
        scheme = urlsplit(url).scheme
        return TryAgain(f"the proxy did not let the request through (see {scheme}_proxy in the environment)")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return UserError(f"{url} is no address; correct it")
    if isinstance(error, requests.exceptions.MissingSchema):
        return UserError(f"{url} is no address; it must start with https://")
    return TryAgain(f"the connection failed after {have} bytes ({type(error).__name__})")


def _check_length(url: str, part: Path, have: int, total: int | None, expected: Expected) -> None:
    """Before a long transfer: is it as long as it should be, and is there room for it?"""
    if total is not None and expected.size is not None and total != expected.size:
        part.unlink(missing_ok=True)
        raise UserError(
            f"{url}: the server offers {total:,} bytes, expected {expected.size:,}; nothing was kept, get the file by "
            "other means or report the change"
        )
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have + _SPARE_BYTES > free and total - have > _SPARE_BYTES:
        raise UserError(
            f"{part.parent} has {free / 2**30:.1f} GiB free and {(total - have) / 2**30:.1f} GiB more are needed; free "
            "space or set MOVA_EVAL_CACHE to a larger disk"
        )


def _refuse(answer: requests.Response, url: str, part: Path) -> None:
    """Raise for an answer that is not the file."""
    if answer.status_code == 416:  # what is there is as long as the file, or longer: start over
        part.unlink(missing_ok=True)
        raise TryAgain("the server has no bytes beyond those that were kept")
    if answer.status_code in BUSY:
        raise TryAgain(f"the server answered {answer.status_code} {answer.reason}")
    if answer.status_code not in (200, 206):
        login = "accept its terms and set HF_TOKEN, or " if answer.status_code in (401, 403) else ""
        raise UserError(
            f"{url}: the server answered {answer.status_code} {answer.reason}; {login}get the file by other means"
        )
    if answer.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml")):
        raise UserError(f"{url}: the answer is a web page, not the file (a login or proxy page?); check the connection")


def _continues(answer: requests.Response, have: int) -> bool:
    """Whether the answer goes on where the kept part ends; otherwise it is the whole file."""
    if answer.status_code != 206:
        return False
    start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    if start is None or int(start[1]) != have:
        raise UserError(f"{answer.url}: the server answered with another range than asked for; remove the .part file")
    return True


def _digest(path: Path, kind: str) -> str:
    if kind == "git blob":
        running = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                running.update(block)
        return running.hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()
