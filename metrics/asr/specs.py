"""The short strings that name a recogniser: `back-end:model`."""

from __future__ import annotations

from metrics.asr.base import Transcriber
from metrics.errors import UserError

FORMS = (
    "faster-whisper:SIZE", "faster-whisper:FOLDER", "faster-whisper:packaged-tiny.en", "faster-whisper:packaged-base",
    "whisper:SIZE", "whisper:FILE.pt", "endpoint", "endpoint:URL", "moss", "moss:FOLDER", "diarised:WHISPER-SPEC",
)  # fmt: skip


def transcriber(
    spec: str,
    *,
    device: str = "cpu",
    threads: int = 1,
    dialect: str = "auto",
    timeout: float = 180.0,
    tries: int = 3,
    pause: float = 5.0,
) -> Transcriber:
    """The recogniser that a string such as "faster-whisper:large-v3" names, not loaded yet.

    dialect, timeout (s), tries and pause (s) are for endpoints, see `metrics.asr.endpoint.Endpoint`.
    Raises UserError for an unknown back end or model.
    """
    kind, _, rest = spec.strip().partition(":")
    if kind == "endpoint":
        from metrics.asr.endpoint import Endpoint

        return Endpoint(rest or None, dialect=dialect, timeout=timeout, tries=tries, pause=pause)
    if kind == "faster-whisper" and rest:
        from metrics.asr.faster import FasterWhisper

        return FasterWhisper(rest, device=device, threads=threads)
    if kind == "whisper" and rest:
        from metrics.asr.openai_whisper import OpenAiWhisper

        return OpenAiWhisper(rest, device=device)
    if kind == "moss":
        from metrics.asr.moss import MossTranscribeDiarize

        return MossTranscribeDiarize(rest or None, device=device, threads=threads)
    if kind == "diarised" and rest.partition(":")[0] in {"faster-whisper", "whisper"}:
        from metrics.asr.diarised import Diarised

        return Diarised(transcriber(rest, device=device, threads=threads), device=device, threads=threads)
    raise UserError(f"asr='{spec}' names no speech recogniser; write one of: {', '.join(FORMS)}")
