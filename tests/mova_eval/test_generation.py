"""Making clips: what is written down, what is refused, what is tried again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from generator_support import collector, generate, lasting, ledger, smoke

from metrics.errors import UserError
from mova_eval.generators import PlanOptions, generate_clips, make
from mova_eval.generators.contract import item_seed
from mova_eval.runs.events import ClipMade, ClipStep, MakingFinished, MakingStarted, Warned

pytestmark = pytest.mark.usefixtures("trial_generator")


def test_clips_journal_and_manifest(tmp_path: Path) -> None:
    told, on_event = collector()
    outcome = generate(tmp_path / "run", on_event=on_event, command=["mova-eval", "generate"])
    ids = [item.id for item in smoke().items]
    assert list(outcome.clips) == ids
    assert all(path.is_file() and path.parent.parent == tmp_path / "run/clips" for path in outcome.clips.values())
    assert not outcome.failed
    assert not outcome.interrupted
    assert not any((tmp_path / "run/making").rglob("*.mp4"))
    records = ledger(tmp_path / "run")
    assert [record.item for record in records] == ids
    first = records[0]
    assert (first.state, first.generator, first.model, first.seed, first.attempt) == (
        "ok",
        "trial",
        "trial-model@1",
        42,
        1,
    )
    assert first.facts is not None
    assert (first.facts.width, first.facts.height, first.facts.frames, first.facts.audio_codec) == (64, 48, 13, "aac")
    assert first.request["parameters"] == {"steps": 2}
    assert first.request["prompt"] == smoke().items[0].prompt
    assert first.details == {"evaluations": 4}
    assert first.peak_memory_bytes == 123
    assert first.first_frame_sha256 == smoke().items[0].first_frame.sha256
    manifest = json.loads((tmp_path / "run/generation.json").read_text())
    made_by = manifest["generator"]
    assert (made_by["kind"], made_by["model"], made_by["seed"]) == ("trial", "trial-model@1", 42)
    assert (made_by["frames"], made_by["fps"], made_by["sizes"]) == (13, 24.0, ["64x48"])
    assert made_by["settings"] == {"steps": 2}
    assert made_by["caveats"] == ["the clips are noise"]
    assert made_by["weights"] == {"trial.bin": "ab" * 32}
    assert manifest["command"] == ["mova-eval", "generate"]
    assert isinstance(told[0], MakingStarted)
    assert sum(isinstance(event, ClipMade) for event in told) == 6
    assert sum(isinstance(event, ClipStep) for event in told) == 12
    assert isinstance(told[-1], MakingFinished)


def test_a_second_call_makes_nothing_and_needs_nothing(tmp_path: Path) -> None:
    generate(tmp_path / "run", "m01,m05")
    before = lasting(tmp_path / "run")
    told, on_event = collector()
    outcome = generate(tmp_path / "run", "m01,m05", missing=True, model="gone", on_event=on_event)
    assert list(outcome.clips) == ["m01", "m05"]
    assert outcome.reference.model == "trial-model@1"
    assert not [event for event in told if isinstance(event, ClipMade)]
    assert lasting(tmp_path / "run") == before


def test_missing_files_end_the_run_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"trial cannot run here: weights: trial.bin is not there, make it with `touch"):
        generate(tmp_path / "run", missing=True)
    assert not (tmp_path / "run/generation.json").exists()


@pytest.mark.parametrize(
    ("how", "code", "reason"),
    [
        ("error", "trial_error", "the trial went wrong"),
        ("bug", "error", "ZeroDivisionError: division by zero"),
        ("size", "rejected", "its size is 80x48, planned 64x48"),
        ("short", "rejected", "it has 6 frames, planned 13; it lasts 0.26 s, planned 0.54 s"),
        ("mute", "rejected", "it has no audio stream"),
        ("torn", "unreadable", "the clip cannot be read"),
        ("nothing", "no_file", "the generator ended well but wrote no clip"),
    ],
)
def test_a_failed_clip_costs_one_item_and_is_tried_again(tmp_path: Path, how: str, code: str, reason: str) -> None:
    run = tmp_path / "run"
    told, on_event = collector()
    outcome = generate(run, "m01,m05", how=f"m05={how}", retries=1, on_event=on_event)
    assert list(outcome.clips) == ["m01"]
    assert list(outcome.failed) == ["m05"]
    assert reason in outcome.failed["m05"]
    lines = [record for record in ledger(run) if record.item == "m05"]
    assert [(line.state, line.attempt, line.code_of_failure) for line in lines] == [
        ("failed", 1, code),
        ("failed", 2, code),
    ]
    made = [(event.final, event.ok) for event in told if isinstance(event, ClipMade) and event.item == "m05"]
    assert made == [(False, False), (True, False)]
    assert (run / "rejected/speech-zh/m05.rejected.mp4").exists() == (code in {"rejected", "unreadable"})
    assert not (run / "clips/speech-zh/m05.mp4").exists()
    again = generate(run, "m01,m05")  # the same command with what was wrong mended
    assert list(again.clips) == ["m01", "m05"]


def test_the_second_attempt_may_succeed(tmp_path: Path) -> None:
    outcome = generate(tmp_path / "run", "m01", how="m01=error:1", retries=2)
    assert list(outcome.clips) == ["m01"]
    assert [(line.state, line.attempt) for line in ledger(tmp_path / "run")] == [("failed", 1), ("ok", 2)]
    assert ledger(tmp_path / "run")[0].error_tail == "line 1\nline 2"


def test_hopeless_failures_are_not_tried_again(tmp_path: Path) -> None:
    generate(tmp_path / "run", "m01", how="m01=hopeless", retries=3)
    assert len(ledger(tmp_path / "run")) == 1


@pytest.mark.parametrize(("how", "reason", "timeout"), [("die", "SIGKILL", None), ("hang", "took longer than 6 s", 6)])
def test_a_dead_or_hung_worker_costs_one_attempt(tmp_path: Path, how: str, reason: str, timeout: float | None) -> None:
    outcome = generate(tmp_path / "run", "m01,m05", how=f"m05={how}:1", workers=1, timeout=timeout, retries=1)
    assert list(outcome.clips) == ["m01", "m05"]
    lines = [line for line in ledger(tmp_path / "run") if line.item == "m05"]
    assert [(line.state, line.attempt) for line in lines] == [("failed", 1), ("ok", 2)]
    assert reason in (lines[0].reason or "")


def test_a_full_disk_ends_the_run_and_keeps_what_was_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No space left on device; free space .* every clip made so far is kept"):
        generate(tmp_path / "run", "m01,m05,m09", how="m05=full")
    assert [line.item for line in ledger(tmp_path / "run")] == ["m01"]
    assert list(generate(tmp_path / "run", "m01,m05,m09").clips) == ["m01", "m05", "m09"]


def test_what_only_the_user_can_mend_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a licence file"):
        generate(tmp_path / "run", "m01,m05", how="m01=user", workers=1)


def test_another_plan_is_refused_unless_asked_for(tmp_path: Path) -> None:
    run = tmp_path / "run"
    generate(run, "m01,m05")
    first = lasting(run)
    with pytest.raises(UserError, match=r"generator settings steps was 2 and is now 4.*--overwrite"):
        generate(run, "m01,m05", steps=4)
    with pytest.raises(UserError, match="generator seed was 42 and is now 0"):
        generate(run, "m01,m05", plan=PlanOptions(seed=0))
    with pytest.raises(UserError, match="benchmark n_items was 2 and is now 1"):
        generate(run, "m01")
    (run / "scores.jsonl").write_text("")
    (run / "run.json").write_text("{}")
    generate(run, "m01,m05", steps=4, overwrite=True)
    assert not (run / "run.json").exists()
    assert lasting(run)["clips"].keys() == first["clips"].keys()
    assert all(lasting(run)["clips"][name] != content for name, content in first["clips"].items())


def test_another_model_behind_the_same_name_is_refused(tmp_path: Path) -> None:
    generate(tmp_path / "run", "m01,m05", how="m05=error", retries=0)
    with pytest.raises(UserError, match="generator model was trial-model@1 and is now trial-model@2"):
        generate(tmp_path / "run", "m01,m05", model="trial-model@2")


def test_a_changed_clip_is_made_again(tmp_path: Path) -> None:
    outcome = generate(tmp_path / "run", "m01,m05")
    before = lasting(tmp_path / "run")
    outcome.clips["m01"].write_bytes(b"changed")
    outcome.clips["m05"].unlink()
    generate(tmp_path / "run", "m01,m05")
    assert lasting(tmp_path / "run") == before
    assert len(ledger(tmp_path / "run")) == 4


def test_items_without_a_first_frame_cannot_be_made(tmp_path: Path) -> None:
    benchmark = tmp_path / "own"
    benchmark.mkdir()
    frame = smoke("m01").items[0].first_frame
    assert frame is not None
    lines = [
        {"id": "a", "set": "s", "prompt": "a dog"},
        {"id": "b", "set": "s", "prompt": "x", "first_frame": frame.path},
    ]
    (benchmark / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    from mova_eval import benchmarks

    told, on_event = collector()
    loaded = benchmarks.load(benchmark)
    outcome = generate_clips(loaded, make("trial"), out=tmp_path / "run", workers=0, on_event=on_event)
    assert list(outcome.clips) == ["b"]
    assert "item a has no first frame here" in outcome.not_runnable["a"]
    assert any("1 of 2 items cannot be made" in event.message for event in told if isinstance(event, Warned))
    assert [(line.item, line.state) for line in ledger(tmp_path / "run")] == [("a", "not_runnable"), ("b", "ok")]
    generate_clips(loaded, make("trial"), out=tmp_path / "run", workers=0)
    assert len(ledger(tmp_path / "run")) == 2
    text = generate_clips(loaded, make("trial"), out=tmp_path / "text", workers=0, options=PlanOptions(text_only=True))
    assert list(text.clips) == ["a", "b"]
    assert text.reference.settings["text_only"] is True


def test_silence_and_crops_are_flagged(tmp_path: Path) -> None:
    generate(tmp_path / "run", "m01,m23", how="m01=silent,m23=silent")
    flags = {record.item: record.flags for record in ledger(tmp_path / "run")}
    assert "silent-audio" in flags["m01"]
    assert "silent-audio" not in flags["m23"]  # nobody asked it for sound


def test_seeds(tmp_path: Path) -> None:
    assert item_seed("a", PlanOptions(seed=0)) == 0
    own = PlanOptions(seed=7, seed_per_item=True)
    assert item_seed("a", own) == item_seed("a", own) != item_seed("b", own)
    assert 0 <= item_seed("a", own) < 2**31
    generate(tmp_path / "run", "m01,m05", plan=own)
    assert [line.seed for line in ledger(tmp_path / "run")] == [item_seed("m01", own), item_seed("m05", own)]
    with pytest.raises(UserError, match="seed -1 is out of range"):
        generate(tmp_path / "other", plan=PlanOptions(seed=-1))
