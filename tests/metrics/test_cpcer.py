from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from metrics.clip import Clip
from metrics.cpcer import CpCer, CpCerResult, clean_hypothesis, cpcer
from metrics.errors import UserError
from metrics.requests import language_of, parse_turns
from metrics.text import cpcer_characters
from metrics.types import Measurement, Request, Turn

REFERENCE = "[S01] Hello, world! [S02] 你好，世界。 [S01] Bye"
VECTORS = [
    ("[S02] Hello world bye [S01] 你好世界", 0.0),
    ("[S01] Hello world bye", 23.529412),
    ("[S01] Hello world bye 你好世界", 47.058824),
    ("", 100.0),
    ("[S01] hello world [S02] 你好世界 [S03] bye", 35.294118),
]
LETTERS = st.text("abc", max_size=6)
CONVERSATION = st.dictionaries(st.sampled_from(["S01", "S02", "S03", "S04"]), LETTERS, max_size=4)


def tagged(conversation: dict[str, str]) -> str:
    return " ".join(f"[{speaker}] {text}" for speaker, text in conversation.items())


@pytest.mark.parametrize(("hypothesis", "percent"), VECTORS)
def test_conformance_vectors(hypothesis: str, percent: float) -> None:
    result = cpcer(REFERENCE, hypothesis)
    assert result.length == 17
    assert result.rate * 100 == pytest.approx(percent, abs=1e-6)


def test_speakers_are_paired_so_that_errors_are_fewest() -> None:
    result = cpcer(REFERENCE, "[S02] Hello world bye [S01] 你好世界 [S03] oh")
    assert result.assignment == {"S01": "S02", "S02": "S01"}
    assert result.surplus == ("S03",)
    assert result.errors == 2
    assert cpcer(REFERENCE, "[S01] Hello world bye").assignment == {"S01": "S01", "S02": None}


def test_a_hypothesis_without_tags_counts_as_empty() -> None:
    assert cpcer(REFERENCE, "Hello, world! 你好，世界。 Bye").errors == 17


def test_a_reference_without_tags_is_refused() -> None:
    with pytest.raises(ValueError, match="no speaker tag"):
        cpcer("Hello", "[S01] Hello")


def test_an_empty_reference_has_errors_but_no_rate() -> None:
    result = cpcer("", "[S01] hey")
    assert (result.errors, result.length) == (3, 0)
    assert result.rate != result.rate


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("<|zh|>[S01] a <b>c</b>", "[S01] a c"),
        ("noise before [s01] a [S02]b", "[S01] a [S02]b"),
        ("[MULTI] gone [S01] a [MULTI] b", "[S01] a [MULTI] b"),
        ("no tag at all", ""),
        ("[S01]\n a\t\u3000b", "[S01] a b"),
    ],
)
def test_clean_hypothesis(raw: str, clean: str) -> None:
    assert clean_hypothesis(raw) == clean


def test_multi_survives_as_letters_in_the_previous_speakers_text() -> None:
    assert cpcer("[S01] a b", "[S01] a [MULTI] b").errors == len("multi")


def test_turns_and_mappings_are_taken_as_well() -> None:
    turns = [Turn("Anna", "Hello, world!"), Turn("Bob", "你好，世界。"), Turn("Anna", "Bye")]
    spoken = {"x": "Hello world bye", "y": "你好世界"}
    assert cpcer(turns, spoken) == CpCerResult(0, 17)
    assert cpcer(turns, spoken).assignment == {"Anna": "x", "Bob": "y"}


@given(CONVERSATION)
def test_a_conversation_equals_itself(conversation: dict[str, str]) -> None:
    assert cpcer(conversation, conversation).errors == 0


@given(CONVERSATION, CONVERSATION, st.permutations(["S01", "S02", "S03", "S04"]))
def test_names_of_speakers_do_not_matter(
    reference: dict[str, str], hypothesis: dict[str, str], names: list[str]
) -> None:
    renamed = {names[int(speaker[1:]) - 1]: text for speaker, text in hypothesis.items()}
    assert cpcer(tagged(reference), tagged(renamed)) == cpcer(tagged(reference), tagged(hypothesis))


@given(CONVERSATION, CONVERSATION)
@settings(deadline=None)
def test_equals_the_minimum_over_all_permutations(reference: dict[str, str], hypothesis: dict[str, str]) -> None:
    size = max(len(reference), len(hypothesis))
    wanted = [*reference.values()] + [""] * (size - len(reference))
    heard = [*hypothesis.values()] + [""] * (size - len(hypothesis))
    fewest = min(
        sum(Levenshtein.distance(w, h) for w, h in zip(wanted, order, strict=True)) for order in permutations(heard)
    )
    result = cpcer(reference, hypothesis)
    assert result.errors == fewest
    paired = sum(
        Levenshtein.distance(text, hypothesis[result.assignment[speaker] or ""] if result.assignment[speaker] else "")
        for speaker, text in reference.items()
    )
    assert paired + sum(len(hypothesis[speaker]) for speaker in result.surplus) == result.errors


@given(st.lists(st.tuples(CONVERSATION, CONVERSATION), min_size=1, max_size=4))
def test_results_add_up_by_their_counts(pairs: list[tuple[dict[str, str], dict[str, str]]]) -> None:
    results = [cpcer(*pair) for pair in pairs]
    total = sum(results)
    assert isinstance(total, CpCerResult)
    assert total.errors == sum(r.errors for r in results)
    assert total.length == sum(r.length for r in results)


def test_more_than_a_hundred_speakers_are_paired_in_order() -> None:
    reference = {f"S{n:03d}": chr(0x4E00 + n) for n in range(101)}
    swapped = dict(zip(reversed(reference), reference.values(), strict=True))
    in_order = {f"x{n}": text for n, text in enumerate(reference.values())}
    backwards = {f"x{n}": text for n, text in enumerate(reversed(reference.values()))}
    assert cpcer(reference, in_order).errors == 0
    assert cpcer(reference, backwards).errors == 100  # the one in the middle meets itself
    assert cpcer(reference, swapped).errors == 0


@given(CONVERSATION.filter(lambda c: any(c.values())), CONVERSATION.filter(lambda c: any(c.values())))
@settings(max_examples=40, deadline=None)
def test_agrees_with_meeteval(reference: dict[str, str], hypothesis: dict[str, str]) -> None:
    word_error_rate = pytest.importorskip("meeteval.wer")
    spaced = [{name: " ".join(text) for name, text in side.items()} for side in (reference, hypothesis)]
    oracle = word_error_rate.cp_word_error_rate(*spaced)
    result = cpcer(reference, hypothesis)
    assert (result.errors, result.length) == (oracle.errors, oracle.length)


def test_the_published_references() -> None:
    from tests.support import shared_data

    file = Path(shared_data()) / "mybench_multi_speaker_references.txt"
    if not file.is_file():
        pytest.skip("no multi-speaker references here")
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    conversations = [parse_turns(line) for line in lines]
    speakers = [len({turn.speaker for turn in turns}) for turns in conversations]
    assert (len(lines), speakers.count(2), speakers.index(3)) == (27, 26, 12)
    languages = [language_of(line.replace("[S0", "")) for line in lines]
    assert (languages.count("zh"), languages.count("en")) == (13, 14)
    corpus = sum(cpcer(line, line) for line in lines)
    assert corpus == CpCerResult(0, 1337)
    assert sum(len(cpcer_characters(turn.text)) for turns in conversations for turn in turns) == 1337


class TestMetric:
    ITEM = Request(id="7", speech=(Turn("Anna", "Hello, world!"), Turn("Bob", "Bye")), language="en")

    def measure(self, tmp_path: Path, **options: Any) -> Measurement:
        with Clip(tmp_path / "none.mp4") as clip:
            return CpCer(**options).measure(clip, self.ITEM)

    def test_a_given_transcript_needs_no_clip(self, tmp_path: Path) -> None:
        found = self.measure(tmp_path, transcript="[S01] by [S02] hello world")
        assert found.status == "scored"
        assert found.scores["cpcer"] == pytest.approx(1 / 13)
        assert (found.counts["cpcer"].numerator, found.counts["cpcer"].denominator) == (1, 13)
        assert found.details["assignment"] == {"Anna": "S02", "Bob": "S01"}
        assert found.details["reference"] == "[Anna] Hello, world! [Bob] Bye"
        assert found.flags == ()

    @pytest.mark.parametrize(
        ("transcript", "flag"), [("Hello world bye", "no_speaker_tags"), ("", "no_speech_detected")]
    )
    def test_an_untagged_transcript_counts_as_empty_and_is_flagged(
        self, tmp_path: Path, transcript: str, flag: str
    ) -> None:
        found = self.measure(tmp_path, transcript=transcript)
        assert found.scores["cpcer"] == 1.0
        assert found.flags == (flag,)

    def test_one_speaker_is_not_applicable(self, tmp_path: Path) -> None:
        with Clip(tmp_path / "none.mp4") as clip:
            found = CpCer(transcript="[S01] a").measure(clip, {"speech": "[S01] a [S01] b"})
        assert (found.status, found.code) == ("not_applicable", "one_speaker")

    def test_a_reference_of_punctuation_only_is_not_applicable(self, tmp_path: Path) -> None:
        with Clip(tmp_path / "none.mp4") as clip:
            found = CpCer(transcript="[S01] a").measure(clip, {"speech": "[S01] ... [S02] !"})
        assert (found.status, found.code) == ("not_applicable", "empty_reference")

    def test_an_asr_that_cannot_tell_speakers_apart_is_refused(self, tmp_path: Path) -> None:
        metric = CpCer(asr="faster-whisper:packaged-tiny.en")
        assert any("tells speakers apart" in gap for gap in metric.missing())
        with pytest.raises(UserError, match="tells speakers apart"):
            metric.load()

    def test_without_a_key_the_official_service_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("CPCER_ASR_API_KEY", "CPCER_ASR_API_URL", "MOVA_EVAL_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        assert ["CPCER_ASR_API_KEY" in gap for gap in CpCer().missing()] == [True]
        monkeypatch.setenv("CPCER_ASR_API_KEY", "secret-value")
        metric = CpCer()
        assert metric.missing() == []
        assert "secret-value" not in str(metric.parameters())
        monkeypatch.setenv("MOVA_EVAL_OFFLINE", "1")
        assert ["MOVA_EVAL_OFFLINE" in gap for gap in CpCer().missing()] == [True]
