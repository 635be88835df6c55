"""Tables as HTML: readable by a screen reader, selectable, and scrolling sideways by themselves on a phone."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

Row = Sequence[Any]


def show(headers: Sequence[str], rows: Sequence[Row], *, caption: str, numbers: Sequence[int] = ()) -> None:
    """Draw a table. Cells are text and are escaped; `numbers`: columns that are aligned right; the first column names
    the row."""
    right = set(numbers)
    head = "".join(_cell("th", text, i in right, ' scope="col"') for i, text in enumerate(headers))
    body = "".join(
        "<tr>"
        + "".join(
            _cell("th" if i == 0 else "td", text, i in right, ' scope="row"' if i == 0 else "")
            for i, text in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    st.html(
        f'<div class="arena-table" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(tag: str, text: Any, right: bool, extra: str) -> str:
    kind = ' class="number"' if right else ""
    return f"<{tag}{kind}{extra}>{escape(shown(text))}</{tag}>"


def shown(value: Any) -> str:
    """A value as text: empty for None, true minus signs, no more than needed."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")
    return str(value)


def as_csv(headers: Sequence[str], rows: Sequence[Row]) -> str:
    """The same as CSV; a text that a spreadsheet would take for a formula gets an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(headers)
    for row in rows:
        writer.writerow(_harmless(value) for value in row)
    return buffer.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
