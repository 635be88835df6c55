"""Whisper through the openai-whisper package (import name `whisper`), where a protocol names it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics import weights
from metrics.asr import hub
from metrics.asr.base import RATE, AsrFailure, Segment, Transcriber, Transcript, as_float
from metrics.asr.faster import speech_only
from metrics.errors import MissingPackage, MissingWeights, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HOST = "https://openaipublic.azureedge.net"
_FILES = {"large": "large-v3", "turbo": "large-v3-turbo"}
"""Names that are short for another file."""
_NAMES = ("tiny.en", "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium", "large-v1", "large-v2",
          "large-v3", "large", "large-v3-turbo", "turbo")  # fmt: skip


class OpenAiWhisper(Transcriber):
    """Whisper through openai-whisper.

    model: a size name ("large-v3") or the path of a `.pt` file. Beam 5, temperature 0. The package has no voice
    activity detection of its own, so the same one as in the faster-whisper back end goes before it; times are of the
    speech alone.
    """

    def __init__(self, model: str, *, device: str = "cpu") -> None:
        """Raises UserError for a model that is neither a known name nor a file."""
        if model not in _NAMES and not Path(model).expanduser().is_file():
            raise UserError(f"no Whisper model is called '{model}'; name a .pt file or one of: {', '.join(_NAMES)}")
        self.model = model
        self.device = device
        self.label = f"whisper:{model if model in _NAMES else Path(model).stem}"
        self._network: Any = None

    def _file(self) -> Path:
        if self.model not in _NAMES:
            return Path(self.model).expanduser()
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(cache) / "whisper" / f"{_FILES.get(self.model, self.model)}.pt"

    def missing(self) -> list[str]:
        gaps = [
            f"{self.label} needs the package {name}, which is not installed; {weights.install_hint(name)}"
            for name in ("torch", "whisper", "faster_whisper")
            if find_spec(name) is None
        ]
        if gaps or self._file().is_file():
            return gaps
        if hub.offline() or not hub.reachable(_HOST):
            return [
                f"{self._file()} is missing and {_HOST} is switched off or does not answer; put the file there, or "
                f"name a .pt file with asr=whisper:FILE"
            ]
        return []

    def identity(self) -> Mapping[str, str]:
        """Label, sha256 of the weights (fetched if need be), precision and package version."""
        absent = bool(self.missing())
        if not absent and not self._file().is_file():
            self.load()  # the package downloads and checks the file
        return {
            "asr": self.label,
            "asr_sha256": "absent" if absent else weights.sha256_of(self._file()),
            "asr_precision": "float16" if self.device.startswith("cuda") else "float32",
            "asr_package": f"openai-whisper {version('openai-whisper')}" if find_spec("whisper") else "absent",
        }

    def load(self) -> None:
        if self._network is not None:
            return
        gaps = self.missing()
        if gaps:
            raise (MissingWeights if find_spec("whisper") else MissingPackage)(gaps[0])
        import whisper

        try:
            self._network = whisper.load_model(
                str(self._file()) if self._file().is_file() else self.model, device=self.device
            )
        except (RuntimeError, KeyError, OSError, pickle.UnpicklingError) as error:
            raise UserError(f"{self.label} cannot be loaded on {self.device}: {str(error).splitlines()[0]}") from error

    def transcribe(self, audio: NDArray[np.generic], language: str | None = None) -> Transcript:
        self.load()
        if language not in {None, "en"} and not self._network.is_multilingual:
            raise AsrFailure(
                "asr_language", f"{self.label} does not know the language '{language}'; choose a multilingual model"
            )
        speech = speech_only(as_float(audio))
        seconds = round(len(speech) / RATE, 3)
        if len(speech) == 0:
            return Transcript("", language=language, model=self.label, speech_seconds=seconds)
        answer = self._network.transcribe(
            speech,
            language=language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            fp16=self.device.startswith("cuda"),
        )
        segments = tuple(
            Segment(
                text=part["text"].strip(),
                start=round(float(part["start"]), 2),
                end=round(float(part["end"]), 2),
                no_speech_prob=round(float(part["no_speech_prob"]), 4),
            )
            for part in answer["segments"]
        )
        return Transcript(answer["text"].strip(), segments, answer.get("language"), self.label, seconds)
