"""`fetch`: getting a benchmark's public files into the cache."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from metrics.errors import UserError
from metrics.weights import cache_dir
from metrics.weights.download import Progress, download
from mova_eval.benchmarks import catalogue
from mova_eval.benchmarks.catalogue import MINI, MYBENCH, VERSE_BENCH
from mova_eval.benchmarks.media import picture_size

_NOT_PUBLISHED = {
    (VERSE_BENCH, "references"): "Verse-Bench publishes no reference sounds: cut set2/<id>.wav from the source videos "
    "and give their folder with --media",
    (MYBENCH, "prompts"): "the prompts of MyBench are in the data set zhiyuzhang-0212/MOVA_benchmark_for_arena, in a "
    "form of its own: write them to prompts.json as {category: {id: prompt}} beside references.txt",
    (MYBENCH, "frames"): "the first frames of MyBench are in the data set zhiyuzhang-0212/MOVA_benchmark_for_arena: "
    "get them by hand and give their folder with --media",
}


def fetch(
    name: str,
    what: Collection[str] | None = None,
    *,
    root: Path | None = None,
    progress: Progress | None = None,
    pause_s: float = 1.0,
) -> list[Path]:
    """Download public files of a benchmark, checked by sha256 where one is published; gives their paths.

    what: of "prompts", "frames", "references"; None is the text that `load` needs. root: folder to write to; None is
    the cache, where `load` looks by itself. "mini" has nothing to fetch.

    Verse-Bench: "prompts" (MOVA's file) and "frames" (first frames of set1; those of set2 and set3 are not published).
    MyBench: "references" (the multi-speaker lines). Nothing that is fetched may be passed on with the project.

    Raises UserError for unknown names, for parts that are not published, and for a failed download.
    """
    if name not in catalogue.names():
        raise UserError(f"no benchmark is called '{name}'; known: {', '.join(catalogue.names())}")
    if name == MINI:
        return []
    asset = catalogue.ASSETS[name]
    paths = []
    for part in what if what is not None else (asset.what,):
        if part == asset.what:
            target = asset.cached if root is None else root / asset.file
            paths.append(download(asset.url, target, sha256=asset.sha256, progress=progress, pause_s=pause_s))
        elif (name, part) in _NOT_PUBLISHED:
            raise UserError(_NOT_PUBLISHED[name, part])
        elif part == "frames":
            paths += _set1_frames(root, progress, pause_s)
        else:
            raise UserError(f"'{part}' is nothing to fetch; known: prompts, frames, references")
    return paths


def _set1_frames(root: Path | None, progress: Progress | None, pause_s: float) -> list[Path]:
    from mova_eval.benchmarks.loading import load

    folder = (root or cache_dir() / "benchmarks" / VERSE_BENCH) / "set1"
    paths = []
    for item in load(VERSE_BENCH, root=root, sets=["set1"]).items:
        file = f"{int(item.id):05d}.jpg"
        path = download(f"{catalogue.FIRST_FRAMES}/set1/{file}", folder / file, progress=progress, pause_s=pause_s)
        if picture_size(str(path)) is None:
            path.unlink()
            raise UserError(f"{catalogue.FIRST_FRAMES}/set1/{file}: what arrived is no picture; it was not kept")
        paths.append(path)
    return paths
