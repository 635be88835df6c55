"""How long a file should be by its own account: the sizes that containers write about themselves."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def promised_size(path: Path) -> int | None:
    """Bytes that the outermost boxes of an MP4/MOV, Matroska/WebM or AVI file add up to; None where they do not say.

    A file shorter than that was cut off, however well its beginning plays.
    """
    with open(path, "rb") as file:
        size = path.stat().st_size
        head = file.read(12)
        if head[:4] == _EBML:
            return _matroska(file)
        if head[:4] == b"RIFF":
            return _chunks(file, size)
        if head[4:8] in (b"ftyp", b"mdat", b"moov", b"free", b"wide", b"skip"):
            return _boxes(file, size)
    return None


def _boxes(file: BinaryIO, size: int) -> int | None:
    """ISO base media: 32-bit size and type; size 1: a 64-bit size follows; size 0: to the end of the file."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if length < 8:
            return None  # to the end of the file, or no box at all
        position += length
    return position


def _chunks(file: BinaryIO, size: int) -> int:
    """RIFF: one chunk, or several in a file beyond a gigabyte; each padded to an even length."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF":
            break
        position += 8 + length + length % 2
    return position


def _matroska(file: BinaryIO) -> int | None:
    """EBML header and segment; a segment of unknown size (a live recording) promises nothing."""
    file.seek(4)
    header = _length(file)
    if header is None:
        return None
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return None
    segment = _length(file)
    return None if segment is None else file.tell() + segment


def _length(file: BinaryIO) -> int | None:
    """An EBML length: as many leading zero bits as bytes follow; all ones stand for unknown."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    if len(rest) < more:
        return None
    value = int.from_bytes(bytes([first[0] & ((1 << (7 - more)) - 1)]) + rest, "big")
    return None if value == (1 << (7 * (more + 1))) - 1 else value
