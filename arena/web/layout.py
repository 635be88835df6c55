"""What all pages share: language switch, style, the notice on simulated votes."""

from __future__ import annotations

import streamlit as st

from arena.web.i18n import LANGUAGES, Texts, catalogue
from arena.web.player import read_asset
from arena.web.site import Site

_STYLE = f"<style>{read_asset('site.css')}</style>"


def frame(site: Site, t: Texts) -> None:
    """Style, the page's language for screen readers, the language switch, and what kind of votes these are."""
    st.html(_STYLE)
    st.html(f'<script>document.documentElement.lang = "{t.language}"</script>', unsafe_allow_javascript=True)
    if site.arena.simulated:
        st.info(t("simulated_banner"), icon=":material/science:")


def language_switch(t: Texts) -> None:
    """Two words, one of them chosen; the address keeps the choice."""
    chosen = st.segmented_control(
        "Language / 语言",
        LANGUAGES,
        default=t.language,
        format_func=lambda code: catalogue(code)["language_name"],
        label_visibility="collapsed",
        key="language",
    )
    if chosen and chosen != t.language:
        st.session_state["lang"] = chosen
        st.query_params["lang"] = chosen
        st.rerun()


def heading(title: str, t: Texts, *, note: str = "") -> None:
    """Title of a page with the language switch beside it; `note` (Markdown) under the title."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="heading"):
        st.title(title, anchor=False)
        language_switch(t)
    if note:
        st.caption(note)


def scroll_to(key: str) -> None:
    """Bring the container of a key into view, once per appearance."""
    script = f'document.querySelector(".st-key-{key}")?.scrollIntoView({{block: "end"}})'
    st.html(f"<script>setTimeout(() => {{ {script} }}, 150)</script>", unsafe_allow_javascript=True)
