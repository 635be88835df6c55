"""Options and parameters agree, the documentation runs, the action runs, and nothing here imports what it need not."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from compare_runs import typical, voted, write_run

import mova_eval
from mova_eval.cli import agree, compare, history, noise, report

ROOT = Path(__file__).resolve().parents[2]
EXECUTED = re.compile(r"<!-- executed -->\n```(\w*)\n(.*?)```", re.DOTALL)
SHOWN = {"out", "formats", "json_", "junit", "comment", "badge", "gate", "context", "name"}
"""Options about what is written and printed, for which the API has functions of their own."""
WATCHERS = {"on_score", "on_run", "watch", "where", "names"}
"""Parameters that a command line has no use for, or spells otherwise."""


@pytest.mark.parametrize(
    ("command", "function", "more"),
    [
        (compare.compare, mova_eval.compare, {"noise"}),
        (report.report, mova_eval.beside_baselines, set()),
        (history.history, mova_eval.trace_history, set()),
        (noise.noise, mova_eval.measure_noise, set()),
        (agree.agree, mova_eval.agree, set()),
    ],
)
def test_options_and_parameters_agree(
    command: Callable[..., Any], function: Callable[..., Any], more: set[str]
) -> None:
    options, parameters = inspect.signature(command).parameters, inspect.signature(function).parameters
    assert set(options) - SHOWN - more == set(parameters) - WATCHERS
    for name, option in options.items():
        if name in parameters and option.default is not inspect.Parameter.empty:
            assert option.default == parameters[name].default, name


def test_the_commands_import_no_generator_no_sampler_and_no_network() -> None:
    heavy = (
        "torch",
        "diffusers",
        "transformers",
        "streamlit",
        "sqlalchemy",
        "cv2",
        "librosa",
        "reference_model",
        "mova_eval.generators",
    )
    code = f"""
import sys
import mova_eval.comparison.comparing, mova_eval.comparison.page, mova_eval.history.page, mova_eval.agreement.agreeing
import mova_eval.agreement.page, mova_eval.noise.measuring, mova_eval.baselines.page, mova_eval.gates.deciding
import arena.ratings, arena.ratings.agreement
print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [body for kind, body in EXECUTED.findall(text) if kind == language]


def test_the_python_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    votes, runs = voted(tmp_path)
    sizes = {"set1": 205, "set2": 295, "set3": 100}
    write_run(tmp_path / "results" / "head", typical(50, sizes, lse_d=0.7), sizes=sizes, model="MOVA-720p")
    write_run(tmp_path / "results" / "seed-2", typical(20, sizes), sizes=sizes, model="MOVA-720p")
    write_run(tmp_path / "results" / "base", typical(1, sizes), sizes=sizes, model="MOVA-720p")
    write_run(tmp_path / "results" / "other", typical(3, sizes), sizes=sizes, model="LTX-2")
    assert votes == tmp_path / "votes.csv"
    assert len(runs) == 4
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    examples = blocks("docs/python-api.md", "python")
    assert len(examples) == 5
    for code in examples:
        exec(compile(code, "docs/python-api.md", "exec"), names)
    said = capsys.readouterr().out
    assert "MOVA-720p 600" in said
    assert "fail ['worse by 0." in said
    assert (tmp_path / "tables" / "table.tex").exists()
    assert (tmp_path / "comparison" / "compare.html").exists()


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the commands of docs/ci.md have run, as a person runs them."""
    folder = tmp_path_factory.mktemp("ci")
    rules = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/ci.md").read_text(encoding="utf-8"), re.DOTALL)
    (folder / "gate.toml").write_text(rules[0], encoding="utf-8")
    (commands,) = blocks("docs/ci.md", "")
    for line in commands.splitlines():
        name, *arguments = shlex.split(line)
        assert name == "mova-eval"
        done = subprocess.run(
            [Path(sys.executable).with_name(name), *arguments],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return folder


def environment(folder: Path, **more: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**plain, "PATH": path, "MOVA_EVAL_CACHE": str(folder / "cache"), **more}


def test_the_commands_of_the_guide_run(scored: Path) -> None:
    made = {path.name for path in (scored / "comparison").iterdir()}
    assert made == {"compare.md", "compare.html", "compare.json", "gate.xml", "gate.md", "gate.svg"}
    assert "✅ Gate passed" in (scored / "comparison" / "gate.md").read_text(encoding="utf-8")


def test_what_the_guides_for_github_and_gitlab_run_are_those_commands() -> None:
    yaml = pytest.importorskip("yaml")
    text = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    github, gitlab = (yaml.safe_load(body) for body in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))
    (commands,) = blocks("docs/ci.md", "")
    known = {line.replace("results/base --", "") for line in commands.splitlines()}
    steps = [
        step["run"]
        for step in github["jobs"]["gate"]["steps"]
        if "mova-eval" in step.get("run", "") and "pip" not in step["run"]
    ]
    assert steps
    assert set(steps) <= known
    script = [line for line in gitlab["gate"]["script"] if line.startswith("mova-eval")]
    assert {line.split(" --badge")[0].replace(" --comment comparison/gate.md", "") for line in script} <= {
        line.split(" --badge")[0].replace(" --comment comparison/gate.md", "") for line in known
    }
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    given = next(step["with"] for step in github["jobs"]["gate"]["steps"] if "OWNER/mova-eval" in step.get("uses", ""))
    assert set(given) <= set(action["inputs"])


@pytest.mark.parametrize(("arguments", "outcome"), [("", "pass"), ("--metrics nothing", "fail")])
def test_the_action_compares_and_says_how_it_ended(scored: Path, tmp_path: Path, arguments: str, outcome: str) -> None:
    yaml = pytest.importorskip("yaml")
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    step = next(step for step in action["runs"]["steps"] if step["name"] == "Compare")
    given = {
        "BASE": "results/base",
        "HEAD": "results/head",
        "GATE": "gate.toml",
        "OUT": str(tmp_path / "out"),
        "ARGUMENTS": arguments,
    }
    assert set(given) == set(step["env"])
    more = {
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=scored,
        env=environment(scored, **given, **more),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (tmp_path / "output").read_text() == f"outcome={outcome}\n", done.stderr
    assert done.returncode == (0 if outcome == "pass" else 2)
    if outcome == "pass":
        assert "::notice title=mova-eval::gate passed" in done.stdout
        assert "Gate passed" in (tmp_path / "summary").read_text(encoding="utf-8")
