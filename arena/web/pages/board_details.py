"""What stands behind a board: pairs, convergence, agreement, other scales, published results, fair play."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import streamlit as st

from arena.service import fairness
from arena.service.types import CampaignView
from arena.service.types_results import Board
from arena.web import charts, tables, visit
from arena.web.i18n import Texts
from arena.web.site import Site


def pairs(site: Site, campaign: CampaignView, board: Board, t: Texts) -> None:
    st.subheader(t("board.plot_pairs"), anchor=False)
    if any(pair.n for pair in board.pairs):
        st.altair_chart(charts.win_rates(board, t))
    names = {r.model: r.display_name for r in board.rows}
    rows = [
        [
            f"{names.get(p.lo, p.lo)} : {names.get(p.hi, p.hi)}",
            p.n,
            p.lo_wins,
            p.ties,
            p.both_bad,
            p.hi_wins,
            "" if p.diff is None else f"{p.diff:+.0f}".replace("-", "\N{MINUS SIGN}"),
            "" if p.diff_lo is None or p.diff_hi is None else f"{p.diff_lo:.0f} – {p.diff_hi:.0f}",
            _p(p.p_holm),
            _p(p.p_head_to_head),
        ]
        for p in board.pairs
        if p.n
    ]
    keys = (
        "pair",
        "votes",
        "first_won",
        "ties",
        "both_bad",
        "second_won",
        "difference",
        "interval",
        "p_holm",
        "p_head",
    )
    tables.show([t(f"board.{key}") for key in keys], rows, caption=t("board.as_table"), numbers=range(1, 10))


def _p(value: float | None) -> str:
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def convergence(site: Site, campaign: CampaignView, board: Board, t: Texts) -> None:
    chart = charts.convergence(board, t)
    st.subheader(t("board.plot_convergence"), anchor=False)
    if chart is None:
        st.info(t("board.few", votes=board.n_votes))
        return
    st.altair_chart(chart)
    facts = board.fit["convergence"]
    names = {r.model: r.display_name for r in board.rows}
    rows = [
        [n, *(None if v is None else f"{v:.0f}" for v in values)]
        for n, values in zip(facts["n"], facts["rating"], strict=True)
    ]
    with st.expander(t("board.as_table")):
        tables.show(
            [t("board.votes"), *(names.get(m, m) for m in facts["models"])],
            rows,
            caption=t("board.plot_convergence"),
            numbers=range(0, len(names) + 1),
        )


def agreement(site: Site, campaign: CampaignView, board: Board, t: Texts) -> None:
    fit = board.fit
    alpha = fit.get("alpha_nominal")
    if alpha and alpha.get("alpha") is not None:
        values = {key: f"{alpha[key]:.2f}" if alpha[key] is not None else "?" for key in ("alpha", "lo", "hi")}
        st.markdown(t("board.alpha", alpha=values["alpha"], lower=values["lo"], upper=values["hi"]))
    else:
        st.markdown(t("board.alpha_none"))
    if repeats := fit.get("repeats"):
        st.markdown(t("board.repeat", same=repeats["identical"], n=repeats["n"]))
    if fit.get("left_share") is not None:
        shares = {
            name: f"{fit[f'left_{key}']:.1%}" for name, key in (("share", "share"), ("lower", "lo"), ("upper", "hi"))
        }
        st.markdown(t("board.left", **shares))
    if fit.get("lack_of_fit_p") is not None:
        st.markdown(t("board.fit", p=_p(fit["lack_of_fit_p"])))
    _other_scales(board, t)


def _other_scales(board: Board, t: Texts) -> None:
    """Online Elo, adjusted ratings and naive intervals: beside the main numbers, never instead of them."""
    online: dict[str, Any] = board.fit.get("elo_online") or {}
    adjusted: dict[str, Any] = (board.fit.get("adjusted") or {}).get("rating") or {}
    rows = []
    for r in board.rows:
        elo = online.get(r.model)
        rows.append(
            [
                r.display_name,
                "" if r.rating is None else f"{r.rating:.0f}",
                "" if r.lo_iid is None or r.hi_iid is None else f"{r.lo_iid:.0f} – {r.hi_iid:.0f}",
                "" if adjusted.get(r.model) is None else f"{adjusted[r.model]:.0f}",
                "" if not elo or elo[0] is None else f"{elo[0]:.0f} ({elo[1]:.0f} – {elo[2]:.0f})",
            ]
        )
    names = ("model", "rating", "iid", "adjusted", "online")
    tables.show([t(f"board.{name}") for name in names], rows, caption=t("board.other_scales"), numbers=(1, 2, 3, 4))


@cache
def published_results() -> dict[str, Any]:
    """Published arena results, with their source."""
    found: dict[str, Any] = json.loads(files("arena.web").joinpath("published.json").read_text("utf-8"))
    return found


def published(site: Site, campaign: CampaignView, board: Board, t: Texts) -> None:
    published_context(t)


def published_context(t: Texts) -> None:
    data = published_results()
    st.markdown(t("board.context_lead"))
    tables.show(
        [t("board.model"), t("board.rating"), t("board.interval")],
        [
            [
                r["model"],
                f"{r['rating']:.1f}",
                f"{r['rating'] - r['half_width']:.0f} – {r['rating'] + r['half_width']:.0f}",
            ]
            for r in data["ratings"]
        ],
        caption=data["source"],
        numbers=(1, 2),
    )
    tables.show(
        ["MOVA-720p :", t("board.wins"), t("board.ties"), t("board.losses")],
        [[r["model"], *(f"{r[key]:.1f} %" for key in ("win", "tie", "lose"))] for r in data["against_mova"]],
        caption=t("board.tab.pairs"),
        numbers=(1, 2, 3),
    )


def _around(middle: float, half: float) -> str:
    return f"{middle - half:.0f} – {middle + half:.0f}"


def fair(site: Site, campaign: CampaignView, board: Board, t: Texts) -> None:
    facts = fairness.fair_play(site.arena, campaign.slug)
    st.markdown(t("fair.private", n=facts.hidden_models))
    gone = {model: (when, reason) for model, when, reason in facts.retired}
    rows = [
        [
            r.display_name,
            f"{facts.battle_shares.get(r.model, 0):.1%}",
            visit.day(r.joined_ms),
            visit.day(gone.get(r.model, (None, ""))[0]),
            gone.get(r.model, (None, ""))[1],
        ]
        for r in board.rows
    ]
    tables.show(
        [t("board.model"), t("fair.share"), t("fair.joined"), t("fair.left"), t("fair.reason")],
        rows,
        caption=t("fair.shares"),
        numbers=(1,),
    )
    if facts.exclusions:
        tables.show(
            [t("fair.rule"), t("fair.count")],
            sorted(facts.exclusions.items()),
            caption=t("fair.exclusions"),
            numbers=(1,),
        )
    else:
        st.markdown(t("fair.no_exclusions"))
    if facts.changes:
        changes = [
            [visit.moment(at), action, json.dumps(detail, ensure_ascii=False)[:300]]
            for at, action, detail in facts.changes
        ]
        with st.expander(t("fair.changes")):
            tables.show([t("fair.when"), t("fair.what"), ""], changes, caption=t("fair.changes"))
    else:
        st.markdown(t("fair.no_changes"))
    st.caption(f"snapshot {board.snapshot_id} · sha256 {board.data_sha256}")
