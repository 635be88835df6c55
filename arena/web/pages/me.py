"""What is stored about this browser, for the person in front of it: see it, take it along, be forgotten."""

from __future__ import annotations

import json

import streamlit as st

from arena.service import erase, visitors, voters
from arena.service.types import VoterView
from arena.web import forms, layout, visit
from arena.web.i18n import LANGUAGES, Texts
from arena.web.pages.start import form_component
from arena.web.site import Site


def render(site: Site) -> None:
    """One run of the page."""
    t = visit.texts()
    layout.heading(t("me.title"), t)
    voter, campaign = visit.voter(site), visit.campaign(site)
    if voter is None or campaign is None:
        st.info(t("me.none"), icon=":material/person_off:")
        return
    done = visitors.activity(site.arena, voter.id, campaign.slug)
    with st.container(horizontal=True):
        st.metric(t("me.since"), visit.day(voter.created_ms), border=True)
        st.metric(t("me.votes"), done.total, border=True)
        st.metric(t("me.practice"), done.practice, border=True)
        st.metric(t("me.skipped"), done.skipped, border=True)
    if campaign.status != "closed":
        st.caption(t("me.gold_later"))
    _languages(site, voter, t)
    _stored(site, voter, t)
    st.subheader(t("me.forget_title"), anchor=False)
    st.markdown(t("me.forget"))
    form_component()(key="forget", data=forms.forget_form(t))


def _languages(site: Site, voter: VoterView, t: Texts) -> None:
    with st.form("languages"):
        chosen = st.multiselect(
            t("me.languages"),
            LANGUAGES,
            default=[code for code in LANGUAGES if code in voter.understands],
            format_func=lambda code: t(f"start.{code}"),
        )
        if st.form_submit_button(t("me.save")):
            voters.update_profile(site.arena, voter.id, understands=chosen)
            st.success(t("me.saved"))


def _stored(site: Site, voter: VoterView, t: Texts) -> None:
    data = erase.my_data(site.arena, voter.id)
    text = json.dumps(
        {"voter": data.voter, "battles": data.battles, "votes": list(data.votes)}, indent=2, ensure_ascii=False
    )
    with st.expander(t("me.stored")):
        st.code(text, language="json", height=320)
    st.download_button(
        t("me.download"),
        text,
        file_name="my-arena-data.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
    )
