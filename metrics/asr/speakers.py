"""Who speaks when, in a short clip: voice activity, speaker embeddings, clustering. A light diariser, without tuning.

Embeddings are those of GE2E (Wan et al. 2018) as trained for Resemblyzer, whose weights file is used and nothing else
of that package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metrics.asr.base import RATE
from metrics.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = "speaker-ge2e"
_MELS, _HIDDEN, _LAYERS = 40, 256, 3
_LEVEL_DBFS = -30.0
"""To which quiet speech is raised before the mel spectrogram, which is not logarithmic."""

SAME_VOICE = 0.72
"""Mean similarity (cosine) from which on turns belong to one speaker: synthetic voices have 0.74 to 0.93 within and
0.48 to 0.67 across speakers in turns of 0.5 to 2 s; real ones overlap (0.59 to 0.86 within, up to 0.84 across)."""
CHANGE = 0.70
"""Similarity of neighbouring seconds below which the voice changes inside a stretch of speech."""
_WINDOW, _STEP = RATE, RATE // 4
_SNAP = RATE * 3 // 10


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of one voice: samples start to end at 16 kHz; speaker 0, 1 ... in order of first appearance."""

    start: int
    end: int
    speaker: int


class SpeakerEncoder:
    """The GE2E network: three LSTM layers, a linear layer, ReLU, unit length."""

    def __init__(self, state: dict[str, Any], device: str = "cpu") -> None:
        """state: the checkpoint's `model_state`. Raises UserError where it is another network's."""
        import torch

        self.device = device
        self._lstm = torch.nn.LSTM(_MELS, _HIDDEN, _LAYERS, batch_first=True)
        self._linear = torch.nn.Linear(_HIDDEN, _HIDDEN)
        try:
            for network, prefix in ((self._lstm, "lstm."), (self._linear, "linear.")):
                network.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
                network.to(device).eval()
        except RuntimeError as error:
            raise UserError(f"weights {WEIGHTS} are those of another network: {str(error).splitlines()[-1]}") from error

    @classmethod
    def from_weights(cls, device: str = "cpu") -> SpeakerEncoder:
        """The declared weights. Raises MissingWeights or UserError."""
        import torch

        from metrics.weights import verified

        loaded = torch.load(verified(WEIGHTS), map_location="cpu", weights_only=True)
        return cls(loaded["model_state"], device)

    def embed(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embedding [256], unit length, of speech [n] at 16 kHz, n >= 1, as it is (no level, no pauses changed)."""
        import torch

        from metrics.signals import mel_spectrogram

        mel = mel_spectrogram(wave, rate=RATE, n_fft=400, hop=160, n_mels=_MELS)
        with torch.inference_mode():
            frames = torch.from_numpy(mel.T.astype("float32")).to(self.device)
            _, (hidden, _) = self._lstm(frames[None])
            raw = torch.relu(self._linear(hidden[-1]))[0]
            unit = raw / raw.norm().clamp_min(1e-12)
        embedding: NDArray[np.float32] = unit.cpu().numpy()
        return embedding


def speech_stretches(audio: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Start and end samples of speech in 16 kHz mono audio [n], cut at pauses of 0.1 s (Silero)."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(min_silence_duration_ms=100, speech_pad_ms=30)
    return [(s["start"], s["end"]) for s in get_speech_timestamps(audio, options, sampling_rate=RATE)]


def turns_of(audio: NDArray[np.float32], encoder: SpeakerEncoder) -> list[Turn]:
    """Turns in order of time; those of one speaker that follow one another are one. Empty without speech.

    audio: [n] mono at 16 kHz within [-1, 1].
    """
    stretches = speech_stretches(audio)
    if not stretches:
        return []
    raised = raised_to_level(audio, stretches)
    pieces = [piece for start, end in stretches for piece in split_at_changes(raised, start, end, encoder)]
    speakers = clustered([encoder.embed(raised[start:end]) for start, end in pieces], [e - s for s, e in pieces])
    turns: list[Turn] = []
    for (start, end), speaker in zip(pieces, speakers, strict=True):
        if turns and turns[-1].speaker == speaker:
            turns[-1] = Turn(turns[-1].start, end, speaker)
        else:
            turns.append(Turn(start, end, speaker))
    return turns


def raised_to_level(audio: NDArray[np.float32], stretches: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
    """The audio, amplified where its speech is quieter than -30 dBFS; louder speech stays as it is."""
    import numpy as np

    power = np.mean(np.concatenate([audio[start:end] for start, end in stretches]).astype(np.float64) ** 2)
    gain = 10 ** (_LEVEL_DBFS / 20) / np.sqrt(power) if power > 0 else 1.0
    raised: NDArray[np.float32] = (audio * np.float32(max(gain, 1.0))).astype(np.float32)
    return raised


def split_at_changes(
    audio: NDArray[np.float32], start: int, end: int, encoder: SpeakerEncoder
) -> list[tuple[int, int]]:
    """A stretch of speech in pieces of one voice: cut where the second before and the second after differ most, at the
    quietest moment near by, and again inside both parts."""
    import numpy as np

    if end - start < 2 * _WINDOW:
        return [(start, end)]
    points = range(start + _WINDOW, end - _WINDOW + 1, _STEP)
    likeness = [float(encoder.embed(audio[p - _WINDOW : p]) @ encoder.embed(audio[p : p + _WINDOW])) for p in points]
    lowest = int(np.argmin(likeness))
    if likeness[lowest] >= CHANGE:
        return [(start, end)]
    middle = _quietest(audio, points[lowest])
    return [
        *split_at_changes(audio, start, middle, encoder),
        *split_at_changes(audio, middle, end, encoder),
    ]


def _quietest(audio: NDArray[np.float32], point: int) -> int:
    """The middle of the quietest 50 ms within 0.3 s of a point."""
    import numpy as np

    length = RATE // 20
    near = audio[point - _SNAP : point + _SNAP].astype(np.float64) ** 2
    power = np.convolve(near, np.ones(length), mode="valid")
    return point - _SNAP + int(np.argmin(power)) + length // 2


def clustered(embeddings: Sequence[NDArray[np.float32]], lengths: Sequence[int]) -> list[int]:
    """Speaker of each piece, numbered as they appear.

    The two groups of pieces with the most alike mean embeddings (weighted by length) become one, until none are alike
    enough: the mean over a group is steadier than single short pieces are.
    """
    import numpy as np

    groups = [[place] for place in range(len(embeddings))]
    weighted = np.stack([np.asarray(e, np.float64) * n for e, n in zip(embeddings, lengths, strict=True)])
    while len(groups) > 1:
        means = np.stack([weighted[group].sum(axis=0) for group in groups])
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        alike = means @ means.T
        np.fill_diagonal(alike, -1.0)
        one, other = sorted(divmod(int(np.argmax(alike)), len(groups)))
        if alike[one, other] < SAME_VOICE:
            break
        groups[one] += groups.pop(other)
    owner = {place: number for number, group in enumerate(groups) for place in group}
    order = {number: place for place, number in enumerate(dict.fromkeys(owner[p] for p in range(len(embeddings))))}
    return [order[owner[place]] for place in range(len(embeddings))]
