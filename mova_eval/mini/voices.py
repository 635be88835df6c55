"""Speech for the truth clips, made on this machine by a packaged text-to-speech voice.

One synthetic voice gives several speakers: speaking faster and playing back slower lowers pitch and formants together
at the same tempo, which is how a smaller or larger vocal tract sounds.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mova_eval.mini.sound import RATE, Sound

PACKAGE = "hibari"
SIZES: dict[str, float] = {"woman": 1.0, "man": 0.8, "youth": 1.15}
"""Speaker -> factor on pitch and formants."""
_TEMPO = {"woman": 1.0, "man": 0.96, "youth": 1.0}
_VOICE_RATE = 24_000
_PRONOUNCED = {"ˈɑnə": "ˈænə"}
"""Phonemes of the voice's lexicon and what is said instead: "Anna" as in "banana", which recognisers spell right."""


def missing_voice(language: str | None) -> str | None:
    """None if lines of this language can be spoken here, else one sentence that says why not.

    Only English: no packaged Chinese voice is known that a speech recogniser reads back without errors.
    """
    if language == "zh":
        return (
            "no packaged voice speaks Chinese well enough to be read back; put your own clip of this item in its place"
        )
    if find_spec(PACKAGE) is None:
        return "the speech synthesiser is not installed; install it with: pip install -r requirements/offline.txt"
    return None


@lru_cache(maxsize=1)
def _engine() -> Any:
    from hibari import Hibari

    return Hibari()


@lru_cache(maxsize=64)
def speak(text: str, speaker: str = "woman") -> Sound:
    """A line spoken in English: float64 mono at 48 kHz, peak 0.5, silent edges cut. The same samples every time.

    Raises KeyError for a speaker that is not in SIZES, ImportError without the synthesiser.
    """
    import soxr

    size = SIZES[speaker]
    straight = text.replace("’", "'")
    spoken = np.concatenate(
        [
            np.asarray(_engine().from_phonemes(_corrected(phonemes), speed=_TEMPO[speaker] / size, seed=7), np.float64)
            for phonemes in _engine().phonemize(straight)
        ]
    )
    line = soxr.resample(spoken, _VOICE_RATE * size, RATE, quality="VHQ")
    return _trimmed(cast("Sound", line))


def _corrected(phonemes: str) -> str:
    for wrong, right in _PRONOUNCED.items():
        phonemes = phonemes.replace(wrong, right)
    return phonemes


def _trimmed(line: Sound) -> Sound:
    loud = np.flatnonzero(np.abs(line) > 0.01 * np.abs(line).max())
    pad = round(0.03 * RATE)
    cut: Sound = line[max(loud[0] - pad, 0) : loud[-1] + pad]
    ramp = np.minimum(1, np.minimum(np.arange(len(cut)), np.arange(len(cut))[::-1]) / (0.01 * RATE))
    shaped: Sound = cut * ramp * (0.5 / np.abs(cut).max())
    return shaped


def opening(line: Sound, fps: int) -> NDArray[np.float64]:
    """How far a mouth is open while a line is spoken, one value 0..1 per video frame from the line's start.

    The root of the loudness of the 80 ms around each frame, so that quiet vowels still show.
    """
    step, half = RATE // fps, RATE // fps
    padded = np.pad(line, (half, half + step))
    count = len(line) // step + 1
    level = np.array([np.sqrt(np.mean(padded[k * step : k * step + 2 * half] ** 2)) for k in range(count)])
    shape = np.sqrt(level / level.max())
    return np.asarray(np.clip((shape - 0.15) / 0.85, 0, 1))
