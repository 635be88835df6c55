"""The operator's page. In English; every action is checked again, audited, and says what it changed."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from arena.errors import ArenaError
from arena.service.types import CampaignView
from arena.web import forms, layout, visit
from arena.web.admins import is_admin
from arena.web.pages import admin_people, admin_results, admin_state
from arena.web.pages.start import form_component
from arena.web.site import Site

__all__ = ["is_admin", "render"]

Section = Callable[[Site, CampaignView], None]
SECTIONS: dict[str, Section] = {
    "State": admin_state.state,
    "Study": admin_state.study,
    "Models and clips": admin_state.clips,
    "Voters": admin_people.voters,
    "Check pairs": admin_people.gold,
    "Exclusions": admin_people.exclusions,
    "Invitations": admin_people.invitations,
    "Snapshots": admin_results.snapshots_,
    "How many votes": admin_results.power,
    "Export": admin_results.export_,
    "Audit log": admin_results.audit_log,
}


def render(site: Site) -> None:
    """One run of the page."""
    t = visit.texts()
    layout.heading("Admin", t)
    config = site.arena.config
    if not config.admin_password_hash and not config.admin_subjects:
        st.info(
            "Nobody can log in here yet: set ARENA_ADMIN_PASSWORD_HASH (mova-eval arena init makes one) or"
            " ARENA_ADMIN_SUBJECTS, and start the service again."
        )
        return
    if not is_admin(site):
        if config.admin_password_hash:
            form_component()(key="login", data=forms.admin_form())
        if config.admin_subjects and st.button("Log in with OpenID Connect"):
            st.login()
        return
    campaign = visit.campaign(site)
    if campaign is None:
        st.info("There is no study yet: mova-eval arena import RUN makes one from finished runs.")
        return
    name = st.pills("Section", list(SECTIONS), default="State", key="admin_section", label_visibility="collapsed")
    said = st.session_state.pop("admin_said", None)
    if said:
        st.success(visit.plain(said))
    try:
        SECTIONS[name or "State"](site, campaign)
    except ArenaError as error:
        st.error(visit.plain(str(error)))
    st.divider()
    form_component()(key="logout", data=forms.logout_form())
