"""From finished runs, or folders of clips, to what the arena imports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from metrics.errors import UserError

if TYPE_CHECKING:
    from arena.service.types import NewClip, NewItem, NewModel, NewScore
    from mova_eval.benchmarks.schema import Benchmark, Item


@dataclass
class Batch:
    """Everything of one or more runs, for the arena's importer."""

    models: list[NewModel] = field(default_factory=list)
    items: list[NewItem] = field(default_factory=list)
    clips: list[NewClip] = field(default_factory=list)
    scores: list[NewScore] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def read_sources(sources: Sequence[Path], benchmark: str | None = None, names: Sequence[str] | None = None) -> Batch:
    """Runs (directories with a run.json) and folders of clips, each one model.

    benchmark: of the folders (a name, or a prompt file). names: of the models, in the order of the sources. Raises
    UserError when a folder has no benchmark, two sources have the same model name, or nothing is there.
    """
    if names is not None and len(names) != len(sources):
        raise UserError(f"{len(names)} model names for {len(sources)} runs or folders; give one for each")
    batch = Batch()
    for at, source in enumerate(sources):
        if not source.exists():
            raise UserError(f"{source} does not exist; give run directories or folders of clips")
        name = names[at] if names is not None else None
        if (source / "run.json").is_file():
            _add_run(batch, source, name)
        else:
            _add_folder(batch, source, benchmark, name)
    known: set[str] = set()
    for model in batch.models:
        if model.slug in known:
            raise UserError(f"two sources are called '{model.slug}'; tell them apart with --models NAME,NAME")
        known.add(model.slug)
    batch.items = list({(item.benchmark, item.item_key): item for item in batch.items}.values())
    return batch


def _add_run(batch: Batch, path: Path, name: str | None) -> None:
    from arena.service.types import NewClip, NewModel
    from mova_eval.runs import load_run

    run = load_run(path)
    slug = name or run.manifest.generator.name
    batch.models.append(NewModel(slug, version=run.manifest.commit or ""))
    known = _items_of(run.manifest.benchmark.name)
    reference = run.manifest.benchmark.name
    for item in run.items:
        batch.items.append(
            _item(
                reference,
                item.item,
                item.set,
                item.prompt,
                item.language,
                item.category,
                len({turn.get("speaker", "") for turn in item.speech}),
                known.get(item.item),
            )
        )
        clip = _clip_of(path, item.clip, item.source)
        if clip is None:
            batch.remarks.append(f"{slug}: no clip for {item.item}")
        else:
            batch.clips.append(NewClip(slug, reference, item.item, clip))
    _add_scores(batch, path, slug, reference)


def _clip_of(run: Path, clip: str | None, source: str | None) -> Path | None:
    for place in (run / clip if clip else None, Path(source) if source else None):
        if place is not None and place.is_file():
            return place
    return None


def _items_of(benchmark: str) -> dict[str, Item]:
    """Items by id, for their first frames; none where the benchmark's files are not here."""
    from mova_eval import benchmarks

    try:
        return {item.id: item for item in benchmarks.load(benchmark).items}
    except UserError:
        return {}


def _item(
    benchmark: str,
    key: str,
    set_name: str,
    prompt: str,
    language: str | None,
    category: str | None,
    speakers: int,
    known: Item | None,
) -> NewItem:
    from arena.service.types import NewItem

    frame = Path(known.first_frame.path) if known is not None and known.first_frame is not None else None
    chinese = sum("\u4e00" <= c <= "\u9fff" for c in prompt) > len(prompt) / 4
    spoken: Literal["en", "zh", "other", "none"] = "none" if language is None else "zh" if language == "zh" else "en"
    return NewItem(
        benchmark,
        key,
        set_name,
        prompt_en=None if chinese else prompt or key,
        prompt_zh=prompt if chinese else None,
        language=spoken,
        category=category or "",
        has_speech=language is not None,
        n_speakers=speakers if language is not None else 0,
        first_frame=frame if frame is not None and frame.is_file() else None,
    )


def _add_scores(batch: Batch, path: Path, slug: str, benchmark: str) -> None:
    from arena.service.types import NewScore
    from metrics.registry import metric_class
    from mova_eval.runs import load_run

    run = load_run(path)
    for record in run.records:
        if record.status != "scored":
            continue
        directions = {spec.name: spec.direction for spec in metric_class(record.metric).scores}
        for name, value in record.scores.items():
            if directions.get(name) in {"higher", "lower"}:
                higher = directions[name] == "higher"
                batch.scores.append(
                    NewScore(slug, benchmark, record.item, name, value, higher, record.metric, run.manifest.protocol)
                )


def _add_folder(batch: Batch, folder: Path, benchmark: str | None, name: str | None) -> None:
    from arena.service.types import NewClip, NewModel
    from mova_eval import benchmarks

    if benchmark is None:
        raise UserError(f"{folder} is no run; say which prompts its clips are for with --benchmark NAME or FILE")
    loaded: Benchmark = benchmarks.load(benchmark)
    matching = benchmarks.match_clips(folder, loaded)
    slug = name or folder.resolve().name
    batch.models.append(NewModel(slug))
    batch.remarks += [f"{slug}: {remark}" for remark in matching.remarks]
    for item in loaded.items:
        batch.items.append(
            _item(
                loaded.name,
                item.id,
                item.set,
                item.prompt,
                item.language,
                item.category,
                len({turn.speaker for turn in item.speech}),
                item,
            )
        )
        if item.id in matching.clips:
            batch.clips.append(NewClip(slug, loaded.name, item.id, matching.clips[item.id]))
