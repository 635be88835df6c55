"""The light diariser and the recogniser made with it: embeddings, turns, speakers, transcripts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support import shared_clip

from metrics import Clip, get, weights
from metrics.asr import speakers
from metrics.asr.base import Transcriber, Transcript
from metrics.asr.diarised import Diarised
from metrics.asr.specs import transcriber
from metrics.errors import UserError

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(weights.missing("speaker-ge2e") is not None, reason="Resemblyzer is not installed")


@pytest.fixture(scope="module")
def encoder() -> speakers.SpeakerEncoder:
    return speakers.SpeakerEncoder.from_weights()


def speech(name: str) -> NDArray[np.float32]:
    with Clip(shared_clip(name)) as clip:
        return clip.audio(rate=16000, layout="mono").samples.ravel().astype(np.float32)


@pytest.mark.parametrize("name", ["01083.mp4", "talking_woman.mp4", "00000.mp4"])
def test_embeddings_are_those_of_resemblyzer(
    name: str, encoder: speakers.SpeakerEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its `embed_utterance` averages over windows of 1.6 s; one such window is one pass of the network."""
    monkeypatch.setitem(sys.modules, "scipy.ndimage.morphology", scipy.ndimage)  # a name that scipy has dropped
    resemblyzer = pytest.importorskip("resemblyzer")
    wave = speech(name)[8000 : 8000 + 160 * 159]  # 160 frames
    theirs = resemblyzer.VoiceEncoder("cpu", verbose=False).embed_utterance(wave)
    np.testing.assert_allclose(encoder.embed(wave), theirs, atol=2e-6)


def test_another_network_is_refused() -> None:
    with pytest.raises(UserError, match="those of another network"):
        speakers.SpeakerEncoder({"lstm.weight_ih_l0": None})


def test_quiet_speech_is_raised_and_loud_speech_left(encoder: speakers.SpeakerEncoder) -> None:
    wave = speech("01083.mp4")
    raised = speakers.raised_to_level(0.01 * wave, [(0, len(wave))])
    assert 20 * np.log10(np.sqrt(np.mean(raised.astype(np.float64) ** 2))) == pytest.approx(-30, abs=0.01)
    assert np.array_equal(speakers.raised_to_level(wave, [(0, len(wave))]), wave)
    silent = np.zeros(16000, np.float32)
    assert np.array_equal(speakers.raised_to_level(silent, [(0, 16000)]), silent)
    assert speakers.turns_of(silent, encoder) == []


@pytest.mark.parametrize("name", ["01083.mp4", "talking_woman.mp4"])
def test_one_real_voice_is_one_speaker(name: str, encoder: speakers.SpeakerEncoder) -> None:
    turns = speakers.turns_of(speech(name), encoder)
    assert {turn.speaker for turn in turns} == {0}


def two_voices() -> list[NDArray[np.float32]]:
    """A man and a woman, 1.5 s and 3 s. (Other real voices are nearer to one another than to themselves.)"""
    return [speech("00000.mp4")[49600:73600], speech("talking_woman.mp4")[:48000]]


def test_two_real_voices_are_two(encoder: speakers.SpeakerEncoder) -> None:
    one, other = two_voices()
    turns = speakers.turns_of(np.concatenate([one, other, one]), encoder)
    assert [turn.speaker for turn in turns] == [0, 1, 0]
    assert turns[1].start == pytest.approx(24000, abs=8000)
    assert turns[1].end == pytest.approx(72000, abs=8000)


@given(
    owners=st.lists(st.integers(0, 3), min_size=1, max_size=9),
    lengths=st.lists(st.integers(1000, 40000), min_size=9, max_size=9),
)
def test_clear_voices_are_told_apart_in_order_of_appearance(owners: list[int], lengths: list[int]) -> None:
    rng = np.random.default_rng(7)
    voices = np.eye(4, 256) + 0.02 * rng.random((4, 256))
    pieces = [(voices[o] / np.linalg.norm(voices[o])).astype(np.float32) for o in owners]
    order = {owner: place for place, owner in enumerate(dict.fromkeys(owners))}
    assert speakers.clustered(pieces, lengths[: len(pieces)]) == [order[owner] for owner in owners]


class Counting(Transcriber):
    """Says how long each piece is."""

    label = "counting"

    def missing(self) -> list[str]:
        return []

    def identity(self) -> dict[str, str]:
        return {"asr": self.label, "asr_sha256": "0"}

    def transcribe(self, audio: NDArray[np.generic], language: str | None = None) -> Transcript:
        return Transcript(f"{len(audio) / 16000:.0f} seconds", language=language, model=self.label)


def test_each_turn_is_transcribed_for_itself() -> None:
    asr = Diarised(Counting())
    heard = asr.transcribe(np.concatenate(two_voices()), "en")
    assert [segment.speaker for segment in heard.segments] == ["[S01]", "[S02]"]
    assert heard.text.startswith("[S01] 1 seconds [S02] ")
    assert heard.model == "diarised:counting"
    assert asr.transcribe(np.zeros(16000, np.int16)).text == ""
    assert asr.identity()["asr_diariser"].startswith("ge2e 1 39373b86598f")
    assert asr.weights() == ("speaker-ge2e",)


def test_dialogues_of_the_truth_clips(tmp_path: Path) -> None:
    """Synthetic voices, turns of 0.5 to 1.7 s, pauses of 0.3 s: no error is left."""
    from mova_eval.mini import items
    from mova_eval.mini.render import left_out, render_truth

    if left_out(["m09", "m11"]) or get("cpcer", asr="diarised:faster-whisper:packaged-base").missing():
        pytest.skip("the voice or the packaged recogniser is not installed")
    metric = get("cpcer", asr="diarised:faster-whisper:packaged-base", threads=1)
    asked = {item["id"]: item for item in items()}
    for path in render_truth(tmp_path, subset=["m09", "m11"]):
        item = asked[path.stem]
        with Clip(path) as clip:
            measured = metric.measure(clip, {"id": path.stem, "speech": item["speech"], "language": "en"})
        assert measured.scores == {"cpcer": 0.0}, measured.details
        assert measured.details["asr"] == "diarised:faster-whisper:packaged-base"


def test_what_can_be_diarised() -> None:
    asr = transcriber("diarised:faster-whisper:packaged-base")
    assert asr.tells_speakers
    assert asr.weights() == ("whisper-base-part1", "whisper-base-part2", "speaker-ge2e")
    for spec in ("diarised", "diarised:", "diarised:endpoint", "diarised:moss", "diarised:faster-whisper"):
        with pytest.raises(UserError, match="asr='"):
            transcriber(spec)
