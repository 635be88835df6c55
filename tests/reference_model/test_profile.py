"""What a clip costs: counted multiply-adds against the formulas, and a measured profile that adds up."""

from __future__ import annotations

import pytest

from reference_model import MovaSampler
from reference_model.guidance import Guidance
from reference_model.presets import PRESETS, RELEASED
from reference_model.profile import measure, predict
from reference_model.shapes import ClipShape


def test_the_large_model_is_counted_without_weights() -> None:
    small = ClipShape(5, 352, 640, 24.0)
    found = predict(PRESETS["360p"], steps=50, shape=small)
    rows = {row.name: row for row in found.rows}
    tower, n = RELEASED.video_dit, small.video_tokens
    linear = n * (6 * tower.dim**2 + 2 * tower.dim * tower.ffn_dim)
    attention = 2 * n * (n + 512) * tower.dim
    expected = 2 * tower.num_layers * (linear + attention) + 2 * n * tower.dim * 64 + n * 36 * 4 * tower.dim
    assert rows["video_dit"].step_macs == pytest.approx(expected, rel=1e-3)
    assert (rows["video_dit"].steps, rows["video_dit_2"].steps, rows["audio_dit"].steps) == (18, 32, 50)
    assert rows["video_dit"].parameters == 14_288_901_184
    assert rows["video_dit"].weight_bytes == 28_577_802_368
    assert found.clip_seconds is None
    assert found.device_hours(600) is None
    assert sum(found.share(row) for row in found.rows) == pytest.approx(1.0)


def test_guidance_costs_its_evaluations() -> None:
    shape = ClipShape(5, 64, 96, 24.0)
    one, three = (predict(PRESETS["nano"], guidance=g, shape=shape) for g in (Guidance(1, 1), Guidance(5, 3.5)))
    single, triple = ({row.name: row.step_macs for row in p.rows} for p in (one, three))
    assert triple["audio_dit"] == 3 * (single["audio_dit"] or 0)
    assert triple["dual_tower_bridge"] == 2 * (single["dual_tower_bridge"] or 0), "one of three branches has it off"


def test_a_measured_profile_adds_up() -> None:
    found = measure(MovaSampler.seeded(device="cpu"), PRESETS["nano"], shape=ClipShape(5, 32, 48, 24.0), steps=50)
    assert found.step_seconds is not None
    assert found.clip_seconds is not None
    assert found.other_seconds is not None
    rows = {row.name: row for row in found.rows}
    parts = [rows[name].step_seconds for name in ("video_dit", "audio_dit", "dual_tower_bridge")]
    assert all(part is not None and part > 0 for part in parts)
    assert sum(part or 0 for part in parts) + found.other_seconds == pytest.approx(found.step_seconds, rel=0.01)
    assert found.clip_seconds > 50 * found.step_seconds
    assert found.device_hours(3600) == pytest.approx(found.clip_seconds)
    assert 0 < sum(found.share(row) for row in found.rows) <= 1.0
    assert found.peak_bytes is not None
    assert found.peak_bytes > 10**7
