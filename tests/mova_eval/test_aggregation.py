"""The rules by which scores of clips become the numbers of a table, against values worked out by hand."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import run_support
from run_support import TrialItem, make_benchmark, write_clips, write_distribution

from metrics.types import ScoreSpec
from mova_eval.aggregation import rule_for
from mova_eval.records import Aggregate, ScoreSummary
from mova_eval.runs import score_clips

SETS = ["set1", "set2", "set3"]

METRIC = '''
from metrics import ClipError, Measurement, Metric, NotApplicable, Ratio, ScoreSpec

class Told(Metric):
    """Reads its scores off the text of the clip: a value, errors/length, or a word for what went wrong."""
    name = "told"
    title = "Told"
    scores = (
        ScoreSpec("ib", "IB", "higher", "", (None, None), "test"),
        ScoreSpec("av_align", "AV-Align", "higher", "", (None, None), "test", failure_value=0.0),
        ScoreSpec("dnsmos_p808", "DNSMOS", "higher", "", (None, None), "test"),
        ScoreSpec("lse_c", "LSE-C", "higher", "", (None, None), "test"),
        ScoreSpec("ce", "CE", "higher", "", (None, None), "test"),
        ScoreSpec("cs", "CS", "higher", "", (None, None), "test"),
        ScoreSpec("lufs", "LUFS", "target", "LUFS", (None, None), "test"),
        ScoreSpec("wer", "WER", "lower", "", (0.0, None), "test", aggregation="ratio"),
        ScoreSpec("cpcer", "cpCER", "lower", "", (0.0, None), "test", aggregation="ratio"),
    )
    protocols = ("official", "verse-bench")

    def compute(self, clip, request):
        text = clip.path.read_text().split(" ")[0]
        if text == "bad":
            raise ClipError("undecodable_audio", "bad clip")
        if text == "skip":
            raise NotApplicable("no_face", "no face")
        if text == "silent":
            return Measurement.scored("told", {"ib": 0.0}, details={
                "compat": {"lufs": -70.0}, "left_out": {"lufs": "silent_audio"}})
        if "/" in text:
            ratio = Ratio(*map(float, text.split("/")))
            return Measurement.scored("told", {"wer": ratio.value, "cpcer": ratio.value},
                                      counts={"wer": ratio, "cpcer": ratio})
        values = [s.name for s in self.scores if s.aggregation == "mean"]
        return Measurement.scored("told", dict.fromkeys(values, float(text)))
'''


@pytest.fixture
def told(tmp_path: Path, trial_metrics: None) -> None:
    (tmp_path / "site" / "told_metric.py").write_text(textwrap.dedent(METRIC))
    write_distribution(tmp_path / "site", "told", {"told": "told_metric:Told"})
    run_support.registry.refresh()


def score(tmp_path: Path, words: dict[str, list[str | None]], **more: Any) -> dict[str, ScoreSummary]:
    """words: set -> what each clip says, None for no clip."""
    benchmark = make_benchmark({name: len(said) for name, said in words.items()}, name=more.pop("name", "verse-bench"))
    if "items" in more:
        change = more.pop("items")
        benchmark = replace(benchmark, items=tuple(map(change, benchmark.items)))
    said = {f"{name}-{i:02d}": word for name, clips in words.items() for i, word in enumerate(clips)}
    matching = write_clips(
        tmp_path / "clips", benchmark, {i: w for i, w in said.items() if w}, [i for i, w in said.items() if not w]
    )
    outcome = score_clips(
        benchmark, matching, metrics=["told"], workers=0, out=tmp_path / "run", cache=False, resamples=200, **more
    )
    return {summary.name: summary for summary in outcome.summary.scores}


def numbers(aggregate: Aggregate) -> tuple[float | None, float | None]:
    return aggregate.value, aggregate.compat


@pytest.mark.usefixtures("told")
def test_official_rules_of_verse_bench(tmp_path: Path) -> None:
    words: dict[str, list[str | None]] = {"set1": ["1", "3"], "set2": ["5", "5", "8"], "set3": ["10", "20"]}
    found = score(tmp_path, words)
    mean_of_sets = (2 + 6 + 15) / 3
    assert numbers(found["ib"].overall) == (pytest.approx(mean_of_sets), pytest.approx(mean_of_sets))
    assert found["ib"].rule == "mean of the means of set1, set2, set3"
    assert numbers(found["dnsmos_p808"].overall) == (15.0, 15.0)
    assert found["dnsmos_p808"].rule == "mean over clips of set3"
    assert found["dnsmos_p808"].overall.n_expected == 2
    assert found["lse_c"].overall.value == 15.0
    assert [found["lse_c"].sets[name].value for name in SETS] == [2.0, 6.0, 15.0]
    assert found["lufs"].overall.value == pytest.approx(mean_of_sets)


@pytest.mark.usefixtures("told")
def test_a_benchmark_without_published_rule_is_pooled(tmp_path: Path) -> None:
    found = score(tmp_path, {"a": ["1", "3"], "b": ["5"]}, name="my-own")
    assert found["ib"].overall.value == 3.0
    assert found["ib"].rule == "mean over clips of a, b"


@pytest.mark.usefixtures("told")
def test_failed_clips_count_as_the_official_tool_counts_them(tmp_path: Path) -> None:
    found = score(tmp_path, {"set1": ["1", "bad"], "set2": ["4", None], "set3": ["skip", "7"]})
    assert numbers(found["ib"].overall) == (4.0, 4.0)  # the tool drops failed clips
    # AV-Align counts them as 0; an item without file and a clip without meaning are nowhere in the tool's mean.
    assert numbers(found["av_align"].overall) == (4.0, pytest.approx((0.5 + 4 + 7) / 3))
    assert found["av_align"].overall.reasons == {"no_clip": 1, "no_face": 1, "undecodable_audio": 1}
    overall = found["av_align"].overall
    assert (overall.n_expected, overall.n_scored, overall.n_failed, overall.n_not_applicable) == (6, 3, 2, 1)


@pytest.mark.usefixtures("told")
def test_a_set_whose_clips_all_failed(tmp_path: Path) -> None:
    found = score(tmp_path, {"set1": ["1", "3"], "set2": ["bad", "bad"], "set3": ["7", "9"]})
    assert numbers(found["ib"].overall) == (None, None)  # NaN in the tool
    assert numbers(found["lufs"].overall) == (None, pytest.approx((2 + 0 + 8) / 3))  # 0.0 in the tool
    assert found["lufs"].overall.interval is None
    assert any("no mean over the sets" in note for note in found["ib"].notes)


@pytest.mark.usefixtures("told")
def test_sets_without_any_clip_are_left_out(tmp_path: Path) -> None:
    found = score(tmp_path, {"set1": ["1", "3"], "set2": [None, None], "set3": ["7", "9"]})
    assert numbers(found["ib"].overall) == (5.0, 5.0)
    assert found["ib"].overall.n_failed == 2
    assert "set2 has no clip and is left out" in found["ib"].notes


@pytest.mark.usefixtures("told")
def test_a_score_left_out_of_a_measurement(tmp_path: Path) -> None:
    found = score(tmp_path, {"set1": ["-20", "silent"]})
    assert numbers(found["lufs"].overall) == (-20.0, -45.0)
    assert found["lufs"].overall.reasons == {"silent_audio": 1}
    assert found["lufs"].overall.n_not_applicable == 1
    assert found["ib"].overall.value == -10.0


@pytest.mark.usefixtures("told")
def test_error_rates_add_up_by_counts(tmp_path: Path) -> None:
    found = score(tmp_path, {"set1": ["1/2", "0/10"], "set2": ["6/8", "skip"]})
    wer = found["wer"].overall
    assert (wer.value, wer.compat, wer.numerator, wer.denominator) == (0.35, 0.35, 7.0, 20.0)
    assert wer.interval is not None
    assert wer.interval[0] < 0.35 < wer.interval[1]
    assert found["cpcer"].sets["set1"].value == pytest.approx(1 / 12)


@pytest.mark.usefixtures("told")
def test_one_failure_leaves_the_official_cpcer_without_a_number(tmp_path: Path) -> None:
    found = score(tmp_path, {"multi-speaker": ["1/2", "bad", "0/8"]}, name="mybench")
    assert numbers(found["cpcer"].overall) == (0.1, None)
    assert numbers(found["wer"].overall) == (0.1, 0.1)


@pytest.mark.usefixtures("told")
def test_rules_of_the_verse_bench_tool(tmp_path: Path) -> None:
    def change(item: TrialItem) -> TrialItem:
        return replace(item, speech=()) if item.id == "set1-00" else item

    words: dict[str, list[str | None]] = {"set1": ["1", "3"], "set2": ["5", "5", "8"], "set3": ["10", "20"]}
    found = score(tmp_path, words, protocol="verse-bench", items=change)
    assert found["ib"].overall.value == pytest.approx(52 / 7)
    assert found["ce"].overall.value == pytest.approx(22 / 5)
    assert found["ce"].rule == "mean over clips of set1, set2"
    assert found["lse_c"].overall.value == pytest.approx(51 / 6)
    assert found["lse_c"].overall.n_expected == 6
    assert found["cs"].overall.n_expected == 0  # no item lists an audio prompt
    assert found["cs"].overall.value is None


@pytest.mark.usefixtures("told")
def test_the_verse_bench_tool_averages_the_clips_word_error_rates(tmp_path: Path) -> None:
    found = score(tmp_path, {"set1": ["1/2", "0/10"]}, protocol="verse-bench")
    assert found["wer"].overall.value == pytest.approx(0.25)
    assert found["wer"].overall.interval is not None


@pytest.mark.usefixtures("told")
def test_a_published_set_that_is_not_part_of_the_run(tmp_path: Path) -> None:
    found = score(tmp_path, {"set1": ["1", "3"]})
    assert found["lse_c"].overall.value is None
    assert found["lse_c"].overall.n_expected == 0
    assert "published on set3, which is not part of this run" in found["lse_c"].notes


@pytest.mark.usefixtures("told")
def test_an_interval_needs_two_clips_in_every_set(tmp_path: Path) -> None:
    found = score(tmp_path, {"set1": ["1", "3"], "set2": ["5"]})
    assert found["ib"].overall.value == 3.5
    assert found["ib"].overall.interval is None
    assert found["ib"].sets["set1"].interval is not None


def test_corpus_scores_are_averaged_over_sets_or_computed_at_once(tmp_path: Path, trial_metrics: None) -> None:
    benchmark = make_benchmark({"set1": 4, "set2": 6})
    matching = write_clips(tmp_path / "clips", benchmark, {"set2-05": "bad"})
    found = {}
    for name in ("verse-bench", "my-own"):
        run = score_clips(
            replace(benchmark, name=name), matching, metrics=["variety"], workers=0, out=tmp_path / name, resamples=200
        )
        found[name] = run.summary.scores[0]
    official, own = found["verse-bench"], found["my-own"]
    parts = [official.sets[name].value for name in ("set1", "set2")]
    assert official.overall.value == pytest.approx(np.mean([part for part in parts if part is not None]))
    assert own.overall.value != pytest.approx(official.overall.value)
    assert own.rule == "over all clips of set1, set2 at once"
    for summary in (official, own):
        assert summary.overall.interval is not None
        assert 1.0 <= summary.overall.interval[0] < summary.overall.interval[1] <= 8.0
        assert summary.overall.n_failed == 1


@pytest.mark.parametrize(
    ("name", "kind", "sets"),
    [
        ("is", "mean_of_sets", None),
        ("desync", "mean_of_sets", None),
        ("clap", "mean_of_sets", None),
        ("rms", "mean_of_sets", None),
        ("dnsmos_ovrl", "mean_of_sets", ("set3",)),
        ("lse_d", "pooled", ("set3",)),
    ],
)
def test_rules_by_name(name: str, kind: str, sets: tuple[str, ...] | None) -> None:
    rule = rule_for("verse-bench", "official", ScoreSpec(name, name, "higher", "", (None, None), ""))
    assert (rule.kind, rule.sets) == (kind, sets)
