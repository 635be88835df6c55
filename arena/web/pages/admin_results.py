"""Admin: snapshots of ratings, how many votes are needed, export, the audit log."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from arena.ratings.board import METHODS
from arena.ratings.power import DEFAULT_TIES, KNOWN_DEFF, votes_needed
from arena.service import audit, snapshots
from arena.service.export import export_votes
from arena.service.types import CampaignView
from arena.service.types_results import Board
from arena.web import admins, tables, visit
from arena.web.pages.acting import act
from arena.web.site import Site


def snapshots_(site: Site, campaign: CampaignView) -> None:
    """Compute, compare, publish."""
    with st.form("compute"):
        criterion = st.selectbox("Question", campaign.config.criteria)
        method = st.selectbox("Method", METHODS)
        group = st.text_input('Group (JSON, such as {"set": "set1"}; empty: all)', max_chars=200)
        publish = st.checkbox("Publish it at once")
        reason = st.text_input("Reason (needed where more than 2 % of the votes are left out)", max_chars=300)
        if st.form_submit_button("Compute", type="primary"):
            wanted = {"criterion": criterion, "method": method, "publish_now": publish, "reason": reason}
            act(site, lambda actor: _compute(site, campaign, wanted, group, actor))
    found = snapshots.history(site.arena, campaign.slug)
    if not found:
        st.info("No snapshot has been computed yet.")
        return
    rows = [
        [s.id, s.criterion, json.dumps(s.filter) if s.filter else "all", s.method, s.n_votes, s.n_excluded,
         visit.moment(s.computed_ms), "yes" if s.published else "no"]
        for s in found
    ]  # fmt: skip
    heads = ["Snapshot", "Question", "Group", "Method", "Votes", "Left out", "Computed", "Published"]
    tables.show(heads, rows, caption="Snapshots", numbers=(4, 5))
    with st.form("publish"):
        number = st.selectbox("Snapshot", [s.id for s in found if not s.published])
        why = st.text_input("Reason", max_chars=300)
        if st.form_submit_button("Publish") and number is not None:
            act(site, lambda actor: _publish(site, number, why, actor))
    if len(found) > 1:
        _compare(site, [s.id for s in found])


def _compute(site: Site, campaign: CampaignView, wanted: dict[str, Any], group: str, actor: str) -> str:
    from arena.errors import ArenaError

    try:
        given = json.loads(group) if group.strip() else {}
    except ValueError as error:
        raise ArenaError(f"the group is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise ArenaError("the group must be a JSON object")
    board = snapshots.compute(site.arena, campaign.slug, given=given, actor=actor, **wanted)
    return f"Snapshot {board.snapshot_id} from {board.n_votes} votes{' is published' if board.published else ''}."


def _publish(site: Site, number: int, reason: str, actor: str) -> str:
    snapshots.publish(site.arena, number, actor=actor, reason=reason)
    return f"Snapshot {number} is published."


def _compare(site: Site, numbers: list[int]) -> None:
    st.subheader("Compare two snapshots", anchor=False)
    with st.container(horizontal=True):
        first = st.selectbox("First", numbers, index=1, key="compare_first")
        second = st.selectbox("Second", numbers, index=0, key="compare_second")
    a, b = snapshots.get(site.arena, first), snapshots.get(site.arena, second)
    left, right = _ratings(a), _ratings(b)
    rows = [
        [model, left.get(model), right.get(model), _difference(left.get(model), right.get(model))]
        for model in sorted({*left, *right})
    ]
    heads = ["Model", f"Snapshot {first}", f"Snapshot {second}", "Change"]
    tables.show(heads, rows, caption="Ratings", numbers=(1, 2, 3))


def _ratings(board: Board) -> dict[str, float | None]:
    return {row.model: row.rating for row in board.rows}


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else second - first


def power(site: Site, campaign: CampaignView) -> None:
    """Votes that separate two models, from the design effect of this study where it is known."""
    board = snapshots.latest(site.arena, campaign.slug, published_only=False)
    known = dict(KNOWN_DEFF)
    measured = board.fit.get("deff") if board else None
    if measured:
        known = {"this study, from its newest snapshot": max(float(measured), 1.0), **known}
    with st.container(horizontal=True):
        difference = st.number_input("Difference in Elo", min_value=1.0, max_value=400.0, value=20.0)
        ties = st.number_input("Share of ties", min_value=0.0, max_value=0.9, value=DEFAULT_TIES)
        chance = st.number_input("Power", min_value=0.5, max_value=0.99, value=0.8)
        known["independent votes"] = 1.0
        name = st.selectbox("Design effect", list(known), format_func=lambda n: f"{n} ({known[n]:.1f})")
    votes = votes_needed(difference, power=chance, ties=ties, deff=known[name])
    st.metric("Votes between the two models", f"{votes:,}")
    st.caption("More prompts and more voters make the design effect smaller; more votes of the same voters do not.")


def export_(site: Site, campaign: CampaignView) -> None:
    """Judgements as a zip of CSV, Parquet and JSON lines with a manifest."""
    st.markdown("Public: pseudonyms, days, no network. Full: for your own analysis, not for publication.")
    level = st.segmented_control("Level", ["public", "full"], default="public", key="export_level")
    if st.button("Make the export", type="primary"):
        actor = admins.require(site)
        chosen: Literal["public", "full"] = "full" if level == "full" else "public"
        st.session_state["export"] = (chosen, _zip(site, campaign, chosen, actor))
    made = st.session_state.get("export")
    if made:
        st.download_button(
            f"Download the {made[0]} export",
            made[1],
            file_name=f"arena-{campaign.slug}-{made[0]}.zip",
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
        )


def _zip(site: Site, campaign: CampaignView, level: Literal["public", "full"], actor: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = export_votes(site.arena, campaign.slug, Path(folder) / "export", level=level, actor=actor)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in made.files:
                archive.write(path, path.name)
        return buffer.getvalue()


def audit_log(site: Site, campaign: CampaignView) -> None:
    """The newest entries, and whether the chain holds."""
    if st.button("Check the whole chain"):
        check = audit.verify(site.arena)
        if check.broken_at is None:
            st.success(f"The chain of {check.entries} entries holds.")
        else:
            st.error(f"The chain is broken at entry {check.broken_at}: somebody changed the database by hand.")
    rows = [
        [
            r.id,
            visit.moment(r.at_ms),
            r.actor,
            r.action,
            f"{r.target_type} {r.target_id}",
            json.dumps(r.detail, ensure_ascii=False)[:300],
        ]
        for r in audit.newest(site.arena)
    ]
    tables.show(["Entry", "When", "Who", "What", "On", "Detail"], rows, caption="The newest entries")
