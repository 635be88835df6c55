"""Runs with chosen numbers, consistent to the last digit: written as a run writes them, summarised by the suite."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from metrics.registry import metric_class
from mova_eval.records import BenchmarkRef, GeneratorRef, Manifest, MetricRef, Record, RunItem
from mova_eval.runs.journal import encode
from mova_eval.runs.outcomes import encode_features
from mova_eval.runs.summarising import summarise_run

SIZES: Mapping[str, int] = {"set1": 20, "set2": 30, "set3": 50}
VERSE_BENCH = "a6630a55c3883d024221106bcb2d3776c46bca7c7a8c15daf255f826000dd337"
PROMPTS = (
    "A drummer on a rooftop at dusk, wide shot.",
    "镜头缓慢推进，一位女士站在雨中。",
    "Two people argue in a kitchen <b>loudly</b>.",
)

Values = Sequence[float | None]


def item_ids(sizes: Mapping[str, int]) -> list[tuple[str, str]]:
    """(set, id) of every item, set after set."""
    pairs, number = [], 0
    for name, n in sizes.items():
        for _ in range(n):
            pairs.append((name, f"{number:08d}"))
            number += 1
    return pairs


def draw(
    n: int, seed: int, centre: float, spread: float, quality: np.ndarray[Any, Any] | None = None
) -> list[float | None]:
    """Numbers around `centre`; a shared `quality` per item makes two runs correlate, as real ones do."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0, spread, n)
    shared = 0.0 if quality is None else quality * spread
    return [float(value) for value in centre + own * 0.6 + np.asarray(shared) * 0.8]


def write_run(
    folder: Path,
    values: Mapping[str, Values],
    *,
    counts: Mapping[str, Sequence[tuple[float, float] | None]] | None = None,
    features: Mapping[str, Sequence[Any]] | None = None,
    sizes: Mapping[str, int] = SIZES,
    model: str = "MOVA-360p",
    benchmark: str = "verse-bench",
    protocol: str = "official",
    created: str = "2026-02-10T14:03:11+00:00",
    commit: str | None = "a" * 40,
    settings: Mapping[str, Any] | None = None,
    maker: Mapping[str, Any] | None = None,
    clips: Mapping[str, str] | None = None,
    drop_records: int = 0,
    weights: Mapping[str, Mapping[str, str]] | None = None,
    content_sha256: str = VERSE_BENCH,
    prompt_variant: str = "official",
    limit: int | None = None,
    reason: tuple[str, str] = ("no_face", "no face is tracked for 20 frames or more"),
) -> Path:
    """Write a run directory and return it.

    maker: more about what made the clips (seed, frames, caveats).
    values: score -> one value per item, None where it is not applicable. counts: the same for error rates. features:
    metric -> per item an array "p", or arrays by name. clips: item -> path relative to the run. drop_records: records left out at the
    end, so that the run is unfinished.
    """
    counts, features = counts or {}, features or {}
    folder.mkdir(parents=True, exist_ok=True)
    pairs = item_ids(sizes)
    items = [
        RunItem(
            item=name,
            set=group,
            category="talking" if place % 2 else "scene",
            language="en",
            prompt=PROMPTS[place % len(PROMPTS)],
            speech=[{"speaker": "S01", "text": "Hello there."}],
            clip=(clips or {}).get(name, f"clips/{group}/{name}.mp4"),
            sha256=hashlib.sha256(f"{model}{name}".encode()).hexdigest(),
        )
        for place, (group, name) in enumerate(pairs)
    ]
    metrics: dict[str, list[str]] = {}
    for name in [*values, *counts]:
        metrics.setdefault(metric_class(name).name, []).append(name)
    for name in features:
        metrics[name] = [spec.name for spec in metric_class(name).scores]
    refs = [
        MetricRef(
            name=name,
            version="1",
            parameters={"protocol": protocol},
            weights=dict((weights or {}).get(name, {})),
            scores=scores,
        )
        for name, scores in metrics.items()
    ]
    records = [
        _record(folder, item, place, ref, values, counts, features, reason)
        for place, item in enumerate(items)
        for ref in refs
    ]
    kept = records[: len(records) - drop_records]
    manifest = Manifest(
        run=folder.name,
        created=created,
        benchmark=BenchmarkRef(
            name=benchmark, version="1", title="Verse-Bench" if benchmark == "verse-bench" else benchmark,
            content_sha256=content_sha256, prompt_variant=prompt_variant, sets=list(sizes), n_items=len(items), limit=limit,
        ),
        generator=GeneratorRef(kind="folder", name=model, settings=dict(settings or {}), **(maker or {})),
        protocol=protocol, metrics=refs, device="cpu", machine={"cores": "2"}, versions={"numpy": "2"}, commit=commit,
        command=["mova-eval", "score"],
    )  # fmt: skip
    (folder / "run.json").write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    (folder / "items.jsonl").write_text("".join(i.model_dump_json() + "\n" for i in items), encoding="utf-8")
    (folder / "scores.jsonl").write_bytes(b"".join(map(encode, kept)))
    if not drop_records:
        summary = summarise_run(folder, resamples=200)
        (folder / "summary.json").write_text(summary.model_dump_json(indent=2), encoding="utf-8")
    return folder


def _record(
    folder: Path,
    item: RunItem,
    place: int,
    ref: MetricRef,
    values: Mapping[str, Values],
    counts: Mapping[str, Sequence[tuple[float, float] | None]],
    features: Mapping[str, Sequence[Any]],
    reason: tuple[str, str],
) -> Record:
    base: dict[str, Any] = {"item": item.item, "set": item.set, "metric": ref.name, "key": f"{place:064d}"}
    if ref.name in features:
        array = features[ref.name][place]
        if array is None:
            return Record(**base, status="failed", code="no_audio_stream", reason="no audio stream")
        (folder / "features").mkdir(exist_ok=True)
        name = f"{item.item}__{ref.name}.npz"
        (folder / "features" / name).write_bytes(
            encode_features(array if isinstance(array, dict) else {"p": np.asarray(array)})
        )
        return Record(**base, status="scored", features=name)
    scores = {name: values[name][place] for name in ref.scores if name in values}
    ratios = {name: pair for name in ref.scores if name in counts and (pair := counts[name][place]) is not None}
    scores.update({name: errors / length for name, (errors, length) in ratios.items()})
    there = {name: value for name, value in scores.items() if value is not None}
    if not there:
        return Record(**base, status="not_applicable", code=reason[0], reason=reason[1])
    return Record(**base, status="scored", scores=there, counts=ratios)


def typical(
    seed: int, sizes: Mapping[str, int] = SIZES, quality_seed: int = 7, **shift: float
) -> dict[str, list[float | None]]:
    """Values of several metrics, as of a real model; runs with the same `quality_seed` correlate. shift: score -> added."""
    n = sum(sizes.values())
    quality = np.random.default_rng(quality_seed).normal(size=n)
    made = {
        "lse_d": draw(n, seed, 8.1, 1.3, -quality),
        "lse_c": draw(n, seed + 1, 6.3, 1.6, quality),
        "dnsmos_p808": draw(n, seed + 2, 3.6, 0.3, quality),
        "av_align": draw(n, seed + 3, 0.24, 0.05, quality),
        "lufs": draw(n, seed + 4, -22.0, 3.0),
    }
    for name, by in shift.items():
        made[name] = [None if value is None else value + by for value in made[name]]
    faceless = np.random.default_rng(quality_seed + 1).random(n) < 0.1
    for name in ("lse_d", "lse_c"):
        made[name] = [None if gone else value for gone, value in zip(faceless, made[name], strict=True)]
    return made


VOTED_SIZES = {"set1": 30, "set3": 50}
VOTED_MODELS = ("MOVA-720p", "LTX-2", "Ovi", "WAN2.1 + MMAudio")


def voted(folder: Path, seed: int = 0, noise: float = 0.6, **more: Any) -> tuple[Path, list[Path]]:
    """Runs whose LSE-C follows the clips' true quality, whose DNSMOS does not, and votes that follow the quality."""
    rng = np.random.default_rng(seed)
    ids = item_ids(VOTED_SIZES)
    quality = {
        name: 0.8 * (len(VOTED_MODELS) - place) + rng.normal(size=len(ids)) for place, name in enumerate(VOTED_MODELS)
    }
    runs = []
    for place, name in enumerate(VOTED_MODELS):
        q = quality[name]
        values = {
            "lse_c": [float(v) for v in 5 + q + noise * rng.normal(size=len(q))],
            "lse_d": [float(v) for v in 9 - q + noise * rng.normal(size=len(q))],
            "dnsmos_p808": [float(np.clip(v, 1, 5)) for v in 3 + 0.3 * rng.normal(size=len(q))],
            "lufs": [-20.0] * len(q),
        }
        runs.append(write_run(folder / f"run{place}", values, sizes=VOTED_SIZES, model=name, **more))
    rows = []
    for (set_, item), place in zip(ids, range(len(ids)), strict=True):
        for a, b in combinations(VOTED_MODELS, 2):
            for voter in range(2):
                d = quality[a][place] - quality[b][place] + rng.logistic(0, 0.5)
                winner = "tie" if abs(d) < 0.4 else "model_a" if d > 0 else "model_b"
                rows.append({"item": item, "set": set_, "category": set_, "model_a": a, "model_b": b, "winner": winner,
                             "criterion": "sync", "kind": "regular", "excluded": "", "voter": f"v{voter}"})  # fmt: skip
    path = folder / "votes.csv"
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path, runs
