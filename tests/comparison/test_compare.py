"""Comparing runs on disk: what is paired with what, and every input that is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compare_runs import SIZES, typical, write_run

from metrics.errors import UserError
from mova_eval.comparison import Comparison, compare, write_comparison
from mova_eval.runs import load_run

FEW: dict[str, Any] = {"resamples": 200}


def test_a_worse_and_a_better_score_are_told(pair: tuple[Path, Path]) -> None:
    found = compare(*pair, resamples=2000)
    verdicts = {score.name: score.verdict for score in found.scores}
    assert verdicts["lse_d"] == "worse"
    assert verdicts["av_align"] == "better"
    assert verdicts["dnsmos_p808"] == "no difference shown"
    lse_d = found.score("lse_d")
    assert lse_d.interval is not None
    assert lse_d.interval[0] < 0.8 < lse_d.interval[1]
    assert lse_d.loss == lse_d.difference
    assert found.score("av_align").loss == -(found.score("av_align").difference or 0)


def test_values_are_those_of_the_summaries_where_both_scored_the_same_items(pair: tuple[Path, Path]) -> None:
    found = compare(*pair, **FEW)
    for side, run in zip(("base", "head"), map(load_run, pair), strict=True):
        for score in found.scores:
            assert getattr(score, side) == pytest.approx(run.score(score.name).overall.value)
            for name, shift in score.sets.items():
                assert getattr(shift, side) == pytest.approx(run.score(score.name).sets[name].value)


def test_only_items_that_both_scored_enter(tmp_path: Path) -> None:
    values = [1.0] * 10
    base = write_run(tmp_path / "a", {"av_align": [0.9, None, *values[2:]]}, sizes={"all": 10}, benchmark="own")
    head = write_run(tmp_path / "b", {"av_align": [None, 0.1, *values[2:]]}, sizes={"all": 10}, benchmark="own")
    score = compare(base, head, **FEW).score("av_align")
    assert (score.n, score.base, score.head, score.verdict) == (8, 1.0, 1.0, "equal")
    assert (score.coverage.only_base, score.coverage.only_head, score.coverage.lost) == (1, 1, ["00000000"])
    assert score.coverage.lost_reasons == {"no_face": 1}


def test_the_same_runs_give_the_same_numbers_and_a_run_equals_itself(pair: tuple[Path, Path]) -> None:
    assert compare(*pair, **FEW) == compare(*pair, **FEW)
    same = compare(pair[0], pair[0], **FEW)
    assert {score.verdict for score in same.scores} == {"equal"}
    assert all(score.p == 1.0 and score.interval == (0.0, 0.0) for score in same.scores)


def test_an_error_rate_is_a_ratio_of_sums(tmp_path: Path) -> None:
    sizes = {"all": 4}
    base = write_run(
        tmp_path / "a", {}, counts={"wer": [(1, 10), (0, 10), (5, 10), (0, 70)]}, sizes=sizes, benchmark="own"
    )
    head = write_run(
        tmp_path / "b", {}, counts={"wer": [(2, 10), (0, 10), (5, 10), (7, 70)]}, sizes=sizes, benchmark="own"
    )
    score = compare(base, head, **FEW).score("wer")
    assert (score.base, score.head) == pytest.approx((0.06, 0.14))


def test_a_corpus_score_is_compared_on_stored_features(tmp_path: Path, trial_metrics: None) -> None:
    rng = np.random.default_rng(0)
    even, uneven = rng.dirichlet(np.full(8, 0.2), 40), rng.dirichlet(np.full(8, 4.0), 40)
    made = [
        write_run(tmp_path / name, {}, features={"variety": list(p)}, sizes={"one": 15, "two": 25}, benchmark="own")
        for name, p in (("a", even), ("b", uneven), ("c", even[::-1]))
    ]
    score = compare(made[0], made[1], resamples=400).score("variety")
    assert score.base == pytest.approx(load_run(made[0]).score("variety").overall.value)
    assert score.interval is not None
    assert score.interval[1] < 0
    assert score.verdict == "worse"
    assert set(score.sets) == {"one", "two"}
    pooled = compare(made[0], made[2], resamples=400).score("variety")
    assert pooled.difference == pytest.approx(0.0, abs=1e-9)
    assert pooled.verdict != "worse"


def test_worst_items_come_first(tmp_path: Path) -> None:
    values = [0.5] * 12
    worse = [0.5] * 12
    worse[7] = 0.1
    worse[3] = 0.9
    base = write_run(tmp_path / "a", {"av_align": values}, sizes={"all": 12}, benchmark="own")
    head = write_run(tmp_path / "b", {"av_align": worse}, sizes={"all": 12}, benchmark="own")
    items = compare(base, head, **FEW).items
    assert items[0].item == "00000007"
    assert items[-1].item == "00000003"
    assert items[0].values == {"av_align": (0.5, 0.1)}


def test_metrics_may_be_chosen_by_metric_or_score(pair: tuple[Path, Path]) -> None:
    assert [s.name for s in compare(*pair, metrics=["lip_sync"], **FEW).scores] == ["lse_d", "lse_c"]
    assert [s.name for s in compare(*pair, metrics=["lse_c"], **FEW).scores] == ["lse_c"]
    with pytest.raises(UserError, match="did you mean lse_d"):
        compare(*pair, metrics=["lse_dd"])


def test_different_item_sets_compare_the_common_ones_and_say_so(tmp_path: Path) -> None:
    base = write_run(tmp_path / "a", {"av_align": [0.5] * 12}, sizes={"all": 12}, benchmark="own")
    head = write_run(tmp_path / "b", {"av_align": [0.5] * 9}, sizes={"all": 9}, benchmark="own")
    found = compare(base, head, **FEW)
    assert found.n_common == 9
    assert found.only_base == ["00000009", "00000010", "00000011"]
    assert any("3 of 12 items of base" in note for note in found.notes)
    assert found.score("av_align").coverage.lost_reasons == {"not in head": 3}


def other_ids(folder: Path) -> None:
    for name in ("items.jsonl", "scores.jsonl"):
        text = (folder / name).read_text().replace('"item":"0', '"item":"9')
        (folder / name).write_text(text)
    (folder / "summary.json").unlink()


def test_refusals(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    base, n = pair[0], sum(SIZES.values())
    other = write_run(tmp_path / "other", {"av_align": [0.5] * n}, benchmark="mybench")
    with pytest.raises(UserError, match=r"of benchmark verse-bench, .* of mybench"):
        compare(base, other)
    none = write_run(tmp_path / "none", typical(1))
    other_ids(none)
    with pytest.raises(UserError, match="no item in common"):
        compare(base, none)
    loud = write_run(tmp_path / "loud", {"rms": [0.1] * n})
    with pytest.raises(UserError, match="no score in common"):
        compare(base, loud)
    half = write_run(tmp_path / "half", typical(1), drop_records=7)
    with pytest.raises(UserError, match="unfinished: 7 of 400"):
        compare(base, half)
    assert "7 measurements are missing" in " ".join(compare(base, half, allow_unfinished=True, **FEW).notes)
    with pytest.raises(UserError, match="is not a run"):
        compare(base, tmp_path / "nowhere")


def test_a_summary_edited_by_hand_is_found(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    edited = write_run(tmp_path / "edited", typical(1))
    path = edited / "summary.json"
    summary = json.loads(path.read_text())
    summary["scores"][0]["overall"]["value"] -= 0.5
    path.write_text(json.dumps(summary))
    with pytest.raises(UserError, match=r"lse_d is .* there and .* by the journal; it was edited"):
        compare(pair[0], edited)
    summary["journal_sha256"] = "0" * 64
    path.write_text(json.dumps(summary))
    with pytest.raises(UserError, match="made from another journal"):
        compare(pair[0], edited)


def test_a_score_that_is_no_number_is_found(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    broken = write_run(tmp_path / "broken", typical(1))
    (broken / "summary.json").unlink()
    lines = (broken / "scores.jsonl").read_text().splitlines()
    place = next(i for i, line in enumerate(lines) if '"av_align":0' in line)
    record = json.loads(lines[place])
    record["scores"]["av_align"] = float("nan")
    lines[place] = json.dumps(record)
    (broken / "scores.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=r"av_align of item .* is nan, not a number"):
        compare(pair[0], broken)


def test_a_single_item_has_values_but_nothing_to_test(tmp_path: Path) -> None:
    base, head = (
        write_run(tmp_path / name, {"av_align": [value]}, sizes={"all": 1}, benchmark="own")
        for name, value in (("a", 0.2), ("b", 0.4))
    )
    found = compare(base, head, **FEW)
    score = found.score("av_align")
    assert (score.interval, score.p, score.verdict) == (None, 1.0, "no difference shown")
    assert "one common item: nothing can be tested" in found.notes


def test_cards_that_differ_need_the_users_word(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    other = write_run(
        tmp_path / "other", typical(50), protocol="direct", settings={"steps": 20, "seed": 3, "model": {"path": "x"}}
    )
    with pytest.raises(UserError, match=r"protocol: official in base, direct in head.*--allow-different-protocol"):
        compare(pair[0], other)
    found = compare(pair[0], other, allow_different_protocol=True, **FEW)
    assert {d.field for d in found.card_differences if d.matters} == {
        "protocol",
        "lip_sync protocol",
        "dnsmos protocol",
        "av_align protocol",
        "loudness protocol",
    }
    steps = [
        write_run(tmp_path / f"s{n}", typical(n), settings={"sampling": {"steps": n}, "seed": n}) for n in (20, 50)
    ]
    with pytest.raises(UserError, match=r"generator sampling.steps: 20 in base, 50 in head"):
        compare(*steps)
    weights = write_run(tmp_path / "w", typical(1), weights={"lip_sync": {"syncnet": "f" * 64}})
    with pytest.raises(UserError, match="lip_sync weights"):
        compare(pair[0], weights)
    compare(pair[0], weights, metrics=["dnsmos"], **FEW)


def test_clip_length_and_size_are_part_of_the_card(tmp_path: Path) -> None:
    from support import make_clip

    sides = []
    for name, frames, size in (("a", 25, (64, 48)), ("b", 50, (48, 64))):
        (tmp_path / name / "clips" / "all").mkdir(parents=True)
        clip = make_clip(tmp_path / name / "clips" / "all" / "x.mp4", seconds=frames / 25, size=size)
        clips = {f"{i:08d}": str(clip.relative_to(tmp_path / name)) for i in range(3)}
        sides.append(
            write_run(tmp_path / name, {"av_align": [0.1, 0.2, 0.3]}, sizes={"all": 3}, benchmark="own", clips=clips)
        )
    with pytest.raises(
        UserError, match=r"clip size: 64x48 in base, 48x64 in head; clip length: 1.00 s in base, 2.00 s in head"
    ):
        compare(*sides)
    kept = json.loads((sides[0] / "card.json").read_text())
    assert kept["format"]["read"] == 3


def test_a_planned_length_stands_in_for_clips_that_cannot_be_read(tmp_path: Path) -> None:
    short, long = (
        write_run(tmp_path / f"{n}", typical(1), maker={"frames": n, "fps": 24.0, "seed": n}) for n in (97, 193)
    )
    with pytest.raises(UserError, match="generator frames: 97 in base, 193 in head"):
        compare(short, long)


def test_another_seed_is_worth_knowing_and_caveats_are_told(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    maker = {"seed": 7, "caveats": ["the weights are random: the clips are noise"]}
    found = compare(pair[0], write_run(tmp_path / "noise", typical(3), maker=maker), **FEW)
    assert [(d.field, d.head, d.matters) for d in found.card_differences] == [("generation seed", "7", False)]
    assert "head: the weights are random: the clips are noise" in found.notes


def test_written_files_say_the_same(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    found = compare(*pair, **FEW)
    paths = {path.suffix: path for path in write_comparison(found, tmp_path)}
    assert Comparison.model_validate_json(paths[".json"].read_bytes()) == found
    text = paths[".md"].read_text(encoding="utf-8")
    assert "| `lse_d` | ↓ |" in text
    assert "🔴 worse" in text
    assert "<b>loudly</b>" not in text
    page = paths[".html"].read_text(encoding="utf-8")
    assert "<b>loudly</b>" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    with pytest.raises(UserError, match="no format"):
        write_comparison(found, tmp_path, ["pdf"])


def test_a_table_for_notebooks(pair: tuple[Path, Path]) -> None:
    table = compare(*pair, **FEW).to_pandas().set_index("name")
    assert table.loc["lse_d", "verdict"] == "worse"
    assert table.loc["lufs", "loss"] is None or np.isnan(table.loc["lufs", "loss"])
