"""Byte ranges of the media route."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.media import ByteRange, Unsatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", ByteRange(0, 100, 100)),
        ("bytes=0-0", ByteRange(0, 1, 100)),
        ("bytes=40-59", ByteRange(40, 60, 100)),
        ("bytes=-10", ByteRange(90, 100, 100)),
        ("bytes=-1000", ByteRange(0, 100, 100)),
        ("bytes=90-1000", ByteRange(90, 100, 100)),
        ("Bytes= 1-2 ", ByteRange(1, 3, 100)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=" + "9" * 40 + "-", None),
    ],
)
def test_ranges(header: str | None, expected: ByteRange | None) -> None:
    assert parse_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_beyond_the_end(header: str) -> None:
    with pytest.raises(Unsatisfiable) as caught:
        parse_range(header, 100)
    assert caught.value.content_range == "bytes */100"


@given(st.text(max_size=40), st.integers(0, 10**9))
def test_any_header_gives_a_range_inside_the_file_or_none(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            found = parse_range(text, size)
        except Unsatisfiable:
            continue
        assert found is None or 0 <= found.start < found.stop <= size
