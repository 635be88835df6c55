"""The table beside baselines for the terminal, as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mova_eval.baselines.records import Cell, Group, Head, Row, Standing
from mova_eval.comparison.markdown import table
from mova_eval.comparison.wording import card_facts
from mova_eval.reports.markdown import escape
from mova_eval.reports.numbers import ARROWS, DASH, style_of

if TYPE_CHECKING:
    from rich.table import Table

READING = (
    "Bold is the best and italic the second best of a column, only where intervals tell it from every other number;"
    " published numbers come without intervals and are taken to be as uncertain as ours."
)
PER_BLOCK = 4
"""Scores beside each other in the terminal."""
LATEX_ARROWS = {"higher": r"$\uparrow$", "lower": r"$\downarrow$", "target": r"$\leftrightarrow$"}
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "−": "$-$", "‑": "-", "→": r"$\to$",
    }
)  # fmt: skip


def value_text(cell: Cell | None, head: Head) -> str:
    """A number, a dash where there is none."""
    return DASH if cell is None else style_of(head).write(cell.value)


def interval_text(cell: Cell | None, head: Head) -> str:
    """Its interval, "7.81 to 8.03"; empty where there is none."""
    return "" if cell is None or cell.interval is None else style_of(head).interval(cell.interval)


def count_text(cell: Cell | None) -> str:
    """Clips scored, of how many; empty where not known."""
    if cell is None or cell.n is None:
        return ""
    return str(cell.n) if cell.expected in (None, cell.n) else f"{cell.n}/{cell.expected}"


def console_tables(standing: Standing, *, context: bool = True) -> list[Table]:
    """The main table in blocks of columns that fit 80 characters each, and those of the context."""
    main = f"{standing.benchmark}, protocol {standing.protocol}"
    made = _blocks(main, standing.columns, standing.rows)
    for group in standing.context if context else ():
        made += _blocks(f"context, {group.why}: {group.title}", group.columns, group.rows)
    return made


def _blocks(title: str, heads: Sequence[Head], rows: Sequence[Row]) -> list[Table]:
    blocks = [heads[i : i + PER_BLOCK] for i in range(0, len(heads), PER_BLOCK)]
    shown = [[row for row in rows if any(head.name in row.cells for head in block)] for block in blocks]
    return [
        _console(title if place == 0 else "", block, those)
        for place, (block, those) in enumerate(zip(blocks, shown, strict=True))
    ]


def _console(title: str, heads: Sequence[Head], rows: Sequence[Row]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=Text(title) if title else None,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_style="bold",
        title_justify="left",
    )
    made.add_column("model", overflow="fold", min_width=14)
    for head in heads:
        made.add_column(Text(f"{head.title} {ARROWS[head.direction]}"), justify="right")
    for row in rows:
        cells = []
        for head in heads:
            cell = row.cells.get(head.name)
            style = {"best": "bold", "second": "italic"}.get(cell.mark if cell else "", "")
            text = Text(value_text(cell, head) + ("*" if cell and cell.remark else ""), style=style)
            extra = [part for part in (interval_text(cell, head), _of(cell)) if part]
            if extra and row.origin == "run":
                text.append("\n" + "\n".join(extra), style="dim not bold")
            cells.append(text)
        label = Text(row.label + _notes_of(row), style="bold" if row.origin == "run" else "")
        made.add_row(label, *cells)
    return made


def _of(cell: Cell | None) -> str:
    counted = count_text(cell)
    return f"n {counted}" if counted else ""


def _notes_of(row: Row) -> str:
    return f" [{','.join(map(str, row.footnotes))}]" if row.footnotes else ""


def remarks(standing: Standing) -> list[str]:
    """Why single numbers may not be compared although their row may, each once."""
    cells = (cell.remark for row in standing.rows for cell in row.cells.values())
    return list(dict.fromkeys(remark for remark in cells if remark))


def markdown(standing: Standing) -> str:
    """The whole as GitHub-flavoured Markdown."""
    parts = [f"# {escape(standing.benchmark)}: beside published results", _intro(standing)]
    parts += [f"> **{escape(note)}**" for note in standing.notes]
    parts.append(_md_table(standing.columns, standing.rows))
    parts.append(
        f"{READING} ({', '.join(_made_with(standing)) or 'no network weights'}; protocol {escape(standing.protocol)})"
    )
    parts += [f"\\* {escape(remark)}" for remark in remarks(standing)]
    parts += ["\n".join(f"{place}. {escape(text)}" for place, text in enumerate(standing.footnotes, start=1))]
    parts.append(_md_cards(standing))
    if standing.context:
        parts.append("## Context, not comparable")
        parts += [_md_group(group) for group in standing.context]
    return "\n\n".join(part for part in parts if part) + "\n"


def _intro(standing: Standing) -> str:
    sources = "; ".join(map(escape, standing.sources)) or "no published row is comparable with these runs"
    return f"Published: {sources}."


def _made_with(standing: Standing) -> list[str]:
    cells = (cell.made_with for row in standing.rows for cell in row.cells.values())
    return list(dict.fromkeys(map(escape, filter(None, cells))))


def _md_table(heads: Sequence[Head], rows: Sequence[Row]) -> str:
    header = ["Model", *(f"{escape(head.title)} {ARROWS[head.direction]}" for head in heads)]
    body = []
    for row in rows:
        label = f"**{escape(row.label)}**" if row.origin == "run" else escape(row.label)
        notes = f" <sup>{','.join(map(str, row.footnotes))}</sup>" if row.footnotes else ""
        body.append([label + notes, *(_md_cell(row.cells.get(head.name), head) for head in heads)])
    return table(header, body, frozenset(range(1, len(heads) + 1)))


def _md_cell(cell: Cell | None, head: Head) -> str:
    text = value_text(cell, head)
    if cell is None:
        return text
    text = {"best": f"**{text}**", "second": f"_{text}_"}.get(cell.mark, text) + ("\\*" if cell.remark else "")
    extra = ", ".join(part for part in (interval_text(cell, head), _of(cell)) if part)
    return f"{text} ({extra})" if extra else text


def _md_cards(standing: Standing) -> str:
    """The runs' protocol cards side by side: everything besides the model that their numbers depend on."""
    if not standing.cards:
        return ""
    facts = [card_facts(one.card) for one in standing.cards]
    rows = [[escape(field), *(escape(texts[place][1]) for texts in facts)] for place, (field, _) in enumerate(facts[0])]
    return "## Protocol cards\n\n" + table(["", *(escape(one.label) for one in standing.cards)], rows)


def _md_group(group: Group) -> str:
    title = f"[{escape(group.title)}]({group.link})" if group.link else escape(group.title)
    notes = "\n".join(f"- {escape(note)}" for note in group.notes)
    parts = [f"### {title}", f"{escape(group.why).capitalize()}.", _md_table(group.columns, group.rows), notes]
    return "\n\n".join(part for part in parts if part)


def latex(standing: Standing) -> str:
    """The main table for a paper (packages booktabs and, for underlines, none); context is left out."""
    heads = standing.columns
    names = " & ".join(["Model", *(f"{_tex(head.title)} {LATEX_ARROWS[head.direction]}" for head in heads)])
    published = [row for row in standing.rows if row.origin != "run"]
    ours = [row for row in standing.rows if row.origin == "run"]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{tabular}{l" + "r" * len(heads) + "}",
        r"\toprule",
        names + r" \\",
        r"\midrule",
        *(_tex_row(row, heads) for row in published),
        *([r"\midrule"] if published and ours else []),
        *(_tex_row(row, heads) for row in ours),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    notes = [f"% {READING}", *(f"% [{i}] {text}" for i, text in enumerate(standing.footnotes, start=1))]
    notes += [f"% * {remark}" for remark in remarks(standing)]
    return "\n".join([*lines, *notes]) + "\n"


def _tex(text: str) -> str:
    return text.translate(_LATEX)


def _tex_row(row: Row, heads: Sequence[Head]) -> str:
    cells = []
    for head in heads:
        cell = row.cells.get(head.name)
        text = _tex(value_text(cell, head))
        if cell is not None:
            text = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}"}.get(cell.mark, text)
            if cell.interval is not None:
                half = (cell.interval[1] - cell.interval[0]) / 2
                text += rf" {{\scriptsize$\pm${style_of(head).write(half)}}}"
            text += r"$^{*}$" if cell.remark else ""
        cells.append(text)
    return " & ".join([_tex(row.label), *cells]) + r" \\"


COLUMNS = (
    "table", "label", "model", "origin", "status", "protocol", "score", "direction", "value", "lower", "upper", "n",
    "expected", "made_with", "mark", "remark",
)  # fmt: skip


def csv_text(standing: Standing) -> str:
    """One line per number, main table and context; full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    tables = [("main", standing.columns, standing.rows)]
    tables += [(f"context: {group.why}", group.columns, group.rows) for group in standing.context]
    for name, heads, rows in tables:
        for row in rows:
            for head in heads:
                cell = row.cells.get(head.name)
                if cell is not None:
                    low, high = cell.interval or ("", "")
                    counts = ["" if n is None else n for n in (cell.n, cell.expected)]
                    who = [row.label, row.model, row.origin, row.status, row.protocol]
                    told = [head.name, head.direction, cell.value, low, high, *counts]
                    writer.writerow([name, *who, *told, cell.made_with, cell.mark, cell.remark])
    return out.getvalue()
