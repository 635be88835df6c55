"""Fixtures for tests of comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import compare_runs
import pytest
import run_support

from metrics import registry


@pytest.fixture
def trial_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The trial metrics are installed, and the measurement cache is a fresh one."""
    with monkeypatch.context() as patch:
        run_support.install_trial_metrics(tmp_path / "site")
        run_support.on_path(patch, run_support.TESTS, tmp_path / "site")
        patch.setenv("MOVA_EVAL_CACHE", str(tmp_path / "cache"))
        yield
    registry.refresh()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs of 100 items: head is worse in LSE-D and better in AV-Align. Read only."""
    folder = tmp_path_factory.mktemp("pair")
    base = compare_runs.write_run(folder / "base", compare_runs.typical(1))
    head = compare_runs.write_run(folder / "head", compare_runs.typical(50, lse_d=0.8, av_align=0.03))
    return base, head
