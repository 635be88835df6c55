"""Do the metrics point the right way? Clips of known truth are rendered and measured, and orders are checked.

These are tests of order and of physical quantities (a loudness, a word error rate of clear speech), not of a metric's
absolute values.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from metrics.types import Measurement
from mova_eval.doctor import Finding

LOUDNESS_TOLERANCE_LU = 0.5
WER_LIMIT = 0.2
SPOKEN_ITEM = "m01"
PACKAGED_ASR = "faster-whisper:packaged-base"

_PROBES = (
    "bounce_shift-0.4s",
    "bounce_shift+0.0s",
    "bounce_shift+0.4s",
    "metronome_tempo1.00",
    "metronome_tempo1.10",
    "loudness-35lufs",
    "loudness-23lufs",
    "loudness-14lufs",
    "silence",
    "no-audio-stream",
)


def check_truth(progress: Callable[[str, int, int], None] | None = None) -> list[Finding]:
    """Render the probe clips into a temporary folder, measure them, and say for each expectation whether it holds."""
    from mova_eval.mini.render import left_out, render_truth

    with tempfile.TemporaryDirectory(prefix="mova-eval-truth-") as folder:
        wanted = [*_PROBES, *({SPOKEN_ITEM} - set(left_out([SPOKEN_ITEM])))]
        clips = {path.stem: path for path in render_truth(folder, subset=wanted, progress=progress)}
        return [*_alignment(clips), *_loudness(clips), *_bad_sound(clips), *_speech(clips)]


def _finding(name: str, holds: bool, detail: str) -> Finding:
    return Finding(f"truth {name}", "ok" if holds else "wrong", detail, "" if holds else "please report this")


def _value(metric: str, score: str, path: Path) -> float:
    from metrics.registry import measure

    measured = measure(metric, path)
    if measured.status != "scored":
        raise AssertionError(f"{metric} on the truth clip {path.name}: {measured.status}, {measured.reason}")
    return measured.scores[score]


def _alignment(clips: dict[str, Path]) -> Iterator[Finding]:
    early, on_time, late = (
        _value("av_align", "av_align", clips[f"bounce_shift{s}s"]) for s in ("-0.4", "+0.0", "+0.4")
    )
    yield _finding(
        "av_align, sound shifted",
        on_time > max(early, late),
        f"-0.4 s {early:.3f}, in time {on_time:.3f}, +0.4 s {late:.3f}: in time must be best",
    )
    steady, hurried = (_value("av_align", "av_align", clips[f"metronome_tempo{t}"]) for t in ("1.00", "1.10"))
    yield _finding(
        "av_align, sound 10 % too fast",
        steady > hurried,
        f"right tempo {steady:.3f}, too fast {hurried:.3f}: the right tempo must be better",
    )


def _loudness(clips: dict[str, Path]) -> Iterator[Finding]:
    for level in (-35, -23, -14):
        measured = _value("loudness", "lufs", clips[f"loudness{level}lufs"])
        off = abs(measured - level)
        yield _finding(
            f"loudness {level} LUFS", off <= LOUDNESS_TOLERANCE_LU, f"measured {measured:.2f}, off by {off:.2f} LU"
        )


def _bad_sound(clips: dict[str, Path]) -> Iterator[Finding]:
    from metrics.registry import measure

    silent: Measurement = measure("dnsmos", clips["silence"])
    yield _finding(
        "dnsmos of silence",
        silent.status == "scored" and "silent_audio" in silent.flags,
        f"{silent.status}, flags: {', '.join(silent.flags) or 'none'}: must be flagged silent_audio",
    )
    mute: Measurement = measure("loudness", clips["no-audio-stream"])
    yield _finding(
        "clip without sound",
        mute.status == "failed" and mute.code == "no_audio_stream",
        f"{mute.status}: {mute.reason}",
    )


def _speech(clips: dict[str, Path]) -> Iterator[Finding]:
    from metrics.registry import get
    from mova_eval.mini import items

    metric = get("wer", asr=PACKAGED_ASR)
    gaps = metric.missing()
    if SPOKEN_ITEM not in clips or gaps:
        why = gaps[0] if gaps else "no text-to-speech voice is installed"
        yield Finding("truth wer of clear speech", "missing", why, "pip install --no-deps -r requirements/offline.txt")
        return
    from metrics.clip import Clip

    asked = next(item for item in items() if item["id"] == SPOKEN_ITEM)
    with Clip(clips[SPOKEN_ITEM]) as clip:
        measured = metric.measure(clip, {"speech": asked["speech"], "language": asked["language"]})
    rate = measured.scores.get("wer")
    yield _finding(
        "wer of clear speech",
        rate is not None and rate <= WER_LIMIT,
        f"{measured.reason or measured.scores}, heard: {measured.details.get('hypothesis', '')}",
    )
