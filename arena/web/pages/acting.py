"""How the admin page acts: the right is checked again at the moment of the action, mistakes are one sentence."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from arena.errors import ArenaError
from arena.web import admins, visit
from arena.web.site import Site


def act(site: Site, action: Callable[[str], str]) -> None:
    """Run an action as this administrator (it gets the actor's name, and returns what it changed) and run the page
    again. An ArenaError is shown and changes nothing."""
    try:
        said = action(admins.require(site))
    except ArenaError as error:
        st.error(visit.plain(str(error)))
        return
    st.session_state["admin_said"] = said
    st.rerun()
