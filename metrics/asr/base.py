"""The interface of a speech recogniser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metrics.text import strip_tags

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 16000
"""Hz of all audio given to a transcriber."""


class AsrFailure(Exception):
    """This clip could not be transcribed (a request failed, a language the model does not know); others may.

    code: short stable slug for grouping ("http_500", "asr_timeout"). reason: one sentence.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[AsrFailure], tuple[str, str]]:
        return (type(self), (self.code, self.reason))


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech. start, end: seconds from the start of the audio, None if the recogniser gives none.

    speaker: a tag such as "[S01]", None where speakers are not told apart. no_speech_prob: probability that nobody
    speaks, 0 to 1, None where the recogniser gives none.
    """

    text: str
    start: float | None = None
    end: float | None = None
    speaker: str | None = None
    no_speech_prob: float | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser heard; an empty text means that it found no speech.

    text: may hold speaker tags such as `[S01]`. model: label of the recogniser ("faster-whisper:large-v3").
    language: the language it was told or found. speech_seconds: length of the stretches that voice activity detection
    kept, None without such detection.
    """

    text: str
    segments: tuple[Segment, ...] = ()
    language: str | None = None
    model: str = ""
    speech_seconds: float | None = None

    @property
    def no_speech_prob(self) -> float | None:
        """Highest of the segments' probabilities that nobody speaks, None where there are none."""
        known = [s.no_speech_prob for s in self.segments if s.no_speech_prob is not None]
        return max(known) if known else None

    @property
    def plain(self) -> str:
        """The text without speaker tags."""
        return strip_tags(self.text)


class Transcriber(ABC):
    """A speech recogniser, cheap to make; `load` brings in its network."""

    label: str
    """Name for reports and cache keys, with the model's name, without secrets."""
    tells_speakers: bool | None = False
    """Whether it is meant to put speaker tags into its texts; None if only the answer shows it."""

    @abstractmethod
    def missing(self) -> list[str]:
        """What keeps it from running here and now, one sentence each; loads nothing heavy."""

    @abstractmethod
    def identity(self) -> Mapping[str, str]:
        """What its transcripts depend on beside the audio: label, digest of the weights, settings."""

    def weights(self) -> Sequence[str]:
        """Names of the declared weights files (`metrics.weights`) it uses."""
        return ()

    def load(self) -> None:  # noqa: B027 - an endpoint has nothing to load
        """Load the network; called once before the first `transcribe`. Raises UserError if that cannot be done."""

    @abstractmethod
    def transcribe(self, audio: NDArray[np.generic], language: str | None = None) -> Transcript:
        """Transcribe one clip.

        audio: [n] mono at 16 kHz, int16 or float32 within [-1, 1]. language: ISO code to force, None to detect.
        Raises AsrFailure if this clip fails, UserError if every clip would.
        """


def as_float(audio: NDArray[np.generic]) -> NDArray[np.float32]:
    """Samples as float32 within [-1, 1]: int16 divided by 32768, float32 as it is. Raises ValueError otherwise."""
    import numpy as np

    if audio.ndim != 1:
        raise ValueError(f"audio must be mono, shape [n], not {audio.shape}")
    if audio.dtype == np.int16:
        return audio.astype(np.float32) / np.float32(32768)
    if audio.dtype == np.float32:
        return audio.astype(np.float32, copy=False)
    raise ValueError(f"audio must be int16 or float32, not {audio.dtype}")


def as_int16(audio: NDArray[np.generic]) -> NDArray[np.int16]:
    """Samples as int16: float32 times 32768, rounded and clipped. Raises ValueError for another type or shape."""
    import numpy as np

    if audio.ndim == 1 and audio.dtype == np.int16:
        return audio.astype(np.int16, copy=False)
    scaled = np.rint(as_float(audio).astype(np.float64) * 32768)
    clipped: NDArray[np.int16] = np.clip(scaled, -32768, 32767).astype(np.int16)
    return clipped
