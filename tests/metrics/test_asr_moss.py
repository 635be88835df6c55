"""MOSS Transcribe Diarize on this machine: its loading and request with a little seeded network, and its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from little_moss import save_little_moss
from support import shared_clip, tone

from metrics import Clip, get, weights
from metrics.asr.base import AsrFailure, Segment
from metrics.asr.endpoint import MOSS_PROMPT
from metrics.asr.moss import MossTranscribeDiarize, moss_text
from metrics.asr.specs import transcriber
from metrics.cpcer import cpcer
from metrics.errors import UserError

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_little_moss(tmp_path_factory.mktemp("moss"))


@pytest.mark.parametrize(
    ("answer", "text", "times"),
    [
        (
            "[0.00][S01]Hello there.[1.52][1:02.5][S02]你好，世界。[1:04]",
            "[S01] Hello there. [S02] 你好，世界。",
            [(0.0, 1.52), (62.5, 64.0)],
        ),
        ("[S01] Hello [S2]bye", "[S01] Hello [S02] bye", [(None, None), (None, None)]),
        (
            "[0][S01]It is 3.5 [MULTI] [2]\n[2.1][S01]and 7[3]",
            "[S01] It is 3.5 [MULTI] [S01] and 7",
            [(0, 2), (2.1, 3)],
        ),
        ("no tags [1.2] at all", "no tags at all", []),
        ("[S01] ", "[S01]", []),
        ("", "", []),
    ],
)
def test_answers_lose_their_times_and_keep_their_speakers(
    answer: str, text: str, times: list[tuple[float | None, float | None]]
) -> None:
    transcript = moss_text(answer, model="m", language="en")
    assert transcript.text == text
    assert [(s.start, s.end) for s in transcript.segments] == times


def test_times_would_have_been_errors() -> None:
    reference, answer = "[S01] Hello there.", "[0.00][S01]Hello there.[1.52]"
    assert cpcer(reference, moss_text(answer, model="m", language="en").text).rate == 0
    assert cpcer(reference, answer).rate > 0


def test_the_request_is_the_library_s_with_the_official_words(folder: Path) -> None:
    """The same tokens as `generate` gives on inputs prepared by hand from the processor's parts."""
    import torch
    from transformers import AutoProcessor, MossTranscribeDiarizeForConditionalGeneration

    asr = MossTranscribeDiarize(str(folder))
    wave = tone(2.4, frequency=300.0)
    heard = asr.transcribe(wave)
    processor: Any = AutoProcessor.from_pretrained(folder)
    text = (
        f"<|im_start|>user\n<|audio_start|><|audio_pad|><|audio_end|>{MOSS_PROMPT}<|im_end|>\n<|im_start|>assistant\n"
    )
    inputs = processor(text=text, audio=wave, sampling_rate=16000, return_tensors="pt")
    model: Any = MossTranscribeDiarizeForConditionalGeneration.from_pretrained(folder)
    with torch.inference_mode():
        tokens = model.generate(**inputs, do_sample=False, max_new_tokens=1024)
    said = processor.tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert said.strip()
    assert heard == moss_text(said, model=asr.label, language=None)
    assert asr.transcribe(wave) == heard
    assert asr.transcribe(tone(2.4, frequency=900.0)) != heard  # it listens


def test_only_the_first_thirty_seconds_are_heard(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def generate(self: MossTranscribeDiarize, wave: np.ndarray[Any, Any]) -> str:
        lengths.append(len(wave))
        return "[S01] yes"

    monkeypatch.setattr(MossTranscribeDiarize, "_generate", generate)
    asr = MossTranscribeDiarize(str(folder))
    asr.transcribe(np.zeros(35 * 16000, np.int16))
    assert lengths == [30 * 16000]
    with pytest.raises(AsrFailure, match="no sound"):
        asr.transcribe(np.zeros(0, np.int16))


def test_cpcer_through_it(folder: Path) -> None:
    metric = get("cpcer", asr=f"moss:{folder}")
    with Clip(shared_clip("01083.mp4")) as clip:
        measured = metric.measure(clip, {"id": "1", "speech": "[S01] hello [S02] bye"})
    assert measured.status == "scored"
    assert measured.details["asr"] == f"moss:{folder.name}"
    assert metric.parameters()["asr_sha256"] == weights.digest_of(weights.declared("moss-transcribe-diarize"), folder)
    assert metric.parameters()["asr_precision"] == "float32"


def test_half_precision_is_another_identity(folder: Path) -> None:
    whole, half = MossTranscribeDiarize(str(folder)), MossTranscribeDiarize(str(folder), precision="bfloat16")
    assert whole.identity() != half.identity()
    assert half.transcribe(tone(0.5)).model == half.label


def test_another_network_is_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    state = load_file(folder / "model.safetensors")
    removed = "model.multi_modal_projector.linear_1.weight"
    save_file({k: v for k, v in state.items() if k != removed}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"holds another network \(for example model.multi_modal_projector"):
        MossTranscribeDiarize(str(tmp_path)).load()
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-1000])
    with pytest.raises(UserError, match="cannot be loaded"):
        MossTranscribeDiarize(str(tmp_path)).load()


def test_missing_weights_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    gaps = get("cpcer", asr="moss").missing()
    assert any("get them with: mova-eval weights fetch moss-transcribe-diarize" in gap for gap in gaps)
    with pytest.raises(UserError, match=r"holds no config\.json"):
        transcriber(f"moss:{tmp_path}")
    with pytest.raises(UserError, match="no precision 'int8'"):
        MossTranscribeDiarize(precision="int8")


def test_segments_are_of_their_speakers() -> None:
    assert moss_text("[0][S12]a[1]", model="m", language=None).segments == (Segment("a", 0.0, 1.0, "[S12]"),)
