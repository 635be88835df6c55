"""Speech recognition by an HTTP service, in two dialects.

"moss": one JSON request in the manner of MOSS Transcribe Diarize, answered by text with speaker tags; this is what the
MOVA evaluation toolkit uses for cpCER. "openai": the multipart request of OpenAI's `/v1/audio/transcriptions`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from metrics.asr import hub
from metrics.asr.answers import moss_transcript, openai_transcript
from metrics.asr.base import RATE, AsrFailure, Transcriber, Transcript, as_int16
from metrics.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import requests
    from numpy.typing import NDArray

DEFAULT_URL = "https://studio.mosi.cn/api/v1/audio/transcriptions"
DEFAULT_MODEL = "moss-transcribe-diarize"
MOSS_PROMPT = "转录为文本，使用 [S01] [S02] [MULTI]等说话人标签。"
"""The instruction of the official tool. In a field called `text` it would be a hint, and the service not diarise."""
MOSS_SAMPLING: Mapping[str, float | int] = {"max_new_tokens": 1024, "temperature": 0.0, "top_k": 20, "top_p": 1.0}
LONGEST_SECONDS = 30
"""The official tool sends no more than this much of a clip."""
DIALECTS = ("auto", "moss", "openai")
_WORTH_ANOTHER_TRY = frozenset({429, 502, 503, 504})


class Endpoint(Transcriber):
    """An HTTP transcription service.

    url: default `CPCER_ASR_API_URL`, else the service of the official tool. The bearer token comes from
    `CPCER_ASR_API_KEY` (never shown, never stored), the model's name from `CPCER_ASR_MODEL`. dialect: "moss", "openai"
    or "auto" (moss if the model's name holds "moss"). timeout: seconds per request; tries: how often a request that
    times out, finds no server or is answered with 429, 502, 503 or 504 is sent; pause: seconds before the second try,
    doubled before each further one.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        dialect: str = "auto",
        timeout: float = 180.0,
        tries: int = 3,
        pause: float = 5.0,
    ) -> None:
        """Raises UserError for an unknown dialect or an address that is not http(s)."""
        if dialect not in DIALECTS:
            raise UserError(f"endpoint: no dialect '{dialect}', it speaks {', '.join(DIALECTS)}")
        self.url = url or os.environ.get("CPCER_ASR_API_URL") or DEFAULT_URL
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UserError(f"endpoint: '{_public(self.url)}' is no address; write asr=endpoint:https://HOST/PATH")
        self.model = os.environ.get("CPCER_ASR_MODEL") or DEFAULT_MODEL
        chosen = "moss" if "moss" in self.model.lower() else "openai"
        self.dialect = chosen if dialect == "auto" else dialect
        self.tells_speakers = True if self.dialect == "moss" else None
        self.label = f"endpoint:{self.model}"
        self.timeout, self.tries, self.pause = timeout, max(1, tries), pause

    def missing(self) -> list[str]:
        host = urlsplit(self.url).hostname
        if hub.suite_offline() and host not in {"localhost", "127.0.0.1", "::1"}:
            return [f"asr=endpoint needs the network for {host}, and MOVA_EVAL_OFFLINE switches it off"]
        if self.url == DEFAULT_URL and not _key():
            return [
                f"asr=endpoint needs a key for {host}: set CPCER_ASR_API_KEY, or set CPCER_ASR_API_URL to a service "
                "of your own"
            ]
        return []

    def identity(self) -> Mapping[str, str]:
        """Label, address without credentials and query, dialect: a service's version is not known to us."""
        return {"asr": self.label, "asr_url": _public(self.url), "asr_dialect": self.dialect}

    def transcribe(self, audio: NDArray[np.generic], language: str | None = None) -> Transcript:
        """See `Transcriber.transcribe`; only the first 30 s of audio are sent.

        Raises AsrFailure for a failing request, UserError for a refused key (401, 403).
        """
        wave = wave_bytes(as_int16(audio)[: LONGEST_SECONDS * RATE])
        answer = _json(self._ask(wave, language))
        read = moss_transcript if self.dialect == "moss" else openai_transcript
        return read(answer, model=self.label, language=language)

    def _request(self, wave: bytes, language: str | None) -> dict[str, Any]:
        if self.dialect == "moss":
            import base64

            data = "data:audio/wav;base64," + base64.b64encode(wave).decode("ascii")
            sampling = dict(MOSS_SAMPLING)
            return {
                "json": {
                    "model": self.model, "prompt": MOSS_PROMPT, "audio_data": data, "sampling_params": sampling,
                }
            }  # fmt: skip
        fields = {"model": self.model, "response_format": "verbose_json", "temperature": "0"}
        if language:
            fields["language"] = language
        return {"data": fields, "files": {"file": ("clip.wav", wave, "audio/wav")}}

    def _ask(self, wave: bytes, language: str | None) -> requests.Response:
        """Send the request until there is an answer; raises AsrFailure or UserError for anything but 200."""
        import requests

        key = _key()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        for attempt in range(1, self.tries + 1):
            try:
                answer = requests.post(self.url, headers=headers, timeout=self.timeout, **self._request(wave, language))
            except requests.Timeout:
                failure = AsrFailure(
                    "asr_timeout", f"{_public(self.url)} did not answer within {self.timeout:g} s, {attempt} times"
                )
            except requests.RequestException as error:
                failure = AsrFailure(
                    "asr_unreachable", f"{_public(self.url)} cannot be asked: {type(error).__name__}, {attempt} times"
                )
            else:
                if answer.status_code == 200:
                    return answer
                failure = self._refused(answer, key)
                if answer.status_code not in _WORTH_ANOTHER_TRY:
                    raise failure
            if attempt < self.tries:
                time.sleep(self.pause * 2 ** (attempt - 1))
        raise failure

    def _refused(self, answer: requests.Response, key: str | None) -> AsrFailure:
        status = answer.status_code
        if status in {401, 403}:
            hint = "is it right for this service?" if key else "the service wants one"
            raise UserError(f"{_public(self.url)} refused the request (HTTP {status}): check CPCER_ASR_API_KEY, {hint}")
        said = " ".join(answer.text.split())[:120]
        if key:
            said = said.replace(key, "[key]")
        return AsrFailure(
            f"http_{status}", f"{_public(self.url)} answered HTTP {status}" + (f": {said}" if said else "")
        )


def wave_bytes(samples: NDArray[np.int16]) -> bytes:
    """A WAV file, 16-bit mono 16 kHz, of int16 samples [n]."""
    import io
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError as error:
        kind = answer.headers.get("Content-Type", "no content type")
        raise AsrFailure("asr_not_json", f"{_public(answer.url)} answered {kind} instead of JSON") from error
    if not isinstance(content, dict) or not content:
        raise AsrFailure("asr_no_transcript", f"{_public(answer.url)} answered JSON without a transcript")
    return content


def _key() -> str | None:
    return os.environ.get("CPCER_ASR_API_KEY") or None


def _public(url: str) -> str:
    """An address without user, password, query and fragment, in which people keep secrets."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}" if parts.scheme else parts.path
