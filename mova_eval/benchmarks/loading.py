"""`load`: a benchmark by name or path, with a choice of items, a prompt variant, and media if there are any."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from metrics.errors import UserError
from mova_eval.benchmarks import folder, mybench, verse_bench
from mova_eval.benchmarks.catalogue import MINI, MYBENCH, VERSE_BENCH, names
from mova_eval.benchmarks.hashing import content_sha256
from mova_eval.benchmarks.media import index_media, with_media
from mova_eval.benchmarks.resolving import Resolver
from mova_eval.benchmarks.schema import Benchmark, Header, Item
from mova_eval.benchmarks.sources import Source, ordered
from mova_eval.benchmarks.text import clean_audio_prompts, clean_prompt, clean_speech

VARIANTS = ("official", "clean")


def load(
    name_or_path: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    media: str | os.PathLike[str] | None = None,
    sets: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    limit: int | None = None,
    variant: str = "official",
) -> Benchmark:
    """Load a benchmark and choose items of it.

    name_or_path: "verse-bench", "mybench", "mini", a folder with `items.jsonl`, a `.jsonl` file, or a `.json` file of
        the shape of Verse-Bench.
    root: where the texts of a named benchmark lie (file or folder), if not fetched to the cache.
    media: folder with first frames and references, `<set>/<id>.jpg` or `<id>.jpg`. For "mini" the folder of rendered
        reference sounds.
    sets, ids: sets (or named subsets) and items to keep; an item must be in both where both are given. limit: the first
        so many items of what is left, in benchmark order.
    variant: "official", texts as published, or "clean", straight quotes and hyphens, without speaker labels.

    Nothing is downloaded. Raises UserError for unknown names, wrong shapes (with file and place) and an empty choice.
    """
    if variant not in VARIANTS:
        raise UserError(f"no prompt variant is called '{variant}'; known: {', '.join(VARIANTS)}")
    if limit is not None and limit < 1:
        raise UserError(f"limit is {limit}; give the number of items to keep, at least 1")
    media_folder = Path(media).expanduser() if media is not None else None
    source = _source(os.fspath(name_or_path), Path(root).expanduser() if root is not None else None, media_folder)
    items = source.items if variant == "official" else tuple(cleaned(item) for item in source.items)
    chosen = _choose(source.header, items, sets, ids)[:limit]
    media_folder = source.media if source.header.name == MINI else media_folder or source.media
    index = index_media(media_folder, items) if media_folder is not None else None
    used = {item.set for item in chosen}
    return Benchmark(
        header=source.header,
        items=tuple(with_media(item, index) for item in chosen),
        all_items=items,
        sets=tuple(entry.name for entry in source.header.sets if entry.name in used),
        content_sha256=content_sha256(items),
        prompt_variant=_variant_name(source.prompts, variant),
        limit=limit,
    )


def cleaned(item: Item) -> Item:
    """The `clean` variant of an item; its `raw` stays as published."""
    values = item.model_dump()
    values.update(
        prompt=clean_prompt(item.prompt),
        video_prompt=clean_prompt(item.video_prompt),
        audio_prompts=clean_audio_prompts(clean_prompt(prompt) for prompt in item.audio_prompts),
        speech=[{"speaker": turn.speaker, "text": clean_speech(turn.text)} for turn in item.speech],
    )
    return Item.model_validate(values)


def _variant_name(prompts: str, variant: str) -> str:
    if prompts == "official":
        return variant
    return prompts if variant == "official" else f"{prompts}-{variant}"


def _source(name: str, root: Path | None, media: Path | None) -> Source:
    if name == VERSE_BENCH:
        return verse_bench.load(root)
    if name == MYBENCH:
        return mybench.load(root)
    if root is not None:
        raise UserError(f"{name} takes no root; it is for the files of {VERSE_BENCH} and {MYBENCH}")
    return _mini(media) if name == MINI else _from_path(name)


def _from_path(name: str) -> Source:
    path = Path(name).expanduser()
    if not path.exists():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(names())}, or a path"
        raise UserError(f"no benchmark and no path is called '{name}'; {hint}")
    if path.is_file() and path.suffix.lower() == ".json":
        return verse_bench.load_file(path)
    if path.is_dir() and not (path / folder.ITEMS).is_file():
        if (path / "verse_bench_prompts.json").is_file() or (path / "set1").is_dir():
            return verse_bench.load(path)
        if (path / "references.txt").is_file():
            return mybench.load(path)
    return folder.load(path)


def _mini(media: Path | None) -> Source:
    from mova_eval import mini

    if media is not None and not media.is_dir():
        raise UserError(f"the media folder {media} does not exist; give the folder of the rendered reference sounds")
    header = Header.model_validate(mini.HEADER)
    items = [Item.model_validate(record) for record in mini.items(reference_folder=media)]
    return Source(header, ordered(items, header.sets))


def _choose(
    header: Header, items: tuple[Item, ...], sets: Sequence[str] | None, ids: Sequence[str] | None
) -> tuple[Item, ...]:
    kept = items
    if sets is not None:
        inside = _members(header, items, sets)
        kept = tuple(item for item in kept if item.id in inside)
    if ids is not None:
        wanted = _ids(items, ids)
        kept = tuple(item for item in kept if item.id in wanted)
    if not kept:
        raise UserError("no item is left by the choice of sets and ids; choose others")
    return kept


def _members(header: Header, items: tuple[Item, ...], sets: Sequence[str]) -> set[str]:
    known = [entry.name for entry in header.sets]
    found: set[str] = set()
    for name in sets:
        if name in known:
            found |= {item.id for item in items if item.set == name}
        elif name in header.subsets:
            found |= set(header.subsets[name])
        else:
            raise UserError(f"{header.name} has no set '{name}'; {_near(name, [*known, *header.subsets])}")
    return found


def _ids(items: tuple[Item, ...], ids: Sequence[str]) -> set[str]:
    resolver = Resolver(items)
    found: set[str] = set()
    for name in ids:
        candidates = resolver.exactly(name)
        if not candidates:
            every = [alias for item in items for alias in (item.id, *item.aliases)]
            raise UserError(f"no item has the id '{name}'; {_near(name, every)}")
        if len(candidates) > 1:
            raise UserError(f"the id '{name}' means several items: {', '.join(candidates)}; write the whole id")
        found.update(candidates)
    return found


def _near(name: str, known: Iterable[str]) -> str:
    every = list(dict.fromkeys(known))
    near = difflib.get_close_matches(name, every, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(every[:8])
    return f"known: {shown}{' ...' if len(every) > 8 else ''}"
