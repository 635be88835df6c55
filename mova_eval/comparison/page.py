"""A comparison as one HTML file; the clips of both runs are linked by relative path and play in step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mova_eval.comparison.forest import forest
from mova_eval.comparison.records import Comparison, ScoreComparison, Shift, Side
from mova_eval.comparison.wording import LEGEND, card_facts, counts
from mova_eval.reports.numbers import (
    ARROWS,
    difference_style,
    p_text,
    signed,
    signed_interval,
    style_of,
    unit_of,
)
from mova_eval.reports.shell import relative_url, render
from mova_eval.reports.view import date_of

if TYPE_CHECKING:
    from mova_eval.gates.records import GateResult

MAX_PROMPT = 700


def comparison_page(comparison: Comparison, folder: Path, gate: GateResult | None = None) -> str:
    """The whole page. folder: where it will lie, from which the clips are linked."""
    names = _names(comparison)
    sets = list(dict.fromkeys(name for score in comparison.scores for name in score.sets))
    return render(
        "compare.html.j2",
        data=_data(comparison, folder, names, sets),
        scripts=("compare.js",),
        styles=("compare.css",),
        comparison=comparison,
        gate=gate,
        names=names,
        made_with=list(dict.fromkeys(score.made_with for score in comparison.scores if score.made_with)),
        warnings=[f"made differently: {one.text}" for one in comparison.card_differences if one.matters]
        + comparison.notes,
        tiles=_tiles(comparison),
        rows=[_row(score, sets) for score in comparison.scores],
        sets=sets,
        cards=_cards(comparison),
        legend=LEGEND,
    )


def _names(comparison: Comparison) -> tuple[str, str]:
    base, head = comparison.base, comparison.head
    return (base.run, head.run) if base.model == head.model else (base.model, head.model)


def _tiles(comparison: Comparison) -> list[dict[str, Any]]:
    found = counts(comparison)
    wanted = (
        ("worse", "worse", "worse"),
        ("better", "better", "better"),
        ("changed", "changed", "changed"),
        ("no difference shown", "none", "no difference shown"),
        ("equal", "none", "equal in every clip"),
        ("not compared", "changed", "not compared"),
    )
    always = {"worse", "better", "no difference shown"}
    return [
        {"kind": kind if found.get(verdict) else "none", "n": found.get(verdict, 0), "text": text}
        for verdict, kind, text in wanted
        if found.get(verdict) or verdict in always
    ]


def _row(score: ScoreComparison, sets: Sequence[str]) -> dict[str, Any]:
    style, shift = style_of(score), difference_style(score)
    lost, gained = score.coverage.only_base, score.coverage.only_head
    moved = [f"{lost} lost" if lost else "", f"{gained} gained" if gained else ""]
    return {
        "score": score,
        "unit": unit_of(score),
        "base": style.write(score.base),
        "head": style.write(score.head),
        "difference": signed(shift, score.difference),
        "interval": signed_interval(shift, score.interval, dash=""),
        "forest": Markup(
            forest(score, score.difference, score.interval, score.detectable, verdict=score.verdict.split(" ")[0])
        ),
        "p": p_text(score.p_holm),
        "detectable": shift.write(score.detectable),
        "lost": ", ".join(part for part in moved if part),
        "sets": [_cell(score, score.sets.get(name)) for name in sets],
    }


def _cell(score: ScoreComparison, shift: Shift | None) -> dict[str, Any] | None:
    if shift is None or shift.difference is None:
        return None
    style = difference_style(score)
    return {
        "difference": signed(style, shift.difference),
        "interval": signed_interval(style, shift.interval, dash="no interval"),
        "n": shift.n,
        "forest": Markup(forest(score, shift.difference, shift.interval, width=150)),
    }


def _cards(comparison: Comparison) -> list[tuple[str, str, str]]:
    """What the two runs are, field by field."""

    def told(side: Side) -> list[tuple[str, str]]:
        return [
            ("Run", side.path),
            ("Model", side.model),
            ("Made", date_of(side.created)),
            ("Commit of the suite", (side.commit or "unknown")[:12]),
            *card_facts(side.card),
        ]

    pairs = zip(told(comparison.base), told(comparison.head), strict=True)
    return [(field, base, head) for (field, base), (_, head) in pairs]


def _data(comparison: Comparison, folder: Path, names: Sequence[str], sets: Sequence[str]) -> dict[str, Any]:
    """What the scripts read: items worst first, each with its values in the order of `scores`, rounded."""
    shown = [score for score in comparison.scores if any(score.name in item.values for item in comparison.items)]
    items = []
    for item in comparison.items:
        pairs = [item.values.get(score.name) for score in shown]
        items.append(
            {
                "id": item.item,
                "set": item.set,
                "prompt": item.prompt[:MAX_PROMPT],
                "base": relative_url(item.base_clip, folder),
                "head": relative_url(item.head_clip, folder),
                "loss": None if item.loss is None else round(item.loss, 3),
                "values": [
                    None if pair is None else [_rounded(value, score) for value in pair]
                    for pair, score in zip(pairs, shown, strict=True)
                ],
            }
        )
    return {"names": list(names), "sets": list(sets), "items": items, "scores": [_score(score) for score in shown]}


def _rounded(value: float | None, score: ScoreComparison) -> float | None:
    return None if value is None else round(value, score.decimals + 2)


def _score(score: ScoreComparison) -> dict[str, Any]:
    style = style_of(score)
    return {
        "name": score.name,
        "title": score.title,
        "direction": score.direction,
        "arrow": ARROWS[score.direction],
        "decimals": style.decimals,
        "scale": style.scale,
        "suffix": style.suffix,
    }
