"""What comes before the first battle: what this is, what is stored, agreeing, the sound check."""

from __future__ import annotations

import io
import random
import wave
from functools import cache
from typing import Any, Literal, cast

import numpy as np
import streamlit as st

from arena.service import voters
from arena.service.types import CampaignView, VoterView
from arena.web import forms, layout, visit
from arena.web.i18n import Texts
from arena.web.site import Site

TRIES = 3
RATE = 24_000
Way = Literal["headphones", "speakers"]


@cache
def form_component() -> Any:
    """Draws markup of `forms` (never text of others) inside the page."""
    script = """export default function ({ data, parentElement }) {
      const box = parentElement.querySelector(".box");
      if (box.dataset.markup !== data) { box.innerHTML = data; box.dataset.markup = data; }
    }"""
    return st.components.v2.component(
        "mova_eval_arena_form", html='<div class="box"></div>', css=forms.STYLE, js=script
    )


def first_visit(campaign: CampaignView, t: Texts) -> None:
    """Purpose, what is stored, and the form that starts. Nothing has been stored when this is shown."""
    layout.heading(t("start.title"), t)
    st.caption(visit.plain(visit.title(campaign, t)))
    if campaign.config.access == "invite":
        st.info(t("start.invite_only"), icon=":material/mail:")
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown(t("start.lead"))
        form_component()(key="consent", data=forms.consent_form(t))
    with right, st.container(border=True):
        st.markdown(f"**{t('start.stored_title')}**")
        st.markdown(t("start.stored"))
        st.caption(t("start.generated"))


def agree_again(site: Site, campaign: CampaignView, voter: VoterView, t: Texts) -> None:
    """The text about what is stored has changed since this voter agreed."""
    layout.heading(t("start.title"), t)
    st.info(t("start.consent_changed"))
    st.markdown(t("start.stored"))
    st.caption(t("start.generated"))
    sure = st.checkbox(t("start.adult"), key="agree_again")
    if st.button(t("start.go"), type="primary", disabled=not sure):
        voters.agree(site.arena, voter.id, campaign.consent_version)
        st.rerun()


def sound_check(site: Site, voter: VoterView, t: Texts) -> None:
    """Three groups of beeps to count; needs no language and shows that the voter hears the site."""
    layout.heading(t("sound.title"), t)
    way = st.radio(
        t("start.sound"),
        ("headphones", "speakers"),
        format_func=lambda code: t(f"start.{code}"),
        horizontal=True,
        key="sound_way",
    )
    st.markdown(t("sound.how"))
    state = st.session_state.setdefault("sound_check", {"counts": _counts(), "tries": 0})
    st.audio(beeps(tuple(state["counts"])), format="audio/wav", width=420)
    with st.form("sound_form", border=False):
        said = st.text_input(t("sound.field"), key=f"sound_{state['tries']}", max_chars=20, width=320)
        checked = st.form_submit_button(t("sound.check"), type="primary")
    if checked:
        _judge(site, voter, state, said, cast(Way, way))
    if state["tries"]:
        st.warning(t("sound.wrong", left=TRIES - state["tries"]))
    if st.button(t("sound.decline"), type="tertiary", key="sound_decline"):
        _without_sound(site, voter)


def _judge(site: Site, voter: VoterView, state: dict[str, Any], said: str, way: Way) -> None:
    if [int(c) for c in said if c.isascii() and c.isdigit()] == state["counts"]:
        voters.update_profile(site.arena, voter.id, sound=way, can_hear=True)
        st.session_state["flash"] = ("success", "sound.right", {})
        del st.session_state["sound_check"]
        st.rerun()
    state["tries"] += 1
    state["counts"] = _counts()
    if state["tries"] >= TRIES:
        _without_sound(site, voter)
    st.rerun()


def _without_sound(site: Site, voter: VoterView) -> None:
    voters.update_profile(site.arena, voter.id, sound="none", can_hear=False)
    st.session_state["flash"] = ("info", "sound.failed", {})
    st.session_state.pop("sound_check", None)
    st.rerun()


def _counts() -> list[int]:
    return [random.SystemRandom().randint(1, 5) for _ in range(3)]


@cache
def beeps(counts: tuple[int, ...]) -> bytes:
    """A WAV file: groups of short tones at -26 dBFS, 0.7 s of silence between groups; 16 bit, mono, 24 kHz."""
    tone_s, gap_s, pause_s = 0.11, 0.13, 0.7
    at = np.arange(round(tone_s * RATE)) / RATE
    envelope = np.minimum(1.0, np.minimum(at, tone_s - at) / 0.01)
    beep = 0.05 * envelope * np.sin(2 * np.pi * 660 * at)
    pieces: list[Any] = [np.zeros(round(0.3 * RATE))]
    for count in counts:
        pieces += [beep, np.zeros(round(gap_s * RATE))] * count
        pieces.append(np.zeros(round(pause_s * RATE)))
    samples = (np.concatenate(pieces) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()
