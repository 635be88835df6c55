"""Import of items, models, clips and automatic scores: in pieces, resumable, a bad file costs one row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from arena.context import Arena
from arena.db.tables import Clip, Item, Model
from arena.db.tables_results import ExternalScore
from arena.db.types import core_table
from arena.errors import ArenaError
from arena.service import audit
from arena.service.types import ImportReport, NewClip, NewItem, NewModel, NewScore, Rendition

BATCH = 200
_MAX_TEXT = 8000
T = TypeVar("T")


class Renderer(Protocol):
    """`arena.media` makes these: a source file in, the file for serving written below the media root.

    Raises ArenaError, in one sentence, for a file that cannot be served.
    """

    def __call__(self, source: Path, /) -> Rendition: ...


Progress = Callable[[int, int], None]
"""(done, total)"""


@dataclass
class _Count:
    added: int = 0
    unchanged: int = 0
    failed: int = 0
    warnings: list[str] = field(default_factory=list)

    def report(self) -> ImportReport:
        return ImportReport(self.added, self.unchanged, self.failed, tuple(self.warnings))


def _batches(rows: Iterable[T]) -> Iterator[list[T]]:
    it = iter(rows)
    while batch := list(islice(it, BATCH)):
        yield batch


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def import_models(arena: Arena, models: Sequence[NewModel], actor: str = "system") -> ImportReport:
    """Add models that are not there; a model that is there stays as it is (one row is one exact version)."""

    def unit(session: Session) -> _Count:
        count = _Count()
        for new in models:
            _check_name("model", new.slug, 80)
            row = session.scalars(select(Model).where(Model.slug == new.slug)).one_or_none()
            if row is not None:
                count.unchanged += 1
                if row.version != new.version:
                    count.warnings.append(
                        f"model '{new.slug}' is there with version '{row.version}', not '{new.version}': give the new"
                        " version a name of its own"
                    )
                continue
            values = {**asdict(new), "display_name": new.display_name or new.slug}
            session.add(Model(**values, status="active", created_ms=arena.clock.now_ms()))
            count.added += 1
        if count.added:
            session.flush()
            detail = {"added": count.added}
            audit.append(session, arena.clock.now_ms(), actor, "models_imported", ("models", count.added), detail)
        return count

    return arena.database.write(unit).report()


def import_items(arena: Arena, items: Sequence[NewItem], actor: str = "system") -> ImportReport:
    """Add items; one with the same key and another content is refused, since votes were about the old one.

    First frames are copied below the media root under their hash.
    """
    count = _Count()
    for batch in _batches(items):
        rows = [_item_row(arena, new) for new in batch]

        def unit(session: Session, rows: list[dict[str, Any]] = rows) -> tuple[int, int]:
            added = unchanged = 0
            for row in rows:
                there = session.scalar(
                    select(Item.content_sha256).where(
                        Item.benchmark == row["benchmark"], Item.item_key == row["item_key"]
                    )
                )
                if there is None:
                    session.add(Item(**row))
                    added += 1
                elif there == row["content_sha256"]:
                    unchanged += 1
                else:
                    raise ArenaError(
                        f"item {row['item_key']} of {row['benchmark']} is there with another prompt or first frame;"
                        " a changed benchmark needs a name of its own"
                    )
            session.flush()
            if added:
                audit.append(session, arena.clock.now_ms(), actor, "items_imported", ("items", added))
            return added, unchanged

        added, unchanged = arena.database.write(unit)
        count.added += added
        count.unchanged += unchanged
    return count.report()


def _item_row(arena: Arena, new: NewItem) -> dict[str, Any]:
    _check_name("benchmark", new.benchmark, 64)
    _check_name("item", new.item_key, 128)
    prompts = [text for text in (new.prompt_en, new.prompt_zh) if text]
    if not prompts:
        raise ArenaError(f"item {new.item_key} of {new.benchmark} has no prompt")
    if max(map(len, prompts)) > _MAX_TEXT:
        raise ArenaError(f"item {new.item_key} of {new.benchmark}: the prompt is longer than {_MAX_TEXT} characters")
    row = asdict(new)
    frame: Path | None = row.pop("first_frame")
    sha, place = (None, None) if frame is None else _keep_frame(arena, frame)
    row |= {"first_frame_sha256": sha, "first_frame_path": place, "status": "active"}
    row |= {"prompt_en": new.prompt_en or None, "prompt_zh": new.prompt_zh or None}
    content = {key: row[key] for key in row if key not in {"status", "browse", "first_frame_path"}}
    return {**row, "content_sha256": hashlib.sha256(audit.canonical(content).encode()).hexdigest()}


def _keep_frame(arena: Arena, frame: Path) -> tuple[str, str]:
    if not frame.is_file():
        raise ArenaError(f"there is no first frame {frame}")
    sha = file_sha256(frame)
    place = f"frames/{sha[:2]}/{sha}{frame.suffix.lower()}"
    target = arena.media_root / place
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        partial.write_bytes(frame.read_bytes())
        partial.rename(target)
    return sha, place


def _check_name(what: str, name: str, limit: int) -> None:
    if not name or len(name) > limit or any(ord(c) < 32 for c in name):
        raise ArenaError(f"'{name[:40]}' is no name of a {what}: 1 to {limit} characters, no control characters")


def import_clips(
    arena: Arena,
    clips: Sequence[NewClip],
    render: Renderer,
    *,
    actor: str = "system",
    progress: Progress | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Render and add clips, 200 per transaction; models and items must be there.

    A clip that is there with the same source is left alone (so a stopped import goes on where it was); with another
    source it is refused: votes were about the old one. A file that cannot be rendered costs one row and one warning.
    dry_run: look at everything, write nothing.
    """
    models, items = _known(arena)
    count = _Count()
    for start, batch in enumerate(_batches(clips)):
        ready: list[dict[str, Any]] = []
        for offset, clip in enumerate(batch):
            try:
                row = _clip_row(arena, clip, models, items, None if dry_run else render, count)
            except ArenaError as error:
                count.failed += 1
                count.warnings.append(str(error))
                row = None
            if row is not None:
                ready.append(row)
            if progress is not None:
                progress(start * BATCH + offset + 1, len(clips))
        if ready and not dry_run:
            arena.database.write(lambda session, rows=ready: _insert_clips(arena, session, rows, actor))  # type: ignore[misc]
        count.added += len(ready)
    if not dry_run and count.added:
        count.warnings += _equal_sources(arena)
        arena.pools.forget_all()
    return count.report()


def _known(arena: Arena) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    with arena.database.read() as session:
        models = dict(session.execute(select(Model.slug, Model.id)).all())
        items = {(b, k): i for b, k, i in session.execute(select(Item.benchmark, Item.item_key, Item.id))}
    return models, items


def _clip_row(
    arena: Arena,
    clip: NewClip,
    models: dict[str, int],
    items: dict[tuple[str, str], int],
    render: Renderer | None,
    count: _Count,
) -> dict[str, Any] | None:
    """The row to insert; None if it is there."""
    model, item = models.get(clip.model), items.get((clip.benchmark, clip.item_key))
    if model is None:
        raise ArenaError(f"{clip.path}: there is no model '{clip.model}'")
    if item is None:
        raise ArenaError(f"{clip.path}: there is no item {clip.item_key} of {clip.benchmark}")
    if not clip.path.is_file():
        raise ArenaError(f"there is no clip {clip.path}")
    with arena.database.read() as session:
        there = session.execute(
            select(Clip.src_sha256, Clip.status, Clip.serve_path).where(
                Clip.model_id == model, Clip.item_id == item, Clip.take == clip.take
            )
        ).one_or_none()
    if there is not None:
        if file_sha256(clip.path) != there.src_sha256:
            raise ArenaError(
                f"{clip.path}: '{clip.model}' has another clip for {clip.item_key} already; a new version of a model"
                " needs a name of its own"
            )
        count.unchanged += 1
        return None
    row: dict[str, Any] = {"model_id": model, "item_id": item, "take": clip.take, "src_uri": str(clip.path)}
    if render is None:
        return row
    made = render(clip.path)
    return {**row, **asdict(made), "status": "ready", "status_reason": "", "created_ms": arena.clock.now_ms()}


def _insert_clips(arena: Arena, session: Session, rows: list[dict[str, Any]], actor: str) -> None:
    session.execute(insert(Clip), rows)
    audit.append(session, arena.clock.now_ms(), actor, "clips_imported", ("clips", len(rows)))


def _equal_sources(arena: Arena) -> list[str]:
    """A sentence for each item on which two models have the very same file; such a pair is not served."""
    first, second = core_table(Clip).alias("first"), core_table(Clip).alias("second")
    with arena.database.read() as session:
        names = dict(session.execute(select(Model.id, Model.slug).where(Model.role != "gold")).all())
        keys = dict(session.execute(select(Item.id, Item.item_key)).all())
        rows = session.execute(
            select(first.c.item_id, first.c.model_id, second.c.model_id)
            .join(second, (first.c.item_id == second.c.item_id) & (first.c.src_sha256 == second.c.src_sha256))
            .where(first.c.model_id < second.c.model_id)
        )
        return [
            f"item {keys[item]}: '{names[a]}' and '{names[b]}' have the same file; the pair is not shown on it"
            for item, a, b in rows
            if a in names and b in names
        ]


def import_scores(arena: Arena, scores: Sequence[NewScore], actor: str = "system") -> ImportReport:
    """Add what automatic metrics said, or replace it: (clip, name, source, protocol) identifies a value."""
    models, items = _known(arena)
    count = _Count()
    with arena.database.read() as session:
        clips = {
            (m, i): c for m, i, c in session.execute(select(Clip.model_id, Clip.item_id, Clip.id).where(Clip.take == 0))
        }
    rows: list[dict[str, Any]] = []
    for score in scores:
        clip = clips.get((models.get(score.model, -1), items.get((score.benchmark, score.item_key), -1)))
        if clip is None:
            count.failed += 1
            continue
        rows.append(
            {
                "clip_id": clip,
                "name": score.name,
                "value": score.value,
                "higher_is_better": score.higher_is_better,
                "source": score.source,
                "protocol": score.protocol,
            }
        )
    for batch in _batches(rows):
        arena.database.write(lambda session, rows=batch: _replace_scores(session, rows))  # type: ignore[misc]
    count.added = len(rows)
    if count.failed:
        count.warnings.append(f"{count.failed} scores are for clips that are not in the arena")
    if rows:
        audit.record(arena, actor, "scores_imported", ("scores", len(rows)))
    return count.report()


def _replace_scores(session: Session, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        session.execute(
            delete(ExternalScore).where(
                ExternalScore.clip_id == row["clip_id"],
                ExternalScore.name == row["name"],
                ExternalScore.source == row["source"],
                ExternalScore.protocol == row["protocol"],
            )
        )
    session.execute(insert(ExternalScore), rows)
