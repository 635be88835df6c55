"""Transcription services: a real HTTP server on this machine that speaks both dialects, and misbehaves on request."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import time
import wave
from collections.abc import Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metrics.asr.base import AsrFailure
from metrics.asr.endpoint import MOSS_PROMPT, Endpoint
from metrics.clip import Clip
from metrics.cpcer import CpCer
from metrics.error_rates import ErrorRates
from metrics.errors import UserError
from metrics.types import Measurement

KEY = "sk-very-secret"
ITEM = {"id": "1", "speech": "[S01] Hello there. [S02] Bye."}


class Service:
    """A transcription service: remembers requests and answers with what it was told, in turn."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.answers: list[tuple[int, str, str]] = []
        self.delay = 0.0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.requests.append({"headers": dict(self.headers), "body": body, "path": self.path})
                time.sleep(service.delay)
                status, kind, text = service.answers[min(len(service.requests), len(service.answers)) - 1]
                content = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/audio/transcriptions"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def says(self, *answers: object) -> None:
        """Answers to give in turn: an object for JSON with 200, or (status, content type, text)."""
        self.answers = [a if isinstance(a, tuple) else (200, "application/json", json.dumps(a)) for a in answers]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    for name in ("CPCER_ASR_API_URL", "CPCER_ASR_MODEL", "MOVA_EVAL_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CPCER_ASR_API_KEY", KEY)
    running = Service()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def clip_file(tmp_path: Path) -> Path:
    """Two seconds of a tone, 48 kHz stereo."""
    tone = (8000 * np.sin(np.arange(96000) * 2 * np.pi * 440 / 48000)).astype("<i2")
    path = tmp_path / "clip.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(np.repeat(tone, 2).tobytes())
    return path


def ask(service: Service, seconds: float = 1.0, language: str | None = "en", **options: Any) -> str:
    options = {"tries": 1, "pause": 0.01, **options}
    return Endpoint(service.url, **options).transcribe(np.zeros(int(16000 * seconds), np.int16), language).text


def wav_of(content: bytes) -> tuple[int, int, int, int]:
    with wave.open(io.BytesIO(content)) as file:
        return file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes()


def test_the_moss_request(service: Service) -> None:
    service.says({"text": "[S01] Hi"})
    assert ask(service, seconds=31.5) == "[S01] Hi"
    sent = service.requests[0]
    body = json.loads(sent["body"])
    head, _, data = body.pop("audio_data").partition(",")
    assert body == {
        "model": "moss-transcribe-diarize",
        "prompt": MOSS_PROMPT,
        "sampling_params": {"max_new_tokens": 1024, "temperature": 0.0, "top_k": 20, "top_p": 1.0},
    }
    assert head == "data:audio/wav;base64"
    assert wav_of(base64.b64decode(data)) == (16000, 1, 2, 30 * 16000)
    assert sent["headers"]["Authorization"] == f"Bearer {KEY}"


def test_the_openai_request(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPCER_ASR_MODEL", "whisper-1")
    monkeypatch.delenv("CPCER_ASR_API_KEY")
    service.says({"text": " Hi there. ", "language": "english", "segments": [{"text": "Hi there.", "start": 0.5}]})
    assert ask(service) == "Hi there."
    sent = service.requests[0]
    message = BytesParser().parsebytes(
        b"Content-Type: " + sent["headers"]["Content-Type"].encode() + b"\n\n" + sent["body"]
    )
    parts = {p.get_param("name", header="content-disposition"): p.get_payload(decode=True) for p in message.walk()}
    assert wav_of(parts["file"]) == (16000, 1, 2, 16000)
    assert parts["model"] == b"whisper-1"
    assert parts["response_format"] == b"verbose_json"
    assert parts["language"] == b"en"
    assert "Authorization" not in sent["headers"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"text": "untagged", "result": "[S01] tagged"}, "[S01] tagged"),
        ({"output": "x [S10] y", "generated_text": "[S01] z"}, "x [S10] y"),
        (
            {"asr_transcription_result": {"segments": [
                {"speaker": "S2", "text": " a "}, {"text": "b"}, {"speaker": "S01", "text": " "},
                {"speaker": "MULTI", "text": "c"}, {"speaker": "spk-S12x", "text": "d"},
            ], "full_text": "no"}},
            "[S02] a [S01] b [MULTI] c [S12] d",
        ),
        ({"asr_transcription_result": {"segments": [], "full_text": "plain"}}, "plain"),
        ({"asr_transcription_result": {"full_text": ""}}, ""),
        ({"text": "only plain"}, "only plain"),
    ],
)  # fmt: skip
def test_the_order_in_which_moss_answers_are_read(service: Service, answer: dict[str, Any], text: str) -> None:
    service.says(answer)
    assert ask(service, dialect="moss") == text


def test_openai_segments_with_speakers_become_tags(service: Service) -> None:
    parts = [("B", "Hello"), ("A", "Hi"), ("B", "Bye")]
    service.says({"text": "Hello Hi Bye", "segments": [{"speaker": s, "text": t} for s, t in parts]})
    assert ask(service, dialect="openai") == "[S01] Hello [S02] Hi [S01] Bye"


@pytest.mark.parametrize("dialect", ["moss", "openai"])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((500, "text/plain", f"kaputt {KEY}"), "http_500"),
        ((404, "text/html", ""), "http_404"),
        ((200, "text/html", "<html>log in</html>"), "asr_not_json"),
        ({}, "asr_no_transcript"),
        ({"status": "queued"}, "asr_no_transcript"),
        ((200, "application/json", "[]"), "asr_no_transcript"),
    ],
)
def test_a_failing_request_fails_its_clip_with_one_sentence(
    service: Service, dialect: str, answer: object, code: str
) -> None:
    service.says(answer)
    with pytest.raises(AsrFailure) as failure:
        ask(service, dialect=dialect, tries=3)
    assert failure.value.code == code
    assert KEY not in failure.value.reason
    assert "\n" not in failure.value.reason
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_everything(service: Service, clip_file: Path, status: int) -> None:
    service.says((status, "text/plain", f"bad key {KEY}"))
    with Clip(clip_file) as clip, pytest.raises(UserError, match="CPCER_ASR_API_KEY") as refused:
        CpCer(asr=f"endpoint:{service.url}").measure(clip, ITEM)
    assert str(status) in str(refused.value)
    assert KEY not in str(refused.value)
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_service_is_asked_again(service: Service, status: int) -> None:
    service.says((status, "text/plain", "busy"), {"text": "[S01] there"})
    assert ask(service, tries=3) == "[S01] there"
    assert len(service.requests) == 2


def test_a_time_out_is_tried_again_and_then_fails(service: Service) -> None:
    service.says({"text": "late"})
    service.delay = 0.6
    with pytest.raises(AsrFailure, match="3 times") as failure:
        ask(service, timeout=0.1, tries=3)
    assert failure.value.code == "asr_timeout"


def test_pauses_between_tries_double(service: Service) -> None:
    service.says((503, "text/plain", "busy"))
    started = time.perf_counter()
    with pytest.raises(AsrFailure):
        ask(service, tries=3, pause=0.1)
    assert 0.3 <= time.perf_counter() - started < 3


def test_nobody_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CPCER_ASR_API_KEY", raising=False)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/x?token=hidden"
        with pytest.raises(AsrFailure) as failure:
            Endpoint(url, tries=2, pause=0.01).transcribe(np.zeros(160, np.int16))
    assert failure.value.code == "asr_unreachable"
    assert "hidden" not in failure.value.reason


@pytest.mark.parametrize(("options", "said"), [({"url": "studio"}, "no address"), ({"dialect": "morse"}, "no dialect")])
def test_wrong_settings_are_named(options: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Endpoint(**options)


def test_no_secret_in_what_is_stored(service: Service) -> None:
    stored = str(Endpoint("https://user:pw@example.org:8443/v1?key=hidden").identity())
    assert "https://example.org:8443/v1" in stored
    assert not any(secret in stored for secret in ("pw", "hidden", KEY))


def cpcer_of(service: Service, clip_file: Path, **options: Any) -> Measurement:
    with Clip(clip_file) as clip:
        return CpCer(asr=f"endpoint:{service.url}", tries=1, **options).measure(clip, ITEM)


def test_cpcer_of_a_clip_through_a_service(service: Service, clip_file: Path) -> None:
    service.says({"text": "[S02] Hello there [S01] by"})
    found = cpcer_of(service, clip_file)
    assert found.scores["cpcer"] == pytest.approx(1 / 13)
    assert found.details["asr"] == "endpoint:moss-transcribe-diarize"
    rate, channels, _, frames = wav_of(base64.b64decode(json.loads(service.requests[0]["body"])["audio_data"][22:]))
    assert (rate, channels) == (16000, 1)
    assert frames == pytest.approx(32000, abs=40)


def test_a_failed_request_is_a_failed_measurement_without_a_score(service: Service, clip_file: Path) -> None:
    service.says((500, "text/plain", "kaputt"))
    found = cpcer_of(service, clip_file)
    assert (found.status, found.code, dict(found.scores)) == ("failed", "http_500", {})
    assert found.reason is not None
    assert "HTTP 500: kaputt" in found.reason
    assert KEY not in str(found)


def test_an_answer_without_tags_is_a_hundred_percent_and_flagged(service: Service, clip_file: Path) -> None:
    service.says({"text": "Hello there bye"})
    found = cpcer_of(service, clip_file)
    assert found.scores["cpcer"] == 1.0
    assert found.flags == ("no_speaker_tags",)


def test_an_answer_without_speakers_is_refused_in_the_openai_dialect(service: Service, clip_file: Path) -> None:
    service.says({"text": "Hello there bye"})
    with pytest.raises(UserError, match="tells speakers apart"):
        cpcer_of(service, clip_file, dialect="openai")


def test_two_metrics_of_one_clip_ask_once(service: Service, clip_file: Path) -> None:
    service.says({"text": "[S01] Hello there [S02] bye"})
    with Clip(clip_file) as clip:
        for metric in (CpCer, ErrorRates):
            found = metric(asr=f"endpoint:{service.url}").measure(clip, ITEM)
            assert set(found.scores.values()) == {0.0}
    assert len(service.requests) == 1


def test_a_clip_without_sound_fails_before_any_request(service: Service, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    service.says({"text": "[S01] a"})
    found = cpcer_of(service, path)
    assert (found.status, found.code) == ("failed", "no_audio_stream")
    assert service.requests == []
