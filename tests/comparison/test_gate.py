"""Gates: rules, coverage, noise floors, and what continuous integration reads of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from compare_runs import SIZES, typical, write_run

from metrics.errors import UserError
from mova_eval.comparison import Comparison, compare
from mova_eval.gates import Check, GateFile, GateResult, decide, default_gate, read_gate, write_outputs
from mova_eval.gates.markdown import MARK, gate_markdown
from mova_eval.gates.outputs import github_annotations, junit_xml
from mova_eval.noise import Noise, floors_of
from mova_eval.noise.measuring import spread
from mova_eval.noise.records import Source

FEW: dict[str, Any] = {"resamples": 400}


@pytest.fixture(scope="module")
def worse(pair: tuple[Path, Path]) -> Comparison:
    return compare(*pair, **FEW)


def gate(**fields: Any) -> GateFile:
    return GateFile.model_validate(fields)


def outcomes(result: GateResult) -> dict[str, str]:
    return {check.title: check.outcome for check in result.checks}


def test_the_shipped_rules_fail_a_shown_loss_and_nothing_else(worse: Comparison) -> None:
    result = decide(worse, default_gate())
    assert result.outcome == "fail"
    assert [check.title for check in result.having("fail")] == ["lse_d"]
    assert "worse by 1.0" in result.having("fail")[0].message
    assert "beyond the tolerance of 0.050" in result.having("fail")[0].message
    assert "lufs" not in outcomes(result)


def test_equal_runs_pass(pair: tuple[Path, Path]) -> None:
    result = decide(compare(pair[0], pair[0], **FEW), default_gate())
    assert result.outcome == "pass"
    assert {check.outcome for check in result.checks} == {"pass"}


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ({"tolerance": 0.05}, "fail"),
        ({"tolerance": 5.0}, "pass"),
        ({"tolerance": "1%"}, "fail"),
        ({"tolerance": "90%"}, "pass"),
        ({"fail_if": "never", "tolerance": 0.05}, "warn"),
        ({"fail_if": "never", "warn_if": "never"}, "pass"),
        ({"tolerance": 0.9, "fail_if": "interval beyond tolerance", "warn_if": "never"}, "pass"),
        ({"tolerance": 0.9, "fail_if": "interval reaches tolerance"}, "fail"),
        ({"tolerance": 0.1, "fail_if": "value beyond tolerance"}, "fail"),
    ],
)
def test_rules_of_one_score(worse: Comparison, rule: dict[str, Any], outcome: str) -> None:
    assert outcomes(decide(worse, gate(metrics={"lse_d": rule})))["lse_d"] == outcome


def test_a_rule_may_name_a_metric_and_a_score_without_a_better_direction(worse: Comparison) -> None:
    result = decide(worse, gate(judge="listed", metrics={"lip_sync": {"tolerance": 9.0}, "lufs": {"tolerance": 0.0}}))
    assert {c.title for c in result.checks if c.kind == "loss"} == {"lse_d", "lse_c", "lufs"}
    assert result.outcome in {"pass", "warn"}


def test_nothing_fails_below_the_noise_floor(worse: Comparison) -> None:
    result = decide(worse, default_gate(), noise={"lse_d": 2.0})
    assert outcomes(result)["lse_d"] == "pass"
    check = next(c for c in result.checks if c.title == "lse_d")
    assert (check.limit, check.noise_floor) == (2.0, 2.0)
    assert "noise floor 2.000" in check.message
    assert decide(worse, default_gate(), noise={"lse_d": 0.01}).outcome == "fail"


def test_losing_faces_does_not_pass_by_having_fewer_rows(tmp_path: Path) -> None:
    n = sum(SIZES.values())
    base = write_run(tmp_path / "a", {"lse_d": [8.0 + i % 3 for i in range(n)]})
    better_but_faceless: list[float | None] = [7.0 + i % 3 if i % 4 else None for i in range(n)]
    head = write_run(tmp_path / "b", {"lse_d": better_but_faceless})
    result = decide(compare(base, head, **FEW), default_gate())
    assert result.outcome == "fail"
    check = result.having("fail")[0]
    assert check.title == "coverage of lip_sync"
    assert "no_face" in check.message
    none = write_run(tmp_path / "c", {"lse_d": [None] * n})
    result = decide(compare(base, none, **FEW), default_gate())
    assert outcomes(result) == {"nothing compared": "fail", "lse_d": "fail", "coverage of lip_sync": "fail"}


def test_a_few_lost_clips_warn(tmp_path: Path) -> None:
    n = sum(SIZES.values())
    base = write_run(tmp_path / "a", {"lse_d": [8.0 + i % 3 for i in range(n)]})
    head = write_run(tmp_path / "b", {"lse_d": [None if i in (60, 70) else 8.0 + i % 3 for i in range(n)]})
    result = decide(compare(base, head, **FEW), default_gate())
    assert outcomes(result) == {"lse_d": "pass", "coverage of lip_sync": "warn"}
    assert result.outcome == "warn"


def test_a_metric_that_head_lost_fails(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    values = typical(50)
    values.pop("lse_d"), values.pop("lse_c")
    result = decide(compare(pair[0], write_run(tmp_path / "b", values), **FEW), default_gate())
    assert outcomes(result)["lse_d"] == "fail"
    assert "head did not measure it" in next(c.message for c in result.checks if c.title == "lse_d")


def test_a_gate_that_compared_nothing_fails(worse: Comparison) -> None:
    result = decide(worse, gate(judge="listed", metrics={"cpcer": {}}))
    assert result.outcome == "fail"
    assert outcomes(result) == {"nothing compared": "fail", "cpcer": "fail"}
    few = decide(worse, gate(min_items=1000))
    assert few.outcome == "fail"
    assert few.n_judged == 0
    assert decide(worse, gate(required=["is"])).having("fail")[-1].title == "is"


def test_different_cards_are_a_warning_of_their_own(worse: Comparison, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    other = write_run(tmp_path / "b", typical(1), prompt_variant="clean")
    found = compare(pair[0], other, allow_different_protocol=True, **FEW)
    assert outcomes(decide(found, default_gate()))["protocol"] == "warn"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[metrics.lse_dd]\ntolerance = 1", "no metric or score is called 'lse_dd'; did you mean lse_d"),
        ("required = ['lsed']", "did you mean lse_d"),
        ("[metrics.lse_d]\ntolerance = -1", "a tolerance is 0 or more"),
        ("[metrics.lse_d]\ntolerance = 'much'", "neither a number nor a percentage"),
        ("[metrics.lse_d]\nfail_if = 'sometimes'", "interval beyond tolerance"),
        ("[metrics.lse_d]\nfail = 1", "metrics.lse_d.fail"),
        ("alpha = 2", "alpha"),
        ("alpha = ", "is not TOML"),
    ],
)
def test_a_gate_file_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(text)
    with pytest.raises(UserError, match="gate file") as error:
        read_gate(path)
    assert said in str(error.value)


def test_a_missing_gate_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_gate(tmp_path / "none.toml")


def test_the_shipped_file_reads_and_names_scores_that_exist(tmp_path: Path) -> None:
    import mova_eval.gates

    text = (Path(mova_eval.gates.__file__).parent / "default.toml").read_text()
    (tmp_path / "gate.toml").write_text(text)
    assert read_gate(tmp_path / "gate.toml") == default_gate() == read_gate("default")


def hostile() -> GateResult:
    message = "50% worse\nin <clips> & \x00more"
    checks = [
        Check(name="a,b:c", kind="loss", outcome=o, message=message) for o in ("fail", "warn", "pass", "not judged")
    ]
    return GateResult(outcome="fail", checks=checks, n_judged=3, gate="gate.toml", subject="a | b")


def test_junit_is_wellformed_and_counts() -> None:
    suite = ElementTree.fromstring(junit_xml(hostile())).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")
    assert len(suite.findall("testcase/failure")) == 1
    assert "warning: 50% worse" in (suite.findall("testcase/system-out")[0].text or "")


def test_github_annotations_are_one_line_each() -> None:
    lines = github_annotations(hostile())
    assert len(lines) == 3
    assert lines[0].startswith("::error title=mova-eval%3A a%2Cb%3Ac::50%25 worse%0Ain")
    assert lines[1].startswith("::warning ")
    assert all("\n" not in line for line in lines)


def test_all_outputs_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    paths = [tmp_path / "out" / name for name in ("gate.xml", "gate.md", "gate.svg")]
    write_outputs(hostile(), junit=paths[0], comment=paths[1], badge=paths[2], say=said.append)
    assert len(said) == 3
    assert paths[1].read_text(encoding="utf-8") == (tmp_path / "summary.md").read_text(encoding="utf-8")
    badge = ElementTree.fromstring(paths[2].read_text())
    assert badge.get("aria-label") == "mova-eval: failed"
    text = gate_markdown(hostile())
    assert text.startswith(MARK)
    assert "&lt;clips&gt;" in text


def test_floors_are_read_from_runs_and_files(tmp_path: Path) -> None:
    made = Noise(
        evaluation=Source(runs=["a"], scores={"lse_d": spread([8.0, 8.0, 8.0]), "wer": spread([0.1, 0.12, 0.11])}),
        generation=Source(runs=["a", "b"], scores={"lse_d": spread([8.0, 8.1, 8.2, 8.1, 8.0])}),
    )
    (tmp_path / "noise.json").write_text(made.model_dump_json())
    floors = floors_of([tmp_path, tmp_path])
    assert floors["lse_d"] == pytest.approx(2.7764 * 2**0.5 * 0.083666, rel=1e-3)
    assert floors["wer"] == pytest.approx(4.30265 * 2**0.5 * 0.01, rel=1e-4)
    (tmp_path / "sub").mkdir()
    assert floors_of([tmp_path / "sub"]) == {}
    with pytest.raises(UserError, match="cannot be read"):
        floors_of([tmp_path / "none.json"])
