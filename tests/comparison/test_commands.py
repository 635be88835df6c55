"""`report`, `compare` and `noise` as a user meets them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from compare_runs import SIZES, typical, write_run

PROGRAM = Path(sys.executable).with_name("mova-eval")


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**clean, "COLUMNS": "80", **environment},
    )


def test_compare_shows_a_table_and_writes_three_files(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    done = run("compare", *pair, "--out", tmp_path, "--resamples", "2000")
    assert done.returncode == 0, done.stderr
    assert re.search(r"lse_d ↓ .* worse", done.stdout)
    assert max(len(line) for line in done.stdout.splitlines() if not line.startswith("comparison:")) <= 80
    assert {path.name for path in tmp_path.iterdir()} == {"compare.md", "compare.html", "compare.json"}


def test_a_failed_gate_is_exit_code_1_and_says_what(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    files = {name: tmp_path / name for name in ("gate.xml", "gate.md", "gate.svg")}
    done = run(
        "compare", *pair, "--gate", "default", "--out", tmp_path, "--junit", files["gate.xml"], "--comment", files["gate.md"],
        "--badge", files["gate.svg"], GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "gate failed: lse_d" in done.stdout
    assert "::error title=mova-eval%3A lse_d::worse by" in done.stdout
    assert ElementTree.parse(files["gate.xml"]).getroot().find("testsuite/testcase/failure") is not None
    assert "Gate failed" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "❌" in (tmp_path / "compare.md").read_text(encoding="utf-8")


def test_a_passed_gate_is_exit_code_0(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    done = run("compare", pair[0], pair[0], "--gate", "default", "--out", tmp_path, "--resamples", "200")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gate passed: 4 scores judged" in done.stdout
    assert "::" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gate", "nowhere.toml"), "nowhere.toml cannot be read"),
        (("--metrics", "lse_dd"), "did you mean lse_d"),
        (("--junit", "x.xml"), "add --gate"),
        (("--formats", "pdf"), "no format"),
        (("--noise", "none.json", "--gate", "default"), "none.json cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    pair: tuple[Path, Path], arguments: tuple[str, ...], said: str
) -> None:
    done = run("compare", *pair, "--resamples", "100", *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_comparison_as_json(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    done = run("compare", *pair, "--json", "--out", tmp_path, "--resamples", "200")
    told = json.loads(done.stdout)
    assert {score["name"] for score in told["scores"]} == {"lse_d", "lse_c", "dnsmos_p808", "av_align", "lufs"}


def test_report_of_one_run_and_of_several(tmp_path: Path) -> None:
    sizes = {"set1": 205, "set2": 295, "set3": 100}
    one = write_run(tmp_path / "one", typical(1, sizes), sizes=sizes, model="First")
    two = write_run(tmp_path / "two", typical(2, sizes), sizes=sizes, model="Second")
    done = run("report", one, "--formats", "md,html,tex,csv,json")
    assert done.returncode == 0, done.stderr
    assert "LTX-2" in done.stdout
    assert "18 more are not" in " ".join(done.stdout.split())
    names = {path.name for path in one.iterdir()}
    assert {"report.md", "report.html", "table.md", "table.html", "table.tex", "table.csv", "table.json"} <= names
    done = run("report", one, two, "--context")
    assert done.returncode == 0, done.stderr
    assert "First" in done.stdout
    assert "Second" in done.stdout
    assert "votes of people" in done.stdout
    assert (tmp_path / "table.html").exists()
    assert json.loads(run("report", one, two, "--json").stdout)["rows"][-1]["label"] == "Second"


def test_noise_of_seeds_is_stored_and_the_gate_heeds_it(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(seed), typical(seed)) for seed in (1, 30, 60)]
    done = run("noise", *runs)
    assert done.returncode == 0, done.stderr
    assert "generation" in done.stdout
    assert (runs[0] / "noise.json").exists()
    n = sum(SIZES.values())
    slightly = {"lse_d": [8.0 + i % 3 for i in range(n)]}
    base = write_run(tmp_path / "base", slightly)
    head = write_run(tmp_path / "head", {"lse_d": [value + 0.2 for value in slightly["lse_d"]]})
    assert run("compare", base, head, "--gate", "default").returncode == 1
    (base / "noise.json").write_text(
        '{"evaluation": {"runs": ["a", "b"], "scores": {"lse_d": {"values": [8.0, 8.1], "sd": 0.07, "floor": 0.5}}}}'
    )
    done = run("compare", base, head, "--gate", "default")
    assert done.returncode == 0, done.stdout
    assert "noise floor 0.500" in " ".join(done.stdout.split())
