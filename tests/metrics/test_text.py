from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.text import (
    cer_characters,
    cpcer_characters,
    english_words,
    fold,
    strip_speaker_label,
    strip_tags,
    verse_bench_hypothesis,
    verse_bench_reference,
)
from metrics.text.characters import CPCER_PUNCTUATION, to_numerals


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World!", "helloworld"),
        ("a\tb\r\nc d", "abcd"),
        ("「你好」，《世界》……（好）", "你好世界（好）"),
        ("it\u2019s \u201cfine\u201d", "itsfine"),
        ("a:b;c~d/e%f&g", "a:b;c~d/e%f&g"),
        ("2\u20133 \u2014 \uff5e", "2\u20133"),
        ("\uff21\uff11", "\uff41\uff11"),
        ("臺灣", "臺灣"),
        ("[MULTI]", "multi"),
        ("a\u3000b\u00a0c", "a\u3000b\u00a0c"),
    ],
)
def test_cpcer_deletes_its_own_list_and_nothing_else(text: str, expected: str) -> None:
    assert cpcer_characters(text) == expected


def test_cpcer_deletes_46_punctuation_marks() -> None:
    assert len(CPCER_PUNCTUATION) == 46
    assert cpcer_characters("".join(CPCER_PUNCTUATION)) == ""
    assert cpcer_characters(string.punctuation) == "#$%&*+/:;<=>@\\^_`~"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("non\u2011breaking \u2018q\u2019 \u201cd\u201d wait\u2026", "non-breaking 'q' \"d\" wait..."),
        ("\uff28\uff49\u3000\uff01", "Hi !"),
        ("  a \n b  ", "a b"),
    ],
)
def test_fold(text: str, expected: str) -> None:
    assert fold(text) == expected


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Speaker1: Nicole overcame", "Nicole overcame"),
        (" speaker 12：你好", "你好"),
        ("The Speaker1: no", "The Speaker1: no"),
        ("Speakers: no", "Speakers: no"),
    ],
)
def test_speaker_labels_are_not_spoken(text: str, expected: str) -> None:
    assert strip_speaker_label(text) == expected


def test_tags_and_markup_are_not_spoken() -> None:
    assert strip_tags("<|en|>[S01] Hi [s02]there [MULTI] all [sic]") == "Hi there all [sic]"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I have been here for over 30 years.", "i've been here for over thirty years"),
        ("What on God\u2019s green earth?", "what on god's green earth"),
        ("So\u2011called superheroes\u2026", "so called superheroes"),
        ("Yeah\u2026 everything about this... place", "yeah, everything about this place"),
        ("The colour of, um, money", "the color of money"),
        ("It costs $20", "it costs twenty dollars"),
    ],
)
def test_english_spellings_of_the_same_words(one: str, other: str) -> None:
    assert english_words(one) == english_words(other) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("今晚8点在腾讯视频首播。", "今晚八點在騰訊視頻首播"),
        ("但在2022年", "但在二零二二年"),
        ("跨越101是理想的基准", "跨越一百零一是理想的基准"),
        ("1,000,000人，50％", "一百万人百分之五十"),
        ("电话13800138000", "电话一三八零零一三八零零零"),
        ("汇聚Hedra中；MP3", "匯聚 hedra 中 mp3"),
        ("３．５米", "三点五米"),
    ],
)
def test_chinese_spellings_of_the_same_characters(one: str, other: str) -> None:
    assert cer_characters(one, "zh") == cer_characters(other, "zh") != ""


def test_english_characters_keep_digits_and_lose_symbols() -> None:
    assert cer_characters("Shade 95: it\u2019s \u266a 5% \uff08ok\uff09", "en") == "shade95its5ok"
    assert cer_characters("臺灣 8", "en") == "臺灣8"


@given(st.integers(0, 99_999_999))
def test_no_digit_is_left_in_chinese_numbers(number: int) -> None:
    assert not any(c.isdigit() and c.isascii() for c in to_numerals(f"有{number}个"))


@given(st.text())
def test_characters_of_characters_are_the_same(text: str) -> None:
    once = cer_characters(text, "en")
    assert cpcer_characters(cpcer_characters(text)) == cpcer_characters(text)
    assert " " not in once
    assert not set(once) & set(string.punctuation)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("...!?", ""), ("", ""), (" Hello, You. ", "hello, you."), ("。", "。"), (". .", ". .")],
)
def test_verse_bench_hypothesis(raw: str, expected: str) -> None:
    assert verse_bench_hypothesis(raw) == expected


def test_verse_bench_reference_keeps_punctuation() -> None:
    assert verse_bench_reference(" ...OK! ") == "...ok!"
