"""Items: derived fields, what metrics get to see, digests, text rules."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from metrics.errors import UserError
from mova_eval.benchmarks import Item, content_sha256, fits_duration, fold, media_sha256, speaking_seconds
from mova_eval.benchmarks.hashing import canonical_item
from mova_eval.benchmarks.text import clean_audio_prompts, clean_prompt, clean_speech


def an_item(**values: Any) -> Item:
    return Item.model_validate({"id": "a", "set": "s", **values})


def test_decimal_ids_are_padded_and_keep_the_published_form_as_alias() -> None:
    item = an_item(id="23")
    assert (item.id, item.aliases) == ("00000023", ("23",))
    assert an_item(id="clip_00ff00ff").id == "clip_00ff00ff"
    assert an_item(id="00000023").aliases == ()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a\nb", " a", "x" * 201])
def test_ids_that_cannot_name_a_file_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        an_item(id=name)


@pytest.mark.parametrize(
    ("text", "language", "mixed"),
    [
        ("Hello there.", "en", False),
        ("你好。", "zh", False),
        ("请升级 Python。", "zh", True),
        ("Ça va?", "en", False),
        ("42!", "en", False),
    ],
)
def test_language_and_script_follow_from_the_speech(text: str, language: str, mixed: bool) -> None:
    item = an_item(speech=[{"speaker": "x", "text": text}])
    assert (item.language, item.mixed_script) == (language, mixed)


def test_no_speech_means_no_language_and_the_other_way_round() -> None:
    assert an_item().language is None
    with pytest.raises(ValidationError, match="language must be given with speech"):
        an_item(language="en")


def test_tagged_speech_becomes_turns() -> None:
    item = an_item(speech="[S01] Ready? [S02] Almost. [S01] Go.")
    assert [(turn.speaker, turn.text) for turn in item.speech] == [
        ("S01", "Ready?"),
        ("S02", "Almost."),
        ("S01", "Go."),
    ]


def test_the_request_has_no_speaker_label_in_the_spoken_text_but_the_item_keeps_it() -> None:
    item = an_item(
        prompt="p",
        video_prompt="v",
        audio_prompts=["rain"],
        speech=[{"speaker": "Man", "text": "Speaker1: So it begins."}],
        first_frame="f.jpg",
        reference={"audio": "r.wav"},
        category="c",
    )
    assert item.speech[0].text == "Speaker1: So it begins."
    request = item.request()
    assert request.text == "So it begins."
    assert (request.id, request.prompt, request.video_prompt, request.audio_prompts) == ("a", "p", "v", ("rain",))
    assert (request.language, request.first_frame, request.reference_audio) == ("en", "f.jpg", "r.wav")
    assert (request.category, request.speakers) == ("c", ("Man",))


def test_a_speaker_that_is_spoken_of_stays() -> None:
    said = "Speaker of the house: be quiet."
    assert an_item(speech=said).request().text == said


def test_audio_prompts_are_cleaned_and_kept_as_published_in_raw() -> None:
    given_ = ["rain", "", "rain", "No specific ambient sounds mentioned", "wind"]
    item = an_item(audio_prompts=given_)
    assert item.audio_prompts == ("rain", "wind")
    assert item.raw["audio_prompt"] == given_
    assert "audio_prompt" not in an_item(audio_prompts=["rain"]).raw


@given(st.lists(st.sampled_from(["", "  ", "rain", "wind", "No ambient sound specified.", "no wind"]), max_size=8))
def test_cleaning_audio_prompts_twice_is_cleaning_once(prompts: list[str]) -> None:
    once = clean_audio_prompts(prompts)
    assert clean_audio_prompts(once) == once
    assert list(once) == [p for i, p in enumerate(prompts) if p in ("rain", "wind", "no wind") and p not in prompts[:i]]


def test_items_take_no_unknown_field_and_do_not_change() -> None:
    with pytest.raises(ValidationError):
        an_item(promt="typo")
    with pytest.raises(ValidationError):
        an_item().prompt = "x"  # type: ignore[misc]


def test_the_hashed_form_is_fixed() -> None:
    item = an_item(prompt="café “x”", onsets_s=[1, 2.5], raw={"b": 1, "a": [True, None]})
    expected = (
        '{"aliases":[],"audio_prompts":[],"category":null,"flags":[],"id":"a","language":null,"mixed_script":false,'
        '"onsets_s":[1.0,2.5],"prompt":"café “x”","raw":{"a":[true,null],"b":1},"set":"s","speech":[],'
        '"video_prompt":""}'
    ).encode()
    assert canonical_item(item) == expected
    assert content_sha256([item, item]) == hashlib.sha256(expected + b"\n" + expected).hexdigest()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=8,
)


def _shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        entries = [(key, _shuffled(inner, order)) for key, inner in value.items()]
        order.shuffle(entries)
        return dict(entries)
    return [_shuffled(inner, order) for inner in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), _JSON, max_size=5), st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_key_order(raw: dict[str, Any], order: random.Random) -> None:
    assert content_sha256([an_item(raw=raw)]) == content_sha256([an_item(raw=_shuffled(raw, order))])


def test_the_digest_sees_text_but_neither_media_nor_normalises() -> None:
    plain = an_item(prompt="caf\u00e9")
    assert content_sha256([plain]) != content_sha256([an_item(prompt="cafe\u0301")])
    with_frame = an_item(
        prompt="caf\u00e9", first_frame={"path": "x.jpg", "sha256": "0" * 64}, reference={"audio": "y"}
    )
    assert content_sha256([plain]) == content_sha256([with_frame])
    assert media_sha256([plain]) != media_sha256([with_frame])


def test_half_a_surrogate_pair_is_told_with_the_item() -> None:
    with pytest.raises(UserError, match="item a: a text holds half of a surrogate pair"):
        content_sha256([an_item(raw={"x": json.loads('"\\ud800"')})])


def test_folding() -> None:
    assert fold("“It’s  a well\u2011known\u2010thing”…") == '"It\'s a well-known-thing"...'
    assert fold("\uff21\u3000b") == "A b"


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("one two three", 3 / 2.7),
        ("It’s Anna's turn", 3 / 2.7),
        ("你好吗", 3 / 4.5),
        ("用 Python", 1 / 4.5 + 1 / 2.7),
    ],
)
def test_speaking_time(text: str, seconds: float) -> None:
    assert speaking_seconds(text) == pytest.approx(seconds)


def test_fits_duration_counts_all_turns_and_lets_an_exact_fit_pass() -> None:
    item = an_item(speech=[{"speaker": "A", "text": "好" * 18}, {"speaker": "B", "text": "好" * 18}])
    assert fits_duration(item, 8.0)
    assert not fits_duration(item, 7.99)
    assert fits_duration(an_item(), 0.0)


@pytest.mark.parametrize(
    ("published", "clean"),
    [
        ("“Yes”\u2011no, it’s", '"Yes"-no, it\'s'),
        ("He says, “Speaker1: Go.”", 'He says, "Go."'),
        ("A desk. Keys click while they say, “Could you please clarify what you’re after?”", "A desk. Keys click."),
        ("A desk is white. The man is speaking, saying 'I'm lost. Could you please clarify?'", "A desk is white."),
        ("She says, “Could I please leave?”", 'She says, "Could I please leave?"'),
    ],
)
def test_clean_prompts(published: str, clean: str) -> None:
    assert clean_prompt(published) == clean


def test_clean_speech() -> None:
    assert clean_speech("Speaker 12: it’s me") == "it's me"


def test_importing_the_package_stays_light() -> None:
    code = (
        "import sys, mova_eval.benchmarks as b; [b.describe(n) for n in b.names()]; "
        "print([m for m in ('pydantic', 'requests', 'av', 'numpy', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
