"""The journal: what was acknowledged is there, a torn end is cut off, damage is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.errors import UserError
from mova_eval.records import Record
from mova_eval.runs.journal import Journal, encode, read_journal

TEXTS = st.text(max_size=12)
RECORDS = st.builds(
    Record,
    item=TEXTS,
    set=st.sampled_from(["set1", "set2"]),
    metric=st.sampled_from(["lse", "wer"]),
    key=TEXTS,
    status=st.just("scored"),
    scores=st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False), max_size=2),
    counts=st.dictionaries(TEXTS, st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), max_size=1),
    details=st.dictionaries(TEXTS, st.recursive(st.none() | TEXTS | st.integers(), st.lists, max_leaves=3), max_size=2),
)


def record(item: str, metric: str = "m", value: float = 1.0) -> Record:
    return Record(item=item, set="s", metric=metric, key="k", status="scored", scores={"x": value})


def filled(path: Path, *records: Record) -> Path:
    with Journal(path) as journal:
        journal.append(records)
    return path


@given(st.lists(RECORDS, max_size=5))
def test_a_line_gives_the_record_back(tmp_path_factory: pytest.TempPathFactory, records: list[Record]) -> None:
    path = tmp_path_factory.mktemp("journal") / "scores.jsonl"
    filled(path, *records)
    assert read_journal(path)[0] == records
    assert path.read_bytes().count(b"\n") == len(records)


@given(st.data())
def test_a_torn_end_loses_only_the_torn_line(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    records = [record(f"i{n}") for n in range(3)]
    whole = b"".join(map(encode, records))
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("journal") / "scores.jsonl"
    path.write_bytes(whole[:cut])
    kept = whole[:cut].count(b"\n")
    with Journal(path) as journal:
        assert list(journal.records.values()) == records[:kept]
        journal.append(records[kept:])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("damage", [b"{}\n", b"half a li\n", b'{"item": 1}\n', b"\n"])
def test_a_damaged_line_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_bytes(encode(record("a")) + damage + encode(record("b")))
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"scores\.jsonl line 2 is not a record"), Journal(path):
        pytest.fail("a damaged journal was opened")
    assert path.read_bytes() == before


def test_the_newest_record_counts(tmp_path: Path) -> None:
    path = filled(tmp_path / "scores.jsonl", record("a"), record("b"), record("a", value=2.0))
    with Journal(path) as journal:
        assert journal.records["a", "m"].scores == {"x": 2.0}


@given(st.permutations([("a", "m"), ("a", "n"), ("b", "m"), ("b", "n")]))
def test_sealing_makes_the_order_of_arrival_invisible(
    tmp_path_factory: pytest.TempPathFactory, arrival: list[tuple[str, str]]
) -> None:
    order = [("a", "m"), ("a", "n"), ("b", "m"), ("b", "n")]
    path = tmp_path_factory.mktemp("journal") / "scores.jsonl"
    with Journal(path) as journal:
        journal.append([record("stranger"), *(record(*pair, value=0.0) for pair in arrival[:2])])
        journal.append([record(*pair) for pair in arrival])
        journal.seal(order)
    assert path.read_bytes() == b"".join(encode(record(*pair)) for pair in order)


def test_sealing_an_incomplete_journal_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path / "scores.jsonl", record("a"))
    before = path.read_bytes()
    with Journal(path) as journal, pytest.raises(KeyError):
        journal.seal([("a", "m"), ("b", "m")])
    assert path.read_bytes() == before
