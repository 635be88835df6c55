"""The items of a run with their clips: hashed, and linked into the run directory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from metrics.errors import UserError
from metrics.types import Request
from metrics.weights import sha256_of
from mova_eval.records import RunItem
from mova_eval.runs.paths import RunPaths, write_atomically


class ItemLike(Protocol):
    """What a run needs to know of an item (`mova_eval.benchmarks.Item` is one)."""

    @property
    def id(self) -> str: ...
    @property
    def set(self) -> str: ...
    @property
    def category(self) -> str | None: ...
    @property
    def language(self) -> str | None: ...
    @property
    def prompt(self) -> str: ...
    @property
    def flags(self) -> Sequence[str]: ...
    def request(self) -> Request:
        """What metrics may read of the item."""
        ...


class BenchmarkLike(Protocol):
    """What a run needs to know of a benchmark (`mova_eval.benchmarks.Benchmark` is one)."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def sets(self) -> Sequence[Any]: ...
    @property
    def content_sha256(self) -> str: ...
    @property
    def prompt_variant(self) -> str: ...
    @property
    def items(self) -> Sequence[ItemLike]: ...


class MatchingLike(Protocol):
    """Which file is whose (`mova_eval.benchmarks.Matching` is one)."""

    @property
    def clips(self) -> Mapping[str, Path]: ...
    @property
    def unmatched(self) -> Sequence[Path]: ...
    @property
    def remarks(self) -> Sequence[str]: ...
    @property
    def absent(self) -> Mapping[str, str]:
        """Item without a clip -> why, where that is known."""
        ...


def make_items(benchmark: BenchmarkLike, matching: MatchingLike, paths: RunPaths) -> list[RunItem]:
    """Hash every clip, link it into the run directory and describe it, in benchmark order.

    Raises UserError for a clip that cannot be read, OSError where the run directory cannot be written.
    """
    sources = [matching.clips.get(item.id) for item in benchmark.items]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:  # hashing releases the interpreter lock
        digests = list(pool.map(_sha256, sources))
    return [
        _run_item(item, source, sha256, paths)
        for item, source, sha256 in zip(benchmark.items, sources, digests, strict=True)
    ]


def _sha256(source: Path | None) -> str | None:
    if source is None:
        return None
    try:
        return sha256_of(source)
    except OSError as error:
        raise UserError(f"clip {source} cannot be read: {error.strerror}; mend it or take it away") from error


def _run_item(item: ItemLike, source: Path | None, sha256: str | None, paths: RunPaths) -> RunItem:
    request = item.request()
    return RunItem(
        item=item.id,
        set=item.set,
        category=item.category,
        language=item.language,
        prompt=item.prompt,
        video_prompt=request.video_prompt,
        audio_prompts=list(request.audio_prompts),
        speech=[{"speaker": turn.speaker, "text": turn.text} for turn in request.speech],
        audio_prompt_listed=_audio_prompt_listed(item, request),
        flags=list(item.flags),
        clip=None if source is None else link_clip(paths, item.set, item.id, source),
        source=None if source is None else str(source.absolute()),
        sha256=sha256,
    )


def _audio_prompt_listed(item: ItemLike, request: Request) -> bool:
    raw = getattr(item, "raw", None)
    if isinstance(raw, Mapping) and "audio_prompt" in raw:
        return bool(raw["audio_prompt"])
    return bool(request.audio_prompts)


def link_clip(paths: RunPaths, set_: str, item: str, source: Path) -> str:
    """Put a relative link to a clip at clips/<set>/<item>.<ext>; its path relative to the run directory.

    A clip that already lies there stays as it is. Where links cannot be made, the path leads to the source itself.
    """
    place = paths.clip(set_, item, source.suffix)
    source = source.absolute()
    if place.absolute() != source:
        target = os.path.relpath(source.resolve(), place.parent.resolve())
        place.parent.mkdir(parents=True, exist_ok=True)
        if not (place.is_symlink() and os.readlink(place) == target):
            if place.exists() and not place.is_symlink():
                raise UserError(
                    f"{place} is a file of another origin than {source}; move it away or choose another --out"
                )
            try:
                _replace_link(place, target)
            except OSError:
                if os.access(place.parent, os.W_OK):  # a file system without links, not one that refuses writing
                    return Path(os.path.relpath(source, paths.root.resolve())).as_posix()
                raise
    return place.relative_to(paths.root).as_posix()


def _replace_link(place: Path, target: str) -> None:
    temporary = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    with suppress(FileNotFoundError):
        temporary.unlink()
    temporary.symlink_to(target)
    os.replace(temporary, place)


def write_items(path: Path, items: Sequence[RunItem]) -> None:
    """Write items.jsonl if it does not hold these items already. Raises OSError."""
    data = b"".join(item.model_dump_json().encode() + b"\n" for item in items)
    if not path.exists() or path.read_bytes() != data:
        write_atomically(path, data)


def read_items(path: Path) -> list[RunItem]:
    """Raises UserError when the file is missing or damaged, naming the line."""
    items = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise UserError(f"{path} is missing; start the run again with its own command to restore it") from None
    for number, line in enumerate(lines, start=1):
        try:
            items.append(RunItem.model_validate_json(line))
        except ValidationError as error:
            raise UserError(
                f"{path} line {number} is not an item; start the run again with its own command to restore it"
            ) from error
    return items
