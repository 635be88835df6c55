"""Which clip belongs to which item: the rules on names, and everything that must be told instead of guessed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import shared_data

from metrics.errors import UserError
from mova_eval.benchmarks import Benchmark, Header, Item, load, match_clips
from mova_eval.benchmarks.resolving import Resolver
from mova_eval.benchmarks.schema import SetInfo

IDS = ("00000023", "00000419", "clip_6b343c3b", "m01", "日出", "-dash", "with space")


def benchmark_of(*ids: str, chosen: int | None = None, sets: tuple[str, ...] = ("set1",)) -> Benchmark:
    items = tuple(Item(id=name, set=sets[place % len(sets)]) for place, name in enumerate(ids))
    return Benchmark(
        header=Header(name="trial", sets=tuple(SetInfo(name=name) for name in sets)),
        items=items[:chosen],
        all_items=items,
        sets=sets,
        content_sha256="",
    )


TRIAL = benchmark_of(*IDS)


def clips(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize(
    ("stem", "item"),
    [
        ("00000023", "00000023"),
        ("00023", "00000023"),
        ("23", "00000023"),
        ("00000023_video_x_step0_seed1", "00000023"),
        ("23-av-0", "00000023"),
        ("419_3", "00000419"),
        ("clip_6b343c3b", "clip_6b343c3b"),
        ("clip_6b343c3b-av-0", "clip_6b343c3b"),
        ("clip_6B343C3B_video_x", "clip_6b343c3b"),
        ("clip_6b343c3b.final", "clip_6b343c3b"),
        ("sample_0023", "00000023"),
        ("video_419", "00000419"),
        ("m01", "m01"),
        ("m01_video_a-face_step0_seed1", "m01"),
        ("日出", "日出"),
        ("-dash", "-dash"),
        ("with space", "with space"),
    ],
)
def test_names_that_mean_an_item(stem: str, item: str) -> None:
    assert Resolver(TRIAL.items).candidates(stem) == [item]


@pytest.mark.parametrize(
    "stem",
    [
        "clip_6b343", "clip_6b343c3", "clip_6b343c3b7", "clip_6b343c3bx", "xclip_6b343c3b", "m0", "m011", "m01-b",
        "2", "230", "23x", "a23", "samples_23", "00000024", "", "日", "٢٣", "²3",
    ],
)  # fmt: skip
def test_names_that_mean_none(stem: str) -> None:
    assert Resolver(TRIAL.items).candidates(stem) == []


def test_decomposed_names_are_the_same_names() -> None:
    assert Resolver([Item(id="caf\u00e9", set="s")]).candidates("cafe\u0301") == ["caf\u00e9"]


_NAMES = st.from_regex(r"[0-9]{1,9}|clip_[0-9a-f]{8}|[a-z][a-z0-9]{0,5}", fullmatch=True)


@given(st.sets(_NAMES, min_size=1, max_size=8))
def test_every_id_finds_itself_whatever_the_others_are(ids: set[str]) -> None:
    items = {item.id: item for item in (Item(id=name, set="s") for name in ids)}
    resolver = Resolver(items.values())
    for name in items:
        assert resolver.candidates(name) == [name]
        assert resolver.candidates(f"{name}_video_some_words_step0_seed7") == [name]


def test_published_ids_and_names_of_the_official_pipeline() -> None:
    path = shared_data() / "verse_bench_prompts.json"
    if not path.is_file():
        pytest.skip("no Verse-Bench prompts in the development data")
    items = load("verse-bench", root=path).items
    resolver = Resolver(items)
    for stem in ("00023", "23", "00000023", "00000023_video_x_step0_seed1"):
        assert resolver.candidates(stem) == ["00000023"]
    assert resolver.candidates("clip_6b343c3b-av-0") == ["clip_6b343c3b"]
    assert resolver.candidates("clip_6b343") == []
    for item in items:
        slug = "".join(letter if letter.isalnum() else "_" for letter in item.prompt[:60])
        for stem in (item.id, f"{item.id}_video_{slug}_step0_seed42", f"{item.id}-av-0", *item.aliases):
            assert resolver.candidates(stem) == [item.id]


def test_published_clips_of_the_development_data() -> None:
    prompts, folder = shared_data() / "verse_bench_prompts.json", shared_data() / "clips"
    if not prompts.is_file() or not (folder / "00023.mp4").is_file():
        pytest.skip("no Verse-Bench prompts or clips in the development data")
    benchmark = load("verse-bench", root=prompts)
    matching = match_clips(folder, benchmark)
    found = {item: path.name for item, path in matching.clips.items()}
    assert found == {
        "00000000": "00000.mp4",
        "00000023": "00023.mp4",
        "00000419": "419.mp4",
        "00001083": "01083.mp4",
    }
    assert [path.name for path in matching.unmatched] == ["talking_woman.mp4"]
    assert len(matching.missing) == 596


def test_a_folder_is_searched_to_any_depth(tmp_path: Path) -> None:
    folder = clips(
        tmp_path, "a/b/set1/23.MP4", "419.webm", "m01.mkv", "other.mov", ".hidden.mp4", "23.wav", ".git/x.mp4", "n.txt"
    )
    matching = match_clips(folder, TRIAL)
    assert {item: path.name for item, path in matching.clips.items()} == {
        "00000023": "23.MP4",
        "00000419": "419.webm",
        "m01": "m01.mkv",
    }
    assert list(matching.clips) == ["00000023", "00000419", "m01"]
    assert [path.name for path in matching.unmatched] == ["other.mov"]
    assert matching.missing == ("clip_6b343c3b", "日出", "-dash", "with space")
    assert matching.ignored == 4  # .hidden.mp4, 23.wav, n.txt and the folder .git


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    outside = clips(tmp_path / "outside", "23.mp4")
    folder = clips(tmp_path / "in", "419.mp4")
    os.symlink(outside, folder / "more")
    os.symlink(folder, folder / "circle")
    assert set(match_clips(folder, TRIAL).clips) == {"00000023", "00000419"}


def test_a_hidden_folder_may_be_searched_itself(tmp_path: Path) -> None:
    assert set(match_clips(clips(tmp_path / ".cache", "23.mp4"), TRIAL).clips) == {"00000023"}


def test_two_files_of_one_item_are_told(tmp_path: Path) -> None:
    folder = clips(tmp_path, "step_1/23.mp4", "step_2/00023_x.mp4", "step_1/419.mp4", "step_2/419.mp4")
    with pytest.raises(UserError) as error:
        match_clips(folder, TRIAL)
    text = str(error.value)
    assert "two files for item 00000023" in text
    assert str(folder / "step_1/23.mp4") in text
    assert str(folder / "step_2/00023_x.mp4") in text
    assert "1 more such pairs" in text


def test_one_file_of_two_items_is_told(tmp_path: Path) -> None:
    items = (Item(id="a", set="set1", aliases=("7",)), Item(id="b", set="set2", aliases=("07",)))
    benchmark = Benchmark(Header(name="t", sets=(SetInfo(name="set1"), SetInfo(name="set2"))), items, items, (), "")
    with pytest.raises(UserError, match=r"007\.mp4 could be the clip of a or b"):
        match_clips(clips(tmp_path / "x", "007.mp4"), benchmark)
    in_set = match_clips(clips(tmp_path / "y", "set2/007.mp4", "set1/7_x.mp4"), benchmark)
    assert {item: path.name for item, path in in_set.clips.items()} == {"a": "7_x.mp4", "b": "007.mp4"}
    assert set(match_clips(clips(tmp_path / "set2", "007.mp4"), benchmark).clips) == {"b"}


def test_the_wrong_set_folder_does_not_match(tmp_path: Path) -> None:
    benchmark = benchmark_of("a", "b", sets=("set1", "set2"))
    matching = match_clips(clips(tmp_path, "set1/a.mp4", "set1/b.mp4"), benchmark)
    assert (list(matching.clips), [path.name for path in matching.unmatched]) == (["a"], ["b.mp4"])


def test_clips_of_items_that_were_not_chosen_are_kept_apart(tmp_path: Path) -> None:
    folder = clips(tmp_path, "23.mp4", "419.mp4", "x.mp4")
    matching = match_clips(folder, benchmark_of(*IDS, chosen=1))
    assert list(matching.clips) == ["00000023"]
    assert [path.name for path in matching.not_chosen] == ["419.mp4"]
    assert [path.name for path in matching.unmatched] == ["x.mp4"]
    (folder / "23.mp4").unlink()
    with pytest.raises(UserError, match="belong to items of trial that were not chosen"):
        match_clips(folder, benchmark_of(*IDS, chosen=1))


def test_nothing_to_match_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        match_clips(tmp_path / "none", TRIAL)
    with pytest.raises(UserError, match="no clips in"):
        match_clips(tmp_path, TRIAL)
    with pytest.raises(UserError, match=r"no clips in .* \(1 other files are there\); expected files ending in mp4"):
        match_clips(clips(tmp_path, "23.wav"), TRIAL)
    with pytest.raises(UserError, match=r"found for example 'foo\.mp4', expected for example '00000023\.mp4'"):
        match_clips(clips(tmp_path, "foo.mp4"), TRIAL)


def test_one_file(tmp_path: Path) -> None:
    folder = clips(tmp_path, "23.mp4", "foo.mp4", "23.txt")
    assert match_clips(folder / "23.mp4", TRIAL).clips == {"00000023": folder / "23.mp4"}
    only = benchmark_of("m01")
    assert match_clips(folder / "foo.mp4", only).clips == {"m01": folder / "foo.mp4"}
    with pytest.raises(UserError, match=r"23\.txt is no clip"):
        match_clips(folder / "23.txt", TRIAL)
    with pytest.raises(UserError, match="none of the 1 clips"):
        match_clips(folder / "foo.mp4", TRIAL)


def test_a_single_item_does_not_take_the_clip_of_another(tmp_path: Path) -> None:
    folder = clips(tmp_path, "419.mp4")
    with pytest.raises(UserError, match="not chosen"):
        match_clips(folder / "419.mp4", benchmark_of(*IDS, chosen=1))


def test_a_mapping_is_all_that_counts(tmp_path: Path) -> None:
    folder = clips(tmp_path, "one.mp4", "sub/two.mov", "419.mp4")
    file = tmp_path / "map.json"
    file.write_text(json.dumps({"23": "one.mp4", "m01": "sub/two.mov"}), "utf-8")
    matching = match_clips(folder, TRIAL, file)
    assert matching.clips == {"00000023": folder / "one.mp4", "m01": folder / "sub/two.mov"}
    assert matching.unmatched == (folder / "419.mp4",)


@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        ({"nobody": "one.mp4"}, "nobody: no item of trial has this id"),
        ({"m01": "absent.mp4"}, "m01: there is no file"),
        ({"m01": "one.mp4", "23": "one.mp4"}, "one.mp4 stands for two items, m01 and 00000023"),
        ({"023": "one.mp4", "23": "419.mp4"}, "item 00000023 stands twice, as 023 and 23"),
        ({"m01": 3}, "map.json: m01: expected a text, got number"),
        (["m01"], "map.json: expected an object, got list"),
    ],
)
def test_wrong_mappings_are_told(tmp_path: Path, mapping: object, complaint: str) -> None:
    clips(tmp_path, "one.mp4", "419.mp4")
    (tmp_path / "map.json").write_text(json.dumps(mapping), "utf-8")
    with pytest.raises(UserError) as error:
        match_clips(tmp_path, TRIAL, tmp_path / "map.json")
    assert complaint in str(error.value)


def test_what_was_passed_over_is_remarked(tmp_path: Path) -> None:
    names = [item.id for item in load("mini").items[:2]]
    for name in names:
        (tmp_path / f"{name}.mp4").touch()
    (tmp_path / "notes.txt").write_text("no clip")
    matching = match_clips(tmp_path, load("mini", ids=names[:1]))
    assert matching.remarks == (
        f"1 clip belongs to an item not among the chosen, such as {names[1]}.mp4",
        "passed over: 1 hidden entries or files that are no video",
    )
