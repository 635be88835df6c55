"""Run directories made up for tests of the reports: as large, as broken and as hostile as one likes, always the same."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mova_eval.records import (
    Aggregate,
    BenchmarkRef,
    GeneratorRef,
    Manifest,
    MetricRef,
    NotRun,
    Record,
    RunItem,
    ScoreSummary,
    Summary,
    Timing,
)

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2> & \"quoted\" '|pipe|' `tick`"
CHINESE = "镜头缓慢推进，一位女士站在雨中说道：“今天的天气真好，我们去公园散步吧。”"
EMOJI = "A cat 🐈 plays the piano 🎹 while rain falls – softly – on a tin roof 👩‍🎤"
LINE = "Hello there, the quick brown fox jumps over the lazy dog."
HEARD = "Hello there, a quick brown box jumps over the dog today."
SETS = ("set1", "set2", "set3")
CREATED = "2026-02-10T14:03:11Z"


@dataclass(frozen=True)
class FakeScore:
    """One score of a made-up metric: values are drawn around `centre` with `spread`, then kept in `range`."""

    name: str
    title: str
    metric: str
    direction: str
    unit: str
    range: tuple[float | None, float | None]
    centre: float
    spread: float
    decimals: int = 3
    made_with: str = ""
    failure: float | None = None


SCORES = (
    FakeScore("lse_d", "LSE-D", "lip_sync", "lower", "distance", (0.0, None), 8.3, 1.4, made_with="syncnet v2", failure=20.0),
    FakeScore("lse_c", "LSE-C", "lip_sync", "higher", "confidence", (0.0, None), 5.1, 1.8, made_with="syncnet v2", failure=0.0),
    FakeScore("dnsmos_ovrl", "DNSMOS P.835 overall", "dnsmos", "higher", "MOS", (1.0, 5.0), 2.9, 0.5),
    FakeScore("dnsmos_p808", "DNSMOS P.808", "dnsmos", "higher", "MOS", (1.0, 5.0), 3.3, 0.4),
    FakeScore("lufs", "Integrated loudness", "loudness", "target", "LUFS", (None, 0.0), -22.0, 5.0, 1),
    FakeScore("av_align", "AV-Align", "av_align", "higher", "ratio", (0.0, 1.0), 0.24, 0.08),
    FakeScore("wer", "WER", "wer", "lower", "fraction", (0.0, None), 0.18, 0.12, made_with="whisper large-v3"),
    FakeScore("cer", "CER", "wer", "lower", "fraction", (0.0, None), 0.09, 0.07, made_with="whisper large-v3"),
    FakeScore("ib", "ImageBind audio-video", "imagebind", "higher", "cosine", (-1.0, 1.0), 0.27, 0.07, made_with="imagebind huge"),
    FakeScore("desync", "DeSync", "synchformer", "lower", "s", (0.0, 2.0), 0.52, 0.3, made_with="synchformer 24-01-04"),
    FakeScore("clap", "CLAP", "clap", "higher", "cosine", (-1.0, 1.0), 0.31, 0.09, made_with="clap 630k"),
    FakeScore("is", "Inception score", "is", "higher", "score", (1.0, None), 4.3, 0.2, made_with="panns cnn14"),
)  # fmt: skip
MORE = tuple(
    FakeScore(f"extra_{n:02}", f"Extra score {n}", f"extra_{n:02}", "higher", "score", (0.0, 1.0), 0.5, 0.15)
    for n in range(8)
)
"""Eight more metrics, so that `SCORES + MORE` has twenty scores."""


def make_run(
    folder: Path,
    *,
    n_items: int = 24,
    scores: tuple[FakeScore, ...] = SCORES,
    seed: int = 0,
    unfinished: bool = False,
    clean: bool = False,
    clips: dict[int, str] | None = None,
    prompts: tuple[str, ...] = (EMOJI, CHINESE, HOSTILE, "A drummer on a rooftop at dusk, wide shot."),
    protocols: dict[str, str] | None = None,
    long_details: int = 0,
) -> Path:
    """Write a run directory and return it.

    unfinished: the last tenth of the pairs has no record, and the journal ends in a torn line. clean: no failure and
    nothing not applicable. clips: place of an item -> path of its clip relative to the run, in place of a path to
    nothing. protocols: score name -> protocol, for a run that mixes them. long_details: numbers to put into details.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    items = [_item(place, n_items, prompts, clips or {}, clean) for place in range(n_items)]
    metrics = _metrics(scores)
    records = [
        _record(item, place, ref, scores, rng, clean, long_details)
        for place, item in enumerate(items)
        for ref in metrics
    ]
    kept = records[: len(records) - max(1, len(records) // 10)] if unfinished else records
    journal = "".join(record.model_dump_json(exclude_defaults=True) + "\n" for record in kept)
    manifest = _manifest(items, metrics)
    (folder / "run.json").write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    _write_lines(folder / "items.jsonl", items)
    _write_lines(
        folder / "timings.jsonl",
        [Timing(item=r.item, metric=r.metric, seconds=0.25, cached=r.metric == "loudness") for r in kept],
    )
    (folder / "scores.jsonl").write_text(journal + ('{"item": "torn' if unfinished else ""), encoding="utf-8")
    digest = hashlib.sha256((folder / "scores.jsonl").read_bytes()).hexdigest()
    summary = Summary(
        run=manifest.run,
        benchmark=manifest.benchmark,
        complete=not unfinished,
        n_items=n_items,
        n_clips=sum(item.clip is not None for item in items),
        missing_clips=[item.item for item in items if item.clip is None],
        unmatched_files=[] if clean else ["notes <b>.mp4"],
        matching_notes=[] if clean else ["2 clips belong to items not among the chosen, such as <i>.mp4"],
        scores=[_summary(score, items, kept, (protocols or {}).get(score.name, "official")) for score in scores],
        not_run=manifest.not_run,
        journal_sha256=digest,
        resamples=1000,
        seed=0,
    )
    (folder / "summary.json").write_text(summary.model_dump_json(indent=2), encoding="utf-8")
    return folder


def _write_lines(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(row.model_dump_json(exclude_defaults=True) + "\n" for row in rows), encoding="utf-8")


def _item(place: int, total: int, prompts: tuple[str, ...], clips: dict[int, str], clean: bool) -> RunItem:
    name = f"{place:05d}"
    group = SETS[min(place * len(SETS) // total, len(SETS) - 1)]
    speaks = place % 3 == 0
    missing = not clean and place % 97 == 11
    return RunItem(
        item=name,
        set=group,
        category="talking" if speaks else "scene",
        language=("zh" if place % 6 == 0 else "en") if speaks else None,
        prompt=f"{prompts[place % len(prompts)]} (take {place})",
        speech=[{"speaker": "S01", "text": LINE}] if speaks else [],
        flags=["speech_does_not_fit"] if not clean and place % 40 == 3 else [],
        clip=None if missing else clips.get(place, f"clips/{group}/{name}.mp4"),
        sha256=None if missing else hashlib.sha256(name.encode()).hexdigest(),
    )


def _metrics(scores: tuple[FakeScore, ...]) -> list[MetricRef]:
    names = dict.fromkeys(score.metric for score in scores)
    return [
        MetricRef(
            name=name,
            version="1",
            parameters={"protocol": "official", "vshift": 15},
            weights={"weights of " + name: hashlib.sha256(name.encode()).hexdigest()},
            scores=[score.name for score in scores if score.metric == name],
        )
        for name in names
    ]


def _record(
    item: RunItem, place: int, ref: MetricRef, scores: tuple[FakeScore, ...], rng: np.random.Generator, clean: bool, long: int
) -> Record:  # fmt: skip
    base: dict[str, Any] = {"item": item.item, "set": item.set, "metric": ref.name, "key": f"{place:064d}"}
    mine = [score for score in scores if score.metric == ref.name]
    draw = {score.name: float(np.clip(rng.normal(score.centre, score.spread), *_ends(score))) for score in mine}
    if item.clip is None:
        return Record(**base, status="failed", code="no_clip", reason="there is no clip of this item")
    if ref.name == "wer" and not item.speech:
        return Record(**base, status="not_applicable", code="no_speech", reason="the item asks for no speech")
    if not clean and ref.name == "lip_sync" and place % 7 == 2:
        return Record(
            **base, status="not_applicable", code="no_face", reason="no face is tracked for 20 frames or more"
        )
    if not clean and place % 53 == 9 and ref.name != "av_align":
        reason = f"{item.item}.mp4 has no audio stream"
        return Record(**base, status="failed", code="no_audio_stream", reason=reason)
    if not clean and place % 71 == 5 and ref.name == "clap":
        return Record(
            **base, status="failed", code="error", reason=f"ValueError: {HOSTILE}", details={"traceback": HOSTILE}
        )
    details: dict[str, Any] = {"windows": 12}
    counts: dict[str, tuple[float, float]] = {}
    if ref.name == "wer":
        details = {"asr": "whisper large-v3", "reference": LINE, "hypothesis": HEARD, "language": item.language}
        counts = {name: (round(value * 12), 12) for name, value in draw.items()}
        draw = {name: errors / length for name, (errors, length) in counts.items()}
        if item.language == "zh":
            counts.pop("wer"), draw.pop("wer")
            details["left_out"] = {"wer": "no word normalisation for language 'zh'; see cer"}
    if long:
        details["per_window"] = [round(float(value), 6) for value in rng.normal(size=long)]
    if ref.name == "is":
        return Record(**base, status="scored", features=f"features/{item.item}.npz")
    flags = ["silent_audio"] if not clean and ref.name == "dnsmos" and place % 90 == 20 else []
    return Record(**base, status="scored", scores=draw, counts=counts, details=details, flags=flags)


def _ends(score: FakeScore) -> tuple[float, float]:
    low, high = score.range
    return (-math.inf if low is None else low), (math.inf if high is None else high)


def _manifest(items: list[RunItem], metrics: list[MetricRef]) -> Manifest:
    return Manifest(
        run="verse-bench-mova-360p",
        created=CREATED,
        benchmark=BenchmarkRef(
            name="verse-bench", version="1.0", title="Verse-Bench", content_sha256="0" * 64,
            sets=list(dict.fromkeys(item.set for item in items)), n_items=len(items),
        ),
        generator=GeneratorRef(kind="folder", name="MOVA-360p", settings={"folder": "clips/mova-360p"}),
        protocol="official",
        metrics=metrics,
        not_run=[NotRun(metric="aesthetics", reason="weights audiobox are missing, get them with: mova-eval weights fetch audiobox")],
        device="cpu",
        machine={"system": "Linux", "processor": "x86_64", "cores": "2", "python": "3.11.9"},
        versions={"numpy": "2.1.0", "ffmpeg": "7.1"},
        commit="a" * 40,
        command=["mova-eval", "score", "clips", "--benchmark", "verse-bench"],
    )  # fmt: skip


def _summary(score: FakeScore, items: list[RunItem], records: list[Record], protocol: str) -> ScoreSummary:
    sets = list(dict.fromkeys(item.set for item in items))
    mine = [record for record in records if record.metric == score.metric]
    groups = {
        name: _aggregate(score, [r for r in mine if r.set == name], sum(i.set == name for i in items)) for name in sets
    }
    few = len(items) < 10
    return ScoreSummary(
        name=score.name,
        title=score.title,
        metric=score.metric,
        direction=score.direction,
        unit=score.unit,
        range=score.range,
        decimals=score.decimals,
        source="made up",
        protocol=protocol,
        made_with=score.made_with,
        rule="mean of the means of set1, set2, set3" if score.metric != "wer" else "errors over reference words of all clips",
        overall=_aggregate(score, mine, len(items)),
        sets=groups,
        notes=[f"{len(items)} items only: too few to compare"] if few else [],
    )  # fmt: skip


def _aggregate(score: FakeScore, records: list[Record], expected: int) -> Aggregate:
    values = np.array([record.scores[score.name] for record in records if score.name in record.scores])
    if score.name == "is":
        values = np.full(sum(record.status == "scored" for record in records), score.centre)
    failed = [record for record in records if record.status == "failed"]
    reasons: dict[str, int] = {}
    for record in records:
        if record.code:
            reasons[record.code] = reasons.get(record.code, 0) + 1
    mean = float(values.mean()) if len(values) else None
    half = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    compat = mean
    if mean is not None and failed and score.failure is not None:
        compat = float(np.mean([*values, *([score.failure] * len(failed))]))
    return Aggregate(
        value=mean,
        compat=compat,
        interval=(mean - half, mean + half) if mean is not None and len(values) > 1 else None,
        n_expected=expected,
        n_scored=len(values),
        n_not_applicable=len(records) - len(values) - len(failed),
        n_failed=len(failed),
        reasons=reasons,
    )


def edit_json(path: Path, **changes: Any) -> None:
    """Change top-level fields of a JSON file in place."""
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
