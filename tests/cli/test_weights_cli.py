"""`mova-eval weights`, and what `score` does about licences, own paths and missing weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import DATA, DIGEST, Server, serving
from typer.testing import CliRunner

from metrics import weights
from metrics.errors import UserError
from metrics.weights import lockfile, table
from mova_eval.cli import commands
from mova_eval.cli.app import app

assert commands


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Both lip-sync files come from a server on this machine, and are small."""
    monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path / "cache"))
    for name in ("MOVA_EVAL_WEIGHTS", "MOVA_EVAL_WEIGHTS_PATHS", "MOVA_EVAL_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serving() as state:
        for name in ("syncnet-v2", "s3fd"):
            entry = replace(table.TABLE[name], url=f"{state.url}/{name}", sha256=DIGEST, size=len(DATA))
            monkeypatch.setitem(table.TABLE, name, entry)
        yield state


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command; a `UserError` is code 2, as the program makes it."""
    result = CliRunner().invoke(app, list(arguments), standalone_mode=False)
    if isinstance(result.exception, UserError):
        return 2, str(result.exception)
    if result.exception is not None:
        raise result.exception
    return int(result.return_value or 0), result.output


def test_the_list_says_what_is_here(server: Server) -> None:
    code, text = run("weights", "list", "--json")
    rows = {row["name"]: row for row in json.loads(text)}
    assert code == 0
    assert set(rows) == set(weights.TABLE)
    assert rows["dnsmos-p808"]["here"] == "package"
    assert rows["s3fd"]["here"] is None
    assert rows["qwen2-vl-2b"]["revision"] == "895c3a49bc3fa70a340399125c650a463535e71c"
    assert run("weights")[1].splitlines()[0].split() == ["weights", "for", "size", "licence", "here"]


def test_the_commercial_list_names_what_is_lost(server: Server) -> None:
    code, text = run("weights", "list", "--licence", "commercial")
    assert code == 0
    assert "left out: imagebind-huge (CC BY-NC 4.0), and with it ib" in text
    assert "left out: syncnet-v2" in text
    assert run("weights", "list", "--licence", "private") == (2, "--licence private: choose any or commercial")


def test_weights_are_fetched_by_metric_score_or_name(server: Server) -> None:
    code, text = run("weights", "fetch", "lse_d")
    assert code == 0
    assert [line.split(":")[0] for line in text.splitlines()] == ["syncnet-v2", "s3fd"]
    assert run("weights", "path", "s3fd") == (0, f"{weights.locate('s3fd')}\n")
    run("weights", "fetch", "lip_sync", "s3fd")
    assert len(server.paths) == 2  # nothing is fetched twice
    assert run("weights", "verify", "lip_sync") == (0, "ok      syncnet-v2\nok      s3fd\n")


def test_one_failing_file_does_not_keep_the_others(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.TABLE, "syncnet-v2", replace(table.TABLE["syncnet-v2"], sha256="0" * 64))
    code, text = run("weights", "fetch", "lip_sync")
    assert code == 3
    assert "expected 000000000000" in text
    assert "s3fd: " in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("fetch",), "or give --all"),
        (("fetch", "loudness"), "loudness needs no declared weights"),
        (("fetch", "imagebind"), "did you mean imagebind-huge"),
        (("path", "s3fd"), "get them with: mova-eval weights fetch s3fd"),
        (("verify", "--lock", "nowhere"), "nowhere cannot be read"),
    ],
)
def test_mistakes_are_told_in_a_sentence(server: Server, arguments: tuple[str, ...], complaint: str) -> None:
    code, text = run("weights", *arguments)
    assert code == 2
    assert complaint in text


def test_verify_finds_a_truncated_file(server: Server) -> None:
    run("weights", "fetch", "s3fd")
    place = weights.locate("s3fd")
    place.write_bytes(place.read_bytes()[:-1])
    code, text = run("weights", "verify")
    assert code == 3
    assert "WRONG   weights s3fd:" in text
    assert "cut short" in text


def test_a_lock_file_traces_and_compares(server: Server, tmp_path: Path) -> None:
    run("weights", "fetch", "lip_sync")
    content = lockfile.lock({"lip_sync": ["syncnet-v2", "s3fd"], "dnsmos": ["dnsmos-p808"]})
    assert content["weights"]["s3fd"]["used_by"] == ["lip_sync"]
    assert content["weights"]["s3fd"]["published"] is True
    lock = tmp_path / "weights.lock"
    lock.write_text(json.dumps(content))
    assert run("weights", "verify", "--lock", str(tmp_path))[0] == 0
    weights.locate("s3fd").write_bytes(DATA[::-1])
    code, text = run("weights", "verify", "--lock", str(lock))
    assert code == 3
    assert f"the run used {DIGEST[:12]}" in text
    weights.locate("s3fd").unlink()
    assert "s3fd missing" in run("weights", "verify", "--lock", str(lock))[1]
    assert run("weights", "fetch", "--lock", str(lock))[0] == 0
    assert run("weights", "verify", "--lock", str(lock))[0] == 0
    lock.write_text("{}")
    assert run("weights", "verify", "--lock", str(lock))[0] == 2


def score(clip: Path, out: Path, *more: str) -> tuple[int, str]:
    folder = out.parent / "clips"
    folder.mkdir(exist_ok=True)
    (folder / "m01.mp4").write_bytes(clip.read_bytes())
    common = ("--benchmark", "mini", "--present", "--no-report", "--workers", "1", "--out", str(out))
    return run("score", str(folder), *common, *more)


def test_a_run_writes_down_its_weights(server: Server, tmp_path: Path, tiny_clip: Path) -> None:
    code, text = score(tiny_clip, tmp_path / "run", "--metrics", "dnsmos,lip_sync")
    assert code == 0
    assert "not run: lip_sync" in text
    assert "weights syncnet-v2 missing, get them with: mova-eval weights fetch syncnet-v2" in text
    locked = lockfile.read_lock(tmp_path / "run")
    assert sorted(locked) == ["dnsmos-p808", "dnsmos-p835"]
    assert locked["dnsmos-p808"]["sha256"] == weights.TABLE["dnsmos-p808"].sha256


def test_missing_weights_of_a_required_metric_stop_before_any_work(
    server: Server, tmp_path: Path, tiny_clip: Path
) -> None:
    code, text = score(tiny_clip, tmp_path / "run", "--metrics", "loudness", "--require", "lse_d")
    assert code == 2
    assert text.startswith("required metric lip_sync cannot run: ")
    assert "mova-eval weights fetch syncnet-v2" in text
    assert not (tmp_path / "run").exists()


def test_commercial_scoring_leaves_out_what_forbids_it(server: Server, tmp_path: Path, tiny_clip: Path) -> None:
    run("weights", "fetch", "lip_sync")
    code, text = score(tiny_clip, tmp_path / "run", "--metrics", "loudness,lip_sync", "--licence", "commercial")
    assert code == 0
    assert "left out by --licence commercial, and with it lse_d, lse_c, av_offset_frames" in text


def test_weights_of_one_s_own(server: Server, tmp_path: Path, tiny_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVA_EVAL_WEIGHTS_PATHS", "")  # restored after the test, which writes to it
    mine = tmp_path / "own model.onnx"
    mine.write_bytes(weights.locate("dnsmos-p808").read_bytes() + b"\0")
    code, _ = score(tiny_clip, tmp_path / "run", "--metrics", "loudness", "--weights", f"dnsmos-p808={mine}")
    assert code == 0
    assert weights.locate("dnsmos-p808") == mine
    assert lockfile.facts_of("dnsmos-p808")["published"] is False
    assert lockfile.facts_of("dnsmos-p808")["sha256"] == hashlib.sha256(mine.read_bytes()).hexdigest()
    assert score(tiny_clip, tmp_path / "two", "--weights", "nothing=x")[0] == 2
