"""Judgements of a campaign as arrays, read from the view `judgements`: the one door from rows to statistics."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from arena.db.tables import Campaign, CampaignModel, Clip, Model
from arena.errors import ArenaError
from arena.ratings.data import Judgements
from arena.ratings.scale import Floats, Ints

FILTERS = ("category", "set", "language", "has_speech", "cohort", "device", "sound", "since_ms", "until_ms")
RATED = ("regular", "panel")
_ITEM = {"category": "category", "set": "set_name", "language": "language", "has_speech": "has_speech"}
_VOTER = {"cohort": "cohort", "device": "device", "sound": "sound"}
_COLUMNS = 11


@dataclass(frozen=True)
class Loaded:
    """Judgements that count, with what is behind each row.

    vote, voter, item, clip_first, clip_second, voted_ms: [n] ids. models: rows of `models` behind `data.models` (sorted
    by slug). n_excluded: judgements that match the filter and do not count.
    """

    data: Judgements
    models: tuple[Model, ...]
    vote: Ints
    voter: Ints
    item: Ints
    voted_ms: Ints
    elapsed_ms: Ints
    clip_first: Ints
    clip_second: Ints
    n_excluded: int


def campaign_models(session: Session, campaign_id: int) -> tuple[Model, ...]:
    """All models that ever took part, gold pseudo-models left out, by slug."""
    rows = session.scalars(
        select(Model)
        .join(CampaignModel, CampaignModel.model_id == Model.id)
        .where(CampaignModel.campaign_id == campaign_id, Model.role != "gold")
    )
    return tuple(sorted(rows, key=lambda model: model.slug))


def check_filter(given: dict[str, Any]) -> dict[str, Any]:
    """Raises ArenaError for a filter that does not exist."""
    for name in given:
        if name not in FILTERS:
            raise ArenaError(f"there is no filter '{name}'; there is {', '.join(FILTERS)}")
    return {name: value for name, value in given.items() if value is not None}


def load(
    session: Session,
    campaign: Campaign,
    criterion: str = "overall",
    given: dict[str, Any] | None = None,
    kinds: tuple[str, ...] = RATED,
) -> Loaded:
    """Judgements of a criterion in the order of the votes; answers "na" do not count."""
    where, values = _where(check_filter(given or {}))
    values |= {"campaign": campaign.id, "criterion": criterion}
    named = ", ".join(f"'{kind}'" for kind in kinds)
    statement = text(
        "SELECT vote_id, model_lo_id, model_hi_id,"
        " CASE outcome WHEN 'lo' THEN 0 WHEN 'tie' THEN 1 WHEN 'hi' THEN 2 ELSE 3 END,"
        " voter_id, item_id, voted_ms, voted_ms - served_ms,"
        " CASE WHEN left_is_lo THEN 1 ELSE 0 END + CASE WHEN excluded THEN 2 ELSE 0 END,"
        " CASE WHEN left_is_lo THEN clip_left_id ELSE clip_right_id END,"
        " clip_left_id + clip_right_id"
        f" FROM judgements WHERE campaign_id = :campaign AND criterion = :criterion AND kind IN ({named})"
        f" AND outcome <> 'na'{where} ORDER BY vote_id"
    )
    cursor = session.connection().execute(statement, values).cursor
    assert cursor is not None
    table = np.fromiter(chain.from_iterable(cursor.fetchall()), dtype=np.int64).reshape(-1, _COLUMNS)
    return _loaded(table, campaign_models(session, campaign.id))


def _where(given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    parts, values = [], dict[str, Any]()
    for name, value in given.items():
        if name in _ITEM:
            parts.append(f" AND item_id IN (SELECT id FROM items WHERE {_ITEM[name]} = :{name})")
        elif name in _VOTER:
            parts.append(f" AND voter_id IN (SELECT id FROM voters WHERE {_VOTER[name]} = :{name})")
        else:
            parts.append(f" AND voted_ms {'>=' if name == 'since_ms' else '<'} :{name}")
        values[name] = value
    return "".join(parts), values


def _loaded(table: Ints, models: tuple[Model, ...]) -> Loaded:
    flags = table[:, 8]
    known = np.isin(table[:, 1], [m.id for m in models]) & np.isin(table[:, 2], [m.id for m in models])
    counted = known & (flags < 2)
    n_excluded = int((known & (flags >= 2)).sum())
    table = table[counted]
    vote, lower, higher, outcome, voter, item, voted, elapsed, flags, clip_lower, clip_sum = table.T
    place = np.zeros(max((m.id for m in models), default=0) + 1, dtype=np.int64)
    for at, model in enumerate(models):
        place[model.id] = at
    low, high, left = place[lower], place[higher], flags % 2 == 1
    swap = low > high
    data = Judgements(
        tuple(model.slug for model in models),
        np.where(swap, high, low),
        np.where(swap, low, high),
        np.where(swap & (outcome % 2 == 0), 2 - outcome, outcome),
        in_order(voter),
        in_order(item),
        left != swap,
    )
    clip_higher = clip_sum - clip_lower
    first_clip, second_clip = np.where(swap, clip_higher, clip_lower), np.where(swap, clip_lower, clip_higher)
    return Loaded(data, models, vote, voter, item, voted, elapsed, first_clip, second_clip, n_excluded)


def in_order(ids: Ints) -> Ints:
    """Ids renumbered from 0 in the order in which they first appear."""
    found, first, number = np.unique(ids, return_index=True, return_inverse=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(found))
    return rank[number]


def covariates(session: Session, loaded: Loaded) -> tuple[list[str], Floats]:
    """Names and differences [n, k] (first minus second clip) of what should not decide a vote."""
    rows = session.execute(
        select(
            Clip.id,
            Clip.served_lufs,
            Clip.duration_ms,
            Clip.width,
            Clip.height,
            Clip.fps_num,
            Clip.fps_den,
            Clip.serve_bytes,
        )
    )
    facts: dict[int, list[float]] = {}
    for clip, lufs, duration, width, height, fps, per, size in rows:
        loud = np.nan if lufs is None else lufs
        facts[clip] = [loud, duration / 1000, width * height / 1e6, fps / per, size * 8 / duration]
    ids, number = np.unique(np.r_[loaded.clip_first, loaded.clip_second], return_inverse=True)
    values = np.array([facts[int(clip)] for clip in ids]).reshape(len(ids), 5)
    n = len(loaded.vote)
    return ["loudness", "duration", "pixels", "frame_rate", "bit_rate"], values[number[:n]] - values[number[n:]]
