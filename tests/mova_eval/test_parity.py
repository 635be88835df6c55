"""The parity certificate: golden clips that are the same everywhere, and what a difference looks like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from metrics import Clip, registry
from mova_eval.cli import commands
from mova_eval.cli.app import app
from mova_eval.parity import GOLDEN, check_parity, freeze, render_golden
from mova_eval.parity import check as module
from mova_eval.parity.golden import content_sha256

assert commands
CERTAIN = [name for name, clip in GOLDEN.items() if clip.certain]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    return render_golden(tmp_path_factory.mktemp("golden"))


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the metrics that take a moment, and only the clips without a voice."""
    monkeypatch.setattr(registry, "available", lambda: ["loudness", "dnsmos", "lip_sync"])
    monkeypatch.setattr(
        module, "render_golden", lambda folder: {n: p for n, p in render_golden(folder).items() if n in CERTAIN}
    )


@pytest.mark.parametrize("name", CERTAIN)
def test_golden_clips_are_what_they_were(name: str) -> None:
    assert content_sha256(GOLDEN[name]) == module.frozen_values()["clips"][name]


@pytest.mark.parametrize("name", CERTAIN)
def test_nothing_is_lost_in_the_file(name: str, clips: Mapping[str, Path]) -> None:
    with Clip(clips[name]) as clip:
        frames = [frame.copy() for frame in clip.frames("rgb24")]
        sound = clip.audio(sample_format="s16").samples
    assert all(np.array_equal(a, b) for a, b in zip(frames, GOLDEN[name].pictures(), strict=True))
    expected = GOLDEN[name].sound()
    assert np.array_equal(np.squeeze(sound.T if sound.shape != expected.shape else sound), np.squeeze(expected))


@pytest.mark.usefixtures("cheap")
def test_this_machine_has_parity() -> None:
    findings = {f.name: f for f in check_parity()}
    assert [f for f in findings.values() if f.state == "wrong"] == []
    assert findings["golden clip bounce"].state == "ok"
    assert findings["parity dnsmos dnsmos_p808"].state == "ok"
    assert "tolerance 0.0001, 2 clips" in findings["parity dnsmos dnsmos_p808"].detail
    assert findings["parity lip_sync"].state == "missing"
    assert "weights fetch syncnet-v2" in findings["parity lip_sync"].detail


def changed(monkeypatch: pytest.MonkeyPatch, change: Any) -> dict[str, Any]:
    values = module.frozen_values()
    for row in values["values"]:
        change(row)
    monkeypatch.setattr(module, "frozen_values", lambda: values)
    return {f.name: f for f in check_parity()}


@pytest.mark.usefixtures("cheap")
def test_a_difference_is_told_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(row: dict[str, Any]) -> None:
        if row["metric"] == "dnsmos" and row["clip"] == "gusts":
            row["scores"]["dnsmos_p808"] += 0.01
            row["scores"]["dnsmos_sig"] += 0.00001

    found = changed(monkeypatch, change)
    assert found["parity dnsmos dnsmos_p808"].state == "wrong"
    assert found["parity dnsmos dnsmos_p808"].detail.startswith("delta 1.0e-02 (gusts), tolerance 0.0001")
    assert found["parity dnsmos dnsmos_sig"].state == "ok"


@pytest.mark.usefixtures("cheap")
def test_another_outcome_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(row: dict[str, Any]) -> None:
        if row["metric"] == "loudness" and row["clip"] == "bounce":
            row["status"], row["code"] = "failed", "no_audio_stream"

    found = changed(monkeypatch, change)
    assert found["parity loudness"].detail == "clip bounce is scored, frozen failed no_audio_stream"


@pytest.mark.usefixtures("cheap")
def test_other_weights_have_no_frozen_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(row: dict[str, Any]) -> None:
        row["weights"] = dict.fromkeys(row["weights"], "0" * 64)

    found = changed(monkeypatch, change)
    assert found["parity dnsmos"].state == "info"
    assert "no values are frozen for version 1, weights dnsmos-p808 9246480c5856" in found["parity dnsmos"].detail


@pytest.mark.usefixtures("cheap")
def test_freezing_adds_to_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "values.json"
    values = module.frozen_values()
    for row in values["values"]:
        row["version"] = "0"
    path.write_text(json.dumps(values))
    assert freeze(path) == 4
    written = json.loads(path.read_text())
    assert len(written["values"]) == len(values["values"]) + 4
    assert freeze(path) == 4
    assert json.loads(path.read_text()) == written
    monkeypatch.setattr(module, "frozen_values", lambda: written)
    assert not [f for f in check_parity() if f.state == "wrong"]


@pytest.mark.usefixtures("cheap")
def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mova_eval.doctor.examine", lambda: [])
    result = CliRunner().invoke(app, ["doctor", "--parity", "--precision", "bfloat16"], standalone_mode=False)
    assert result.exception is None
    assert result.return_value == 0
    assert "ok      parity loudness lufs: delta 0.0e+00" in result.output
    refused = CliRunner().invoke(app, ["doctor", "--parity", "--precision", "int4"], standalone_mode=False)
    assert "--precision int4" in str(refused.exception)
