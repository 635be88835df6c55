"""Which part of the arena may import what."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "arena"


def imported(file: Path) -> set[str]:
    """Dotted names of modules that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def files(*places: str) -> list[Path]:
    return [f for place in places for f in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))]


def test_only_the_database_and_the_services_know_sqlalchemy() -> None:
    others = [f for f in ROOT.rglob("*.py") if f.relative_to(ROOT).parts[0] not in {"db", "service"}]
    wrong = {str(f): m for f in others for m in imported(f) if m.split(".")[0] in {"sqlalchemy", "alembic"}}
    assert len(others) > 20
    assert not wrong


@pytest.mark.parametrize("place", ["service", "ratings", "db", "select.py", "integrity.py", "simulate.py", "media"])
def test_nothing_below_the_pages_knows_streamlit(place: str) -> None:
    assert not {str(f) for f in files(place) if any(m.split(".")[0] == "streamlit" for m in imported(f))}


def test_ratings_take_arrays_and_know_no_rows() -> None:
    allowed = ("arena.ratings", "arena.errors")
    for file in files("ratings"):
        assert all(m.startswith(allowed) for m in imported(file) if m.startswith("arena")), file


def test_only_the_clock_asks_for_the_time() -> None:
    timeless = files("service", "ratings", "db", "select.py", "integrity.py", "simulate.py")
    wrong = {str(f) for f in timeless if imported(f) & {"time", "datetime"}}
    assert not wrong
