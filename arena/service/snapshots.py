"""Snapshots of ratings: computed from rows, stored for good, published when somebody says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from arena.config import CampaignConfig, campaign_config
from arena.context import Arena
from arena.db.tables import Campaign, CampaignModel, Model, Voter
from arena.db.tables_results import RatingPair, RatingRow, RatingSnapshot
from arena.db.tables_votes import Battle
from arena.errors import ArenaError
from arena.ratings.agreement import alpha_with_interval, repeats
from arena.ratings.board import BoardNumbers, Method, Thresholds, board, clean
from arena.ratings.contextual import contextual
from arena.ratings.data import BOTH_BAD, TIE, fingerprint
from arena.ratings.fitting import Anchor
from arena.service import audit
from arena.service.campaigns import find
from arena.service.judgements import Loaded, check_filter, covariates, load
from arena.service.types_results import (
    Board,
    BoardPair,
    BoardRow,
    SnapshotInfo,
)

REASON_ABOVE = 0.02
"""Share of excluded votes above which publishing needs a typed reason."""
_CONTEXT_LIMIT = 200_000


@dataclass(frozen=True)
class _Stored:
    """A computed board on its way into the tables."""

    snapshot: dict[str, Any]
    rows: list[dict[str, Any]]
    pairs: list[dict[str, Any]]


def compute(
    arena: Arena,
    campaign: str,
    criterion: str = "overall",
    *,
    given: dict[str, Any] | None = None,
    method: Method = "bt_half",
    anchor: str | None = None,
    extras: bool = True,
    publish_now: bool = False,
    actor: str = "system",
    reason: str = "",
) -> Board:
    """Rate all judgements that count, and store the snapshot with its rows.

    given: filter (see `judgements.FILTERS`). Raises ArenaError without judgements, for an unknown filter, criterion or
    method, or when publishing needs a reason.
    """
    started = arena.clock.monotonic_ms()
    with arena.database.read() as session:
        row = find(session, campaign)
        config = campaign_config(row.config)
        if criterion not in config.criteria:
            raise ArenaError(f"campaign '{campaign}' does not ask '{criterion}'; it asks {', '.join(config.criteria)}")
        chosen = check_filter(given or {})
        loaded = load(session, row, criterion, chosen)
        if not len(loaded.data):
            raise ArenaError(f"campaign '{campaign}' has no votes on '{criterion}' that count")
        if publish_now:
            _check_reason(len(loaded.vote), loaded.n_excluded, reason)
        fixed = Anchor.parse(anchor or config.anchor)
        numbers = _numbers(loaded, config, fixed, method, extras)
        if extras:
            numbers.fit |= _agreement(session, row, criterion) | _context(session, loaded)
        stored = _stored(arena, row, criterion, chosen, method, fixed, loaded, numbers, started)
    snapshot_id = arena.database.write(lambda s: _insert(s, stored, publish_now, actor, reason, arena.clock.now_ms()))
    return get(arena, snapshot_id)


def _numbers(loaded: Loaded, config: CampaignConfig, anchor: Anchor, method: Method, extras: bool) -> BoardNumbers:
    retired = np.array([model.status == "retired" for model in loaded.models])
    limits = Thresholds(config.min_votes_listed, config.min_votes_ranked)
    return board(loaded.data, retired=retired, thresholds=limits, anchor=anchor, method=method, extras=extras)


def _agreement(session: Session, campaign: Campaign, criterion: str) -> dict[str, Any]:
    """Alpha on the panel (nominal and ordinal), and how repeats were answered."""
    found: dict[str, Any] = {}
    panel = load(session, campaign, criterion, kinds=("panel",))
    if len(panel.vote):
        cell = panel.data.pair * (int(panel.data.item.max()) + 1) + panel.data.item
        value = np.where(panel.data.outcome == BOTH_BAD, TIE, panel.data.outcome)
        levels: tuple[Literal["nominal", "ordinal"], ...] = ("nominal", "ordinal")
        for level in levels:
            alpha = alpha_with_interval(cell, value, level)
            found[f"alpha_{level}"] = {
                "alpha": alpha.alpha, "lo": alpha.lower, "hi": alpha.upper, "cells": alpha.cells, "values": alpha.values
            }  # fmt: skip
    rows = session.execute(
        text(
            "SELECT j.outcome AS again, o.outcome AS before FROM judgements j JOIN battles b ON b.id = j.battle_id"
            " JOIN judgements o ON o.battle_id = b.repeat_of_id AND o.criterion = j.criterion"
            " WHERE j.campaign_id = :campaign AND j.criterion = :criterion AND j.kind = 'repeat'"
            " AND NOT j.excluded AND NOT o.excluded AND j.outcome <> 'na' AND o.outcome <> 'na'"
        ),
        {"campaign": campaign.id, "criterion": criterion},
    ).all()
    codes = {"lo": 0, "tie": 1, "both_bad": 1, "hi": 2}
    pairs = np.array([(codes[r.before], codes[r.again]) for r in rows], dtype=np.int64).reshape(-1, 2)
    again = repeats(pairs[:, 0], pairs[:, 1])
    if again is not None:
        found["repeats"] = {"n": again.n, "identical": again.identical, "reversals": again.reversals}
    cleaned: dict[str, Any] = clean(found)
    return cleaned


def _context(session: Session, loaded: Loaded) -> dict[str, Any]:
    if len(loaded.vote) > _CONTEXT_LIMIT:
        return {}
    names, nuisance = covariates(session, loaded)
    fit = contextual(loaded.data, names, nuisance)
    adjusted = dict(zip(loaded.data.models, fit.adjusted, strict=True))
    return {"adjusted": clean({"rating": adjusted, "coefficient": fit.coefficient, "se": fit.se})}


def _stored(
    arena: Arena,
    campaign: Campaign,
    criterion: str,
    given: dict[str, Any],
    method: str,
    anchor: Anchor,
    loaded: Loaded,
    numbers: BoardNumbers,
    started: int,
) -> _Stored:
    snapshot = {
        "campaign_id": campaign.id,
        "criterion": criterion,
        "filter": given,
        "method": method,
        "params": {"anchor": str(anchor), "prior_sd": 2.0, "interval": "two-way clustered, t", "seed": 0},
        "n_votes": len(loaded.vote),
        "n_excluded": loaded.n_excluded,
        "n_voters": numbers.n_voters,
        "eff_voters": numbers.effective_voters,
        "n_items": numbers.n_items,
        "last_vote_id": int(loaded.vote.max()),
        "data_sha256": fingerprint(loaded.data, loaded.vote, criterion),
        "code_version": arena.config.code_version[:40],
        "fit": numbers.fit,
        "computed_ms": arena.clock.now_ms(),
        "wall_ms": arena.clock.monotonic_ms() - started,
        "published": False,
    }
    return _Stored(snapshot, _rows(loaded.models, numbers), _pairs(loaded.models, numbers))


def _rows(models: Sequence[Model], x: BoardNumbers) -> list[dict[str, Any]]:
    return [
        {
            "model_id": model.id,
            "rating": _number(x.rating[i]),
            "se": _number(x.se[i]),
            "lo": _number(x.lower[i]),
            "hi": _number(x.upper[i]),
            "lo_iid": _number(x.lower_iid[i]),
            "hi_iid": _number(x.upper_iid[i]),
            "rank_best": int(x.ranks.best[i]) or None,
            "rank_worst": int(x.ranks.worst[i]) or None,
            "rank_ub": int(x.ranks.upper_bound[i]) or None,
            "n": int(x.n[i]),
            "wins": int(x.wins[i]),
            "ties": int(x.ties[i]),
            "losses": int(x.losses[i]),
            "both_bad": int(x.both_bad[i]),
            "left_share": _number(x.left_share[i]),
            "state": x.states[i],
        }
        for i, model in enumerate(models)
    ]


def _pairs(models: Sequence[Model], x: BoardNumbers) -> list[dict[str, Any]]:
    found = []
    for at, (first, second) in enumerate(x.pairs.pairs):
        a, b = models[first], models[second]
        won, tie, lost, bad = map(int, x.pair_counts[at])
        gap, lower, upper = (_number(v[at]) for v in (x.pairs.gap, x.pairs.lower, x.pairs.upper))
        if a.id > b.id:
            a, b, won, lost = b, a, lost, won
            gap, lower, upper = (None if v is None else -v for v in (gap, upper, lower))
        found.append(
            {
                "model_lo_id": a.id,
                "model_hi_id": b.id,
                "n": won + tie + lost + bad,
                "lo_wins": won,
                "ties": tie,
                "hi_wins": lost,
                "both_bad": bad,
                "diff": gap,
                "diff_lo": lower,
                "diff_hi": upper,
                "p_head_to_head": _number(x.p_head_to_head[at]),
                "p_model": _number(x.pairs.p[at]),
                "p_holm": _number(x.pairs.p_holm[at]),
            }
        )
    return found


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _insert(session: Session, stored: _Stored, publish_now: bool, actor: str, reason: str, now: int) -> int:
    made = session.execute(insert(RatingSnapshot).returning(RatingSnapshot.id), stored.snapshot)
    snapshot_id = int(made.scalar_one())
    session.execute(insert(RatingRow), [{"snapshot_id": snapshot_id, **row} for row in stored.rows])
    if stored.pairs:
        session.execute(insert(RatingPair), [{"snapshot_id": snapshot_id, **row} for row in stored.pairs])
    if publish_now:
        _publish(session, snapshot_id, actor, reason, now)
    return snapshot_id


def _publish(session: Session, snapshot_id: int, actor: str, reason: str, now: int) -> None:
    session.execute(update(RatingSnapshot).where(RatingSnapshot.id == snapshot_id).values(published=True))
    audit.append(session, now, actor, "snapshot_published", ("snapshot", snapshot_id), {"reason": reason})


def _check_reason(n_votes: int, n_excluded: int, reason: str) -> None:
    if n_excluded > REASON_ABOVE * (n_votes + n_excluded) and not reason.strip():
        raise ArenaError(
            f"this snapshot leaves out {n_excluded} of {n_votes + n_excluded} votes; publishing it needs a reason"
        )


def publish(arena: Arena, snapshot_id: int, *, actor: str, reason: str = "") -> None:
    """Show a snapshot on the leaderboard. One that leaves out more than 2 % of the votes needs a reason."""

    def unit(session: Session) -> None:
        row = session.get(RatingSnapshot, snapshot_id)
        if row is None:
            raise ArenaError(f"there is no snapshot {snapshot_id}")
        _check_reason(row.n_votes, row.n_excluded, reason)
        if not row.published:
            _publish(session, snapshot_id, actor, reason, arena.clock.now_ms())

    arena.database.write(unit)


def get(arena: Arena, snapshot_id: int) -> Board:
    """A stored snapshot as a board."""
    with arena.database.read() as session:
        row = session.get(RatingSnapshot, snapshot_id)
        if row is None:
            raise ArenaError(f"there is no snapshot {snapshot_id}")
        return _board(arena, session, row)


def latest(
    arena: Arena,
    campaign: str,
    criterion: str = "overall",
    *,
    given: dict[str, Any] | None = None,
    method: str = "bt_half",
    published_only: bool = True,
) -> Board | None:
    """The newest snapshot of that kind; None when there is none."""
    with arena.database.read() as session:
        query = (
            select(RatingSnapshot)
            .where(RatingSnapshot.campaign_id == find(session, campaign).id)
            .where(RatingSnapshot.criterion == criterion, RatingSnapshot.method == method)
            .order_by(RatingSnapshot.id.desc())
        )
        if published_only:
            query = query.where(RatingSnapshot.published)
        wanted = check_filter(given or {})
        row = next((s for s in session.scalars(query) if s.filter == wanted), None)
        return None if row is None else _board(arena, session, row)


def history(arena: Arena, campaign: str) -> list[SnapshotInfo]:
    """All snapshots of a campaign, the newest first."""
    s = RatingSnapshot
    with arena.database.read() as session:
        query = select(s).where(s.campaign_id == find(session, campaign).id).order_by(s.id.desc())
        return [
            SnapshotInfo(r.id, r.criterion, r.filter, r.method, r.n_votes, r.n_excluded, r.computed_ms, r.published)
            for r in session.scalars(query)
        ]


def _board(arena: Arena, session: Session, row: RatingSnapshot) -> Board:
    campaign = session.get_one(Campaign, row.campaign_id)
    config = campaign_config(campaign.config)
    members = {
        m.model_id: m for m in session.scalars(select(CampaignModel).where(CampaignModel.campaign_id == campaign.id))
    }
    models = {m.id: m for m in session.scalars(select(Model).where(Model.id.in_(members)))}
    rows = list(session.scalars(select(RatingRow).where(RatingRow.snapshot_id == row.id)))
    pairs = list(session.scalars(select(RatingPair).where(RatingPair.snapshot_id == row.id)))
    total = sum(r.n for r in rows) or 1
    made_up = arena.simulated or _has_made_up(session, row.campaign_id)
    shown = [_row(r, models[r.model_id], members[r.model_id], config, total) for r in rows]
    shown.sort(key=lambda r: (r.rating is None, -(r.rating or 0), r.model))
    return Board(
        row.id, campaign.slug, row.criterion, row.filter, row.method, row.params, row.params.get("anchor", ""),
        row.n_votes, row.n_excluded, row.n_voters, row.eff_voters, row.n_items, row.data_sha256, row.code_version,
        row.computed_ms, row.wall_ms, row.published,  made_up, row.fit, tuple(shown),
        tuple(
            BoardPair(
                models[p.model_lo_id].slug, models[p.model_hi_id].slug, p.n, p.lo_wins, p.ties, p.hi_wins, p.both_bad,
                p.diff, p.diff_lo, p.diff_hi, p.p_head_to_head, p.p_model, p.p_holm,
            )
            for p in pairs
        ),
    )  # fmt: skip


def _row(r: RatingRow, model: Model, member: CampaignModel, config: CampaignConfig, total: int) -> BoardRow:
    return BoardRow(
        model.slug, model.display_name, model.organisation, model.url, model.licence, model.is_open,
        r.state,  # type: ignore[arg-type]
        model.status_reason, member.joined_ms, model.retired_ms, r.rating, r.se, r.lo, r.hi, r.lo_iid, r.hi_iid,
        r.rank_best, r.rank_worst, r.rank_ub, r.n, r.wins, r.ties, r.losses, r.both_bad, r.left_share, r.n / total,
        max(config.min_votes_listed - r.n, 0),
    )  # fmt: skip


def _has_made_up(session: Session, campaign_id: int) -> bool:
    """Whether simulated voters took part: pages then say so across the board."""
    query = select(Battle.id).join(Voter, Voter.id == Battle.voter_id)
    query = query.where(Battle.campaign_id == campaign_id, Voter.kind == "simulated").limit(1)
    return session.scalar(query) is not None
