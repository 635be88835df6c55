"""Admin: voters and what is odd about them, check pairs, exclusions, invitations."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from arena.service import exclusions as exclusion_service
from arena.service import gold as gold_service
from arena.service import overview, sweep
from arena.service import voters as voter_service
from arena.service.types import CampaignView
from arena.web import admins, tables, visit
from arena.web.pages.acting import act
from arena.web.site import Site


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def voters(site: Site, campaign: CampaignView) -> None:
    """Voters by activity; those whom the tests find unlikely; limiting and blocking."""
    st.markdown("Tests look at agreement with the others, favour for one model, sides, check pairs, speed and rings.")
    if st.button("Examine all voters now", type="primary"):
        admins.require(site)
        st.session_state["flags"] = sweep.sweep(site.arena, campaign.slug, act=False)
    flags = st.session_state.get("flags")
    if flags is not None:
        rows = [
            [
                f.voter_id,
                f.votes,
                f"{f.combined:.2g}",
                f"{f.q:.2g}",
                f.favoured or "",
                "; ".join(f.reasons),
                "yes" if f.automatic else "",
            ]
            for f in flags
        ]
        heads = ["Voter", "Votes", "p combined", "q", "Favoured", "Reasons", "By rule"]
        tables.show(heads, rows, caption=f"Voters to look at: {len(rows)}", numbers=(1, 2, 3))
    found = overview.voters(site.arena, campaign.slug)
    if not found:
        st.info("Nobody has voted yet.")
        return
    table = [
        [v.id, v.kind, v.state, v.device, v.votes, f"{v.gold_failed} of {v.gold_seen}", _share(v.left_share),
         "" if v.median_s is None else f"{v.median_s:.0f} s", visit.moment(v.last_seen_ms),
         "excluded" if v.excluded else ""]
        for v in found
    ]  # fmt: skip
    heads = ["Voter", "Kind", "State", "Device", "Votes", "Check pairs failed", "Left", "Median time", "Last seen", ""]
    tables.show(heads, table, caption="Voters, the most active first", numbers=(4, 5, 6, 7))
    with st.form("voter_action"):
        who = st.number_input("Voter", min_value=1, step=1, value=found[0].id)
        what = st.selectbox("Action", ["limit", "block", "let in again", "leave all votes out"])
        reason = st.text_input("Reason", max_chars=300)
        if st.form_submit_button("Do it"):
            act(site, lambda actor: _voter_action(site, int(who), what, reason, actor))


def _voter_action(site: Site, voter: int, what: str, reason: str, actor: str) -> str:
    if what == "leave all votes out":
        made = exclusion_service.exclude(site.arena, "voter", voter, rule="admin_decision", reason=reason, actor=actor)
        return f"Exclusion {made}: the votes of voter {voter} do not count."
    states = {"limit": "limited", "block": "blocked", "let in again": "active"}
    voter_service.set_state(site.arena, voter, states[what], reason, actor)  # type: ignore[arg-type]
    return f"Voter {voter} is {states[what]}."


def gold(site: Site, campaign: CampaignView) -> None:
    """Check pairs with their pass rates."""
    found = gold_service.list_all(site.arena, campaign.slug)
    if not found:
        st.info("There are no check pairs yet: mova-eval arena gold make.")
        return
    rows = [
        [
            g.id,
            g.kind,
            f"{g.benchmark} {g.item_key}",
            "yes" if g.active else "no",
            g.seen,
            _share(g.passed) if g.seen else "",
            _share(g.difficulty),
        ]
        for g in found
    ]
    heads = ["Pair", "Kind", "Item", "Shown", "Answers", "Passed", "Passed by invited voters"]
    tables.show(heads, rows, caption="Check pairs", numbers=(4, 5, 6))
    with st.form("retire_gold"):
        pair = st.selectbox("Pair", [g.id for g in found if g.active])
        reason = st.text_input("Reason", max_chars=300)
        if st.form_submit_button("Show it no more") and pair is not None:
            act(site, lambda actor: _retire(site, pair, reason, actor))


def _retire(site: Site, pair: int, reason: str, actor: str) -> str:
    gold_service.retire(site.arena, pair, reason=reason, actor=actor)
    return f"Check pair {pair} is shown no more."


def exclusions(site: Site, campaign: CampaignView) -> None:
    """What is left out of every analysis, and why; ending it again."""
    found = exclusion_service.list_all(site.arena)
    rows = [
        [e.id, f"{e.scope} {e.target_id}", e.rule, e.reason, e.created_by, visit.moment(e.created_ms)] for e in found
    ]
    if rows:
        tables.show(["Number", "What", "Rule", "Reason", "By", "Since"], rows, caption="Exclusions in force")
    else:
        st.info("Nothing is left out.")
    with st.form("exclude"):
        scope = st.selectbox("What", get_args(exclusion_service.Scope))
        target = st.number_input("Number of it", min_value=1, step=1)
        reason = st.text_input("Reason (counted on the leaderboard by rule)", max_chars=300)
        if st.form_submit_button("Leave it out"):
            act(site, lambda actor: _exclude(site, scope, int(target), reason, actor))
    if found:
        with st.form("revoke"):
            number = st.selectbox("Exclusion", [e.id for e in found])
            why = st.text_input("Why it ends", max_chars=300)
            if st.form_submit_button("Count it again"):
                act(site, lambda actor: _revoke(site, number, why, actor))


def _exclude(site: Site, scope: exclusion_service.Scope, target: int, reason: str, actor: str) -> str:
    made = exclusion_service.exclude(
        site.arena,
        scope,
        target,
        rule="admin_decision",
        reason=reason,
        actor=actor,
    )
    return f"Exclusion {made}: {scope} {target} does not count."


def _revoke(site: Site, number: int, reason: str, actor: str) -> str:
    done = exclusion_service.revoke(site.arena, number, reason=reason, actor=actor)
    return f"Exclusion {number} has ended." if done else f"Exclusion {number} had ended before."


def invitations(site: Site, campaign: CampaignView) -> None:
    """Private links: making, listing, withdrawing."""
    made = st.session_state.pop("invite_made", None)
    if made:
        st.success("This link is shown once; copy it now.")
        st.code(made, language=None)
    with st.form("invite"):
        label = st.text_input("Label (for you)", max_chars=80)
        cohort = st.text_input("Cohort (splits boards, such as expert)", max_chars=32)
        people = st.number_input("People", min_value=1, max_value=10_000, value=1)
        votes = st.number_input("Votes per person", min_value=1, max_value=10_000, value=400)
        days = st.number_input("Valid for days", min_value=1, max_value=365, value=30)
        if st.form_submit_button("Make a link", type="primary"):
            options = {"label": label, "cohort": cohort, "max_voters": int(people), "max_votes_per_voter": int(votes)}
            act(site, lambda actor: _invite(site, campaign, options, float(days), actor))
    found = voter_service.list_invites(site.arena, campaign.slug)
    rows = [
        [i.id, i.label, i.cohort, f"{i.voters} of {i.max_voters}", visit.day(i.expires_ms), visit.day(i.revoked_ms)]
        for i in found
    ]
    heads = ["Number", "Label", "Cohort", "Used", "Valid until", "Withdrawn"]
    if rows:
        tables.show(heads, rows, caption="Invitations", numbers=(3,))
    open_ones = [i.id for i in found if i.revoked_ms is None]
    if open_ones:
        with st.form("revoke_invite"):
            number = st.selectbox("Invitation", open_ones)
            if st.form_submit_button("Withdraw"):
                act(site, lambda actor: _withdraw(site, number, actor))


def _invite(site: Site, campaign: CampaignView, options: dict[str, object], days: float, actor: str) -> str:
    token = voter_service.create_invite(site.arena, campaign.slug, days=days, actor=actor, **options)  # type: ignore[arg-type]
    hosts = site.arena.config.public_hosts
    st.session_state["invite_made"] = f"https://{hosts[0]}/join?k={token}" if hosts else f"/join?k={token}"
    return "An invitation was made."


def _withdraw(site: Site, number: int, actor: str) -> str:
    voter_service.revoke_invite(site.arena, number, actor)
    return f"Invitation {number} is withdrawn."
