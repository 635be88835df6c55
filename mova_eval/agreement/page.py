"""An agreement as one HTML page."""

from __future__ import annotations

from html import escape
from typing import Any

from markupsafe import Markup

from mova_eval.agreement.records import Agreement, Prediction, Share
from mova_eval.agreement.texts import LEGEND, correlation_text, interval_text, share_text
from mova_eval.reports.numbers import p_text
from mova_eval.reports.shell import render

WIDTH, HEIGHT = 260, 22
LOW, HIGH = 0.2, 1.0


def agreement_page(agreement: Agreement) -> str:
    """The whole page; every number is in its markup."""
    return render(
        "agreement.html.j2",
        data={"items": [], "cells": [], "scores": [], "metrics": [], "strings": []},
        scripts=("standing.js",),
        styles=("agreement.css",),
        agreement=agreement,
        blocks=[_block(agreement, place) for place in range(len(agreement.criteria))],
        legend=LEGEND,
    )


def _block(agreement: Agreement, place: int) -> dict[str, Any]:
    criterion = agreement.criteria[place]
    ranks = {r.score: r for r in agreement.rankings if r.criterion == criterion.name}
    mine = [p for p in agreement.predictions if p.criterion == criterion.name and p.category is not None]
    categories = list(dict.fromkeys(p.category for p in mine if p.category))
    cells = {(p.score, p.category): p for p in mine}
    rows = []
    for one in agreement.overall(criterion.name):
        rank = ranks.get(one.score)
        rows.append(
            {
                "p": one,
                "decisive": share_text(one.decisive),
                "interval": interval_text(one.decisive),
                "ties": share_text(one.with_ties),
                "ties_interval": interval_text(one.with_ties),
                "drawing": Markup(_drawing(one.decisive, criterion.voters_decisive, one.score)),
                "kendall": correlation_text(rank.kendall if rank else None),
                "spearman": correlation_text(rank.spearman if rank else None),
                "rank_p": p_text(rank.p if rank else None),
                "cells": [_cell(cells.get((one.score, name))) for name in categories],
            }
        )
    ratings = next((r.ratings for r in agreement.rankings if r.criterion == criterion.name and r.ratings), {})
    return {
        "criterion": criterion,
        "voters": "" if criterion.voters_decisive is None else f"{criterion.voters_decisive:.1%}",
        "rows": rows,
        "categories": categories,
        "ratings": sorted(((model, f"{rating:.0f}") for model, rating in ratings.items()), key=lambda p: -float(p[1])),
    }


def _cell(prediction: Prediction | None) -> dict[str, str] | None:
    if prediction is None:
        return None
    return {
        "value": share_text(prediction.decisive),
        "interval": interval_text(prediction.decisive),
        "n": str(prediction.n_decisive),
    }


def _drawing(share: Share | None, voters: float | None, score: str) -> str:
    if share is None:
        return ""

    def x(value: float) -> float:
        return round(4 + (min(max(value, LOW), HIGH) - LOW) / (HIGH - LOW) * (WIDTH - 8), 1)

    parts = [f'<path class="axis" d="M4 11H{WIDTH - 4}"/>', f'<path class="coin" d="M{x(0.5)} 1v20"/>']
    if voters is not None:
        parts.append(
            f'<path class="voters" d="M{x(voters)} 1v20"><title>voters among each other {voters:.1%}</title></path>'
        )
    kind = ""
    if share.interval is not None:
        low, high = share.interval
        kind = "better" if low > 0.5 else "worse" if high < 0.5 else ""
        parts.append(f'<path class="line" d="M{x(low)} 11H{x(high)}M{x(low)} 7v8M{x(high)} 7v8"/>')
    parts.append(f'<circle class="dot" cx="{x(share.value)}" cy="11" r="4.5"/>')
    label = escape(
        f"{score} predicts {share_text(share)} of the decisive votes, {interval_text(share) or 'no interval'}"
    )
    opening = f'<svg class="forest {kind}" role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'{opening} width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>'
