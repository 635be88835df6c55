"""Finding metrics by name, by score, and from other distributions."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import metrics
from metrics import Measurement, Ratio, UserError, registry
from metrics.registry import refresh

FOREIGN = '''
from metrics import Measurement, Metric, ScoreSpec

class Size(Metric):
    """File size."""
    name = "file_size"
    title = "File size"
    scores = (ScoreSpec("file_size", "File size", "target", "byte", (0, None), "own"),)

    def compute(self, clip, request):
        return Measurement.scored(self.name, {"file_size": clip.path.stat().st_size})

NotAMetric = dict
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Put a small distribution with the given entry points on the path."""

    def put(*points: str) -> None:
        (tmp_path / "foreign_metric.py").write_text(FOREIGN)
        info = tmp_path / "foreign_metric-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-metric\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[mova_eval.metrics]\n" + "\n".join(points) + "\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        refresh()

    yield put
    monkeypatch.undo()
    refresh()


def test_a_metric_of_another_distribution_is_one_like_our_own(install, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    install("file_size = foreign_metric:Size")
    card = metrics.card("file_size")
    assert (card.origin, card.can_run) == ("foreign-metric", True)
    file = tmp_path / "x.mp4"
    file.write_bytes(b"12345")
    assert metrics.measure("file_size", file).scores == {"file_size": 5.0}


def test_two_metrics_of_one_name_are_refused(install) -> None:  # type: ignore[no-untyped-def]
    install("loudness = foreign_metric:Size")
    with pytest.raises(UserError, match="two metrics are called 'loudness'"):
        metrics.available()


def test_an_entry_point_that_is_no_metric_is_named(install) -> None:  # type: ignore[no-untyped-def]
    install("odd = foreign_metric:NotAMetric")
    with pytest.raises(UserError, match="not a subclass"):
        metrics.metric_class("odd")


def test_a_score_leads_to_its_metric() -> None:
    assert metrics.metric_class("dnsmos_ovrl").name == "dnsmos"


@pytest.mark.parametrize(("wrong", "near"), [("av-align", "av_align"), ("dnsmos_p800", "dnsmos_p808")])
def test_a_typing_error_is_answered_with_the_nearest_name(wrong: str, near: str) -> None:
    with pytest.raises(UserError, match=near):
        metrics.get(wrong)


def test_an_unknown_option_or_protocol_is_named() -> None:
    with pytest.raises(UserError, match="no option 'speed'"):
        metrics.get("loudness", speed=2)
    with pytest.raises(UserError, match="no protocol 'fast'"):
        metrics.get("loudness", protocol="fast")


def test_every_metric_declares_what_a_reader_needs() -> None:
    seen: set[str] = set()
    for name in metrics.available():
        if registry.origin(name) != registry.OWN:
            continue
        cls = metrics.metric_class(name)
        assert cls.name == name
        assert cls.title
        assert (cls.__doc__ or "").strip()
        for spec in cls.scores:
            assert spec.name not in seen
            seen.add(spec.name)
            assert spec.unit
            assert spec.source
            assert spec.direction in {"higher", "lower", "target"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_is_a_finite_number(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        Measurement.scored("m", {"x": value})


def test_outcomes_without_a_score_need_a_reason_and_carry_no_number() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Measurement("m", "failed")
    with pytest.raises(ValueError, match="must not carry scores"):
        Measurement("m", "not_applicable", {"x": 1.0}, reason="because")


counts = st.builds(Ratio, st.integers(0, 50), st.integers(1, 50))


@given(counts, counts, counts)
def test_ratios_add_by_their_counts(a: Ratio, b: Ratio, c: Ratio) -> None:
    assert (a + b) + c == a + (b + c)
    low, high = sorted((a.value, b.value))
    assert low - 1e-12 <= (a + b).value <= high + 1e-12
