"""The commands as an operator meets them: from clips to a leaderboard, an export, and back."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
from support import make_clip

import mova_eval.cli.commands  # noqa: F401 - registers the commands


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def arena(folder: Path, *arguments: str | Path) -> Done:
    """Run the program's main loop in this process, in a folder, with its output captured."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith("ARENA_")]:
            patch.delenv(name)
        patch.chdir(folder)
        patch.setenv("COLUMNS", "80")
        patch.setattr(sys, "argv", ["mova-eval", "arena", *map(str, arguments)])
        code = import_module("mova_eval.cli.app")._run()
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models' clips for three items, imported."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "items.jsonl").write_text(
        "".join(json.dumps({"id": f"i{i}", "set": "s", "prompt": f"prompt {i}"}) + "\n" for i in range(3))
    )
    for number, model in enumerate(("alpha", "beta")):
        (folder / model).mkdir()
        for i in range(3):
            make_clip(folder / model / f"i{i}.mp4", seconds=1 + 0.2 * number, audio_rate=48000)
    done = arena(folder, "import", "alpha", "beta", "--benchmark", "items.jsonl")
    assert done.returncode == 0, done.stderr
    assert "6 added" in done.stdout
    return folder


def test_import_makes_a_private_configuration_and_goes_on_where_it_was(site: Path) -> None:
    mode = stat.S_IMODE((site / "arena.toml").stat().st_mode)
    assert mode == 0o600
    again = arena(site, "import", "alpha", "beta", "--benchmark", "items.jsonl", "--json")
    assert json.loads(again.stdout)["unchanged"] == 6
    listed = json.loads(arena(site, "campaign", "list", "--json").stdout)
    assert (listed[0]["campaign"], listed[0]["status"]) == ("main", "open")
    assert arena(site, "check").returncode == 0
    assert "unbroken" in arena(site, "audit", "verify").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rate",), "no votes"),
        (("rate", "--campaign", "none"), "there is no campaign 'none'; there is main"),
        (("import", "nowhere"), "does not exist"),
        (("import", "alpha"), "--benchmark"),
        (("campaign", "set", "main", "epsilon=7"), "epsilon"),
        (("campaign", "create", "a b"), "no campaign name"),
        (("rate", "--database", "mysql://x/y"), "not supported"),
        (("rate", "--config", "absent.toml"), "absent.toml"),
        (("exclude", "vote", "1", "--reason", "x"), "no vote 1"),
        (("power", "0"), "other than 0"),
        (("import-votes", "items.jsonl"), "no column"),
        (("init",), "exists already"),
        (("erase", "1"), "--yes"),
        (("gold", "make", "--kinds", "loud"), "no kind of gold pair"),
    ],
)
def test_a_mistake_is_one_sentence(site: Path, arguments: tuple[str, ...], said: str) -> None:
    done = arena(site, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_backups_are_verified_and_limited(site: Path) -> None:
    assert "backup: " in arena(site, "backup", "copies").stdout
    assert len(list((site / "copies").glob("*.sqlite"))) == 1
    assert "newest tables already" in arena(site, "migrate").stdout


def test_gold_pairs_are_made_from_the_clips(site: Path) -> None:
    done = arena(site, "gold", "make", "--kinds", "audio_noise,frozen_video,wrong_item,identical", "--per-kind", "1")
    assert "4 gold pairs made" in done.stdout, done.stderr
    kinds = {g["kind"] for g in json.loads(arena(site, "gold", "list", "--json").stdout)}
    assert kinds == {"audio_noise", "frozen_video", "wrong_item", "identical"}


def test_from_nothing_to_a_leaderboard_and_back(tmp_path: Path) -> None:
    done = arena(
        tmp_path, "simulate", "sim", "--votes", "150", "--items", "30", "--voters", "12", "--coverage", "20", "--json"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["votes"] == 150
    assert 0.8 < report["coverage"]["clustered"] <= 1
    config = ("--config", "sim/arena.toml")
    board = json.loads(arena(tmp_path, "rate", *config, "--json", "--quick").stdout)
    shown = arena(tmp_path, "rate", *config, "--quick")
    assert "MOVA-720p" in shown.stdout
    assert "simulated voters took part" in shown.stdout
    assert arena(tmp_path, "export", "out", *config).returncode == 0
    back = json.loads(arena(tmp_path, "import-votes", "out", "--json").stdout)
    assert back["data_sha256"] == board["data_sha256"]
    wanted = {row["model"]: row["rating"] for row in board["rows"]}
    assert {row["model"]: row["rating"] for row in back["table"]} == pytest.approx(wanted, abs=1e-9)
    assert "2082 votes" in arena(tmp_path, "power", "20").stdout


def test_load_test_counts_every_vote(tmp_path: Path) -> None:
    report = json.loads(arena(tmp_path, "loadtest", "--writers", "10", "--seconds", "2", "--json").stdout)
    assert report["votes"] > 20
    assert (report["lost"], report["doubled"], report["errors"]) == (0, 0, 0)
