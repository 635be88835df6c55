"""An agreement for the terminal and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mova_eval.agreement.records import Agreement, Prediction, Ranking, Share
from mova_eval.comparison.markdown import table
from mova_eval.reports.markdown import code, escape
from mova_eval.reports.numbers import DASH, p_text

if TYPE_CHECKING:
    from rich.table import Table

LEGEND = (
    (
        "Decisive votes",
        "share of the votes with a winner in which the better score is the winner's; 50% is a coin. Equal scores count"
        " one half.",
    ),
    (
        "With ties",
        "share of all votes predicted: a tie is predicted where two clips differ by at most a threshold, chosen on one"
        " half of the items and used on the other.",
    ),
    ("95% interval", "bootstrap over items; votes on one item stay together."),
    (
        "Voters",
        "how often two voters who both chose a winner chose the same one, on the same pair of clips. Voters err, too: a"
        " score that always knew the better clip would agree with a voter more often than voters do with each other.",
    ),
    ("Expected", "the score was named for this question before any vote was seen; all other pairs are exploratory."),
    ("Kendall, Spearman", "of the models' values and their Bradley-Terry ratings; positive means the same order."),
)


def share_text(share: Share | None) -> str:
    """ "62.1%", a dash for none."""
    return DASH if share is None else f"{share.value:.1%}"


def interval_text(share: Share | None) -> str:
    """ "58.0 to 66.3%", empty for none."""
    if share is None or share.interval is None:
        return ""
    return f"{100 * share.interval[0]:.1f} to {100 * share.interval[1]:.1f}%"


def correlation_text(value: float | None) -> str:
    """Two decimals with sign."""
    return DASH if value is None else f"{value:+.2f}"


def console_tables(agreement: Agreement) -> list[Table]:
    """Per criterion a table of scores, best first."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = []
    for criterion in agreement.criteria:
        own = f", voters agree in {criterion.voters_decisive:.1%}" if criterion.voters_decisive is not None else ""
        title = f"{criterion.name}: {criterion.n_votes} votes on {criterion.n_items} items{own}"
        shown = Table(title=Text(title), box=box.SIMPLE_HEAD, pad_edge=False, title_style="bold")
        for name in ("score", "decisive", "95% interval", "with ties", "n", "kendall", "spearman"):
            shown.add_column(name, justify="left" if name == "score" else "right", no_wrap=True)
        ranks = {r.score: r for r in agreement.rankings if r.criterion == criterion.name}
        for one in agreement.overall(criterion.name):
            rank = ranks.get(one.score)
            shown.add_row(
                Text(f"{one.score}{' *' if one.expected else ''}"),
                share_text(one.decisive),
                interval_text(one.decisive),
                share_text(one.with_ties),
                str(one.n),
                correlation_text(rank.kendall if rank else None),
                correlation_text(rank.spearman if rank else None),
            )
        made.append(shown)
    return made


def markdown(agreement: Agreement) -> str:
    """The whole as Markdown."""
    parts = ["# Automatic scores against votes", _about(agreement)]
    parts += [f"> **{escape(note)}**" for note in agreement.notes]
    for criterion in agreement.criteria:
        parts.append(f"## {escape(criterion.name)}")
        own = ""
        if criterion.voters_decisive is not None:
            own = f" Voters agree with each other in {criterion.voters_decisive:.1%} ({criterion.n_shared} pairs)."
        parts.append(f"{criterion.n_votes} votes on {criterion.n_items} items, {criterion.n_ties} of them ties.{own}")
        parts.append(_predictions(agreement.overall(criterion.name)))
        parts.append(_categories(agreement, criterion.name))
        parts.append(_rankings([r for r in agreement.rankings if r.criterion == criterion.name]))
    parts.append("## How to read it\n\n" + "\n".join(f"- **{word}**: {text}" for word, text in LEGEND))
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(agreement: Agreement) -> str:
    models = ", ".join(escape(name) for name in agreement.runs)
    lost = "; ".join(f"{n} {escape(why)}" for why, n in agreement.left_out.items())
    return f"Votes: {code(agreement.votes)}. Models: {models}.{f' Left out: {lost}.' if lost else ''}"


def _predictions(found: list[Prediction]) -> str:
    header = ["Score", "Decisive votes", "95% interval", "With ties", "95% interval", "Votes", "Expected"]
    rows = [
        [
            code(p.score), share_text(p.decisive), interval_text(p.decisive) or DASH, share_text(p.with_ties),
            interval_text(p.with_ties) or DASH, str(p.n), "yes" if p.expected else "",
        ]
        for p in found
    ]  # fmt: skip
    return table(header, rows, frozenset(range(1, 6)))


def _categories(agreement: Agreement, criterion: str) -> str:
    mine = [p for p in agreement.predictions if p.criterion == criterion and p.category is not None]
    names = list(dict.fromkeys(p.category for p in mine if p.category))
    if not names:
        return ""
    cells = {(p.score, p.category): p for p in mine}
    rows = []
    for score in dict.fromkeys(p.score for p in mine):
        row = [code(score)]
        for name in names:
            one = cells.get((score, name))
            text = share_text(one.decisive) if one else DASH
            row.append(f"{text} ({interval_text(one.decisive)})" if one and interval_text(one.decisive) else text)
        rows.append(row)
    return table(["Decisive votes", *map(escape, names)], rows, frozenset(range(1, len(names) + 1)))


def _rankings(found: list[Ranking]) -> str:
    rows = [
        [code(r.score), str(r.n_models), correlation_text(r.kendall), correlation_text(r.spearman), p_text(r.p)]
        for r in found
        if r.kendall is not None
    ]
    if not rows:
        return ""
    return table(["Ranking of models", "Models", "Kendall", "Spearman", "p"], rows, frozenset(range(1, 5)))
