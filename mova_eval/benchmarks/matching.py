"""`match_clips`: which file of a folder is the clip of which item. Nothing is dropped without being told."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from metrics.errors import UserError
from mova_eval.benchmarks.reading import checked, read_json
from mova_eval.benchmarks.resolving import Resolver
from mova_eval.benchmarks.schema import Benchmark, SetInfo

EXTENSIONS = (".mp4", ".mov", ".mkv", ".webm", ".avi")

_LINE_NUMBER = re.compile(r"([0-9]{1,100})_")


@dataclass(frozen=True)
class Matching:
    """Files by item.

    clips: item id -> file, chosen items only, in benchmark order. missing: chosen items without a file. unmatched:
    clips that belong to no item of the benchmark. not_chosen: clips of items that are not among the chosen ones.
    ignored: number of hidden files and folders and of files that are no video. notes: sentences for the reader.
    """

    clips: dict[str, Path]
    missing: tuple[str, ...] = ()
    unmatched: tuple[Path, ...] = ()
    not_chosen: tuple[Path, ...] = ()
    ignored: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def absent(self) -> Mapping[str, str]:
        """Why an item has no clip, where that is known: of a folder of files it is not."""
        return {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of a report must know about the matching, one sentence each."""
        said = list(self.notes)
        if self.not_chosen:
            count = len(self.not_chosen)
            clips = "1 clip belongs to an item" if count == 1 else f"{count} clips belong to items"
            said.append(f"{clips} not among the chosen, such as {self.not_chosen[0].name}")
        if self.ignored:
            said.append(f"passed over: {self.ignored} hidden entries or files that are no video")
        return tuple(said)


def match_clips(
    folder: str | os.PathLike[str],
    benchmark: Benchmark,
    mapping: str | os.PathLike[str] | Mapping[str, str] | None = None,
) -> Matching:
    """Match the clips of a folder (searched to any depth), or one file, to the items of a benchmark by name.

    File names follow the rules of `Resolver.candidates`. A file inside a folder named as a set can only be a clip of
    that set. In a set that is numbered by reference line (MyBench's dialogues), names `<number>_...` go by value if all
    numbers are lines, else by order if there are exactly as many files as lines.

    mapping: {item id: file name relative to the folder}, or a JSON file with it; then nothing is matched by name.

    Raises UserError when there are no clips, none belongs to the benchmark, two files mean one item, one file means two
    items, or the mapping names an unknown item or an absent file.
    """
    place = Path(folder).expanduser()
    if not place.exists():
        raise UserError(f"{place} does not exist; give a folder of clips or one clip")
    files, ignored = _video_files(place)
    if not files:
        kinds = ", ".join(ending.lstrip(".") for ending in EXTENSIONS)
        beside = f" ({ignored} other files are there)" if ignored else ""
        raise UserError(f"no clips in {place}{beside}; expected files ending in {kinds}")
    base = place.parent if place.is_file() else place
    notes: tuple[str, ...] = ()
    if mapping is not None:
        owners = _mapped(base, benchmark, mapping)
    else:
        owners, notes = _named(base, files, benchmark)
        if place.is_file() and not owners and len(benchmark.items) == 1:
            owners = {files[0]: benchmark.items[0].id}  # one clip, one item: nothing else can be meant
    return _sorted_out(place, files, owners, benchmark, ignored, notes)


def _video_files(place: Path) -> tuple[list[Path], int]:
    """Clips below a folder, sorted, and how many other entries were left aside."""
    if place.is_file():
        if place.suffix.lower() not in EXTENSIONS:
            raise UserError(f"{place} is no clip; expected a file ending in {', '.join(EXTENSIONS)}")
        return [place], 0
    clips, ignored, visited = [], 0, set()
    for root, folders, files in os.walk(place, followlinks=True):
        real = os.path.realpath(root)
        if real in visited:  # a link back to a folder above
            folders.clear()
            continue
        visited.add(real)
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = sorted(set(folders) - set(hidden))
        wanted = [n for n in files if not n.startswith(".") and os.path.splitext(n)[1].lower() in EXTENSIONS]
        clips += [Path(root, name) for name in wanted]
        ignored += len(files) - len(wanted) + len(hidden)
    return sorted(clips), ignored


def _mapped(base: Path, benchmark: Benchmark, mapping: str | os.PathLike[str] | Mapping[str, str]) -> dict[Path, str]:
    where = "the mapping"
    if not isinstance(mapping, Mapping):
        where = Path(mapping).name
        mapping = checked(dict[str, str], read_json(Path(mapping).expanduser()), where)
    resolver = Resolver(benchmark.all_items)
    owners: dict[Path, str] = {}
    taken: dict[str, str] = {}
    for name, file in mapping.items():
        ids = resolver.exactly(name)
        if len(ids) != 1:
            raise UserError(f"{where}: {name}: no item of {benchmark.name} has this id; use {{item id: file name}}")
        path = base / file
        if not path.is_file():
            raise UserError(f"{where}: {name}: there is no file {path}; file names are relative to {base}")
        if path in owners:
            raise UserError(f"{where}: {file} stands for two items, {owners[path]} and {ids[0]}; give each its own")
        if ids[0] in taken:
            raise UserError(f"{where}: item {ids[0]} stands twice, as {taken[ids[0]]} and {name}; remove one")
        owners[path], taken[ids[0]] = ids[0], name
    return owners


def _named(base: Path, files: Sequence[Path], benchmark: Benchmark) -> tuple[dict[Path, str], tuple[str, ...]]:
    resolver = Resolver(benchmark.all_items)
    known = [entry.name for entry in benchmark.header.sets]
    scopes = {path: _set_of(base, path, known) for path in files}
    owners, notes = _by_position(files, scopes, benchmark)
    for path in files:
        if path in owners:
            continue
        candidates = resolver.candidates(path.stem, scopes[path])
        if len(candidates) > 1:
            raise UserError(
                f"{path.name} could be the clip of {' or '.join(candidates[:3])}; put it in a folder named as its set, "
                "name it by the whole id, or give a mapping {item id: file name}"
            )
        if candidates:
            owners[path] = candidates[0]
    return owners, notes


def _set_of(base: Path, path: Path, sets: Sequence[str]) -> str | None:
    """The set whose folder holds the file: the nearest one, the searched folder itself included."""
    folders: Iterator[str] = reversed([base.resolve().name, *PurePath(os.path.relpath(path.parent, base)).parts])
    return next((name for name in folders if name in sets), None)


def _by_position(
    files: Sequence[Path], scopes: Mapping[Path, str | None], benchmark: Benchmark
) -> tuple[dict[Path, str], tuple[str, ...]]:
    owners: dict[Path, str] = {}
    notes = []
    for entry in benchmark.header.sets:
        if entry.positional:
            only = len(benchmark.header.sets) == 1
            inside = [path for path in files if scopes[path] == entry.name or (only and scopes[path] is None)]
            found = _lines(inside, entry, benchmark)
            if found:
                owners.update(found)
                notes.append(f"{entry.name}: {len(found)} files matched to the reference lines by their order")
    return owners, tuple(notes)


def _lines(files: Sequence[Path], entry: SetInfo, benchmark: Benchmark) -> dict[Path, str]:
    """Files by reference line through their order; empty where the numbers are lines already."""
    lines = [item.id for item in benchmark.all_items if item.set == entry.name]
    numbered = sorted((int(m[1]), path) for path in files if (m := _LINE_NUMBER.match(path.name)))
    numbers = [number for number, _ in numbered]
    if all(1 <= number <= len(lines) for number in numbers):
        return {}
    if len(numbers) != len(lines) or len(set(numbers)) != len(lines):
        outside = next(path for number, path in numbered if not 1 <= number <= len(lines))
        raise UserError(
            f"{entry.name}: {outside.name} is not numbered by a reference line (1..{len(lines)}), and the order tells "
            f"the lines of exactly {len(lines)} files with different numbers only, not of {len(numbers)}; renumber the "
            "files or give a mapping {item id: file name}"
        )
    return {path: line for (_, path), line in zip(numbered, lines, strict=True)}


def _sorted_out(
    place: Path,
    files: Sequence[Path],
    owners: Mapping[Path, str],
    benchmark: Benchmark,
    ignored: int,
    notes: tuple[str, ...],
) -> Matching:
    by_item: dict[str, Path] = {}
    for path, owner in owners.items():
        if owner in by_item:
            twice = len(owners) - len(set(owners.values()))
            more = f" (and {twice - 1} more such pairs)" if twice > 1 else ""
            raise UserError(f"two files for item {owner}: {by_item[owner]} and {path}{more}; keep one of them")
        by_item[owner] = path
    clips = {item.id: by_item[item.id] for item in benchmark.items if item.id in by_item}
    unmatched = tuple(path for path in files if path not in owners)
    if not clips:
        raise UserError(_nothing_matches(place, files, by_item, benchmark))
    chosen = set(clips.values())
    return Matching(
        clips=clips,
        missing=tuple(item.id for item in benchmark.items if item.id not in clips),
        unmatched=unmatched,
        not_chosen=tuple(path for path in files if path in owners and path not in chosen),
        ignored=ignored,
        notes=notes,
    )


def _nothing_matches(place: Path, files: Sequence[Path], by_item: Mapping[str, Path], benchmark: Benchmark) -> str:
    expected = f"{benchmark.items[0].id}.mp4"
    if by_item:
        return (
            f"the {len(files)} clips in {place} belong to items of {benchmark.name} that were not chosen "
            f"(such as {next(iter(by_item))}); choose other sets, ids or a higher limit"
        )
    return (
        f"none of the {len(files)} clips in {place} belongs to {benchmark.name}: found for example '{files[0].name}', "
        f"expected for example '{expected}'; rename the files, choose another benchmark or give a mapping "
        "{item id: file name}"
    )
