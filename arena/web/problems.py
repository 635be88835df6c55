"""What a visitor sees when something fails: a sentence, never a traceback."""

from __future__ import annotations

import logging
import secrets

from arena.errors import DatabaseUnavailable
from arena.web.visit import texts

log = logging.getLogger(__name__)
RETRY_S = 5


def show_failure(error: Exception) -> None:
    """Say that the page failed; for a database that does not answer, try again by itself."""
    import streamlit as st

    t = texts()
    if isinstance(error, DatabaseUnavailable):
        log.warning("%s", error)
        show_database_gone()
        return
    number = secrets.token_hex(4)
    log.error("page failed, number %s", number, exc_info=error)
    st.error(f"**{t('error.title')}**\n\n{t('error.page', number=number)}", icon=":material/error:")


def show_database_gone() -> None:
    """A notice that runs the page again every few seconds."""
    import streamlit as st

    t = texts()

    @st.fragment(run_every=RETRY_S)
    def again() -> None:
        st.warning(t("error.database"), icon=":material/database_off:")
        seen = st.session_state.get("database_gone", 0)
        st.session_state["database_gone"] = seen + 1
        if st.button(t("error.retry"), key="database_retry") or seen > 0:
            st.session_state["database_gone"] = 0
            st.rerun()

    again()
