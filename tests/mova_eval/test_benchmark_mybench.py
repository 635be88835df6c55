"""MyBench: reference lines, categories of a prompts file, matching by reference line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import shared_data

from metrics.errors import UserError
from metrics.types import Turn
from mova_eval.benchmarks import Benchmark, load, match_clips, verify
from mova_eval.benchmarks.mybench import parse_references


def lines(count: int = 27) -> str:
    return "".join(f"[S01] Line {number}. [S02] Good.\n" for number in range(1, count + 1))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "mybench").mkdir()
    (tmp_path / "mybench" / "references.txt").write_text(lines(), "utf-8")
    return tmp_path / "mybench"


@pytest.fixture
def benchmark(root: Path) -> Benchmark:
    return load("mybench", root=root)


def clips(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def numbers(folder: Path, benchmark: Benchmark) -> dict[str, str]:
    return {item[-2:]: path.name for item, path in match_clips(folder, benchmark).clips.items()}


def test_published_references() -> None:
    path = shared_data() / "mybench_multi_speaker_references.txt"
    if not path.is_file():
        pytest.skip("no MyBench references in the development data")
    benchmark = load("mybench", root=path)
    assert len(benchmark.items) == 27
    assert Counter(len({turn.speaker for turn in item.speech}) for item in benchmark.items) == {2: 26, 3: 1}
    assert Counter(len(item.speech) for item in benchmark.items) == {2: 22, 3: 5}
    assert sum(len(item.speech) for item in benchmark.items) == 59
    assert Counter(item.language for item in benchmark.items) == {"en": 14, "zh": 13}
    three = [n for n, item in enumerate(benchmark.items, 1) if len({turn.speaker for turn in item.speech}) == 3]
    assert three == [13]
    assert not [f for f in verify("mybench", root=path) if f.level == "error"]


def test_references_alone_give_the_multi_speaker_set(benchmark: Benchmark) -> None:
    assert benchmark.sets == ("multi-speaker",)
    first = benchmark.items[0]
    assert (first.id, first.category) == ("multi-speaker-01", "multi-speaker")
    assert [(turn.speaker, turn.text) for turn in first.speech] == [("S01", "Line 1."), ("S02", "Good.")]


_SAID = st.text(st.characters(codec="utf-8", exclude_characters="[]", exclude_categories=("C", "Z")), min_size=1)


@given(st.lists(st.tuples(st.integers(1, 99), _SAID), min_size=1, max_size=6))
def test_turns_survive_writing_and_reading(turns: list[tuple[int, str]]) -> None:
    said = tuple(Turn(f"S{number:02d}", text) for number, text in turns)
    line = " ".join(f"[{turn.speaker}] {turn.text}" for turn in said)
    assert parse_references(line + "\n\n", "r.txt") == [said]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[S01] a [S02] b\nno tags\n", "r.txt: line 2: expected '[S01] text [S02] text', got 'no tags'"),
        ("[S01] a\n\n[S01] b", "r.txt: line 2: expected"),
        ("Hi [S01] a", "r.txt: line 1: speech starts with 'Hi'"),
        ("[S01] [S02] b", "r.txt: line 1: [S01] says nothing"),
    ],
)
def test_wrong_lines_are_told(text: str, complaint: str) -> None:
    with pytest.raises(UserError) as error:
        parse_references(text, "r.txt")
    assert complaint in str(error.value)


def test_another_number_of_lines_is_told(root: Path) -> None:
    (root / "references.txt").write_text(lines(26), "utf-8")
    with pytest.raises(UserError, match="has 26 lines, expected 27"):
        load("mybench", root=root)


def test_numbers_of_lines_match_by_value_so_a_missing_clip_costs_one_item(root: Path, benchmark: Benchmark) -> None:
    folder = clips(root / "out/multi-speaker", *(f"{n:02d}_x.mp4" for n in range(1, 28) if n != 5), "notes_only.mp4")
    matching = match_clips(root / "out", benchmark)
    assert matching.missing == ("multi-speaker-05",)
    assert numbers(folder, benchmark)["06"] == "06_x.mp4"
    assert [path.name for path in matching.unmatched] == ["notes_only.mp4"]
    assert matching.notes == ()


def test_other_numbers_match_by_order_if_all_are_there(root: Path, benchmark: Benchmark) -> None:
    folder = clips(root / "out", *(f"{n}_x.mp4" for n in range(27)), "skipped.mp4")
    matching = match_clips(folder, benchmark)
    found = numbers(folder, benchmark)
    assert (found["01"], found["11"], found["27"]) == ("0_x.mp4", "10_x.mp4", "26_x.mp4")
    assert [path.name for path in matching.unmatched] == ["skipped.mp4"]
    assert "by their order" in matching.notes[0]


@pytest.mark.parametrize("names", [[f"{n}_x.mp4" for n in range(26)], [f"{n}_x.mp4" for n in range(2, 30)]])
def test_other_numbers_in_another_count_need_a_mapping(root: Path, benchmark: Benchmark, names: list[str]) -> None:
    folder = clips(root / "out", *names)
    with pytest.raises(UserError, match=r"is not numbered by a reference line \(1\.\.27\)"):
        match_clips(folder, benchmark)
    mapped = match_clips(folder, benchmark, {"multi-speaker-03": names[3], "4": names[4]})
    assert [path.name for path in mapped.clips.values()] == names[3:5]
    assert len(mapped.unmatched) == len(names) - 2


def test_doubled_numbers_outside_the_lines_have_no_order(root: Path, benchmark: Benchmark) -> None:
    folder = clips(root / "out", *(f"{n}_x.mp4" for n in range(100, 126)), "100_y.mp4")
    with pytest.raises(UserError, match="with different numbers only"):
        match_clips(folder, benchmark)


def test_the_order_is_of_all_lines_also_when_few_are_chosen(root: Path) -> None:
    folder = clips(root / "out", *(f"{n}_x.mp4" for n in range(27)))
    matching = match_clips(folder, load("mybench", root=root, ids=["2"]))
    assert [path.name for path in matching.clips.values()] == ["1_x.mp4"]
    assert len(matching.not_chosen) == 26


@pytest.fixture
def all_categories(root: Path) -> Benchmark:
    prompts = {
        "multi-speaker": {str(n): f"Prompt {n}." for n in range(1, 28)},
        "Movie": {"01": {"prompt": "A film.", "audio_prompt": ["wind"]}, "02": "Another film."},
        "shot_effect": {"01": "A shot."},
    }
    (root / "prompts.json").write_text(json.dumps(prompts), "utf-8")
    return load("mybench", root=root)


def test_a_prompts_file_adds_categories(all_categories: Benchmark) -> None:
    assert all_categories.sets == ("multi-speaker", "movie", "shot-effect")
    by_id = {item.id: item for item in all_categories.items}
    assert by_id["multi-speaker-07"].prompt == "Prompt 7."
    assert by_id["multi-speaker-07"].request().text == "Line 7. Good."
    assert by_id["movie-01"].audio_prompts == ("wind",)
    assert by_id["shot-effect-01"].category == "shot-effect"


def test_the_category_folder_decides_between_equal_numbers(root: Path, all_categories: Benchmark) -> None:
    folder = clips(root / "out", "movie/01.mp4", "shot-effect/01_a.mp4", "multi-speaker/01_b.mp4")
    found = {item: path.name for item, path in match_clips(folder, all_categories).clips.items()}
    assert found == {"multi-speaker-01": "01_b.mp4", "movie-01": "01.mp4", "shot-effect-01": "01_a.mp4"}


def test_equal_numbers_without_a_folder_are_told(root: Path, all_categories: Benchmark) -> None:
    with pytest.raises(UserError, match=r"01\.mp4 could be the clip of movie-01 or multi-speaker-01 or shot-effect-01"):
        match_clips(clips(root / "out", "01.mp4"), all_categories)


def test_an_unknown_category_is_told(root: Path) -> None:
    (root / "prompts.json").write_text('{"film": {"1": "x"}}', "utf-8")
    with pytest.raises(UserError, match="film: no such category"):
        load("mybench", root=root)


def test_without_references_the_message_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="mova-eval benchmarks fetch mybench"):
        load("mybench")
