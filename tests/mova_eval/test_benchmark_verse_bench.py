"""Verse-Bench: the published file (where the development data are), both layouts, choices, mistakes in files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import shared_data

from metrics.errors import UserError
from mova_eval.benchmarks import Benchmark, describe, fits_duration, load, verify
from mova_eval.benchmarks.catalogue import shipped
from mova_eval.benchmarks.flags import descriptions


@pytest.fixture(scope="module")
def published_file() -> Path:
    path = shared_data() / "verse_bench_prompts.json"
    if not path.is_file():
        pytest.skip("no Verse-Bench prompts in the development data")
    return path


@pytest.fixture(scope="module")
def published(published_file: Path) -> Benchmark:
    return load("verse-bench", root=published_file)


def record(prompt: str = "A room.", audio: Any = ("rain",), text: str = "", speaker: str = "") -> dict[str, Any]:
    return {
        "prompt": prompt,
        "video_prompt": "video " + prompt,
        "audio_prompt": list(audio),
        "speech_prompt": {"speaker": speaker, "text": text},
        "videos": [],
        "first_frame_path": "",
    }


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return path


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    return write(
        tmp_path / "verse_bench_prompts.json",
        {
            "set2": {"clip_0a0b0c0d": record("b"), "00000300": record("a", text="你好。", speaker="Woman")},
            "set1": {"00000010": record("d", text="Hi.", speaker="Speaker1"), "00000002": record("c", audio=[""])},
        },
    )


def test_published_counts(published: Benchmark) -> None:
    items = published.items
    assert len(items) == published.n_total == 600
    assert Counter(item.set for item in items) == {"set1": 205, "set2": 295, "set3": 100}
    assert Counter(item.language for item in items) == {None: 357, "zh": 122, "en": 121}
    per_set = Counter((item.set, item.language) for item in items if item.speech)
    assert per_set == {
        ("set1", "zh"): 63, ("set1", "en"): 56, ("set2", "zh"): 10,
        ("set2", "en"): 14, ("set3", "zh"): 49, ("set3", "en"): 51,
    }  # fmt: skip
    assert sum(any(p.strip() for p in item.raw["audio_prompt"]) for item in items) == 554
    assert sum(bool(item.audio_prompts) for item in items) == 550
    mixed = [item.id for item in items if item.mixed_script]
    assert mixed == ["00000147", "00000276", "00000455", "00001044", "00001086"]


def test_published_flags(published: Benchmark) -> None:
    flags = Counter(flag for item in published.items for flag in item.flags)
    assert flags == {
        "blank-audio-prompt": 46,
        "quiet-sentence": 4,
        "voice-only-audio-prompt": 123,
        "speech-hinted-without-text": 7,
        "prompt-quotes-without-speech": 4,
        "speech-differs-from-prompt": 3,
        "speech-quotes-differ": 20,
        "truncated-speech": 24,
        "digits-in-speech": 13,
        "long-speech": 39,
        "speaker-label-messy": 84,
        "real-person": 3,
        "first-frame-source-dead": 1,
    }
    having = {flag: {item.id for item in published.items if flag in item.flags} for flag in flags}
    assert having["quiet-sentence"] == {"00000039", "00000043", "00000251", "00000299"}
    assert having["speech-differs-from-prompt"] == {"00000165", "00001025", "00001063"}
    quoting = {"00000061", "00000313", "clip_2a1de442", "clip_60e338b5"}
    assert having["prompt-quotes-without-speech"] == quoting
    by_set = Counter(item.set for item in published.items if "voice-only-audio-prompt" in item.flags)
    assert by_set == {"set2": 23, "set3": 100}


def test_published_lines_that_do_not_fit(published: Benchmark) -> None:
    spoken = [item for item in published.items if item.speech]
    assert [sum(not fits_duration(item, s) for item in spoken) for s in (5, 8, 10)] == [124, 39, 13]


def test_every_published_id_of_the_defect_list_is_an_item(published: Benchmark) -> None:
    listed = {entry["id"] for entry in shipped("defects.json")["items"]}
    assert listed <= {item.id for item in published.items}


def test_published_digest_is_the_shipped_one_and_ignores_key_order(published_file: Path, tmp_path: Path) -> None:
    content = json.loads(published_file.read_text("utf-8"))
    turned = {
        name: {key: dict(reversed(entry.items())) for key, entry in reversed(records.items())}
        for name, records in reversed(content.items())
    }
    again = load("verse-bench", root=write(tmp_path / "verse_bench_prompts.json", turned))
    expected = shipped("verse-bench.json")["content_sha256"]
    assert again.content_sha256 == expected
    assert [item.id for item in again.items] == [item.id for item in load("verse-bench", root=published_file).items]
    assert {f.level for f in verify("verse-bench", root=published_file) if "sha256" in f.message} == {"ok"}


def test_published_order_and_aliases(published: Benchmark) -> None:
    ids = [item.id for item in published.items]
    assert ids[0] == "00000000"
    assert ids[-1] == "00001099"
    assert ids[205] == "00000300"
    assert ids[205 + 90].startswith("clip_")
    by_id = {item.id: item for item in published.items}
    assert by_id["00000023"].aliases == ("00023", "23")
    assert by_id["clip_6b343c3b"].aliases == ()


def test_published_requests_say_no_labels(published: Benchmark) -> None:
    by_id = {item.id: item for item in published.items}
    for name in ("00001025", "00001063"):
        assert by_id[name].speech[0].text.startswith("Speaker1: ")
        assert not by_id[name].request().text.startswith("Speaker")


def test_published_clean_variant(published: Benchmark, published_file: Path) -> None:
    clean = load("verse-bench", root=published_file, variant="clean")
    assert clean.prompt_variant == "clean"
    assert clean.content_sha256 != published.content_sha256
    assert not any(mark in item.prompt for item in clean.items for mark in "“”’\u2011")
    refusal = next(item for item in clean.items if item.id == "clip_60e338b5")
    assert "context" not in refusal.prompt + refusal.video_prompt
    for before, after in zip(published.items, clean.items, strict=True):
        assert before.raw == after.raw
        if before.id != "clip_60e338b5":
            assert abs(len(before.prompt) - len(after.prompt)) <= 10


def test_no_prompt_text_is_shipped(published: Benchmark) -> None:
    shipped_text = json.dumps(shipped("defects.json"), ensure_ascii=False) + json.dumps(shipped("verse-bench.json"))
    for item in published.items:
        assert item.prompt not in shipped_text
        assert not any(turn.text in shipped_text for turn in item.speech)


def test_a_small_file(small_file: Path) -> None:
    benchmark = load("verse-bench", root=small_file)
    assert [item.id for item in benchmark.items] == ["00000002", "00000010", "00000300", "clip_0a0b0c0d"]
    assert (benchmark.name, benchmark.version, benchmark.sets) == ("verse-bench", "1", ("set1", "set2"))
    blank, hello, *_ = benchmark.items
    assert (blank.audio_prompts, blank.raw["audio_prompt"]) == ((), [""])
    assert "blank-audio-prompt" in blank.flags
    assert "speaker-label-messy" in hello.flags
    assert set(hello.flags) <= set(descriptions())
    assert load(small_file).content_sha256 == load("verse-bench", root=small_file.parent).content_sha256


def test_a_file_of_other_sets_is_a_benchmark_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "ours.json", {"night": {"b": record()}, "day": {"a": record()}})
    benchmark = load(path)
    assert (benchmark.name, benchmark.sets) == ("ours", ("day", "night"))


def test_the_original_layout(tmp_path: Path) -> None:
    upstream = {"video_prompt": "A desk.", "audio_prompt": ["keys"], "speech_prompt": {"speaker": "", "text": ""}}
    for name in ("set1/00012.json", "set2/303.json", "set2/clip_0a0b0c0d.json", "set3/01083.json"):
        write(tmp_path / name, upstream)
    (tmp_path / "set2" / "303.wav").write_bytes(b"RIFF")
    benchmark = load("verse-bench", root=tmp_path)
    assert [item.id for item in benchmark.items] == ["00000012", "00000303", "clip_0a0b0c0d", "00001083"]
    assert benchmark.prompt_variant == "original"
    assert benchmark.items[0].prompt == "A desk."
    assert benchmark.items[0].raw == upstream
    reference = benchmark.items[1].reference
    assert reference is not None
    assert reference.audio is not None
    assert reference.audio.endswith("303.wav")
    assert load("verse-bench", root=tmp_path, variant="clean").prompt_variant == "original-clean"
    assert load(tmp_path).content_sha256 == benchmark.content_sha256


def test_the_same_number_in_two_spellings_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "v.json", {"set1": {"00012": record()}, "set2": {"12": record()}})
    with pytest.raises(UserError, match=r"v\.json: set2\.12: the id 00000012 stands there and in v\.json: set1\.00012"):
        load(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"set1": {"00000003": {**record(), "speech_prompt": {"speaker": "x", "text": ["a"]}}}},
         "v.json: set1.00000003.speech_prompt.text: expected a text, got list"),
        ({"set1": {"3": {**record(), "audio_prompt": "rain"}}}, "set1.3.audio_prompt: expected a list, got text"),
        ({"set1": {"3": {**record(), "audio_prompt": [None]}}}, "set1.3.audio_prompt.0: expected a text, got null"),
        ({"set1": {"3": {"video_prompt": "x"}}}, "set1.3.prompt: expected a value, got none; add the field"),
        ({"set1": [record()]}, "v.json: set1: expected an object, got list"),
        ({"set1": {"3": "a prompt"}}, "set1.3: expected an object, got text"),
        ([record()], "v.json: expected an object, got list"),
        ({"set1": {}}, "v.json holds no items"),
        ({"set1": {"a/b": record()}}, "cannot name a file"),
    ],
)  # fmt: skip
def test_wrong_shapes_are_told_with_their_place(tmp_path: Path, content: Any, complaint: str) -> None:
    with pytest.raises(UserError) as error:
        load(write(tmp_path / "v.json", content))
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is empty"),
        (b'{"set1": {\n  "3": }}', "is not JSON: line 2, column 8"),
        ('{"set1": {"3": "caf\u00e9"}}'.encode("latin-1"), "is not UTF-8: byte 0xe9 at position"),
        ("{}".encode("utf-16"), "is not UTF-8: byte 0xff at position 0"),
        (b'{"set1": {"3": {}, "3": {}}}', "the key '3' stands twice"),
        (b'{"set1": {"3": {"prompt": NaN}}}', "NaN is not a JSON value"),
        (b"[" * 200_000, "nested too deeply"),
    ],
)
def test_files_that_are_no_json_are_told(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "v.json"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        load(path)
    assert complaint in str(error.value)


def test_without_the_file_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path))
    with pytest.raises(UserError) as error:
        load("verse-bench")
    assert "mova-eval benchmarks fetch verse-bench" in str(error.value)
    assert describe("verse-bench")["here"] is False


def test_the_cache_is_used(small_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path / "cache"))
    target = tmp_path / "cache" / "benchmarks" / "verse-bench" / "verse_bench_prompts.json"
    target.parent.mkdir(parents=True)
    target.write_bytes(small_file.read_bytes())
    assert load("verse-bench").n_total == 4
    assert describe("verse-bench")["here"] is True


def test_choices(small_file: Path) -> None:
    def ids(**choice: Any) -> list[str]:
        return [item.id for item in load(small_file, **choice).items]

    assert ids(sets=["set2"]) == ["00000300", "clip_0a0b0c0d"]
    assert ids(limit=3) == ["00000002", "00000010", "00000300"]
    assert ids(sets=["set2", "set1"], limit=1) == ["00000002"]
    assert ids(ids=["clip_0a0b0c0d", "10"]) == ["00000010", "clip_0a0b0c0d"]
    chosen = load(small_file, sets=["set2"], limit=1)
    assert chosen.content_sha256 == load(small_file).content_sha256
    reference = chosen.reference()
    assert (reference.sets, reference.n_items, reference.limit) == (["set2"], 1, 1)
    assert chosen.n_total == 4


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ({"sets": ["set22"]}, "no set 'set22'; did you mean set2"),
        ({"ids": ["clip_0a0b0c0e"]}, "no item has the id 'clip_0a0b0c0e'; did you mean clip_0a0b0c0d"),
        ({"sets": ["set1"], "ids": ["300"]}, "no item is left"),
        ({"limit": 0}, "at least 1"),
        ({"variant": "cleaned"}, "known: official, clean"),
        ({"media": "/does/not/exist"}, "media folder"),
        ({"root": "x"}, "takes no root"),
    ],
)
def test_wrong_choices_are_told(small_file: Path, choice: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError) as error:
        load(small_file, **choice)
    assert complaint in str(error.value)


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(UserError, match="did you mean verse-bench"):
        load("versebench")
