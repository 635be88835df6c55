"""Opening one media file for reading, with every way that can go wrong turned into one sentence."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import av.error
from av.container import InputContainer

from metrics.errors import ClipError

DEMUXERS = "mov,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,wav,w64,aiff,mp3,flac,aac,m4v,h264,hevc"
"""Demuxers that may open a file. Playlists, subtitles and text renderers are left out: a text file must not become a
"video", and a playlist must not open other files or sockets."""

_AGAIN = "generate or copy it again"


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The file as an open container, closed at the end of the block.

    Raises ClipError "unreadable" (no such file, a folder, no permission), "not_media" or "truncated" (no index).
    """
    _check_readable(path)
    try:
        container = av.open(
            os.path.abspath(path),  # an absolute path is never taken for an option or a URL
            mode="r",
            metadata_errors="replace",
            container_options={"protocol_whitelist": "file", "format_whitelist": DEMUXERS},
        )
    except UnicodeEncodeError as error:
        raise ClipError("unreadable", f"{path.name!r}: the file name is not valid text, rename it") from error
    except OSError as error:
        raise ClipError("unreadable", f"{path.name} cannot be read: {os.strerror(error.errno or 0)}") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise _unopenable(path) from error
    try:
        yield container
    finally:
        container.close()


def _check_readable(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        where = f"{path.name} cannot be read: {error.strerror or error} ({path})"
        raise ClipError("unreadable", f"{where}, check the path") from error
    except ValueError as error:  # a NUL byte in the name
        raise ClipError("unreadable", f"{path.name!r} is not a file name") from error
    if stat.S_ISDIR(mode):
        raise ClipError("unreadable", f"{path.name} is a folder, give a media file")
    if not stat.S_ISREG(mode):  # a pipe would block for ever
        raise ClipError("unreadable", f"{path.name} is not a regular file, give a media file")
    if not os.access(path, os.R_OK):
        raise ClipError("unreadable", f"{path.name} cannot be read: permission denied, change its permissions")
    if path.stat().st_size == 0:
        raise ClipError("not_media", f"{path.name} is empty (0 bytes), {_AGAIN}")


def _unopenable(path: Path) -> ClipError:
    """Why FFmpeg refused the file, judged from its first bytes."""
    with open(path, "rb") as file:
        head = file.read(16)
    if head[4:8] in (b"ftyp", b"mdat", b"moov", b"free", b"wide"):
        return ClipError("truncated", f"{path.name} is cut off: an MP4 without its index (moov), {_AGAIN}")
    if head[:4] in (b"RIFF", b"\x1aE\xdf\xa3"):
        return ClipError("truncated", f"{path.name} is cut off before its streams are described, {_AGAIN}")
    return ClipError("not_media", f"{path.name} is not a video or audio file that can be opened, {_AGAIN}")
