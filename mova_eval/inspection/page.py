"""From a clip to its page: everything that the lip-sync metric saw, in one HTML file that loads nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics.clip import Clip
from metrics.errors import NotApplicable, UserError
from metrics.lip_sync.metric import LipSync
from metrics.types import Measurement
from mova_eval.inspection import drawing

if TYPE_CHECKING:
    from metrics.lip_sync.conversion import Video
    from metrics.lip_sync.pipeline import Analysis, Person

FACES = drawing.WIDTH // drawing.THUMBNAIL
_SHARP = 2
"""Pixels of a picture per unit of the drawing."""


@dataclass(frozen=True)
class _Shown:
    """One person as the template prints it; `numbers` are (name, value) pairs, empty without a score."""

    title: str
    chosen: bool
    facts: list[tuple[str, str]]
    numbers: list[tuple[str, str]]
    reason: str
    timeline: str
    curve: str


def inspect_clip(
    clip: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    protocol: str = "official",
    options: Mapping[str, Any] | None = None,
) -> Path:
    """Measure the lip sync of one clip and write what was seen as one HTML page; returns its path.

    options: of the metric `lip_sync`, device and threads included. Raises UserError where weights or packages are
    missing, or the clip cannot be read or has no sound or picture.
    """
    from metrics.registry import get

    metric = get("lip_sync", protocol=protocol, **(options or {}))
    assert isinstance(metric, LipSync)
    if missing := metric.missing():
        raise UserError(missing[0])
    with Clip(clip) as opened:
        _require_streams(opened)
        metric.ensure_loaded()
        analysis = metric.analyse(opened)
        page = _page(opened, metric, analysis, _judged(opened, metric, analysis))
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
    return target


def _require_streams(clip: Clip) -> None:
    for there, what in ((clip.facts.has_video, "video"), (clip.facts.has_audio, "audio")):
        if not there:
            raise UserError(f"{clip.path.name} cannot be inspected: it has no {what} stream")


def _judged(clip: Clip, metric: LipSync, analysis: Analysis) -> Measurement:
    try:
        metric.require_sound(clip)
    except NotApplicable as why:
        return Measurement.not_applicable(metric.name, why.code, why.reason)
    return metric.judged(analysis)


def _page(clip: Clip, metric: LipSync, analysis: Analysis, measurement: Measurement) -> str:
    import jinja2
    from markupsafe import Markup

    from metrics.lip_sync.conversion import convert_video

    seconds = max(analysis.frames / drawing.FRAME_RATE, len(analysis.sound) / drawing.RATE, 0.04)
    video = convert_video(clip, metric.detours())
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mova_eval.inspection"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    people = [
        _shown(place, person, analysis, _faces(metric, video, person, seconds), seconds)
        for place, person in enumerate(analysis.people)
    ]
    return environment.get_template("inspect.html.j2").render(
        name=clip.path.name,
        measurement=measurement,
        numbers=_numbers(measurement),
        facts=_facts(clip, metric, analysis, measurement),
        people=sorted(people, key=lambda shown: not shown.chosen),
        overview=Markup(drawing.overview(analysis, seconds)),
        too_short=analysis.too_short,
        styles=Markup(files("mova_eval.reports").joinpath("templates", "base.css").read_text(encoding="utf-8")),
    )


def _numbers(measurement: Measurement) -> list[tuple[str, str]]:
    scores = measurement.scores
    labels = (("lse_d", "LSE-D ↓"), ("lse_c", "LSE-C ↑"))
    told = [(label, f"{scores[name]:.3f}") for name, label in labels if name in scores]
    if "av_offset_frames" in scores:
        told.append(("Offset", _offset(int(scores["av_offset_frames"]))))
    return told


def _offset(frames: int) -> str:
    if frames == 0:
        return "0 frames"
    side = "sound early" if frames > 0 else "sound late"
    return f"{frames:+d} frames ({abs(frames) * 40} ms, {side})"


def _facts(clip: Clip, metric: LipSync, analysis: Analysis, measurement: Measurement) -> list[tuple[str, str]]:
    facts, details = clip.facts, measurement.details
    with_face = sum(bool(found) for found in analysis.faces)
    share = with_face / analysis.frames if analysis.frames else 0.0
    told = [
        ("Protocol", metric.protocol),
        ("File", f"{facts.width} x {facts.height}, {float(facts.fps):g} fps, sound at {facts.sample_rate} Hz"),
        ("Frames at 25 fps", str(analysis.frames)),
        ("Shots", str(len(analysis.shots))),
        ("Frames with a face", f"{share:.1%}"),
        ("Faces at once", str(max(map(len, analysis.faces), default=0))),
    ]
    if "mean_lse_d" in details:
        told.append(("Mean over people", f"LSE-D {details['mean_lse_d']:.3f}, LSE-C {details['mean_lse_c']:.3f}"))
    if measurement.flags:
        told.append(("Flags", ", ".join(measurement.flags)))
    return told


def _shown(
    place: int, person: Person, analysis: Analysis, faces: Sequence[tuple[int, str] | None], seconds: float
) -> _Shown:
    from markupsafe import Markup

    track, score = person.track, person.score
    facts = [
        ("Frames", f"{int(track.frames[0])} to {int(track.frames[-1])}"),
        ("Detections", f"{track.detected} of {len(track.frames)} frames, mean score {track.confidence:.3f}"),
        ("Face", f"{track.size:.0f} pixels"),
    ]
    numbers = []
    if score is not None:
        offset = _offset(score.offset)
        numbers = [("LSE-D", f"{score.lse_d:.3f}"), ("LSE-C", f"{score.lse_c:.3f}"), ("Offset", offset)]
    return _Shown(
        title=f"Person {place + 1}",
        chosen=person is analysis.chosen,
        facts=facts,
        numbers=numbers,
        reason=person.reason,
        timeline=Markup(drawing.timeline(analysis, person, faces, seconds)),
        curve=Markup(drawing.offset_curve(score)) if score is not None else "",
    )


def _faces(metric: LipSync, video: Video, person: Person, seconds: float) -> list[tuple[int, str] | None]:
    """A crop of the middle of each place of the strip as (frame, data URL), None outside of the track."""
    from metrics.lip_sync.crops import OutsidePicture

    track = person.track
    try:
        crops = metric.crops(video, track)
    except OutsidePicture:
        return []
    first = int(track.frames[0])
    found: list[tuple[int, str] | None] = []
    for place in range(FACES):
        frame = int((place + 0.5) / FACES * seconds * drawing.FRAME_RATE)
        inside = first <= frame < first + len(crops)
        side = drawing.THUMBNAIL * _SHARP
        found.append((frame, drawing.jpeg_url(crops[frame - first], side)) if inside else None)
    return found
