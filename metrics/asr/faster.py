"""Whisper through faster-whisper (CTranslate2): the default recogniser, on CPU and CUDA."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics import weights
from metrics.asr import hub
from metrics.asr.base import RATE, AsrFailure, Segment, Transcriber, Transcript, as_float
from metrics.errors import MissingPackage, MissingWeights, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGED: dict[str, tuple[str, ...]] = {
    "packaged-tiny.en": ("whisper-tiny.en",),
    "packaged-base": ("whisper-base-part1", "whisper-base-part2"),
}
"""Models that arrive inside Python packages: name -> its declared weights files, to be joined in this order."""

DECODING: Mapping[str, Any] = {
    "task": "transcribe",
    "beam_size": 5,
    "temperature": 0.0,
    "condition_on_previous_text": False,
    "vad_filter": True,  # without it, clips without speech are given invented words
}


class FasterWhisper(Transcriber):
    """Whisper through faster-whisper.

    model: a size name ("large-v3"), a hub repository, a folder with `model.bin`, or a key of `PACKAGED`.
    Beam 5, temperature 0, voice activity detection by Silero; int8 on a CPU, float16 on CUDA.
    """

    def __init__(self, model: str, *, device: str = "cpu", threads: int = 1) -> None:
        """Raises UserError for a model that is neither a known name nor a folder with `model.bin`."""
        self.model = model
        self.label = f"faster-whisper:{Path(model).name if _is_folder(model) else model}"
        self.device, _, index = device.partition(":")
        self.device_index = int(index or 0)
        self.threads = threads
        self.compute_type = "int8" if self.device == "cpu" else "float16"
        self._network: Any = None
        if model not in PACKAGED and not _is_folder(model) and hub.repository(model) is None:
            known = ", ".join((*hub.REPOSITORIES, *PACKAGED))
            raise UserError(f"no Whisper model is called '{model}'; name a folder with model.bin or one of: {known}")

    def weights(self) -> Sequence[str]:
        return PACKAGED.get(self.model, ())

    def missing(self) -> list[str]:
        if find_spec("faster_whisper") is None:
            return [f"{self.label} needs the package faster_whisper; {weights.install_hint('faster_whisper')}"]
        if self.model in PACKAGED:
            return [gap for gap in map(weights.missing, PACKAGED[self.model]) if gap]
        if _is_folder(self.model):
            lacking = [n for n in ("model.bin", "config.json") if not (_folder(self.model) / n).is_file()]
            return [f"{self.model} holds no {lacking[0]}: it is not a CTranslate2 Whisper model"] if lacking else []
        gap = hub.why_not_here(hub.repository(self.model) or self.model)
        return [gap] if gap else []

    def identity(self) -> Mapping[str, str]:
        """Label, sha256 of the weights, precision and package version; fetches hub weights that are not here yet."""
        return {
            "asr": self.label,
            "asr_sha256": "absent" if self.missing() else self._digest(),
            "asr_precision": self.compute_type,
            "asr_package": f"faster-whisper {version('faster-whisper')}" if find_spec("faster_whisper") else "absent",
        }

    def _digest(self) -> str:
        if self.model in PACKAGED:
            return _joined_digest(tuple(weights.locate(name) for name in PACKAGED[self.model]))
        return hub.digest(self._model_folder() / "model.bin")

    def _model_folder(self) -> Path:
        return _folder(self.model) if _is_folder(self.model) else hub.fetch(hub.repository(self.model) or self.model)

    def load(self) -> None:
        if self._network is not None:
            return
        gaps = self.missing()
        if gaps:
            raise (MissingWeights if find_spec("faster_whisper") else MissingPackage)(gaps[0])
        from faster_whisper import WhisperModel

        settings: dict[str, Any] = {
            "device": self.device,
            "device_index": self.device_index,
            "compute_type": self.compute_type,
            "cpu_threads": self.threads,
        }
        if self.model in PACKAGED:
            settings["files"] = packaged_files(self.model)
            source = self.model
        else:
            source = str(self._model_folder())
        try:
            self._network = WhisperModel(source, **settings)
        except (RuntimeError, ValueError) as error:
            raise UserError(f"{self.label} cannot be loaded on {self.device}: {str(error).splitlines()[0]}") from error

    def transcribe(self, audio: NDArray[np.generic], language: str | None = None) -> Transcript:
        self.load()
        if language is not None and language not in self._network.supported_languages:
            raise AsrFailure(
                "asr_language", f"{self.label} does not know the language '{language}'; choose a multilingual model"
            )
        found, info = self._network.transcribe(as_float(audio), language=language, **DECODING)
        segments = tuple(
            Segment(
                text=part.text.strip(),
                start=round(float(part.start), 2),
                end=round(float(part.end), 2),
                no_speech_prob=round(float(part.no_speech_prob), 4),
            )
            for part in found
        )
        return Transcript(
            text=" ".join(s.text for s in segments if s.text),
            segments=segments,
            language=language or info.language,
            model=self.label,
            speech_seconds=round(float(info.duration_after_vad), 3),
        )


def packaged_files(model: str) -> dict[str, Any]:
    """File name -> readable content of a model inside Python packages, the pieces of `model.bin` joined in memory."""
    pieces = [weights.verified(name) for name in PACKAGED[model]]
    files: dict[str, Any] = {"model.bin": io.BytesIO(b"".join(piece.read_bytes() for piece in pieces))}
    for name in ("config.json", "vocabulary.txt"):
        files[name] = io.BytesIO((pieces[0].parent / name).read_bytes())
    files["tokenizer.json"] = (pieces[0].parent / "tokenizer.json").read_bytes()
    return files


@lru_cache(maxsize=8)
def _joined_digest(pieces: tuple[Path, ...]) -> str:
    joined = hashlib.sha256()
    for piece in pieces:
        with piece.open("rb") as file:
            while block := file.read(1 << 20):
                joined.update(block)
    return joined.hexdigest()


def _folder(model: str) -> Path:
    return Path(model).expanduser()


def _is_folder(model: str) -> bool:
    return model not in PACKAGED and _folder(model).is_dir()


def speech_only(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """The stretches of speech in 16 kHz mono audio [n], joined; empty without any (Silero, as faster-whisper does)."""
    import numpy as np
    from faster_whisper.vad import collect_chunks, get_speech_timestamps

    stretches = get_speech_timestamps(audio, sampling_rate=RATE)
    pieces, _ = collect_chunks(audio, stretches, sampling_rate=RATE)
    joined: NDArray[np.float32] = np.concatenate(pieces).astype(np.float32)
    return joined
