"""All models on one prompt, by name: only prompts that are in no battle, or everything once a study has closed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from arena.errors import NotAllowed
from arena.service import browse
from arena.service.types import CampaignView
from arena.service.types_results import BrowseClip, BrowseItem
from arena.web import layout, tables, visit
from arena.web.i18n import Texts
from arena.web.pages.grid import clip_grid
from arena.web.site import Site


def render(site: Site) -> None:
    """One run of the page."""
    t = visit.texts()
    layout.heading(t("browse.title"), t, note=t("browse.lead"))
    campaign = visit.campaign(site)
    items = [] if campaign is None else browse.items(site.arena, campaign.slug)
    if campaign is None or not items:
        st.info(t("browse.none"), icon=":material/video_library:")
        return
    chosen = _choose(items, t)
    _show(site, campaign, chosen, t)


def _choose(items: list[BrowseItem], t: Texts) -> BrowseItem:
    with st.container(horizontal=True):
        sets = sorted({item.set_name for item in items if item.set_name})
        if len(sets) > 1:
            name = st.selectbox(t("browse.filter"), [t("board.all"), *sets], key="browse_set", width=240)
            items = [item for item in items if name in {t("board.all"), item.set_name}]
        return st.selectbox(
            t("browse.item"), items, format_func=lambda item: _title(item, t), key="browse_item", width="stretch"
        )


def prompt_of(item: BrowseItem, t: Texts) -> str:
    first, second = (item.prompt_zh, item.prompt_en) if t.language == "zh" else (item.prompt_en, item.prompt_zh)
    return first or second or ""


def _title(item: BrowseItem, t: Texts) -> str:
    words = prompt_of(item, t)
    return f"{item.item_key} · {words[:90]}{'…' if len(words) > 90 else ''}"


def _show(site: Site, campaign: CampaignView, item: BrowseItem, t: Texts) -> None:
    try:
        page = browse.item(site.arena, campaign.slug, item.id)
    except NotAllowed:
        st.info(t("browse.none"))
        return
    with st.container(border=True):
        st.caption(" · ".join(visit.plain(word) for word in (item.benchmark, item.set_name, item.category) if word))
        st.markdown(visit.plain(prompt_of(item, t)))
    clip_grid(
        {
            "item": item.id,
            "clips": [_clip(clip, t) for clip in page.clips],
            "missing": t("browse.missing"),
        }
    )
    names = sorted({name for clip in page.clips for name in clip.scores})
    if names:
        better = {name: up for clip in page.clips for name, (_, up) in clip.scores.items()}
        heads = [f"{name} ({t('browse.higher' if better[name] else 'browse.lower')})" for name in names]
        tables.show(
            [t("board.model"), t("browse.human"), *heads],
            [[clip.display_name, _votes(clip, t), *(_score(clip, name) for name in names)] for clip in page.clips],
            caption=t("browse.metrics"),
            numbers=range(2, 2 + len(names)),
        )


def _clip(clip: BrowseClip, t: Texts) -> dict[str, Any]:
    return {
        "name": clip.display_name,
        "url": f"/released/{clip.clip_id}" if clip.serve_path else None,
        "ratio": f"{clip.width} / {clip.height}",
        "note": _votes(clip, t),
    }


def _votes(clip: BrowseClip, t: Texts) -> str:
    if not clip.won + clip.tied + clip.lost:
        return t("browse.no_votes")
    return t("browse.won", wins=clip.won, ties=clip.tied, losses=clip.lost)


def _score(clip: BrowseClip, name: str) -> str:
    return f"{clip.scores[name][0]:.3f}" if name in clip.scores else ""
