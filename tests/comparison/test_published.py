"""The published results that are shipped, and the tables that put a run beside them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from compare_runs import typical, write_run

from metrics import registry
from metrics.errors import UserError
from mova_eval.baselines import Standing, beside_baselines, published, write_tables
from mova_eval.baselines.columns import columns, own_columns
from mova_eval.baselines.loading import folder, read_published
from mova_eval.baselines.records import Cell, Head, Row
from mova_eval.baselines.standing import marked

ROOT = Path(__file__).resolve().parents[2]
MYBENCH = "62edbcc05d6a464b516cd2715dd20277de3b69cae887acf7eafb575c55076f0a"
WHOLE = {"set1": 205, "set2": 295, "set3": 100}
ALL = published(include_doubtful=True)


def table(name: str) -> dict[str, dict[str, float]]:
    source = next(source for source in ALL if source.name == name)
    return {row.label: row.scores for row in source.rows}


def test_every_file_reads_and_every_number_lies_in_the_range_of_its_column() -> None:
    assert len(ALL) == len(list(folder().glob("*.json"))) == 12
    assert sum(len(source.rows) for source in ALL) == 53
    assert [source.name for source in published()] == [
        "mova-2602.08794", "mova-toolkit", "mova-issue-40", "nava-2605.30073", "mova-arena",
    ]  # fmt: skip


def test_columns_agree_with_the_metrics_that_are_installed() -> None:
    installed = registry.score_specs()
    assert {"lse_d", "lse_c", "dnsmos_p808", "av_align", "cpcer", "wer"} <= set(installed)
    for column in own_columns():
        spec = installed.get(column.name)
        if spec is None:
            continue
        assert spec.direction == column.direction, column.name
        low, high = spec.range
        for source in ALL:
            for row in source.rows:
                value = row.scores.get(column.name)
                if value is not None and source.benchmark_of(column.name) in {"verse-bench", "mybench"}:
                    assert low is None or value >= low
                    assert high is None or value <= high
    used = {name for source in ALL for row in source.rows for name in row.scores}
    assert used <= set(columns())


def test_the_papers_table_is_typed_right() -> None:
    paper = table("mova-2602.08794")
    assert len(paper) == 11
    assert paper["MOVA-360p"] == {
        "is": 4.269,
        "dnsmos_p808": 3.797,
        "desync": 0.475,
        "ib": 0.286,
        "lse_d": 8.098,
        "lse_c": 6.278,
        "cpcer": 0.177,
    }
    assert paper["WAN2.1 + MMAudio"] == {"is": 4.036, "desync": 0.260, "ib": 0.317}
    sweep = [paper[f"MOVA-360p, dual CFG, s_B {s}"]["lse_d"] for s in ("2.0", "3.0", "3.5", "4.0")]
    assert sweep == [7.323, 7.014, 7.004, 6.957]
    # column sums of Table 4, against slips of the keyboard
    rows = [row for row in next(s for s in ALL if s.name == "mova-2602.08794").rows if row.settings["table"] == 4]
    sums = {name: round(sum(row.scores.get(name, 0.0) for row in rows), 3) for name in paper["MOVA-360p"]}
    assert sums == {
        "is": 26.97,
        "dnsmos_p808": 22.044,
        "desync": 2.907,
        "ib": 1.895,
        "lse_d": 44.973,
        "lse_c": 40.61,
        "cpcer": 1.447,
    }


def test_the_public_recognisers_cpcer_is_the_toolkits() -> None:
    assert table("mova-toolkit")["MOVA-360p, toolkit"]["cpcer"] == 0.156
    paper = next(source for source in ALL if source.name == "mova-2602.08794")
    assert "internal speech model" in paper.not_comparable["cpcer"]
    assert paper.benchmark_of("cpcer") == "mybench"


def test_arena_rows_have_intervals_that_hold_their_value() -> None:
    arena = next(source for source in ALL if source.name == "mova-arena")
    assert [row.ci95 is not None for row in arena.rows[:4]] == [True] * 4
    for row in arena.rows[4:7]:
        assert sum(row.scores.values()) == pytest.approx(1.0, abs=0.002)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": [{"model": "x", "scores": {"lse_dd": 1.0}}]}, "no column is called 'lse_dd'"),
        ({"rows": [{"model": "x", "scores": {"dnsmos_p808": 7.0}}]}, "is not between 1.0 and 5.0"),
        ({"rows": [{"model": "x", "scores": {"is": 2.0}, "flags": ["odd"]}]}, "flag 'odd' has no text"),
        ({"rows": [{"model": "x", "scores": {"is": 2.0}, "ci95": [3.0, 4.0]}]}, "does not hold the value"),
        ({"status": "rumour"}, "status"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, change: dict[str, object], said: str) -> None:
    good = json.loads((folder() / "mova-toolkit.json").read_text())
    path = tmp_path / "x.json"
    path.write_text(json.dumps({**good, "flag_texts": {}, "rows": [], **change}))
    with pytest.raises(UserError) as error:
        read_published(path)
    assert said in str(error.value)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over all of Verse-Bench."""
    return write_run(tmp_path_factory.mktemp("whole") / "mine", typical(1, WHOLE), sizes=WHOLE, model="My model")


def test_our_row_stands_under_the_papers_and_the_rest_is_context(whole: Path) -> None:
    standing = beside_baselines([whole])
    assert [row.label for row in standing.rows][:2] == ["LTX-2", "Ovi"]
    assert standing.rows[-1].label == "My model"
    assert {row.origin for row in standing.rows} == {"mova-2602.08794", "mova-toolkit", "run"}
    ours = standing.rows[-1].cells["lse_d"]
    assert ours.interval is not None
    assert (ours.n, ours.expected) == (len([v for v in typical(1, WHOLE)["lse_d"][500:] if v is not None]), 100)
    assert [group.why for group in standing.context] == [
        "another task", "another protocol (verse-bench-lip-sync)", "another protocol (nava)", "votes of people, not a metric",
    ]  # fmt: skip
    assert [head.name for head in standing.columns] == [
        "is",
        "dnsmos_p808",
        "desync",
        "ib",
        "lse_d",
        "lse_c",
        "av_align",
        "clap",
        "lufs",
    ]


def test_doubtful_rows_only_on_request_and_never_in_the_main_table(whole: Path) -> None:
    plain, more = beside_baselines([whole]), beside_baselines([whole], include_doubtful=True)
    assert more.rows == plain.rows
    assert len(more.context) > len(plain.context)
    assert any("Klear" in group.title for group in more.context)
    assert beside_baselines([whole], baselines=False).context == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"protocol": "direct"}, "another protocol (mova)"),
        ({"prompt_variant": "clean"}, "prompts: official there"),
        ({"sizes": {"set3": 40}}, "the runs hold only part of the benchmark (40 of the 100 items of set3)"),
        ({"content_sha256": "0" * 64}, "the runs were made on another content of verse-bench"),
        ({"benchmark": "own"}, "measured on verse-bench, not on own"),
    ],
)
def test_runs_made_otherwise_are_not_held_against_the_paper(
    tmp_path: Path, change: dict[str, object], why: str
) -> None:
    sizes = change.get("sizes", {"set3": 100})
    run = write_run(tmp_path / "run", typical(1, sizes), **{"sizes": sizes, **change})  # type: ignore[arg-type]
    standing = beside_baselines([run])
    assert [row.origin for row in standing.rows] == ["run"]
    assert standing.context[0].why == why


def test_two_benchmarks_of_one_model_share_a_row(tmp_path: Path, whole: Path) -> None:
    sizes = {"multi-speaker": 27}
    other = write_run(
        tmp_path / "my",
        {},
        counts={"cpcer": [(3.0, 20.0)] * 27},
        sizes=sizes,
        model="My model",
        benchmark="mybench",
        content_sha256=MYBENCH,
    )
    standing = beside_baselines([whole, other])
    assert [row.label for row in standing.rows if row.origin == "run"] == ["My model"]
    assert standing.rows[-1].cells["cpcer"].value == pytest.approx(0.15)
    assert standing.rows[-1].cells["dnsmos_p808"].n == 100  # Verse-Bench's, not MyBench's
    assert any("cpcer from" in text for text in standing.footnotes)
    paper = next(row for row in standing.rows if row.label == "MOVA-360p")
    assert "internal speech model" in paper.cells["cpcer"].remark
    again = beside_baselines([whole, whole])
    assert [row.label for row in again.rows if row.origin == "run"] == ["My model (mine)"] * 2


def rows(*values: tuple[float, tuple[float, float] | None]) -> list[Row]:
    return [
        Row(label=str(i), model="m", origin="run" if interval else "paper", status="", protocol="official",
            cells={"lse_c": Cell(value=value, interval=interval)})
        for i, (value, interval) in enumerate(values)
    ]  # fmt: skip


def marks(*values: tuple[float, tuple[float, float] | None]) -> list[str]:
    head = Head(name="lse_c", title="LSE-C", direction="higher", decimals=3)
    return [row.cells["lse_c"].mark for row in marked(rows(*values), [head])]


def test_best_and_second_only_where_intervals_allow() -> None:
    assert marks((6.0, None), (7.0, (6.8, 7.2)), (5.0, None)) == ["second", "best", ""]
    assert marks((6.9, None), (7.0, (6.8, 7.2)), (5.0, None)) == ["", "", ""]
    assert marks((8.0, None), (7.1, (6.8, 7.2)), (6.9, None)) == ["best", "", ""]
    assert marks((8.0, None), (6.0, None)) == ["", ""]
    head = Head(name="lse_c", title="LSE-D", direction="lower", decimals=3)
    assert [r.cells["lse_c"].mark for r in marked(rows((6.0, None), (3.0, (2.8, 3.2))), [head])] == ["", "best"]
    mixed = [
        row.model_copy(update={"protocol": p})
        for row, p in zip(rows((1.0, (0.9, 1.1)), (2.0, (1.9, 2.1))), "ab", strict=True)
    ]
    assert {row.cells["lse_c"].mark for row in marked(mixed, [head])} == {""}


def test_every_format_holds_our_number_and_the_papers(whole: Path, tmp_path: Path) -> None:
    standing = beside_baselines([whole])
    value = standing.rows[-1].cells["lse_d"].value
    paths = {path.suffix: path for path in write_tables(standing, tmp_path)}
    for path in paths.values():
        text = path.read_text(encoding="utf-8")
        assert "8.098" in text
        assert f"{value:.3f}"[:4] in text
    assert Standing.model_validate_json(paths[".json"].read_bytes()) == standing
    lines = list(csv.DictReader(io.StringIO(paths[".csv"].read_text())))
    assert float(next(x["value"] for x in lines if x["score"] == "lse_d" and x["origin"] == "run")) == value
    tex = paths[".tex"].read_text()
    assert r"\toprule" in tex
    assert r"s\_B" in tex
    assert tex.count("&") == (len(standing.rows) + 1) * len(standing.columns)
    assert "reproduction" in paths[".html"].read_text()
    with pytest.raises(UserError, match="no table format"):
        write_tables(standing, tmp_path, ["pdf"])


def test_a_summary_edited_by_hand_is_not_reported(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", typical(1))
    text = (run / "summary.json").read_text()
    summary = json.loads(text)
    summary["scores"][1]["overall"]["value"] += 0.3
    (run / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(UserError, match=r"lse_c is .* it was edited"):
        beside_baselines([run])


def test_the_wheel_carries_the_published_results(tmp_path: Path) -> None:
    hatchling = pytest.importorskip("hatchling", reason="the build back end is not installed")
    assert hatchling
    code = f"from hatchling.builders.wheel import WheelBuilder; print(next(WheelBuilder({str(ROOT)!r}).build(directory={str(tmp_path)!r}, versions=['standard'])))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    names = zipfile.ZipFile(done.stdout.strip().splitlines()[-1]).namelist()
    assert sum(name.startswith("mova_eval/baselines/published/") for name in names) == len(ALL)
    assert "mova_eval/gates/default.toml" in names
    assert "mova_eval/reports/templates/compare.js" in names
