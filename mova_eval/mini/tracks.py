"""The sound of each item's truth clip, with what is known about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mova_eval.mini import sound as s
from mova_eval.mini.faces import Mouth
from mova_eval.mini.scene import FPS
from mova_eval.mini.sound import Sound
from mova_eval.mini.stage import PIANO_EVENTS, PIANO_MIDI, entry_of, events_of

SECONDS = 5.0
SPEECH_LUFS = -20.0
THUNDER_DELAY_S = 0.8
_LEAD_S, _PAUSE_S, _TAIL_S = 0.4, 0.35, 0.4
_VOICES: dict[str, tuple[str, ...]] = {
    "m02": ("man",),
    "m04": ("man",),
    "m09": ("woman", "man"),
    "m11": ("woman", "man"),
}
"""Voices of an item's speakers in order of first appearance; one woman where nothing is said."""


@dataclass(frozen=True)
class Turn:
    """A spoken turn: which face speaks (index), in which voice, what, and when (seconds)."""

    face: int
    speaker: str
    voice: str
    text: str
    start: float
    end: float
    line: Sound = field(repr=False)


@dataclass(frozen=True)
class Track:
    """Sound of a clip (mono at `sound.RATE`), its length in seconds, when sounds begin, and who speaks."""

    sound: Sound
    seconds: float
    onsets: tuple[float, ...] = ()
    turns: tuple[Turn, ...] = ()

    def truth(self) -> dict[str, Any]:
        """What is known about the sound, as JSON values; `lufs` is null for silence."""
        level = s.loudness(self.sound)
        return {
            "seconds": self.seconds,
            "lufs": None if level is None else round(level, 3),
            "sound_onsets_s": [round(at, 4) for at in self.onsets],
            "turns": [
                {
                    "speaker": t.speaker,
                    "voice": t.voice,
                    "text": t.text,
                    "start": round(t.start, 3),
                    "end": round(t.end, 3),
                }
                for t in self.turns
            ],
        }

    def mouths(self, faces: int) -> tuple[Mouth, ...]:
        """How far each of the faces opens its mouth over time."""
        return tuple(_mouth([turn for turn in self.turns if turn.face == face]) for face in range(faces))


def _mouth(turns: Sequence[Turn]) -> Mouth:
    from mova_eval.mini.voices import opening

    curves = [(turn.start, opening(turn.line, FPS)) for turn in turns]

    def mouth(t: float) -> float:
        for start, curve in curves:
            k = round((t - start) * FPS)
            if 0 <= k < len(curve):
                return float(curve[k])
        return 0.0

    return mouth


def _struck(events: Sequence[float], strike: Callable[[int], Sound], *, floor: float = -62.0) -> Sound:
    """Strikes at given times over the tone of a quiet room, which keeps the codec's own noise below it."""
    track = s.silence(SECONDS)
    for k, event in enumerate(events):
        s.add(track, strike(k), event, 1 - 0.12 * min(k, 4))
    return s.at_loudness(track, -23.0) + s.at_loudness(s.room(SECONDS, 3), floor)


def _thunder(events: Sequence[float], seed: int) -> Sound:
    return _struck([at + THUNDER_DELAY_S for at in events], lambda _: s.thunderclap(160 + seed), floor=-55.0)


def _piano(seed: int) -> Sound:
    track = s.silence(SECONDS)
    dice = np.random.default_rng(170 + seed)
    for event, key in zip(PIANO_EVENTS, PIANO_MIDI, strict=True):
        s.add(track, s.piano_note(key), event, float(dice.uniform(0.8, 1)))
    return s.at_loudness(track, -23.0) + s.at_loudness(s.room(SECONDS, 4), -62.0)


def _drum(events: Sequence[float], seed: int) -> Sound:
    beats = _struck(events, lambda k: s.drum_stroke(190 + seed + k % 2))
    return beats + s.at_loudness(s.crowd(SECONDS, 195 + seed), -42.0)


def sound_of(item: str, events: Sequence[float] | None = None, *, seed: int = 0) -> Sound:
    """The sound of an item without speech, 5 s. events: other times than the item's own; seed: another take of it.

    Raises KeyError for an item with speech.
    """
    at = events_of(item) if events is None else events
    makers: dict[str, Callable[[], Sound]] = {
        "m13": lambda: _struck(at, lambda k: s.ball_on_wood(130 + seed + k)),
        "m14": lambda: _struck(at, lambda k: s.hammer_on_nail(140 + seed + k)),
        "m15": lambda: _struck(at, lambda _: s.glass_shatter(150 + seed)),
        "m16": lambda: _thunder(at, seed),
        "m17": lambda: _piano(seed),
        "m18": lambda: _struck(at, lambda k: s.tick(k % 4 == 3)),
        "m19": lambda: _drum(at, seed),
        "m20": lambda: s.at_loudness(s.rain(SECONDS, 200 + seed), -26.0),
        "m21": lambda: (
            s.at_loudness(s.fire(SECONDS, 210 + seed), -25.0) + s.at_loudness(s.crickets(SECONDS, 215 + seed), -38.0)
        ),
        "m22": lambda: s.at_loudness(s.traffic(SECONDS, 220 + seed), -36.0),
        "m23": lambda: s.at_loudness(s.room(SECONDS, 230 + seed), -62.0),
        "m24": lambda: s.at_loudness(s.room(SECONDS, 240 + seed), -62.0),
    }
    return makers[item]()


def _behind(item: str, seconds: float) -> Sound:
    """What is heard behind the speech of an item."""
    if item == "m03":
        return s.at_loudness(s.rain(seconds, 31), -40.0)
    if item == "m07":
        return s.at_loudness(s.typing(seconds, 71), -38.0)
    if item == "m08":
        return s.at_loudness(s.waves(seconds, 81), -36.0)
    return s.at_loudness(s.room(seconds, 11), -60.0)


def spoken(item: str, turns: Sequence[tuple[int, str, str]] | None = None) -> Track:
    """The track of an item with speech, as long as its lines need, at least 5 s.

    turns: (index of the speaking face, voice, text) instead of the item's own turns. Raises what `voices.speak` raises.
    """
    from mova_eval.mini.voices import speak

    entry = entry_of(item)
    speakers = list(dict.fromkeys(who for who, _ in entry.speech))
    if turns is None:
        voices = _VOICES.get(item, ("woman",) * len(speakers))
        turns = [(speakers.index(who), voices[speakers.index(who)], text) for who, text in entry.speech]
    placed, at = [], _LEAD_S
    for face, voice, text in turns:
        line = speak(text, voice)
        end = at + len(line) / s.RATE
        placed.append(Turn(face, speakers[min(face, len(speakers) - 1)], voice, text, at, end, line))
        at = end + _PAUSE_S
    seconds = max(SECONDS, math.ceil((placed[-1].end + _TAIL_S) * FPS) / FPS)
    track = s.silence(seconds)
    for turn in placed:
        s.add(track, turn.line, turn.start)
    mixed = s.at_loudness(track, SPEECH_LUFS) + _behind(item, seconds)
    return Track(mixed, seconds, tuple(turn.start for turn in placed), tuple(placed))


def track_of(item: str) -> Track:
    """The track of an item's truth clip. Raises what `voices.speak` raises for items with speech."""
    if entry_of(item).speech:
        return spoken(item)
    late = THUNDER_DELAY_S if item == "m16" else 0.0
    return Track(sound_of(item), SECONDS, tuple(at + late for at in events_of(item)))


__all__ = ["SECONDS", "SPEECH_LUFS", "THUNDER_DELAY_S", "Track", "Turn", "sound_of", "spoken", "track_of"]
