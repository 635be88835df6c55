"""Admin: health and traffic, the study and its settings, models and clips."""

from __future__ import annotations

import json
import shutil

import streamlit as st

from arena.config import CampaignConfig
from arena.service import audit, campaigns, overview
from arena.service.types import CampaignView
from arena.web import charts, tables, visit
from arena.web.pages.acting import act
from arena.web.site import Site


def _size(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e6:.1f} MB"


def state(site: Site, campaign: CampaignView) -> None:
    """Health, traffic, what is not as it should be."""
    health = overview.health(site.arena)
    free = shutil.disk_usage(site.arena.media_root).free if health.media_readable else None
    for wrong, text in (
        (not health.writable, "The database cannot be written."),
        (not health.revision_right, "The database has another revision than the code: mova-eval arena migrate."),
        (not health.media_readable, f"The media root {site.arena.media_root} cannot be read."),
        (health.missing_clips > 0, f"{health.missing_clips} clips are missing on disk; they are not served."),
    ):
        if wrong:
            st.error(visit.plain(text))
    with st.container(horizontal=True):
        st.metric("Votes, last hour", health.votes_last_hour, border=True)
        st.metric("Votes, last day", health.votes_last_day, border=True)
        st.metric("Voters, last day", health.voters_last_day, border=True)
        st.metric("Open battles", health.open_battles, border=True)
        median = f"{health.median_vote_s:.0f} s" if health.median_vote_s else "none"
        st.metric("Median time per vote", median, border=True)
    with st.container(horizontal=True):
        st.metric("Database", _size(health.database_bytes), border=True)
        st.metric("Write-ahead log", _size(health.wal_bytes), border=True)
        st.metric("Free disk for media", _size(free), border=True)
    st.caption(visit.plain(health.database))
    hours = [(visit.moment(hour.start_ms)[5:16], hour.votes) for hour in overview.traffic(site.arena, campaign.slug)]
    st.altair_chart(charts.traffic(hours))
    with st.expander("The same as a table"):
        tables.show(["Hour (UTC)", "Votes"], hours, caption="Votes per hour", numbers=(1,))


def study(site: Site, campaign: CampaignView) -> None:
    """Status and settings, with their history."""
    st.subheader(visit.plain(f"{campaign.title_en} ({campaign.slug}): {campaign.status}"), anchor=False)
    reason = st.text_input("Reason (kept in the audit log)", key="status_reason", max_chars=300)
    with st.container(horizontal=True):
        for word, status in (("Open", "open"), ("Pause", "paused"), ("Close", "closed")):
            if st.button(word, key=f"status_{status}", disabled=campaign.status == status):
                act(
                    site,
                    lambda actor, status=status: (  # type: ignore[misc]
                        f"The study is {campaigns.set_status(site.arena, campaign.slug, status, actor, reason).status}."
                    ),
                )
    with st.form("settings"):
        text = st.text_area(
            f"Settings, version {campaign.config_version} (JSON)",
            json.dumps(campaign.config.model_dump(mode="json"), indent=2),
            height=420,
        )
        if st.form_submit_button("Change the settings"):
            act(site, lambda actor: _configure(site, campaign, text, actor))
    with st.expander("What the settings mean"):
        st.json(CampaignConfig.model_json_schema(), expanded=False)
    rows = [
        [visit.moment(r.at_ms), r.actor, r.action, json.dumps(r.detail, ensure_ascii=False)[:300]]
        for r in audit.newest(site.arena, 1000)
        if r.action.startswith("campaign_")
    ]
    tables.show(["When", "Who", "What", "Detail"], rows, caption="History")


def _configure(site: Site, campaign: CampaignView, text: str, actor: str) -> str:
    from arena.errors import ArenaError

    try:
        values = json.loads(text)
    except ValueError as error:
        raise ArenaError(f"the settings are no JSON: {error}") from error
    if not isinstance(values, dict):
        raise ArenaError("the settings must be a JSON object")
    changed = campaigns.configure(site.arena, campaign.slug, values, actor)
    if changed.config_version == campaign.config_version:
        return "Nothing was changed."
    return f"The settings are now version {changed.config_version}."


def clips(site: Site, campaign: CampaignView) -> None:
    """How complete the matrix of models and items is, and how loud the clips are."""
    cells = overview.cells(site.arena, campaign.slug)
    if not cells:
        st.info("No model takes part yet: mova-eval arena import RUN.")
        return
    rows = [
        [
            c.display_name,
            c.status,
            c.ready,
            c.missing,
            c.broken,
            c.absent,
            "" if c.loudness_min is None else f"{c.loudness_min:.1f} to {c.loudness_max:.1f} LUFS",
        ]
        for c in cells
    ]
    heads = ["Model", "Status", "Ready", "Missing on disk", "Broken", "Not imported", "Served loudness"]
    tables.show(heads, rows, caption="Clips per model", numbers=(2, 3, 4, 5))
    with st.form("model_status"):
        model = st.selectbox("Model", [c.model for c in cells])
        status = st.selectbox("New status", ["active", "paused", "retired"])
        reason = st.text_input("Reason (shown on the leaderboard for a retired model)", max_chars=300)
        if st.form_submit_button("Change"):
            act(site, lambda actor: _model_status(site, model, status, reason, actor))


def _model_status(site: Site, model: str, status: str, reason: str, actor: str) -> str:
    campaigns.set_model_status(site.arena, model, status, reason, actor)  # type: ignore[arg-type]
    return f"{model} is {status}."
