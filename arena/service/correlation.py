"""Automatic scores of clips beside the votes on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import select

from arena.context import Arena
from arena.correlate import EXPECTED, BattleAgreement, ModelAgreement, battle_agreement, model_agreement
from arena.db.tables_results import ExternalScore
from arena.errors import ArenaError
from arena.ratings.fitting import rate
from arena.service.campaigns import find
from arena.service.judgements import load


@dataclass(frozen=True)
class MetricRow:
    """One metric of one protocol against one question. expected: stated beforehand that the two go together."""

    metric: str
    source: str
    protocol: str
    criterion: str
    higher_is_better: bool
    expected: bool
    battles: BattleAgreement
    models: ModelAgreement


def correlate(arena: Arena, campaign: str, criterion: str = "overall") -> list[MetricRow]:
    """Every imported metric against the votes on a question, by name; protocols are never mixed.

    Raises ArenaError without votes or without scores.
    """
    with arena.database.read() as session:
        row = find(session, campaign)
        loaded = load(session, row, criterion)
        if not len(loaded.data):
            raise ArenaError(f"campaign '{campaign}' has no votes on '{criterion}' that count")
        clips = np.unique(np.r_[loaded.clip_first, loaded.clip_second])
        values: dict[tuple[str, str, str, bool], dict[int, float]] = {}
        for s in session.scalars(select(ExternalScore).where(ExternalScore.clip_id.in_(clips.tolist()))):
            values.setdefault((s.name, s.source, s.protocol, s.higher_is_better), {})[s.clip_id] = s.value
    if not values:
        raise ArenaError("no scores of automatic metrics are here; take them with: mova-eval arena import-scores RUN")
    rating, data = rate(loaded.data).rating, loaded.data
    found = []
    for (name, source, protocol, higher), scores in sorted(values.items()):
        sign = 1.0 if higher else -1.0
        first, second = (
            np.array([scores.get(int(c), np.nan) for c in side]) for side in (loaded.clip_first, loaded.clip_second)
        )
        means = np.full(data.m, np.nan)
        for at in range(data.m):
            own = {int(c) for c in np.r_[loaded.clip_first[data.first == at], loaded.clip_second[data.second == at]]}
            known = [scores[c] for c in own if c in scores]
            means[at] = sign * float(np.mean(known)) if known else np.nan
        found.append(
            MetricRow(
                name, source, protocol, criterion, higher, name in EXPECTED.get(criterion, ()),
                battle_agreement(data, sign * (first - second)), model_agreement(means, rating),
            )
        )  # fmt: skip
    return found
