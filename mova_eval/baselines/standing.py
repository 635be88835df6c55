"""Where a run stands: the published rows it may be compared with, its own row below them, and the rest as context."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from metrics.errors import UserError
from mova_eval.baselines.columns import Column, columns
from mova_eval.baselines.loading import published
from mova_eval.baselines.records import Cell, Group, Head, Mark, Row, RunCard, Standing
from mova_eval.baselines.schema import Published, PublishedRow
from mova_eval.benchmarks.catalogue import MYBENCH, VERSE_BENCH, shipped
from mova_eval.benchmarks.catalogue import names as benchmark_names
from mova_eval.comparison.cards import card_of
from mova_eval.records import ScoreSummary
from mova_eval.runs.loading import Run, load_run

ON_MYBENCH = frozenset({"cpcer"})
"""Scores of the published table that were measured on MyBench."""


def beside_baselines(
    runs: Sequence[str | Path | Run],
    *,
    baselines: bool = True,
    include_doubtful: bool = False,
    where: Path | None = None,
) -> Standing:
    """Put the rows of runs under the published ones.

    A run on Verse-Bench and one on MyBench of the same model share a row, as in the published table: cpCER comes from
    MyBench, everything else from Verse-Bench.
    baselines: whether published rows are shown at all. include_doubtful: also sources that contradict themselves or
    others, and those of other benchmarks. where: another folder of published results.

    Raises UserError when there is no run, a run has no summary, or its summary does not follow from its journal.
    """
    opened = [run if isinstance(run, Run) else load_run(run) for run in runs]
    if not opened:
        raise UserError("there is no run to report; give one or more run directories")
    for run in opened:
        _check(run)
    foot = _Footnotes()
    ours = _our_rows(opened, foot)
    sources = published(include_doubtful=include_doubtful, where=where) if baselines else []
    main, context = [], []
    for source in sources:
        taken, groups = _sorted_out(source, opened, foot)
        main += taken
        context += groups
    heads = _heads(opened, [name for row in main for name in row.cells])
    shown = [head for head in heads if any(head.name in row.cells for row in [*main, *ours])]
    return Standing(
        benchmark=", ".join(
            dict.fromkeys(f"{run.summary.benchmark.title} {run.summary.benchmark.version}" for run in opened)
        ),
        protocol=", ".join(dict.fromkeys(run.manifest.protocol for run in opened)),
        columns=shown,
        rows=marked([*main, *ours], shown),
        cards=[
            RunCard(label=run.manifest.generator.name, path=run.path.as_posix(), card=card_of(run)) for run in opened
        ],
        context=context,
        footnotes=foot.texts,
        sources=[source.source.short for source in sources if any(row.origin == source.name for row in main)],
        notes=_notes(opened),
    )


def _check(run: Run) -> None:
    from mova_eval.comparison.reading import ReadRun, check_summary

    if run.paths.summary.exists() and not ReadRun(run).n_missing:
        check_summary(run)


class _Footnotes:
    """Texts below the table, each once, numbered from 1."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def _heads(runs: Iterable[Run], printed: Sequence[str]) -> list[Head]:
    """Columns of the published order first (those printed or measured), then the runs' other scores."""
    scores = {score.name: score for run in runs for score in run.summary.scores}
    wanted = {*scores, *printed}
    known = [_head(column, scores.get(name)) for name, column in columns().items() if name in wanted]
    return [*known, *(_head_of(score) for name, score in scores.items() if name not in columns())]


def _head(column: Column, score: ScoreSummary | None) -> Head:
    direction = score.direction if score is not None else column.direction
    return Head(
        name=column.name,
        title=column.title,
        direction=direction,
        decimals=column.decimals if score is None else max(score.decimals, column.decimals),
    )


def _head_of(score: ScoreSummary) -> Head:
    return Head(name=score.name, title=score.title, direction=score.direction, decimals=score.decimals)


def _our_rows(runs: Sequence[Run], foot: _Footnotes) -> list[Row]:
    """One row per run; a run on MyBench adds its cpCER to the row of the same model on Verse-Bench."""
    partners = _partners(runs)
    rows = []
    for place, run in enumerate(runs):
        if place in partners.values():
            continue
        model = run.manifest.generator.name
        cells = {s.name: cell for s in run.summary.scores if (cell := _our_cell(s, run)) is not None}
        notes = [foot(text) for text in _about(run)]
        if place in partners:
            other = runs[partners[place]]
            added = {
                s.name: cell for s in other.summary.scores if s.name in ON_MYBENCH and (cell := _our_cell(s, other))
            }
            cells |= added
            names = ", ".join(added) or "nothing"
            notes += [foot(text) for text in _about(other)]
            notes.append(foot(f"{model}: {names} from {other.path.as_posix()} ({other.summary.benchmark.title})"))
        rows.append(
            Row(
                label=model,
                model=model,
                origin="run",
                status="ours",
                protocol=run.manifest.protocol,
                cells=cells,
                footnotes=sorted(set(notes)),
                path=run.path.as_posix(),
                date=run.manifest.created,
            )
        )
    return _told_apart(rows)


def _partners(runs: Sequence[Run]) -> dict[int, int]:
    """Place of a run on Verse-Bench -> place of the run on MyBench that shares its row, where there is one of each."""
    groups: dict[tuple[str, str], dict[str, list[int]]] = {}
    for place, run in enumerate(runs):
        m = run.manifest
        groups.setdefault((m.generator.name, m.protocol), {}).setdefault(m.benchmark.name, []).append(place)
    found = {}
    for group in groups.values():
        ours, theirs = group.get(VERSE_BENCH, []), group.get(MYBENCH, [])
        if len(ours) == len(theirs) == 1:
            found[ours[0]] = theirs[0]
    return found


def _told_apart(rows: list[Row]) -> list[Row]:
    """Rows that would read alike get the name of their run."""
    labels = [row.label for row in rows]
    return [
        row.model_copy(update={"label": f"{row.label} ({Path(row.path).name})"}) if labels.count(row.label) > 1 else row
        for row in rows
    ]


def _our_cell(score: ScoreSummary, run: Run) -> Cell | None:
    overall = score.overall
    if overall.value is None:
        return None
    remark = "" if score.protocol == run.manifest.protocol else f"protocol {score.protocol}"
    return Cell(
        value=overall.value,
        interval=overall.interval,
        n=overall.n_scored,
        expected=overall.n_expected,
        made_with=score.made_with,
        remark=remark,
    )


def _about(run: Run) -> list[str]:
    """What a reader must know of a run's row."""
    said = [f"{run.manifest.generator.name}: {caveat}" for caveat in run.manifest.generator.caveats]
    partial = partly(run)
    if partial:
        said.append(f"{run.manifest.generator.name}: {partial}")
    if not run.summary.complete:
        said.append(f"{run.manifest.generator.name}: the run is not complete")
    return said


def partly(run: Run) -> str:
    """Why a run does not cover its benchmark, empty where it does (or where the benchmark's size is not known)."""
    ref = run.manifest.benchmark
    if ref.limit is not None:
        return f"limited to {ref.n_items} items of {ref.title}"
    if ref.name in benchmark_names() and ref.name != "mini":
        counts = {entry["name"]: entry.get("count") for entry in shipped(f"{ref.name}.json")["sets"]}
        expected = sum(counts.get(name) or 0 for name in ref.sets)
        if ref.n_items < expected:
            return f"{ref.n_items} of the {expected} items of {', '.join(ref.sets)}"
    return ""


def _why_apart(source: Published, row: PublishedRow, name: str, runs: Sequence[Run]) -> str:
    """Why a published number may not stand beside the runs; empty where it may."""
    benchmark = source.benchmark_of(name)
    here = [run for run in runs if run.manifest.benchmark.name == benchmark]
    if source.kind == "arena":
        return "votes of people, not a metric"
    if not here:
        return f"measured on {benchmark}, not on {', '.join(dict.fromkeys(r.manifest.benchmark.name for r in runs))}"
    protocols = source.protocols_of(row)
    fitting = [run for run in here if run.manifest.protocol in protocols]
    if not fitting:
        return f"another protocol ({source.protocol})" if protocols or source.protocol != "mova" else "another task"
    return _why_not_the_items(source, benchmark, fitting)


def _why_not_the_items(source: Published, benchmark: str, runs: Sequence[Run]) -> str:
    """Why none of the runs is over the items of a source; empty where one is."""
    same = [run for run in runs if run.manifest.benchmark.prompt_variant == source.prompt_variant]
    if not same:
        return f"prompts: {source.prompt_variant} there"
    same = [run for run in same if not _other_content(run)]
    if not same:
        return f"the runs were made on another content of {benchmark}"
    partial = [partly(run) for run in same]
    return f"the runs hold only part of the benchmark ({partial[0]})" if all(partial) else ""


def _other_content(run: Run) -> bool:
    """Whether a run of a known benchmark was made on other items than the published ones."""
    ref = run.manifest.benchmark
    known = (
        shipped(f"{ref.name}.json").get("content_sha256")
        if ref.name in benchmark_names() and ref.name != "mini"
        else None
    )
    return known is not None and known != ref.content_sha256


def _has(run: Run, name: str) -> bool:
    return any(score.name == name for score in run.summary.scores)


def _sorted_out(source: Published, runs: Sequence[Run], foot: _Footnotes) -> tuple[list[Row], list[Group]]:
    """The rows of a source that enter the main table, and those that become context."""
    if not any(_has(run, name) for run in runs for row in source.rows for name in row.scores):
        why = "votes of people, not a metric" if source.kind == "arena" else "none of its scores is in the runs"
        return [], [_group(source, why, source.rows, foot)]
    main: list[Row] = []
    apart: dict[str, list[PublishedRow]] = {}
    for row in source.rows:
        reasons = {name: _why_apart(source, row, name, runs) for name in row.scores}
        usable = [name for name, reason in reasons.items() if not reason]
        if usable:
            main.append(_published_row(source, row, usable, foot))
        else:
            apart.setdefault(next(iter(reasons.values())), []).append(row)
    return main, [_group(source, why, rows, foot) for why, rows in apart.items()]


def _published_row(source: Published, row: PublishedRow, names: Sequence[str], foot: _Footnotes) -> Row:
    cells = {
        name: Cell(value=row.scores[name], interval=row.ci95, n=row.n, remark=source.not_comparable.get(name, ""))
        for name in names
    }
    return Row(
        label=row.label,
        model=row.model,
        origin=source.name,
        status=source.status,
        protocol=source.protocol,
        cells=cells,
        footnotes=[foot(source.flag_texts[flag]) for flag in row.flags],
        date=source.source.date,
    )


def _group(source: Published, why: str, rows: Sequence[PublishedRow], foot: _Footnotes) -> Group:
    known = columns()
    names = [name for name in known if any(name in row.scores for row in rows)]
    heads = [
        Head(
            name=name,
            title=known[name].title,
            direction=known[name].direction,
            decimals=known[name].decimals,
            unit=known[name].unit,
        )
        for name in names
    ]
    made = [_published_row(source, row, [name for name in names if name in row.scores], foot) for row in rows]
    return Group(
        title=source.source.short, why=why, columns=heads, rows=made, notes=source.notes, link=source.source.link
    )


def _notes(runs: Sequence[Run]) -> list[str]:
    protocols = dict.fromkeys(run.manifest.protocol for run in runs)
    notes = []
    if len(protocols) > 1:
        notes.append(f"the runs are of several protocols ({', '.join(protocols)}): their rows may not be compared")
    return notes


def marked(rows: Sequence[Row], heads: Sequence[Head]) -> list[Row]:
    """Rows with the best and the second best number of each column marked, where intervals tell them from the rest.

    A published number has no interval; it is taken to be as uncertain as the widest of ours in that column. Without
    any interval in a column nothing is marked. Rows of several protocols are never held against each other.
    """
    marks: dict[tuple[int, str], Mark] = {}
    protocols = {row.protocol for row in rows if row.origin == "run"}
    if len(protocols) <= 1:
        for head in heads:
            marks |= {(place, head.name): mark for place, mark in _marks_of(rows, head).items()}
    return [
        row.model_copy(
            update={
                "cells": {
                    name: cell.model_copy(update={"mark": marks.get((place, name), "")})
                    for name, cell in row.cells.items()
                }
            }
        )
        for place, row in enumerate(rows)
    ]


def _marks_of(rows: Sequence[Row], head: Head) -> Mapping[int, Mark]:
    cells = {i: row.cells[head.name] for i, row in enumerate(rows) if head.name in row.cells}
    cells = {i: cell for i, cell in cells.items() if not cell.remark}
    known = [cell.interval for cell in cells.values() if cell.interval is not None]
    if head.direction == "target" or not known or len(cells) < 2:
        return {}
    half = max((high - low) / 2 for low, high in known)
    turn = 1.0 if head.direction == "higher" else -1.0
    spans = {}
    for i, cell in cells.items():
        low, high = cell.interval or (cell.value - half, cell.value + half)
        spans[i] = (low, high) if turn > 0 else (-high, -low)
    marks: dict[int, Mark] = {}
    names: tuple[Mark, Mark] = ("best", "second")
    for mark in names:
        first = max(spans, key=lambda i: turn * cells[i].value)
        if any(spans[first][0] <= spans[i][1] for i in spans if i != first):
            break
        marks[first] = mark
        del spans[first]
        if len(spans) < 2:
            break
    return marks
