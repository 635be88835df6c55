"""The voting page: prompt, two clips, one judgement.

Every button is read by its return value and named after the battle, so that a click that arrives late, twice or after a
restart of the server means what it meant when it was made.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import streamlit as st

from arena.errors import DatabaseUnavailable
from arena.service import battles, visitors, votes
from arena.service.types import Answer, BattleView, CampaignView, Nothing, SkipReason, VoterView
from arena.web import layout, visit
from arena.web.i18n import Texts
from arena.web.pages import start
from arena.web.pages.saving import Pending, cast, save_pending, telemetry_of
from arena.web.player import Watch
from arena.web.site import Site

log = logging.getLogger(__name__)

CHOICES: tuple[Answer, ...] = ("left", "right", "tie", "both_bad")
SKIPS: tuple[SkipReason, ...] = ("cannot_play", "disturbing", "language", "other")
SHORT: tuple[Answer, ...] = ("left", "tie", "right", "both_bad", "na")
PAUSE_EVERY = 20
RETRACT_S = 5 * 60


@dataclass(frozen=True)
class Seen:
    """What a run of the page found. Kept for the next run, so that a click made while the database does not answer
    still meets its button, and the answer is kept and tried again."""

    campaign: CampaignView
    voter: VoterView
    shown: BattleView | Nothing
    done: visitors.Activity


def render(site: Site) -> None:
    """One run of the page."""
    t = visit.texts()
    if isinstance(pending := st.session_state.get("pending"), Pending):
        layout.heading(t("vote.title"), t)
        save_pending(site, pending, t)
        return
    try:
        seen = _look(site, t)
    except DatabaseUnavailable:
        seen = st.session_state.get("seen")
        if seen is None:
            raise
        log.warning("the database does not answer: showing the pair that was there")
    if seen is not None:
        _compare(site, seen, t)


def _look(site: Site, t: Texts) -> Seen | None:
    """What there is to compare; None when another page had to come first. Raises DatabaseUnavailable."""
    campaign = visit.campaign(site)
    if campaign is None:
        layout.heading(t("vote.title"), t)
        st.info(t("nothing.none"))
        return None
    voter = visit.voter(site)
    if voter is None:
        start.first_visit(campaign, t)
    elif voter.consent_version != campaign.consent_version:
        start.agree_again(site, campaign, voter, t)
    elif voter.sound == "unknown":
        start.sound_check(site, voter, t)
    else:
        shown = battles.current_battle(site.arena, voter.id, campaign.slug)
        seen = Seen(campaign, voter, shown, visitors.activity(site.arena, voter.id, campaign.slug))
        _note_change(site, seen)
        st.session_state["seen"] = seen if isinstance(shown, BattleView) else None
        return seen
    return None


def _note_change(site: Site, seen: Seen) -> None:
    """If the pair of this tab ended elsewhere (another tab, time, a lost file), the voter is told how."""
    before: Seen | None = st.session_state.get("seen")
    if before is None or not isinstance(before.shown, BattleView) or st.session_state.pop("closed_here", False):
        return
    if isinstance(seen.shown, BattleView) and seen.shown.token == before.shown.token:
        return
    ended = visitors.ended_as(site.arena, seen.voter.id, before.shown.token)
    key = {"voted": "vote.already_other", "expired": "vote.expired", "void": "vote.media_void"}.get(ended or "")
    if key is not None:
        st.session_state["flash"] = ("info", key, {})


def _compare(site: Site, seen: Seen, t: Texts) -> None:
    campaign, voter, shown, done = seen.campaign, seen.voter, seen.shown, seen.done
    layout.heading(t("vote.title"), t, note=_progress(campaign, done, shown, t))
    practice = ""
    if isinstance(shown, BattleView) and shown.practice:
        count = t("vote.practice", n=done.practice + 1, total=campaign.config.practice)
        practice = f"**{count}** {t('vote.practice_how')}"
    _flash(t, practice)
    if isinstance(shown, Nothing):
        _nothing(campaign, shown, done, t)
        return
    if not practice and done.total and done.total % PAUSE_EVERY == 0:
        st.info(t("vote.pause_hint", n=done.total), icon=":material/self_improvement:")
    for warning in shown.warnings:
        if warning in {"flashing", "disturbing"}:
            st.warning(t(f"vote.{warning}"), icon=":material/warning:")
    watch = site.player(player_data(shown, voter, t, _shortcuts(voter)))
    if watch is not None and watch.battle != shown.token:
        watch = None
    if watch is not None and watch.error is not None:
        _give_up(site, voter, shown, watch)
    _answers(site, voter, shown, watch, t)
    _below(site, voter, shown, t)


def _progress(campaign: CampaignView, done: visitors.Activity, shown: BattleView | Nothing, t: Texts) -> str:
    name = visit.plain(visit.title(campaign, t))
    if isinstance(shown, BattleView) and shown.practice:
        return name
    return f"{name} · {t('vote.progress_of', done=done.today, limit=campaign.config.limits.voter_day)}"


def player_data(battle: BattleView, voter: VoterView, t: Texts, shortcuts: bool) -> dict[str, Any]:
    """What the player is given. Nothing in it tells one model from another."""
    return {
        "battle": battle.token,
        "left": _side(battle.media_left, battle.duration_left_ms, battle.size_left),
        "right": _side(battle.media_right, battle.duration_right_ms, battle.size_right),
        "prompt": _prompt(battle, t),
        "min_watch": battle.min_watch,
        "can_hear": voter.can_hear is not False,
        "shortcuts": shortcuts,
        "texts": {**t.group("player."), "narrow": t.group("player.narrow.")},
    }


def _side(media: str, duration_ms: int, size: tuple[int, int]) -> dict[str, Any]:
    return {"url": f"/clip/{media}", "duration_ms": duration_ms, "width": size[0], "height": size[1]}


def _prompt(battle: BattleView, t: Texts) -> dict[str, Any] | None:
    """The prompt in the reader's language where there is one, the other one beside it."""
    there = {"en": battle.prompt_en, "zh": battle.prompt_zh}
    shown = t.language if there[t.language] else next((code for code, text in there.items() if text), None)
    if shown is None:
        return None
    other = "zh" if shown == "en" else "en"
    return {
        "text": there[shown],
        "language": shown,
        "original": there[other],
        "original_language": other,
        "first_frame": f"/frame/{battle.token}" if battle.first_frame else None,
    }


def _answers(site: Site, voter: VoterView, battle: BattleView, watch: Watch | None, t: Texts) -> None:
    """The overall question, then (in detailed mode) the others; the first answer cannot be shaped by the later ones."""
    ready = watch is not None and watch.complete(battle.min_watch)
    if ready and st.session_state.get("ready_battle") != battle.token:
        st.session_state["ready_battle"], st.session_state["ready_at"] = battle.token, time.monotonic()
    others = [
        c for c in battle.criteria if c != "overall" and (voter.can_hear is not False or c not in {"audio", "sync"})
    ]
    detailed = battle.mode == "detailed" and bool(others)
    chosen = st.session_state.get("chosen")
    if ready and watch and detailed and isinstance(chosen, tuple) and chosen[0] == battle.token:
        _more(site, voter, battle, watch, chosen[1], others, t)
        return
    clicked = _overall(battle, watch, ready, _shortcuts(voter), t)
    if clicked is None or watch is None or not ready:
        return
    if detailed:
        st.session_state["chosen"] = (battle.token, clicked)
        st.rerun()
    cast(site, voter, battle, {"overall": clicked}, telemetry_of(site, battle, watch), t)


def _overall(battle: BattleView, watch: Watch | None, ready: bool, keys: bool, t: Texts) -> Answer | None:
    clicked: Answer | None = None
    with st.container(key="answers", gap="xsmall"):
        st.markdown(f"**{t('question.overall')}** {'' if ready else _missing(watch, battle, t)}")
        with st.container(horizontal=True, key="answer_row"):
            for number, answer in enumerate(CHOICES, 1):
                shortcut = str(number) if keys else None
                name = f"{answer}_{battle.token}"
                if st.button(t(f"answer.{answer}"), key=name, disabled=not ready, shortcut=shortcut, width="stretch"):
                    clicked = answer
    return clicked


def _more(
    site: Site, voter: VoterView, battle: BattleView, watch: Watch, overall: Answer, others: list[Any], t: Texts
) -> None:
    """The other criteria, none of them required."""
    box = st.container(key="more", border=True)
    with box:
        st.markdown(f"**{t('vote.more_questions')}** {t('vote.optional')}")
        st.caption(f"{t('question.overall')} {t(f'answer.{overall}')}")
        columns = st.columns(2, gap="medium")
    answers: dict[str, Answer] = {"overall": overall}
    for number, criterion in enumerate(others):
        with columns[number % 2]:
            given = st.segmented_control(
                t(f"question.{criterion}"),
                SHORT,
                format_func=lambda answer: t(f"short.{answer}"),
                key=f"{criterion}_{battle.token}",
            )
        answers[criterion] = given or "na"
    with box, st.container(horizontal=True):
        submitted = st.button(t("vote.submit"), type="primary", key=f"submit_{battle.token}", shortcut="Ctrl+Enter")
        changed = st.button(t("vote.change"), type="tertiary", key=f"change_{battle.token}")
    if st.session_state.get("scrolled") != battle.token:
        st.session_state["scrolled"] = battle.token
        layout.scroll_to("more")
    if changed:
        st.session_state.pop("chosen", None)
        st.session_state.pop("scrolled", None)
        st.rerun()
    if submitted:
        cast(site, voter, battle, answers, telemetry_of(site, battle, watch), t)


def _missing(watch: Watch | None, battle: BattleView, t: Texts) -> str:
    left = watch is not None and watch.watched_left >= battle.min_watch
    right = watch is not None and watch.watched_right >= battle.min_watch
    if left and right:
        return t("vote.ready")
    return t("vote.watch_right" if left else "vote.watch_left" if right else "vote.watch_both")


def _below(site: Site, voter: VoterView, battle: BattleView, t: Texts) -> None:
    """Skipping, withdrawing the last answer, shortcuts."""
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover(t("vote.skip"), icon=":material/skip_next:"):
            st.markdown(t("vote.skip_help"))
            for reason in SKIPS:
                if st.button(t(f"vote.skip.{reason}"), key=f"skip_{reason}_{battle.token}", width="stretch"):
                    battles.skip(site.arena, voter.id, battle.token, reason)
                    _leave("info", "vote.skipped")
        last = st.session_state.get("last_vote_at")
        if last is not None and time.monotonic() - last < RETRACT_S and st.button(t("vote.retract"), key="retract"):
            done = votes.retract(site.arena, voter.id)
            st.session_state["last_vote_at"] = None
            st.session_state["flash"] = ("info", "vote.retracted" if done else "vote.too_late", {})
            st.rerun()
        on = st.toggle(t("vote.keys"), value=_shortcuts(voter), key="keys", help=t("vote.keys_help"))
        if on != _shortcuts(voter):
            st.session_state["shortcuts"] = on
            st.rerun()


def _shortcuts(voter: VoterView) -> bool:
    """On by default where there is a keyboard."""
    return bool(st.session_state.get("shortcuts", voter.device not in {"mobile", "tablet"}))


def _give_up(site: Site, voter: VoterView, battle: BattleView, watch: Watch) -> None:
    """A clip cannot be played: the voter said so, or it failed twice."""
    assert watch.error is not None
    if watch.error.cause == "skip":
        battles.skip(site.arena, voter.id, battle.token, "cannot_play")
    else:
        battles.void(site.arena, voter.id, battle.token, f"media error {watch.error.code}, {watch.error.side}")
    _leave("warning", "vote.media_void")


def _leave(kind: str, key: str) -> None:
    st.session_state["flash"], st.session_state["closed_here"] = (kind, key, {}), True
    st.session_state.pop("chosen", None)
    st.rerun()


def _flash(t: Texts, more: str = "") -> None:
    """What happened to the last action, once; in one box with `more`, so that the clips stay in sight."""
    said = st.session_state.pop("flash", None)
    if said is None:
        if more:
            st.info(more)
        return
    kind, key, values = said
    show = {"success": st.success, "info": st.info, "warning": st.warning}[kind]
    text = t(key, **{name: visit.plain(value) for name, value in values.items()})
    show(f"{text} {more}".strip())


def _nothing(campaign: CampaignView, nothing: Nothing, done: visitors.Activity, t: Texts) -> None:
    """No battle: why, what was done so far, and where to go."""
    key = f"nothing.{nothing.reason}"
    if nothing.reason == "limit" and nothing.until_ms is None:
        key = "nothing.limit_campaign"
    st.info(t(key, when=visit.moment(nothing.until_ms), date=visit.day(campaign.closed_ms)), icon=":material/flag:")
    st.markdown(t("nothing.count", n=done.total))
    st.link_button(t("nothing.results"), f"/leaderboard?lang={t.language}", icon=":material/leaderboard:")
