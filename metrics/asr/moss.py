"""MOSS Transcribe Diarize on this machine: the network behind the official cpCER, through transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics import weights
from metrics.asr.base import RATE, AsrFailure, Segment, Transcriber, Transcript, as_float
from metrics.asr.endpoint import LONGEST_SECONDS, MOSS_PROMPT, MOSS_SAMPLING
from metrics.errors import MissingPackage, MissingWeights, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = "moss-transcribe-diarize"
_PRECISIONS = ("float32", "bfloat16", "float16")
_TIME = r"\d+(?:[:.]\d+)*"
_TURN = re.compile(
    rf"(?:\[(?P<start>{_TIME})\]\s*)?\[S(?P<speaker>\d+)\](?P<text>.*?)(?=(?:\[{_TIME}\]\s*)?\[S\d+\]|\Z)", re.S
)
_STAMP = re.compile(rf"\[({_TIME})\]")


class MossTranscribeDiarize(Transcriber):
    """MOSS Transcribe Diarize (0.9 B parameters) through `transformers`.

    folder: of the model; None for the declared weights. The request is the official one: the same instruction, the
    first 30 s, greedy decoding, at most 1024 tokens. precision: None for float32 on a CPU, bfloat16 on CUDA.

    Compared with the library's own `generate` on the same prepared inputs (seeded weights of a small model, real
    speech): the same tokens. The published weights could not be run where this was written.
    """

    tells_speakers = True

    def __init__(
        self, folder: str | None = None, *, device: str = "cpu", threads: int = 1, precision: str | None = None
    ) -> None:
        """Raises UserError for a folder that is not there, or an unknown precision."""
        if folder is not None and not (Path(folder).expanduser() / "config.json").is_file():
            raise UserError(f"asr=moss:{folder} is no folder of a model (it holds no config.json)")
        self.precision = precision or ("bfloat16" if device.startswith("cuda") else "float32")
        if self.precision not in _PRECISIONS:
            raise UserError(f"asr=moss: no precision '{precision}'; it knows {', '.join(_PRECISIONS)}")
        self.folder = None if folder is None else Path(folder).expanduser()
        self.label = "moss-transcribe-diarize" if folder is None else f"moss:{Path(folder).expanduser().name}"
        self.device, self.threads = device, threads
        self._model: Any = None
        self._processor: Any = None

    def weights(self) -> Sequence[str]:
        return (WEIGHTS,) if self.folder is None else ()

    def missing(self) -> list[str]:
        gaps = [
            f"{self.label} needs the package {name}, which is not installed; {weights.install_hint(name)}"
            for name in ("torch", "transformers")
            if find_spec(name) is None
        ]
        gap = weights.missing(WEIGHTS) if self.folder is None else None
        return [*gaps, *([gap] if gap else [])]

    def identity(self) -> Mapping[str, str]:
        """Label, digest of the weights, precision and version of the library."""
        return {
            "asr": self.label,
            "asr_sha256": "absent" if self.missing() else self._digest(),
            "asr_precision": self.precision,
            "asr_package": f"transformers {version('transformers')}" if find_spec("transformers") else "absent",
        }

    def _digest(self) -> str:
        if self.folder is None:
            return weights.digest(WEIGHTS)
        return weights.digest_of(weights.declared(WEIGHTS), self.folder)

    def load(self) -> None:
        if self._model is not None:
            return
        gaps = self.missing()
        if gaps:
            raise (MissingWeights if find_spec("transformers") else MissingPackage)(gaps[0])
        import torch
        from safetensors import SafetensorError

        try:
            from transformers import AutoProcessor, MossTranscribeDiarizeForConditionalGeneration
        except ImportError as error:
            raise MissingPackage(
                f"{self.label} needs transformers 5.23 or newer, here is {version('transformers')}: pip install -U "
                "transformers"
            ) from error

        folder = str(self.folder or weights.verified(WEIGHTS))
        try:
            self._processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
            kind: Any = MossTranscribeDiarizeForConditionalGeneration
            model, found = kind.from_pretrained(
                folder, dtype=getattr(torch, self.precision), local_files_only=True, output_loading_info=True
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise UserError(f"{self.label} cannot be loaded from {folder}: {str(error).splitlines()[0]}") from error
        strangers = sorted([*found["missing_keys"], *found["unexpected_keys"], *map(str, found["mismatched_keys"])])
        if strangers:
            raise UserError(
                f"{self.label}: {folder} holds another network (for example {strangers[0]}); get the weights again "
                f"with: mova-eval weights fetch {WEIGHTS}"
            )
        self._model = model.eval().to(self.device)

    def transcribe(self, audio: NDArray[np.generic], language: str | None = None) -> Transcript:
        """See `Transcriber.transcribe`. `language` is noted, not forced: the model is asked as the service is."""
        import torch

        self.load()
        wave = as_float(audio)[: LONGEST_SECONDS * RATE]
        if len(wave) == 0:
            raise AsrFailure("asr_no_audio", "there is no sound to transcribe")
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            text = self._generate(wave)
        finally:
            torch.set_num_threads(threads)
        return moss_text(text, model=self.label, language=language)

    def _generate(self, wave: NDArray[np.float32]) -> str:
        import torch

        inputs = self._processor.apply_transcription_request(wave, prompt=MOSS_PROMPT, return_tensors="pt")
        inputs = inputs.to(self._model.device, dtype=self._model.dtype)
        with torch.inference_mode():
            tokens = self._model.generate(
                **inputs, do_sample=False, max_new_tokens=MOSS_SAMPLING["max_new_tokens"], num_beams=1
            )
        said = tokens[0, inputs["input_ids"].shape[1] :]
        return str(self._processor.decode(said, skip_special_tokens=True))


def moss_text(text: str, *, model: str, language: str | None) -> Transcript:
    """Transcript of the model's answer: `[start][S01]text[end]` turns, or `[S01] text` without times.

    Times, which the scoring would take for digits that were said, become those of the segments; the text keeps the
    speaker tags alone. An answer without tags stays as it is.
    """
    segments = []
    for turn in _TURN.finditer(text):
        stamps = _STAMP.findall(turn["text"])
        said = " ".join(_STAMP.sub(" ", turn["text"]).split())
        if said:
            start = _seconds(turn["start"])
            segments.append(
                Segment(said, start, _seconds(stamps[-1] if stamps else None), f"[S{int(turn['speaker']):02d}]")
            )
    if not segments:
        return Transcript(" ".join(_STAMP.sub(" ", text).split()), (), language, model)
    tagged = " ".join(f"{segment.speaker} {segment.text}" for segment in segments)
    return Transcript(tagged, tuple(segments), language, model)


def _seconds(stamp: str | None) -> float | None:
    """Seconds of `7.56`, `1:23` or `01:02:03`."""
    if stamp is None:
        return None
    return sum(float(part) * 60.0**place for place, part in enumerate(reversed(stamp.split(":"))))
