"""The examples of the documentation do what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import run_support
from support import make_clip

import metrics
from metrics import registry

ROOT = Path(__file__).resolve().parent.parent
FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language on a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [body for kind, body in FENCED.findall(text) if kind == language]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, where distributions can be laid down."""
    folder = tmp_path / "site"
    folder.mkdir()
    with monkeypatch.context() as patch:
        run_support.on_path(patch, folder)
        yield folder
    registry.refresh()


def test_the_metric_of_the_guide_runs_from_a_package_of_its_own(site: Path, tmp_path: Path) -> None:
    """The page's code and the page's entry point, unchanged, as somebody else's distribution."""
    page = "docs/add-a-metric.md"
    (site / "my_package").mkdir()
    (site / "my_package" / "__init__.py").touch()
    (site / "my_package" / "brightness.py").write_text(blocks(page, "python")[0], encoding="utf-8")
    name, target = re.findall(r'^(\w+) = "(.+)"$', blocks(page, "toml")[0], re.MULTILINE)[0]
    assert registry.ENTRY_POINT_GROUP in blocks(page, "toml")[0]
    run_support.write_distribution(site, "my-package", {name: target})
    registry.refresh()
    assert name in registry.available()
    assert registry.card(name).origin == "my-package"
    found = metrics.measure(name, make_clip(tmp_path / "clip.mp4"))
    assert found.status == "scored"
    assert 0 < found.scores["brightness"] < 255
    alone = metrics.measure(name, make_clip(tmp_path / "one.mp4", frames=1))
    assert (alone.status, alone.code) == ("not_applicable", "one_frame")


def test_the_readme_example_from_python_gives_what_it_says(tmp_path: Path) -> None:
    code = next(block for block in blocks("README.md", "python") if "cpcer" in block)
    line = next(line for line in code.splitlines() if "cpcer(" in line)
    expression, _, said = line.partition("  # ")
    assert eval(expression, {"metrics": metrics}) == float(said)
