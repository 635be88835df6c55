from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.clip import Clip
from metrics.edit_distance import edits
from metrics.error_rates import ErrorRates
from metrics.errors import UserError
from metrics.types import Measurement, Need, Request, Turn

ENGLISH = "I\u2019ve been doing this for over 30 years."
CHINESE = "好消息！今晚8点首播。"


def measure(speech: str | tuple[Turn, ...], transcript: str, **options: Any) -> Measurement:
    """Of a file that is not there: with a transcript given, nobody opens it."""
    item = Request(id="1", speech=speech) if isinstance(speech, tuple) else {"id": "1", "speech": speech}
    with Clip("not-there.mp4") as clip:
        return ErrorRates(transcript=transcript, **options).measure(clip, item)


def test_english_has_words_and_characters() -> None:
    found = measure(ENGLISH, "i have been doing that for over thirty years")
    assert found.scores["wer"] == pytest.approx(1 / 9)
    assert found.counts["wer"].denominator == 9
    assert found.counts["cer"].denominator == len("ivebeendoingthisforover30years")
    assert found.details["language"] == "en"
    assert found.details["edits"]["wer"] == {"substitutions": 1, "deletions": 0, "insertions": 0, "reference": 9}
    assert found.details["asr"] == "given transcript"
    assert "left_out" not in found.details


def test_chinese_has_characters_only_and_says_why() -> None:
    found = measure(CHINESE, "好消息今晚八點首播")
    assert found.scores == {"cer": 0.0}
    assert found.counts["cer"].denominator == len("好消息今晚八点首播")
    assert "wer" in found.details["left_out"]


def test_latin_words_of_a_mixed_line_are_scored_by_letters() -> None:
    found = measure("汇聚在Hedra中", "汇聚在hydra中")
    assert found.counts["cer"].denominator == 9
    assert found.counts["cer"].numerator == 1
    assert "wer" not in found.scores


def test_an_empty_transcript_is_a_score_and_flagged() -> None:
    found = measure(ENGLISH, " ")
    assert found.scores == {"wer": 1.0, "cer": 1.0}
    assert found.flags == ("no_speech_detected",)
    assert found.details["edits"]["wer"]["deletions"] == 9


def test_rates_above_one_are_not_clipped() -> None:
    assert measure("no", "not at all my dear").scores["wer"] == 5.0


def test_labels_and_tags_are_not_scored() -> None:
    turns = (Turn("x", "Speaker1: Hello there."), Turn("y", "Speaker2: Bye."))
    found = measure(turns, "[S01] Hello there [S02] bye")
    assert found.scores == {"wer": 0.0, "cer": 0.0}
    assert found.details["reference"] == "Hello there. Bye."


def test_a_reference_of_fillers_has_characters_only() -> None:
    found = measure("Hmm.", "hmm")
    assert found.scores == {"cer": 0.0}
    assert "normalisation" in found.details["left_out"]["wer"]


def test_a_reference_of_punctuation_is_not_applicable() -> None:
    found = measure("...", "hello")
    assert (found.status, found.code) == ("not_applicable", "empty_reference")


def test_no_speech_asked_for_is_not_applicable() -> None:
    with Clip("not-there.mp4") as clip:
        found = ErrorRates(transcript="hello").measure(clip, {"prompt": "a cat"})
    assert (found.status, found.code) == ("not_applicable", "no_speech")


@pytest.mark.parametrize(
    ("reference", "transcript", "rate"),
    [
        ("Hello, World!", " hello, world! ", 0.0),
        ("Hello, World!", "Hello World", 1.0),
        ("Hello, World!", "...", 1.0),
        ("你好，世界。", "你好，世界。", 0.0),
        ("你好，世界。", "你好世界", 1.0),
        ("你好", "你 好", 2.0),
        ("Speaker1: Hi", "Hi", 0.5),
        ("a b c", "a  b   c d", 1 / 3),
    ],
)
def test_verse_bench_words_are_whatever_stands_between_blanks(reference: str, transcript: str, rate: float) -> None:
    found = measure(reference, transcript, protocol="verse-bench")
    assert found.scores == {"wer": pytest.approx(rate)}
    assert found.details["compat"] == {"wer": pytest.approx(rate)}
    assert found.counts["wer"].value == pytest.approx(rate)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8)


@given(WORDS.filter(bool), WORDS)
def test_edit_counts_agree_with_jiwer(reference: list[str], hypothesis: list[str]) -> None:
    ours = edits(reference, hypothesis)
    oracle = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    assert ours.errors == oracle.substitutions + oracle.deletions + oracle.insertions
    assert ours.errors / ours.length == pytest.approx(oracle.wer)


@given(st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_edit_counts_explain_the_lengths(reference: str, hypothesis: str) -> None:
    found = edits(reference, hypothesis)
    assert len(reference) - found.deletions + found.insertions == len(hypothesis)
    assert found.errors == edits(hypothesis, reference).errors


class TestStoredTranscripts:
    def run(self, path: Path, item: str = "1") -> Measurement:
        with Clip("not-there.mp4") as clip:
            return ErrorRates(transcripts=path).measure(clip, {"id": item, "speech": "hello there"})

    @pytest.mark.parametrize(
        "content",
        [
            '{"1": "hello here", "2": "x"}',
            '{"1": {"text": "hello here"}, "2": {"text": ""}}',
            '[{"id": "1", "text": "hello here"}]',
            '{"id": "1", "text": "hello here"}',
            '{"id": "1", "text": "hello here"}\n\n{"item": "2", "hypothesis": "x"}\n',
            '{"item": "1", "metric": "rms", "details": {}}\n'
            '{"item": "1", "metric": "wer", "status": "scored", "details": {"hypothesis": "hello here"}}\n'
            '{"item": "1", "metric": "cpcer", "status": "scored", "details": {"hypothesis": "[S01] other"}}\n',
        ],
    )
    def test_every_form_of_file(self, tmp_path: Path, content: str) -> None:
        file = tmp_path / "run7.json"
        file.write_text(content, encoding="utf-8")
        found = self.run(file)
        assert found.scores["wer"] == 0.5
        assert found.details["asr"] == "stored:run7"

    def test_an_item_without_a_transcript_fails_alone(self, tmp_path: Path) -> None:
        file = tmp_path / "t.json"
        file.write_text('{"1": "hello there"}')
        found = self.run(file, item="2")
        assert (found.status, found.code) == ("failed", "no_transcript")
        assert found.reason is not None
        assert "'2'" in found.reason

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ('{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}', "line 2: a second, different text of item '1'"),
            ('{"id": "1", "text": "a"}\n{oops', "line 2: not JSON"),
            ('{"id": "1"}\n{"id": "2"}', "line 1: item '1' has no text"),
            ('[{"text": "a"}]', "entry 1: no object with an id"),
            ('{"1": 5}', "item '1' has no text, but int"),
        ],
    )
    def test_mistakes_are_named_with_their_place(self, tmp_path: Path, content: str, said: str) -> None:
        file = tmp_path / "t.jsonl"
        file.write_text(content)
        with pytest.raises(UserError, match=said):
            self.run(file)

    def test_a_missing_file_is_said_before_anything_runs(self, tmp_path: Path) -> None:
        metric = ErrorRates(transcripts=tmp_path / "none.json")
        assert ["none.json" in gap for gap in metric.missing()] == [True]
        assert metric.parameters()["transcripts_sha256"] == "absent"

    def test_the_key_depends_on_the_content_not_on_the_path(self, tmp_path: Path) -> None:
        found = []
        for folder, text in (("a", "x"), ("b", "x"), ("c", "y")):
            file = tmp_path / folder / "t.json"
            file.parent.mkdir()
            file.write_text(json.dumps({"1": text}))
            found.append(ErrorRates(transcripts=file).parameters())
        assert found[0] == found[1] != found[2]


class TestOptions:
    def test_two_sources_at_once_are_refused(self) -> None:
        with pytest.raises(UserError, match="not both"):
            ErrorRates(transcript="a", transcripts="b.json")

    @pytest.mark.parametrize("asr", ["siri", "faster-whisper", "faster-whisper:huge", "whisper:huge", "whisper"])
    def test_unknown_recognisers_are_refused_with_a_list(self, asr: str) -> None:
        with pytest.raises(UserError, match=r"one of|SIZE"):
            ErrorRates(asr=asr)

    def test_audio_is_needed_for_recognition_only(self) -> None:
        assert Need.AUDIO in ErrorRates(asr="faster-whisper:tiny.en").needs_used()
        assert Need.AUDIO not in ErrorRates(transcript="a").needs_used()

    def test_waiting_times_are_no_parameters(self) -> None:
        assert ErrorRates(transcript="a", tries=1).parameters() == ErrorRates(transcript="a", tries=9).parameters()
        assert ErrorRates(transcript="a").parameters() != ErrorRates(transcript="b").parameters()
