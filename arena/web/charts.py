"""Charts of a board. Every chart has its table beside it; colours are safe for the colour-blind, values are text."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from arena.service.types_results import Board
from arena.web.i18n import Texts


def _axis(**more: Any) -> alt.Axis:
    return alt.Axis(labelLimit=260, labelFontSize=13, titleFontSize=13, **more)


def score(wins: int, ties: int, n: int) -> float:
    """Share of the points; a tie is half a point."""
    return (wins + ties / 2) / n


def intervals(board: Board, t: Texts) -> Any:
    """Ratings with their 95 % intervals, best first."""
    rows = [
        {
            "model": r.display_name,
            "rating": r.rating,
            "lo": r.rating if r.lo is None else r.lo,
            "hi": r.rating if r.hi is None else r.hi,
            "text": f"{r.rating:.0f}",
        }
        for r in board.rows
        if r.rating is not None
    ]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        y=alt.Y("model:N", sort=None, title=None, axis=_axis()),
    )
    scale = alt.Scale(zero=False, nice=True)
    bars = base.mark_rule(strokeWidth=3, color="#6b8fe8").encode(
        x=alt.X("lo:Q", scale=scale, title=t("board.axis_rating")), x2="hi:Q"
    )
    points = base.mark_point(filled=True, size=110, color="#2f5fe0", opacity=1).encode(x=alt.X("rating:Q", scale=scale))
    labels = base.mark_text(dy=-13, fontSize=13, fontWeight="bold", color="#4f7df5").encode(x="rating:Q", text="text:N")
    return (bars + points + labels).properties(height=90 + 48 * len(rows))


def win_rates(board: Board, t: Texts) -> Any:
    """How often the row's model beat the column's, with the numbers in the cells."""
    order = [r.display_name for r in board.rows]
    names = {r.model: r.display_name for r in board.rows}
    cells = []
    for pair in board.pairs:
        if not pair.n or pair.lo not in names or pair.hi not in names:
            continue
        draws = pair.ties + pair.both_bad
        for row, column, won in ((pair.lo, pair.hi, pair.lo_wins), (pair.hi, pair.lo, pair.hi_wins)):
            share = score(won, draws, pair.n)
            text = f"{share:.0%}"
            cells.append(
                {
                    "row": names[row],
                    "column": names[column],
                    "share": share,
                    "text": text,
                    "n": f"{pair.n} {t('board.pair_votes')}",
                }
            )
    angle = 0 if len(order) < 5 else -35
    colours = alt.Scale(domain=[0, 0.5, 1], range=["#b35806", "#f7f7f7", "#2166ac"])
    base = alt.Chart(pd.DataFrame(cells)).encode(
        x=alt.X(
            "column:N",
            sort=order,
            title=None,
            axis=_axis(orient="top", labelAngle=angle),
        ),
        y=alt.Y("row:N", sort=order, title=None, axis=_axis()),
    )
    heat = base.mark_rect(stroke="#8a90a0", strokeWidth=0.5).encode(
        color=alt.Color("share:Q", scale=colours, legend=None)
    )
    ink = alt.condition("abs(datum.share - 0.5) > 0.3", alt.value("white"), alt.value("#171a21"))
    numbers = base.mark_text(fontSize=15, fontWeight="bold", dy=-8).encode(text="text:N", color=ink)
    counts = base.mark_text(fontSize=11, dy=10).encode(text="n:N", color=ink)
    return (heat + numbers + counts).properties(height=70 + 64 * len(order))


def convergence(board: Board, t: Texts) -> Any | None:
    """Ratings after more and more votes, with the half-width as a band; None where it was not computed."""
    facts: dict[str, Any] | None = board.fit.get("convergence")
    if not facts:
        return None
    names = {r.model: r.display_name for r in board.rows}
    rows = [
        {
            "n": n,
            "model": names.get(model, model),
            "rating": facts["rating"][k][i],
            "lo": _minus(facts["rating"][k][i], facts["half_width"][k][i]),
            "hi": _minus(facts["rating"][k][i], facts["half_width"][k][i], -1),
        }
        for k, n in enumerate(facts["n"])
        for i, model in enumerate(facts["models"])
        if facts["rating"][k][i] is not None
    ]
    frame = pd.DataFrame(rows)
    middle = frame["rating"]
    low, high = float(middle.min()) - 150, float(middle.max()) + 150  # early intervals are as wide as the sky
    frame["lo"], frame["hi"] = frame["lo"].clip(low, high), frame["hi"].clip(low, high)
    scheme = alt.Scale(scheme="tableau10")
    legend = alt.Legend(orient="bottom", labelLimit=220, columns=2, symbolOpacity=1, symbolSize=120)
    base = alt.Chart(frame).encode(x=alt.X("n:Q", title=t("board.axis_votes"), scale=alt.Scale(type="log", nice=False)))
    y = alt.Scale(domain=[low, high])
    band = base.mark_area(opacity=0.15).encode(
        y=alt.Y("lo:Q", scale=y, title=t("board.axis_rating")),
        y2="hi:Q",
        color=alt.Color("model:N", scale=scheme, legend=None),
    )
    line = base.mark_line(point=True).encode(
        y=alt.Y("rating:Q", scale=y),
        color=alt.Color("model:N", title=None, scale=scheme, legend=legend),
        strokeDash=alt.StrokeDash("model:N", legend=None),
    )
    return (band + line).properties(height=420)


def _minus(rating: float, half: float | None, sign: int = 1) -> float:
    return rating if half is None else rating - sign * half


def traffic(hours: list[tuple[str, int]]) -> Any:
    """Votes per hour."""
    frame = pd.DataFrame(hours, columns=["hour", "votes"])
    return (
        alt.Chart(frame)
        .mark_bar(color="#2f5fe0")
        .encode(
            x=alt.X("hour:N", sort=None, title=None, axis=alt.Axis(labelAngle=-60, labelOverlap=True)),
            y=alt.Y("votes:Q", title="votes per hour"),
        )
        .properties(height=200)
    )
