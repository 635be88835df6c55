"""Entry script of the site: navigation, language, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import streamlit as st

from arena.errors import DatabaseUnavailable
from arena.web import layout
from arena.web.pages import about, admin, browse, leaderboard, me, vote
from arena.web.problems import show_database_gone
from arena.web.site import Site, current
from arena.web.visit import texts

# A file of ours: the framework would have the browser fetch emoji and symbols from a third party.
ICON = Path(__file__).parents[1] / "player" / "icon.svg"


def _bound(render: Callable[[Site], None], site: Site) -> Callable[[], None]:
    return lambda: render(site)


def main() -> None:
    """One run of a page."""
    site, t = current(), texts()
    st.set_page_config(page_title=t("site_title"), page_icon=ICON, layout="wide")
    shown: Literal["visible", "hidden"] = "visible" if admin.is_admin(site) else "hidden"
    pages = [
        st.Page(
            _bound(vote.render, site), title=t("nav.vote"), url_path="vote", icon=":material/compare:", default=True
        ),
        *(
            st.Page(_bound(render, site), title=t(f"nav.{name}"), url_path=name, icon=f":material/{icon}:")
            for name, render, icon in (
                ("leaderboard", leaderboard.render, "leaderboard"),
                ("browse", browse.render, "video_library"),
                ("about", about.render, "info"),
                ("me", me.render, "person"),
            )
        ),
        st.Page(
            _bound(admin.render, site),
            title=t("nav.admin"),
            url_path="admin",
            icon=":material/admin_panel_settings:",
            visibility=shown,
        ),
    ]
    page = st.navigation(pages, position="top")
    layout.frame(site, t)
    try:
        page.run()
    except DatabaseUnavailable:
        show_database_gone()


main()
