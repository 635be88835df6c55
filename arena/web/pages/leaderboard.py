"""The leaderboard: a published snapshot with everything a reader needs to judge it."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from arena.service import fairness, snapshots
from arena.service.types import CampaignView
from arena.service.types_results import Board, BoardRow
from arena.web import charts, layout, tables, visit
from arena.web.i18n import Texts
from arena.web.pages import board_details as details
from arena.web.site import Site

CSV = ("model", "rank", "rating", "lo", "hi", "lo_iid", "hi_iid", "n", "wins", "ties", "losses", "both_bad", "state")
"""Columns of the download: attributes of `BoardRow`."""
TABS = ("ratings", "pairs", "convergence", "agreement", "published", "fair")


def render(site: Site) -> None:
    """One run of the page."""
    t = visit.texts()
    layout.heading(t("board.title"), t)
    campaign = visit.campaign(site)
    if campaign is None:
        st.info(t("board.none"))
        return
    st.caption(f"{visit.plain(visit.title(campaign, t))} · {t('board.lead')}")
    if campaign.status != "closed" and not campaign.config.public_results:
        st.info(t("board.hidden"), icon=":material/visibility_off:")
        return
    board = _chosen(site, campaign, t)
    if board is None:
        _not_yet(site, campaign, t)
        return
    if board.simulated:
        st.info(t("board.simulated"), icon=":material/science:")
    for tab, name in zip(st.tabs([t(f"board.tab.{name}") for name in TABS]), TABS, strict=True):
        with tab:
            _TAB[name](site, campaign, board, t)


def _chosen(site: Site, campaign: CampaignView, t: Texts) -> Board | None:
    """The newest published snapshot of the question and group that the reader picked."""
    published = [s for s in snapshots.history(site.arena, campaign.slug) if s.published and s.method == "bt_half"]
    with st.container(horizontal=True):
        criterion = st.selectbox(
            t("board.criterion"),
            campaign.config.criteria,
            format_func=lambda name: t(f"criterion.{name}"),
            key="board_criterion",
            width=280,
        )
        groups = list(
            {json.dumps(s.filter, sort_keys=True): s.filter for s in published if s.criterion == criterion}.values()
        )
        groups.sort(key=lambda given: (len(given), json.dumps(given, sort_keys=True)))
        group: dict[str, Any] = {}
        if len(groups) > 1:
            group = st.selectbox(
                t("board.group"), groups, format_func=lambda g: _group(g, t), key="board_group", width=280
            )
    return snapshots.latest(site.arena, campaign.slug, criterion, given=group)


def _group(given: dict[str, Any], t: Texts) -> str:
    return " · ".join(str(value) for value in given.values()) or t("board.all")


def _not_yet(site: Site, campaign: CampaignView, t: Texts) -> None:
    """Counts, and what is missing; no ranking."""
    done = fairness.progress(site.arena, campaign.slug)
    st.info(t("board.few", votes=done.votes) if done.votes else t("board.none"), icon=":material/hourglass_empty:")
    needed = campaign.config.min_votes_listed
    missing = max(needed * done.models // 2 - done.votes, 0)
    if missing:
        st.markdown(t("board.missing", missing=missing, needed=needed))
    details.published_context(t)


def headers(t: Texts) -> list[str]:
    names = ("model", "rank", "rating", "interval", "votes", "wins", "ties", "losses", "both_bad", "open", "state")
    return [t(f"board.{name}") for name in names]


def row_of(row: BoardRow, t: Texts) -> list[Any]:
    """One line of the table."""
    interval = "" if row.lo is None or row.hi is None else f"{row.lo:.0f} – {row.hi:.0f}"
    rating = None if row.rating is None else f"{row.rating:.0f}"
    total = max(row.n, 1)
    shares = [f"{count / total:.0%}" for count in (row.wins, row.ties, row.losses, row.both_bad)]
    weights = t("board.yes" if row.is_open else "board.no")
    return [row.display_name, row.rank, rating, interval, row.n, *shares, weights, t(f"board.state.{row.state}")]


def _ratings(site: Site, campaign: CampaignView, board: Board, t: Texts) -> None:
    tables.show(
        headers(t), [row_of(r, t) for r in board.rows], caption=t("board.tab.ratings"), numbers=(1, 2, 3, 4, 5, 6, 7, 8)
    )
    st.caption(_as_of(board, t))
    if any(row.rating is not None for row in board.rows):
        st.subheader(t("board.plot_ratings"), anchor=False)
        st.altair_chart(charts.intervals(board, t))
    robust = board.fit.get("robustness")
    st.markdown(t("board.robust", votes=robust["votes"], voters=robust["voters"]) if robust else t("board.robust_none"))
    for note in board.fit.get("notes", []):
        st.warning(visit.plain(str(note)))
    st.download_button(
        t("board.download"),
        tables.as_csv(CSV, [[getattr(row, name) for name in CSV] for row in board.rows]),
        file_name=f"leaderboard-{board.campaign}-{board.criterion}-{board.snapshot_id}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _anchor(text: str, t: Texts) -> str:
    """`mean:1000` or `MODEL:RATING` in words."""
    name, _, value = text.rpartition(":")
    return t("board.anchor_mean", value=value) if name == "mean" else visit.plain(f"{name} = {value}")


def _as_of(board: Board, t: Texts) -> str:
    facts = t(
        "board.as_of",
        when=visit.moment(board.computed_ms),
        votes=board.n_votes,
        voters=board.n_voters,
        effective=f"{board.eff_voters:.0f}",
        items=board.n_items,
    )
    method = t("board.method", method=t(f"board.method.{board.method}"), anchor=_anchor(board.anchor, t))
    return f"{facts} {method}"


_TAB = {
    "ratings": _ratings,
    "pairs": details.pairs,
    "convergence": details.convergence,
    "agreement": details.agreement,
    "published": details.published,
    "fair": details.fair,
}
