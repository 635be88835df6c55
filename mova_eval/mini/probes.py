"""Probe clips: each differs from its siblings in one known respect, which one metric should notice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mova_eval.mini import sound as s
from mova_eval.mini.muxing import Reel
from mova_eval.mini.scene import FPS, Scene
from mova_eval.mini.sound import Sound
from mova_eval.mini.stage import entry_of, events_of, faces_in, scene_of
from mova_eval.mini.tracks import SECONDS, Track, sound_of, spoken

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Made:
    """A clip ready to be written, and its truth as JSON values."""

    reel: Reel
    truth: dict[str, Any]


@dataclass(frozen=True)
class Probe:
    """How to make a probe clip, and whether a voice is needed for it."""

    make: Callable[[], Made]
    speech: bool = False


def picture_size(item: str) -> tuple[int, int]:
    """Width and height of an item's truth clip: 640x352, 352x640 or 512x512, as its first frame lies."""
    width, height = entry_of(item).frame
    if width == height:
        return 512, 512
    return (640, 352) if width > height else (352, 640)


def pictures(scene: Scene, seconds: float, fps: Fraction | int = FPS) -> Iterator[Picture]:
    """The frames of a scene, drawn one at a time."""
    for k in range(round(seconds * fps)):
        yield scene.frame(float(k / Fraction(fps)))


def _still(item: str, seconds: float = SECONDS) -> Iterator[Picture]:
    picture = scene_of(item, *picture_size(item)).frame(0.0)
    for _ in range(round(seconds * FPS)):
        yield picture


def _made(frames: Iterator[Picture], track: Sound | None, /, **truth: Any) -> Made:
    level = None if track is None else s.loudness(track)
    facts = {"seconds": SECONDS, "lufs": None if level is None else round(level, 3), **truth}
    return Made(Reel(frames, Fraction(FPS), track), facts)


def _shifted(item: str, shift: float) -> Made:
    late = [at + shift for at in events_of(item)]
    frames = pictures(scene_of(item, *picture_size(item)), SECONDS)
    return _made(
        frames,
        sound_of(item, late),
        picture=item,
        sound=item,
        shift_s=shift,
        onsets_s=list(events_of(item)),
        sound_onsets_s=[round(at, 4) for at in late],
    )


def _metronome(tempo: float) -> Made:
    seen = events_of("m18")
    heard = [k * 0.5 / tempo for k in range(1, 1 + int((SECONDS - 0.02) * tempo / 0.5))]
    frames = pictures(scene_of("m18", *picture_size("m18")), SECONDS)
    return _made(
        frames,
        sound_of("m18", heard),
        picture="m18",
        sound="m18",
        tempo=tempo,
        onsets_s=list(seen),
        sound_onsets_s=[round(at, 4) for at in heard],
    )


def _swapped() -> Made:
    frames = pictures(scene_of("m13", *picture_size("m13")), SECONDS)
    return _made(
        frames, sound_of("m20"), picture="m13", sound="m20", onsets_s=list(events_of("m13")), sound_onsets_s=[]
    )


def _level(lufs: float) -> Made:
    noise = s.at_loudness(s.pink(SECONDS, 7), lufs, peak=1.0)
    return _made(_still("m23"), noise, picture="m23", wanted_lufs=lufs)


def _silent() -> Made:
    return _made(_still("m23"), s.silence(SECONDS), picture="m23", silent=True)


def _without_audio() -> Made:
    return _made(_still("m23"), None, picture="m23", audio_stream=False)


def _blurred(pixels: int) -> Made:
    import cv2

    def frames() -> Iterator[Picture]:
        for picture in pictures(scene_of("m22", *picture_size("m22")), SECONDS):
            blurred = cv2.GaussianBlur(picture, (0, 0), pixels) if pixels else picture
            yield np.asarray(blurred, np.uint8)

    return _made(frames(), sound_of("m22"), picture="m22", sound="m22", blur_px=pixels)


def _drift() -> Made:
    first, last = (scene_of(item, 640, 352).frame(0.0).astype(np.float32) for item in ("m22", "m21"))

    def frames() -> Iterator[Picture]:
        count = round(SECONDS * FPS)
        for k in range(count):
            part = np.float32(min(max((k / count - 0.2) / 0.6, 0.0), 1.0))
            yield np.rint(first + (last - first) * part).astype(np.uint8)

    return _made(frames(), sound_of("m22"), picture="m22", drifts_to="m21", sound="m22")


def _dialogue(item: str, turns: list[tuple[int, str, str]] | None) -> Made:
    track: Track = spoken(item, turns)
    width, height = picture_size(item)
    faces = faces_in(item)
    scene = scene_of(item, width, height, track.mouths(faces))
    truth = {"picture": item, "faces": faces, "asked": [list(turn) for turn in entry_of(item).speech], **track.truth()}
    return Made(Reel(pictures(scene, track.seconds), Fraction(FPS), track.sound), truth)


def _odd() -> Made:
    fps, rate, seconds = Fraction(24000, 1001), 44_100, 4.9
    scene = scene_of("m18", *picture_size("m18"))
    t = np.arange(round(seconds * rate)) / rate
    left, right = (0.1 * np.sin(2 * math.pi * tone * t) for tone in (440.0, 660.0))
    frames = (np.ascontiguousarray(np.rot90(picture)) for picture in pictures(scene, seconds, fps))
    truth = {
        "picture": "m18",
        "seconds": seconds,
        "rotation": -90,
        "sample_rate": rate,
        "channels": 2,
        "tones_hz": [440.0, 660.0],
        "shown_width": 640,
        "shown_height": 352,
    }
    return Made(Reel(frames, fps, np.stack([left, right]), rate, -90), truth)


_HEARD, _GARDEN = "Did you hear that?", "Yes, it came from the garden."
PROBES: dict[str, Probe] = {
    **{f"bounce_shift{shift:+.1f}s": Probe(lambda d=shift: _shifted("m13", d)) for shift in (-0.4, 0.0, 0.4)},  # type: ignore[misc]
    **{f"metronome_tempo{tempo:.2f}": Probe(lambda f=tempo: _metronome(f)) for tempo in (1.0, 1.1)},  # type: ignore[misc]
    "swap_picture-m13_sound-m20": Probe(_swapped),
    **{f"loudness{level}lufs": Probe(lambda v=level: _level(v)) for level in (-35, -23, -14)},  # type: ignore[misc]
    "silence": Probe(_silent),
    "no-audio-stream": Probe(_without_audio),
    **{f"blur{pixels}px": Probe(lambda b=pixels: _blurred(b)) for pixels in (0, 2, 8)},  # type: ignore[misc]
    "drift_m22-to-m21": Probe(_drift),
    "dialogue_m09": Probe(lambda: _dialogue("m09", None), speech=True),
    "dialogue_m09_voices-exchanged": Probe(
        lambda: _dialogue("m09", [(0, "man", _HEARD), (1, "woman", _GARDEN)]), speech=True
    ),
    "dialogue_m09_words-exchanged": Probe(
        lambda: _dialogue("m09", [(0, "woman", "Did you hear the garden?"), (1, "man", "Yes, it came from that.")]),
        speech=True,
    ),
    "dialogue_m11": Probe(lambda: _dialogue("m11", None), speech=True),
    "dialogue_m11_turns-swapped": Probe(
        lambda: _dialogue("m11", [(0, "woman", "Ready?"), (0, "woman", "Almost."), (1, "man", "Then we go now.")]),
        speech=True,
    ),
    "odd_23.976fps_44100hz_stereo_4.9s_rotated": Probe(_odd),
}
"""Probe clips by name; the name tells what differs."""
