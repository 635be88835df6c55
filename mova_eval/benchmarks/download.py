"""Downloading one file: resumed after an interruption, checked by digest, and in its place only when it is whole."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from metrics.errors import UserError
from mova_eval.benchmarks.catalogue import Progress, offline

if TYPE_CHECKING:
    import requests

ATTEMPTS = 4
TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two pieces of the answer."""
_CHUNK = 1 << 13  # a piece that breaks off in the middle is lost whole
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _TryAgain(Exception):
    """An attempt that ended early; what has arrived is kept."""


def download(
    url: str, target: Path, *, sha256: str | None = None, progress: Progress | None = None, pause_s: float = 1.0
) -> Path:
    """Get a file to `target`. A file that is there with the right digest is left as it is.

    What has arrived lies in `<target>.part`; a broken transfer is tried again from there, also by the next call.
    sha256: expected digest in hex; None if none is known (then a file that is there is taken as it is).
    pause_s: seconds before the second attempt, doubled each time.

    Raises UserError: offline, refused address, an HTML page instead of the file, a wrong digest, a connection that
    keeps breaking, a folder that cannot be written.
    """
    from filelock import FileLock

    if _is_there(target, sha256):
        return target
    if offline():
        raise UserError(f"{target.name} is not on this machine and MOVA_EVAL_OFFLINE forbids to fetch {url}; unset it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            return target if _is_there(target, sha256) else _attempts(url, target, sha256, progress, pause_s)
    except OSError as error:
        raise UserError(f"{target} cannot be written ({error.strerror or error}); check the folder") from error


def _is_there(target: Path, sha256: str | None) -> bool:
    return target.is_file() and (sha256 is None or _digest(target) == sha256)


def _attempts(url: str, target: Path, sha256: str | None, progress: Progress | None, pause_s: float) -> Path:
    part = target.with_name(target.name + ".part")
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause_s * 2 ** (attempt - 1))
        resumed = part.is_file() and part.stat().st_size > 0
        try:
            _transfer(url, part, progress)
        except _TryAgain as error:
            reason = str(error)
            continue
        found = _digest(part)
        if sha256 is None or found == sha256:
            os.replace(part, target)
            return target
        part.unlink()
        reason = f"the file has sha256 {found[:12]}..., expected {sha256[:12]}..."
        if not resumed:  # a piece left by an earlier, other version may be at fault; a whole download is not
            raise UserError(f"{url}: {reason}; it was not kept, get the file by other means or report the change")
    size = part.stat().st_size if part.is_file() else 0
    kept = f"; {size} bytes are kept, the same command goes on from there" if size else ""
    raise UserError(f"{url} could not be fetched: {reason}{kept or '; try again later'}")


def _transfer(url: str, part: Path, progress: Progress | None) -> None:
    """One request, from the end of what is there. Raises _TryAgain or UserError."""
    import requests

    have = part.stat().st_size if part.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
            _refuse(answer, url, part)
            have = have if _continues(answer, have) else 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with open(part, "ab" if have else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    file.write(chunk)
                    have += len(chunk)
                    if progress is not None:
                        progress(have, total)
                file.flush()
                os.fsync(file.fileno())
    except requests.exceptions.InvalidURL as error:
        raise UserError(f"{url} is no address; correct it") from error
    except requests.exceptions.RequestException as error:
        raise _TryAgain(f"the connection failed after {have} bytes ({type(error).__name__})") from error
    if total is not None and have != total:
        raise _TryAgain(f"the connection ended after {have} of {total} bytes")


def _refuse(answer: requests.Response, url: str, part: Path) -> None:
    """Raise for an answer that is not the file."""
    if answer.status_code == 416:  # what is there is as long as the file, or longer: start over
        part.unlink(missing_ok=True)
        raise _TryAgain("the server has no bytes beyond those that were kept")
    if answer.status_code in _BUSY:
        raise _TryAgain(f"the server answered {answer.status_code} {answer.reason}")
    if answer.status_code not in (200, 206):
        raise UserError(f"{url}: the server answered {answer.status_code} {answer.reason}; get the file by other means")
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


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
