"""Histories: real changes are found, noise is not, and what may not stand on one line does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from compare_runs import SIZES, typical, write_run

from metrics.errors import UserError
from mova_eval.history import History, trace_history, write_history


def nightly(folder: Path, number: int, **more: object) -> Path:
    values = more.pop("values", None) or typical(number * 10, **more.pop("shift", {}))  # type: ignore[arg-type]
    return write_run(
        folder / f"night-{number:02d}", values, created=f"2026-02-{10 + number:02d}T03:00:00+00:00", commit=f"{number:02d}" * 20, **more  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight nights: LSE-D jumps up in night 3 and comes back in night 6; AV-Align creeps up."""
    folder = tmp_path_factory.mktemp("nights")
    for number in range(8):
        nightly(folder, number, shift={"lse_d": 1.2 if 3 <= number < 6 else 0.0, "av_align": 0.008 * number})
    nightly(folder, 8, drop_records=3)
    write_run(folder / "other", typical(3), model="Ovi")
    return folder


def test_jumps_and_drifts_are_found_once_each(nights: Path) -> None:
    found = trace_history(nights)
    mine = next(series for series in found.series if series.model == "MOVA-360p")
    lines = {line.name: line for line in mine.lines}
    jumps = [(point.run, change.verdict, change.since) for point, change in lines["lse_d"].changes]
    assert jumps == [("night-03", "worse", "night-00"), ("night-06", "better", "night-03")]
    drift = lines["av_align"].changes
    assert drift
    assert {change.verdict for _, change in drift} == {"better"}
    assert lines["dnsmos_p808"].changes == []
    assert [mark.run for mark in mine.runs] == [f"night-{n:02d}" for n in range(8)]


def test_unfinished_runs_are_left_out_and_other_models_apart(nights: Path) -> None:
    found = trace_history(nights)
    assert list(found.skipped) == ["night-08"]
    assert {series.model for series in found.series} == {"MOVA-360p", "Ovi"}
    assert trace_history(nights, metrics=["lip_sync"]).series[0].lines[0].name == "lse_d"


def test_equal_models_hardly_ever_change(tmp_path: Path) -> None:
    """Twenty histories of five nights: one false alarm in any of them is expected at the 5% level."""
    sizes = {"set3": 40}
    alarms = 0
    for seed in range(20):
        folder = tmp_path / str(seed)
        for night in range(5):
            values = typical(1000 * seed + 10 * night, sizes, quality_seed=seed)
            nightly(folder, night, values=values, sizes=sizes)
        found = trace_history(folder, resamples=100)
        alarms += any(line.changes for series in found.series for line in series.lines)
    assert alarms <= 3


def test_a_change_below_the_noise_floor_is_none(tmp_path: Path) -> None:
    n = sum(SIZES.values())
    values = [8.0 + i % 3 for i in range(n)]
    first = nightly(tmp_path, 0, values={"lse_d": values})
    nightly(tmp_path, 1, values={"lse_d": [v + 0.2 for v in values[:-1]] + [9.0]})
    (line,) = trace_history(tmp_path).series[0].lines
    assert len(line.changes) == 1
    spread = {"values": [8.0, 8.1], "sd": 0.07, "floor": 0.5}
    (first / "noise.json").write_text(json.dumps({"generation": {"runs": ["a", "b"], "scores": {"lse_d": spread}}}))
    assert trace_history(tmp_path).series[0].lines[0].changes == []


def test_a_metric_that_changed_breaks_the_line(tmp_path: Path) -> None:
    nightly(tmp_path, 0)
    nightly(tmp_path, 1, weights={"lip_sync": {"syncnet": "f" * 64}}, shift={"lse_d": 3.0})
    line = next(one for one in trace_history(tmp_path).series[0].lines if one.name == "lse_d")
    assert line.points[1].apart == "the metric's weights changed"
    assert line.changes == []
    nightly(tmp_path, 2, protocol="direct")
    assert {series.protocol for series in trace_history(tmp_path).series} == {"official", "direct"}


def test_folders_without_history_say_so(tmp_path: Path, nights: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        trace_history(tmp_path / "none")
    with pytest.raises(UserError, match="it holds no run directory"):
        trace_history(tmp_path)
    with pytest.raises(UserError, match="has a metric or score lse_dd"):
        trace_history(nights, metrics=["lse_dd"])


def test_the_command_writes_one_page(nights: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("mova-eval")
    out = tmp_path / "page.html"
    done = subprocess.run([program, "history", nights, "--out", out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "worse +1." in done.stdout
    page = out.read_text(encoding="utf-8")
    assert page.count("<svg") == 10
    assert "night-03: " in page
    found = History.model_validate_json((tmp_path / "page.json").read_bytes())
    assert found == trace_history(nights)
    with pytest.raises(UserError, match=r"does not end in \.html"):
        write_history(found, tmp_path / "page")
    table = found.to_pandas()
    assert np.isfinite(table["value"]).all()


def test_the_page_fits_every_width(browser: object, nights: Path, tmp_path: Path) -> None:
    path = write_history(trace_history(nights), tmp_path / "history.html")[0]
    for width in (320, 390, 1440):
        page = browser.new_page(viewport={"width": width, "height": 844})  # type: ignore[attr-defined]
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()
