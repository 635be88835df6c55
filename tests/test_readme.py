"""The README's commands run as they stand, in an empty directory."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXECUTED = re.compile(r"<!-- executed -->\n```\n(.*?)```", re.DOTALL)


def commands() -> list[str]:
    """Lines of the README blocks that are marked as executed."""
    blocks = EXECUTED.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_readme_commands_run_in_an_empty_directory(tmp_path: Path) -> None:
    lines = commands()
    assert lines
    program = Path(sys.executable).with_name("mova-eval")
    environment = {**os.environ, "MOVA_EVAL_OFFLINE": "1", "MOVA_EVAL_CACHE": str(tmp_path / "cache")}
    work = tmp_path / "work"
    work.mkdir()
    for line in lines:
        name, *arguments = shlex.split(line)
        assert name == "mova-eval"
        done = subprocess.run(
            [program, *arguments], cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert (work / "run" / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    "page", ["README.md", *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").rglob("*.md")))]
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    here = (ROOT / page).parent
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)", text) if "://" not in t]
    missing = [t for t in targets if not (here / t).exists()]
    assert not missing
