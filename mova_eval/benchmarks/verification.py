"""`verify`: is a benchmark whole, and what can be run with it here?"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from metrics.weights import sha256_of
from mova_eval.benchmarks.catalogue import MINI
from mova_eval.benchmarks.loading import load
from mova_eval.benchmarks.schema import Benchmark, Item
from mova_eval.benchmarks.text import fits_duration


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `verify` found. "error": wrong; "warning": something cannot be run; "ok": as it should be."""

    level: Literal["ok", "warning", "error"]
    message: str


def verify(
    name_or_path: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    media: str | os.PathLike[str] | None = None,
) -> list[Finding]:
    """Counts per set, content digest, first frames and references per set, lines too long, flags.

    Raises UserError if the benchmark cannot be loaded at all.
    """
    benchmark = load(name_or_path, root=root, media=media)
    return [*_counts(benchmark), *_digest(benchmark), *_media(benchmark), *_frames(benchmark), *_texts(benchmark)]


def _counts(benchmark: Benchmark) -> Iterator[Finding]:
    found = Counter(item.set for item in benchmark.all_items)
    for entry in benchmark.header.sets:
        if entry.count is None or entry.count == found[entry.name]:
            yield Finding("ok", f"{entry.name}: {found[entry.name]} items")
        else:
            yield Finding("error", f"{entry.name}: {found[entry.name]} items, expected {entry.count}")


def _digest(benchmark: Benchmark) -> Iterator[Finding]:
    expected, found = benchmark.header.content_sha256, benchmark.content_sha256
    if expected is None or expected == found:
        as_published = " as published" if expected else ""
        yield Finding("ok", f"content sha256 {found[:16]}...{as_published}")
    elif benchmark.prompt_variant != "official":
        yield Finding("warning", f"content sha256 {found[:16]}..., texts of variant {benchmark.prompt_variant}")
    else:
        yield Finding("error", f"content sha256 {found[:16]}... differs from the published {expected[:16]}...")


def _media(benchmark: Benchmark) -> Iterator[Finding]:
    for name in benchmark.sets:
        items = [item for item in benchmark.items if item.set == name]
        frames = sum(item.first_frame is not None for item in items)
        sounds = sum(item.reference is not None and item.reference.audio is not None for item in items)
        gone = len(items) - frames
        hint = " (items without one cannot start from a picture)" if gone else ""
        yield Finding("warning" if gone else "ok", f"{name}: first frames {frames} present, {gone} missing{hint}")
        hint = ""
        if sounds == 0:
            rendered = "; render them for mini" if benchmark.name == MINI else ""
            hint = f" (FD and KL do not apply{rendered})"
        level: Literal["ok", "warning"] = "ok" if sounds else "warning"
        yield Finding(level, f"{name}: reference sounds {sounds} present, {len(items) - sounds} missing{hint}")


def _frames(benchmark: Benchmark) -> Iterator[Finding]:
    for item in benchmark.items:
        problem = _frame_problem(item)
        if problem:
            yield Finding("error", f"{item.id}: {problem}")


def _frame_problem(item: Item) -> str | None:
    frame = item.first_frame
    if frame is None:
        return None
    if not Path(frame.path).is_file():
        return f"first frame {frame.path} is missing"
    if frame.width is None:
        return f"first frame {frame.path} cannot be read as a picture"
    if frame.sha256 is not None and sha256_of(frame.path) != frame.sha256:
        return f"first frame {frame.path} has another sha256 than the benchmark states"
    return None


def _texts(benchmark: Benchmark) -> Iterator[Finding]:
    spoken = [item for item in benchmark.items if item.speech]
    seconds = benchmark.default_duration_s
    if spoken and seconds is not None:
        long = sum(not fits_duration(item, seconds) for item in spoken)
        yield Finding("ok", f"speech: {len(spoken)} items, {long} do not fit {seconds:g} s")
    flags = Counter(flag for item in benchmark.items for flag in item.flags)
    if flags:
        yield Finding("ok", "flags: " + ", ".join(f"{flag} {count}" for flag, count in sorted(flags.items())))
