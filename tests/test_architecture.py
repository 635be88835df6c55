"""The arrows of the design: three packages that know neither each other nor the suite, and imports that stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("metrics", "arena", "reference_model")
HEAVY = ("torch", "scipy", "librosa", "cv2", "av", "onnxruntime", "pandas", "faster_whisper", "jinja2")


def imported_roots(file: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_neither_its_neighbours_nor_the_suite(room: str) -> None:
    forbidden = {*ROOMS, "mova_eval"} - {room}
    files = list((ROOT / room).rglob("*.py"))
    assert files
    wrong = {str(f.relative_to(ROOT)): hit for f in files if (hit := imported_roots(f) & forbidden)}
    assert not wrong


def test_the_check_itself_sees_a_forbidden_import(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("def f():\n    from mova_eval.runs import load_run\n")
    assert "mova_eval" in imported_roots(file)


def loaded_by(statement: str) -> set[str]:
    """Heavy modules in a fresh interpreter after a statement."""
    code = f"{statement}\nimport sys\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import metrics",
        "import mova_eval",
        "import reference_model.presets, reference_model.schedule, reference_model.shapes",
        "import metrics; [metrics.metric_class(n) for n in metrics.available()]",
        "import mova_eval.cli.commands",
    ],
)
def test_imports_stay_light(statement: str) -> None:
    assert loaded_by(statement) == set()
