"""Byte ranges of a media request (RFC 9110, section 14): one range, or the whole file."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `start` to `stop` (exclusive) of a file of `size` bytes; 0 <= start < stop <= size."""

    start: int
    stop: int
    size: int

    @property
    def length(self) -> int:
        """Bytes in the range, at least 1."""
        return self.stop - self.start

    @property
    def content_range(self) -> str:
        """Value of the Content-Range header of a 206 answer."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


class Unsatisfiable(ValueError):
    """A well-formed range that lies beyond the end of the file: to be answered with 416."""

    def __init__(self, size: int) -> None:
        super().__init__(f"range outside a file of {size} bytes")
        self.content_range = f"bytes */{size}"


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The range that a `Range` header asks for, or None for the whole file.

    header: value of the header or None. size: bytes of the file. A header that is malformed, uses another unit or lists
    several ranges is ignored, as the standard allows. Raises Unsatisfiable for a range without a single byte.

    >>> parse_range("bytes=-2", 10)
    ByteRange(start=8, stop=10, size=10)
    """
    if header is None or (match := _ONE_RANGE.fullmatch(header.strip())) is None:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:  # the last N bytes
        start, stop = max(size - int(last), 0), size
    else:
        start = int(first)
        if last and int(last) < start:
            return None
        stop = min(int(last) + 1, size) if last else size
    if start >= stop:
        raise Unsatisfiable(size)
    return ByteRange(start, stop, size)
