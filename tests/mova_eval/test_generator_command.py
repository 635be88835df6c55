"""The `command` and `folder` generators."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from generator_support import ledger, smoke
from run_support import TESTS
from support import make_clip

from metrics.errors import UserError
from mova_eval.generators import GenerationOutcome, PlanOptions, generate_clips, make

PROGRAM = shlex.join([sys.executable, str(TESTS / "clip_program.py")])
WHOLE = PROGRAM + (
    " --out={out} --prompt={prompt} --frame={first_frame} --seed={seed} --width={width} --height={height}"
    " --frames={frames} --say={speech_text} --id={id}/{set}"
)


def run(
    out: Path, command: str, *, ids: str = "m01", plan: PlanOptions | None = None, **more: Any
) -> GenerationOutcome:
    settings = {name: more.pop(name) for name in ("size", "fps", "frames", "sound", "label", "folder") if name in more}
    generator = make("command", {"command": command, **settings})
    return generate_clips(smoke(ids), generator, out=out, options=plan, **{"workers": 0, "retries": 0, **more})


@pytest.fixture(autouse=True)
def _support_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ":".join([str(TESTS), *sys.path]))


def told(out: Path, item: str) -> dict[str, str]:
    """What the program said it was told; the scratch folder of a failed item is kept."""
    logs = list((out / "making").rglob(f"{item}/command.log"))
    values: dict[str, str] = json.loads(logs[0].read_text().splitlines()[0])
    return values


def test_placeholders_reach_the_program_as_single_arguments(tmp_path: Path) -> None:
    out = tmp_path / "run"
    plan = PlanOptions(duration=0.5, seed=0)
    outcome = run(out, WHOLE + " --how=nothing", ids="m01,m02", plan=plan, size="128x64", fps=24)
    assert outcome.failed.keys() == {"m01", "m02"}
    item = smoke("m01").items[0]
    values = told(out, "m01")
    assert values["prompt"] == item.prompt  # quotes, blanks and all
    assert values["say"] == item.speech[0].text
    assert values["frame"] == item.first_frame.path
    assert (values["width"], values["height"], values["frames"], values["seed"]) == ("128", "64", "12", "0")
    assert values["id"] == "m01/speech-en"
    portrait = told(out, "m02")
    assert (portrait["width"], portrait["height"]) == ("64", "128")


def test_clips_are_made_and_checked(tmp_path: Path) -> None:
    plan = PlanOptions(duration=0.5)
    outcome = run(
        tmp_path / "run", WHOLE, ids="m01,m05,m13", plan=plan, size="64x32", fps=24, label="my model", workers=2
    )
    assert list(outcome.clips) == ["m01", "m05", "m13"]
    assert (outcome.reference.name, outcome.reference.seconds, outcome.reference.sizes) == ("my model", 0.5, ["64x32"])
    assert outcome.reference.settings["command"] == WHOLE
    wrong = run(tmp_path / "other", PROGRAM + " --out={out}", size="96x64")
    assert "its size is 64x48, planned 96x64" in wrong.failed["m01"]
    assert run(tmp_path / "third", PROGRAM + " --out={out}").reference.sizes == []  # nothing planned, nothing refused


def test_a_failing_command_keeps_its_last_lines(tmp_path: Path) -> None:
    outcome = run(tmp_path / "run", PROGRAM + " --how=fail --out={out}")
    assert outcome.failed["m01"] == "the command ended with exit code 3: CUDA out of memory"
    (record,) = ledger(tmp_path / "run")
    assert record.error_tail.splitlines()[-1] == "CUDA out of memory"


def test_a_hung_command_ends_with_its_time_limit(tmp_path: Path) -> None:
    outcome = run(tmp_path / "run", PROGRAM + " --how=hang --out={out}", workers=1, timeout=8)
    assert outcome.failed["m01"] == "clip took longer than 8 s"
    assert not running(tmp_path)


def running(folder: Path) -> list[str]:
    """Processes that have the folder among their arguments, once they had a moment to end."""
    found: list[str] = []
    for _ in range(50):
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().decode(errors="replace").replace("\0", " ")
            except OSError:
                continue
            if str(folder) in line and "clip_program" in line:
                found.append(line)
        if not found:
            return []
        time.sleep(0.1)
    return found


@pytest.mark.parametrize(
    ("command", "settings", "message"),
    [
        (None, {}, "give --command"),
        ("gen --text {prompt}", {}, r"has no \{out\}"),
        ("gen {prmpt} {out}", {}, r"placeholder \{prmpt\}; known: prompt"),
        ("gen 'x {out}", {}, "cannot be split"),
        ("gen --size {width} {out}", {}, "give --size WIDTHxHEIGHT"),
        ("gen {frames} {out}", {}, "give --frames"),
        ("gen {fps} {out}", {}, "give --fps"),
        ("gen {out}", {"size": "big"}, "'big' is no size"),
        ("no-such-program {out}", {}, "there is no program no-such-program"),
        ("gen {out}", {"fps": "fast"}, "fps=fast: expected a number"),
        ("ls {out}", {"folder": "/no/such/place"}, "no folder"),
    ],
)
def test_refusals(tmp_path: Path, command: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(tmp_path / "run", command, **settings)
    assert not (tmp_path / "run/generation.json").exists()


def test_text_only_and_first_frames_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="take it out of the command"):
        run(tmp_path / "run", WHOLE, plan=PlanOptions(text_only=True), size="64x48", frames=12)


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    clips = tmp_path / "ready"
    clips.mkdir()
    make_clip(clips / "m01.mp4", frames=5)
    make_clip(clips / "m05.mkv", audio=None)
    (clips / "m09.mp4").write_bytes(b"no clip at all")
    generator = make("folder", {"clips": str(clips), "label": "foreign"})
    outcome = generate_clips(smoke(), generator, out=tmp_path / "run")
    assert list(outcome.clips) == ["m01", "m05", "m09"]  # judged by the metrics, not here
    assert outcome.clips["m05"].name == "m05.mkv"
    assert outcome.clips["m01"].read_bytes() == (clips / "m01.mp4").read_bytes()
    assert outcome.not_runnable.keys() == {"m13", "m20", "m23"}
    assert (outcome.reference.kind, outcome.reference.name, outcome.reference.seed) == ("folder", "foreign", None)
    make_clip(clips / "m01.mp4", frames=7)
    again = generate_clips(smoke(), make("folder", {"clips": str(clips), "label": "foreign"}), out=tmp_path / "run")
    assert again.clips["m01"].read_bytes() == (clips / "m01.mp4").read_bytes()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        generate_clips(smoke(), make("folder", {"clips": str(tmp_path / "none")}), out=tmp_path / "run")
    with pytest.raises(UserError, match="give --clips"):
        generate_clips(smoke(), make("folder"), out=tmp_path / "run")


def test_unknown_names_and_settings() -> None:
    with pytest.raises(UserError, match="did you mean sglang"):
        make("sglan")
    with pytest.raises(UserError, match="generator command has no setting 'commnd'; did you mean command"):
        make("command", {"commnd": "x"})
