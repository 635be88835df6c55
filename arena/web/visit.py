"""Who is looking, and in which language: asked anew in every run of a page."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from arena.service import campaigns, limits, voters
from arena.service.types import CampaignView, VoterView
from arena.web.i18n import LANGUAGES, Language, Texts, pick_language
from arena.web.site import Site


def language() -> Language:
    """The language that the address asks for, else the one chosen on this visit, else the browser's, else English."""
    asked = st.query_params.get("lang")
    if asked in LANGUAGES:
        st.session_state["lang"] = asked
    return pick_language(st.session_state.get("lang"), st.context.locale)


def texts() -> Texts:
    return Texts(language())


def voter(site: Site) -> VoterView | None:
    """The voter of this browser, if it agreed to take part. Raises DatabaseUnavailable."""
    return voters.identify(site.arena, site.cookie(), address=address(site))


def address(site: Site) -> str | None:
    """The visitor's address, believing only our own proxies."""
    forwarded = st.context.headers.get("X-Forwarded-For")
    return limits.client_address(st.context.ip_address or "", forwarded, site.arena.config.trusted_proxies) or None


def campaign(site: Site) -> CampaignView | None:
    """The study that the pages are about."""
    return campaigns.default(site.arena)


def title(shown: CampaignView, t: Texts) -> str:
    return shown.title_zh if t.language == "zh" else shown.title_en


def day(ms: int | None) -> str:
    """A date, UTC."""
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


def moment(ms: int | None) -> str:
    """A date and time, UTC."""
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def plain(text: str) -> str:
    """Text of other people, made safe for Markdown: it can neither format nor link nor embed."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-.!|~$:&" else c for c in text)
