"""Casting a vote, and what happens when the database does not answer: the vote is kept and tried again, never lost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from arena.errors import DatabaseUnavailable
from arena.service import visitors, votes
from arena.service.types import Already, Answer, BattleView, Recorded, Refused, Telemetry, VoteOutcome, VoterView
from arena.web.i18n import Texts
from arena.web.player import Watch
from arena.web.site import Site

RETRY_S = 3
PATIENCE = 5
"""Attempts after which the page says plainly that the answer is not saved; it goes on trying."""


@dataclass
class Pending:
    """An answer that is not on disk yet."""

    voter_id: int
    battle: BattleView
    answers: dict[str, Answer]
    telemetry: Telemetry
    attempts: int = 1


def telemetry_of(site: Site, battle: BattleView, watch: Watch) -> Telemetry:
    """What the browser said about watching, with what the server knows about fetching."""
    ready_at: float | None = st.session_state.get("ready_at")
    if st.session_state.get("ready_battle") != battle.token:
        ready_at = None
    evidence = {
        side: found
        for side, token in (("left", battle.media_left), ("right", battle.media_right))
        if (found := site.fetches.of(token)) is not None
    }
    return Telemetry(
        watched_left=watch.watched_left,
        watched_right=watch.watched_right,
        plays_left=watch.plays_left,
        plays_right=watch.plays_right,
        first_played=watch.first_played,
        decide_ms=round(1000 * (time.monotonic() - ready_at)) if ready_at is not None else None,
        hidden_ms=watch.hidden_ms,
        stalled_ms=watch.stalled_ms,
        muted=watch.muted,
        min_volume=watch.min_volume,
        viewport_w=watch.viewport_w,
        viewport_h=watch.viewport_h,
        fullscreen=watch.fullscreen,
        input=watch.input,
        evidence={"fetched": evidence} if evidence else None,
    )


def cast(
    site: Site, voter: VoterView, battle: BattleView, answers: Mapping[str, Answer], telemetry: Telemetry, t: Texts
) -> None:
    """Record an answer; ends this run of the page. Only a vote that is on disk is called saved."""
    try:
        with st.spinner(t("vote.saving")):
            outcome = votes.cast_vote(site.arena, voter.id, battle.token, answers, telemetry)
    except DatabaseUnavailable:
        st.session_state["pending"] = Pending(voter.id, battle, dict(answers), telemetry)
    else:
        _settle(site, voter.id, battle, outcome)
    st.rerun()


def save_pending(site: Site, pending: Pending, t: Texts) -> None:
    """Try again every few seconds, and say so; the page shows nothing that looks saved."""

    @st.fragment(run_every=RETRY_S)
    def again() -> None:
        if pending.attempts < PATIENCE:
            st.warning(t("vote.not_saved", n=pending.attempts), icon=":material/sync:")
        else:
            st.error(t("vote.kept"), icon=":material/save:")
        st.button(t("vote.save_now"), key="save_now", type="primary")
        try:
            outcome = votes.cast_vote(
                site.arena, pending.voter_id, pending.battle.token, pending.answers, pending.telemetry
            )
        except DatabaseUnavailable:
            pending.attempts += 1
            return
        st.session_state.pop("pending", None)
        _settle(site, pending.voter_id, pending.battle, outcome)
        st.rerun()

    again()


def _settle(site: Site, voter_id: int, battle: BattleView, outcome: VoteOutcome) -> None:
    """Note what the next run tells the voter."""
    st.session_state.pop("chosen", None)
    st.session_state["closed_here"] = True
    st.session_state["flash"] = _message(site, voter_id, battle, outcome)
    if isinstance(outcome, Recorded) and not battle.practice:
        st.session_state["last_vote_at"] = time.monotonic()


def _message(site: Site, voter_id: int, battle: BattleView, outcome: VoteOutcome) -> tuple[str, str, dict[str, Any]]:
    if isinstance(outcome, Refused):
        key = "vote.expired" if outcome.reason == "expired" else f"vote.refused.{outcome.reason}"
        return ("warning", key, {})
    if isinstance(outcome, Already) and not outcome.same:
        return ("info", "vote.already_other", {})
    names = visitors.revealed(site.arena, voter_id, battle.token)
    if names is not None:
        return ("success", "vote.revealed", {"left": names[0], "right": names[1]})
    return ("success", "vote.practised" if battle.practice else "vote.saved", {})
