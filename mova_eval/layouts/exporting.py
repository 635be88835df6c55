"""Write the clips of a run as the official pipeline, or the original Verse-Bench scorer, looks for them."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from metrics.errors import ClipError, UserError
from mova_eval.records import RunItem
from mova_eval.runs.loading import Run, load_run
from mova_eval.runs.paths import safe_name, write_atomically, writing

Layout = Literal["official", "verse-bench"]
LAYOUTS: tuple[Layout, ...] = ("official", "verse-bench")
STEP = "step_000000"
PROMPTS = "prompts.json"
_POSITIONAL = "multi-speaker"
_SCORER_RATE = 16_000
_SLUG_LENGTH = 60


@dataclass
class Exported:
    """What was written. clips: item -> file. without_clip: items that have none. without_sound: no wav was written."""

    root: Path
    clips: dict[str, Path] = field(default_factory=dict)
    without_clip: list[str] = field(default_factory=list)
    without_sound: list[str] = field(default_factory=list)


def export_run(run_dir: str | Path, out: str | Path, layout: Layout = "official", *, copy: bool = False) -> Exported:
    """Write the clips of a run in another tool's layout. copy: real files instead of links.

    official: `step_000000/<set>/<id>_video_<slug>_step0_seed<seed>.mp4`, in sets of dialogues `<NN>_<id>_video_...`
    with NN the reference line, and `prompts.json`, keyed as that pipeline's scripts look prompts up.
    verse-bench: one folder of `<original id>.mp4` with the sound beside it as 16-bit 16 kHz mono `<original id>.wav`.

    Raises UserError for an unknown layout, a run without clips, and a place that holds other files or refuses writing.
    """
    if layout not in LAYOUTS:
        raise UserError(f"no layout is called '{layout}'; choose {' or '.join(LAYOUTS)}")
    run, root = load_run(run_dir), Path(out)
    if not any(item.clip for item in run.items):
        raise UserError(f"run {run.path} has no clips to export")
    done = Exported(root, without_clip=[item.item for item in run.items if item.clip is None])
    with writing(root):
        write = _official if layout == "official" else _verse_bench
        write(run, done, copy)
    return done


def _official(run: Run, done: Exported, copy: bool) -> None:
    seed = run.manifest.generator.seed or 0
    prompts: dict[str, dict[str, Any]] = {}
    lines = _reference_lines(run)
    for item in run.items:
        keys = _keys(item, lines)
        record = _record(item)
        prompts.setdefault(item.set, {}).update(dict.fromkeys(keys, record))
        if item.clip is None:
            continue
        source = run.path / item.clip
        name = f"{keys[0]}_video_{_slug(item.prompt)}_step0_seed{seed}{source.suffix}"
        _place(source, done.root / STEP / safe_name(item.set) / name, copy)
        done.clips[item.item] = done.root / STEP / safe_name(item.set) / name
    text = json.dumps(prompts, ensure_ascii=False, indent=2)
    write_atomically(done.root / PROMPTS, text.encode() + b"\n")


def _keys(item: RunItem, lines: Mapping[str, int]) -> list[str]:
    """What a script may look an item up by: its file's name up to `_video_`, and in dialogues the line number, too."""
    if item.item not in lines:
        return [item.item]
    number = f"{lines[item.item]:02d}"
    return [f"{number}_{item.item}", number]


def _reference_lines(run: Run) -> dict[str, int]:
    """Item -> line of the reference file, for the items of a set of dialogues."""
    inside = [item.item for item in run.items if item.set == _POSITIONAL]
    named = {name: re.fullmatch(rf"{_POSITIONAL}-([0-9]+)", name) for name in inside}
    return {
        name: int(found[1]) if (found := named[name]) is not None else place
        for place, name in enumerate(inside, start=1)
    }


def _record(item: RunItem) -> dict[str, Any]:
    turns = item.speech
    return {
        "prompt": item.prompt,
        "video_prompt": item.video_prompt,
        "audio_prompt": list(item.audio_prompts),
        "speech_prompt": {
            "speaker": ", ".join(dict.fromkeys(turn["speaker"] for turn in turns)),
            "text": " ".join(turn["text"] for turn in turns),
        },
        "videos": [],
        "first_frame_path": "",
    }


def _slug(prompt: str) -> str:
    """The beginning of a prompt as part of a file name; it may not hold what scripts split names at."""
    words = re.sub(r"[\W_]+", "-", prompt).strip("-")
    return words.encode()[:_SLUG_LENGTH].decode(errors="ignore").strip("-") or "clip"


def _verse_bench(run: Run, done: Exported, copy: bool) -> None:
    for item in run.items:
        if item.clip is None:
            continue
        source = run.path / item.clip
        target = done.root / f"{original_id(item.item, item.set)}{source.suffix}"
        _place(source, target, copy)
        done.clips[item.item] = target
        if not _write_sound(source, target.with_suffix(".wav")):
            done.without_sound.append(item.item)


def original_id(item: str, set_: str) -> str:
    """How the original distribution names an item: five digits, in set2 unpadded; other ids as they are."""
    if not item.isdecimal():
        return item
    return str(int(item)) if set_ == "set2" else f"{int(item):05d}"


def _write_sound(source: Path, target: Path) -> bool:
    """Write the sound of a clip, 16-bit 16 kHz mono; False if it has none."""
    import soundfile

    from metrics.clip import Clip

    try:
        with Clip(source) as clip:
            samples = clip.audio(rate=_SCORER_RATE, layout="mono", sample_format="s16").samples
    except ClipError:
        target.unlink(missing_ok=True)
        return False
    part = target.with_name(f".{target.name}.part")
    soundfile.write(part, samples, _SCORER_RATE, subtype="PCM_16", format="WAV")
    part.replace(target)
    return True


def _place(source: Path, target: Path, copy: bool) -> None:
    """A relative link to a clip, or a copy of it; what is there from an earlier export is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    real = source.resolve()
    if target.is_symlink():
        target.unlink()
    elif target.exists() and not copy:
        raise UserError(f"{target} is a file already; choose another --out, or --copy to replace it")
    if not copy:
        target.symlink_to(os.path.relpath(real, target.parent.resolve()))
        return
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(real, part)
    part.replace(target)
