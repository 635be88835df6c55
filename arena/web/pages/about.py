"""What this is, how ratings come about, what is stored, by which rules; in plain words."""

from __future__ import annotations

from importlib.resources import files

import streamlit as st

from arena.web import layout, visit
from arena.web.site import Site

FORMULA = r"""
P(i \succ j) = \frac{1}{1 + 10^{-(R_i - R_j)/400}}, \qquad
\text{score} = \frac{\text{won} + \tfrac12\,\text{tie}}{\text{all}}, \qquad
R_i - R_j = 400 \log_{10}\frac{\text{score}}{1 - \text{score}}
"""


def render(site: Site) -> None:
    """One run of the page."""
    t = visit.texts()
    layout.heading(t("about.title"), t)
    words = files("arena.web").joinpath("i18n", f"about.{t.language}.md").read_text("utf-8")
    before, _, after = words.partition("<!-- formulas -->")
    st.markdown(before)
    with st.expander(t("about.formulas")):
        st.latex(FORMULA)
        st.markdown(t("about.formulas_text"))
    campaign = visit.campaign(site)
    if campaign is not None:
        st.subheader(t("about.questions"), anchor=False)
        asked = [f"- {t(f'criterion.{name}')}: {t(f'question.{name}')}" for name in campaign.config.criteria]
        st.markdown("\n".join(asked))
    st.markdown(after)
    st.caption(f"mova-eval arena · {visit.plain(site.arena.config.code_version)}")
