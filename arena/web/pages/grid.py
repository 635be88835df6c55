"""Named clips side by side, one sounding at a time; files come from the media route, not from the page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st

from arena.web.player import read_asset


@cache
def _component() -> Any:
    return st.components.v2.component(
        "mova_eval_arena_grid",
        html='<div class="grid"></div>',
        css=read_asset("grid.css"),
        js=read_asset("grid.js"),
    )


def clip_grid(data: Mapping[str, Any]) -> None:
    """data: item (changes with the content), clips (name, url or None, ratio, note), missing (text)."""
    _component()(key="grid", data=dict(data))
