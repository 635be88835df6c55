"""Fixtures for tests of runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import generator_support
import pytest
import run_support

from metrics import registry
from mova_eval.generators import registry as generators


@pytest.fixture
def trial_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The trial metrics are installed, and the measurement cache is a fresh one."""
    with monkeypatch.context() as patch:
        run_support.install_trial_metrics(tmp_path / "site")
        run_support.on_path(patch, run_support.TESTS, tmp_path / "site")
        patch.setenv("MOVA_EVAL_CACHE", str(tmp_path / "cache"))
        yield
    registry.refresh()


@pytest.fixture
def trial_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The trial generator is installed."""
    with monkeypatch.context() as patch:
        generator_support.install_trial_generator(tmp_path / "generator-site")
        generator_support.on_path(patch, tmp_path / "generator-site")
        yield
    generators.refresh()
