"""A recogniser that tells speakers apart, made of one that does not and a light diariser; needs no service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from metrics import weights
from metrics.asr.base import RATE, Segment, Transcriber, Transcript, as_float
from metrics.asr.speakers import WEIGHTS, SpeakerEncoder, turns_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_VERSION = "1"
_MARGIN = RATE // 10


class Diarised(Transcriber):
    """Finds the turns of each voice (`metrics.asr.speakers`), and has each transcribed by itself.

    inner: any recogniser. The error rates it leads to are those of this pair, not of the published number: on the
    suite's own two-speaker clips it makes no error, on random dialogues of synthetic voices it gets the number of
    speakers right in half of them, and real voices in turns of a second or two are often merged.
    """

    tells_speakers = True

    def __init__(self, inner: Transcriber, *, device: str = "cpu", threads: int = 1) -> None:
        self.inner = inner
        self.label = f"diarised:{inner.label}"
        self.device, self.threads = device, threads
        self._encoder: SpeakerEncoder | None = None

    def weights(self) -> Sequence[str]:
        return (*self.inner.weights(), WEIGHTS)

    def missing(self) -> list[str]:
        gaps = list(self.inner.missing())
        gaps += [
            f"{self.label} needs the package {name}, which is not installed; {weights.install_hint(name)}"
            for name in ("torch", "faster_whisper")
            if find_spec(name) is None
        ]
        gap = weights.missing(WEIGHTS)
        return [*gaps, *([gap] if gap else [])]

    def identity(self) -> Mapping[str, str]:
        """What the inner recogniser's transcripts depend on, and the diariser's version and weights."""
        absent = weights.missing(WEIGHTS) is not None
        diariser = f"ge2e {_VERSION} {'absent' if absent else weights.digest(WEIGHTS)[:12]}"
        return {**self.inner.identity(), "asr": self.label, "asr_diariser": diariser}

    def load(self) -> None:
        if self._encoder is None:
            self.inner.load()
            self._encoder = SpeakerEncoder.from_weights(self.device)

    def transcribe(self, audio: NDArray[np.generic], language: str | None = None) -> Transcript:
        import torch

        self.load()
        wave = as_float(audio)
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            turns = turns_of(wave, self._loaded())
        finally:
            torch.set_num_threads(threads)
        segments: list[Segment] = []
        for turn in turns:
            heard = self.inner.transcribe(wave[max(turn.start - _MARGIN, 0) : turn.end + _MARGIN], language)
            if heard.plain.strip():
                tag = f"[S{turn.speaker + 1:02d}]"
                times = round(turn.start / RATE, 2), round(turn.end / RATE, 2)
                segments.append(Segment(heard.plain.strip(), *times, tag, heard.no_speech_prob))
        text = " ".join(f"{segment.speaker} {segment.text}" for segment in segments)
        seconds = round(sum(turn.end - turn.start for turn in turns) / RATE, 3)
        return Transcript(text, tuple(segments), language, self.label, seconds)

    def _loaded(self) -> Any:
        return self._encoder
