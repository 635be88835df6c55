"""From a voter's history and the pool to the next battle: schedule, then gold, repeat, panel or regular."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, func, select

from arena.context import Arena
from arena.db.tables import CampaignItem, CampaignModel, Clip, GoldCheck, Invite, Item, Model
from arena.db.tables_votes import Battle
from arena.db.types import core_table
from arena.select import (
    POLICY_VERSION,
    Bools,
    Met,
    choose_item,
    draw,
    eligible,
    kind_of_next,
    lower_on_left,
    pair_probabilities,
    seed_for,
)
from arena.service import limits
from arena.service.pool import Pool
from arena.service.types import Nothing
from arena.service.visits import Visit

_MIN_REPEAT_DISTANCE = 8
ClipCheck = Callable[[int, int], bool]
"""Two clip ids -> whether both files can be served (one that cannot is marked missing)."""


@dataclass(frozen=True)
class Chosen:
    """A battle to insert: columns of `battles`."""

    campaign_id: int
    seq_no: int
    kind: str
    item_id: int
    clip_left: int
    clip_right: int
    model_lo: int
    model_hi: int
    policy: str
    p_pair: float
    rng_seed: int
    gold_check_id: int | None = None
    repeat_of_id: int | None = None
    repeat_no: int = 0
    policy_version: int = POLICY_VERSION


@dataclass(frozen=True)
class _Scene:
    """Everything one choice looks at."""

    connection: Connection
    visit: Visit
    pool: Pool
    history: list[Row[Any]]
    allowed: Bools
    rng: np.random.Generator
    rng_seed: int
    both_there: ClipCheck

    @property
    def seq_no(self) -> int:
        return int(self.history[-1].seq_no) + 1 if self.history else 1


def choose(arena: Arena, connection: Connection, visit: Visit, both_there: ClipCheck) -> Chosen | Nothing:
    """The next battle of a voter, or why there is none."""
    config = visit.config
    history = _history(connection, visit.campaign_id, visit.voter_id)
    counted = [row for row in history if row.kind != "practice"]
    allowed_votes = None
    if visit.invite_id is not None:
        allowed_votes = connection.scalar(select(Invite.max_votes_per_voter).where(Invite.id == visit.invite_id))
    served = [row.served_ms for row in counted]
    full, until = limits.wait_until(connection, config.limits, served, visit.net_hash, allowed_votes, visit.now)
    if full:
        return Nothing("finished")
    if until is not None:
        return Nothing("limit", until)
    pool = arena.pools.get(arena, connection, visit.campaign_id, config, visit.config_version)
    met = [Met(pool.pair_of(row.model_lo_id, row.model_hi_id), pool.item_of(row.item_id)) for row in history]
    allowed = eligible(
        pool.playable,
        pool.catalogue.language,
        met,
        visit.understands or config.languages,
        max_exposure=config.max_item_exposure,
        gap=config.item_gap,
    )
    seed = seed_for(visit.seed, visit.voter_id, len(history), visit.now)
    scene = _Scene(connection, visit, pool, history, allowed, np.random.default_rng(seed), seed, both_there)
    return _by_schedule(scene, counted)


def _by_schedule(scene: _Scene, counted: list[Row[Any]]) -> Chosen | Nothing:
    config, visit = scene.visit.config, scene.visit
    if len(scene.history) - len(counted) < config.practice and (practice := _practice(scene)) is not None:
        return practice
    kind = kind_of_next(
        visit.seed,
        visit.voter_id,
        len(counted),
        gold_every=config.gold_every,
        repeat_every=config.repeat_every,
        overlap_share=config.overlap_share,
    )
    special = {"gold": _gold, "repeat": _repeat, "panel": _panel}.get(kind)
    found = special(scene) if special else None
    return found or _regular(scene) or _nothing_left(scene)


def _nothing_left(scene: _Scene) -> Nothing:
    """Finished, unless battles remain in a language that this voter does not understand."""
    config = scene.visit.config
    with_all = eligible(
        scene.pool.playable,
        scene.pool.catalogue.language,
        [],
        ("en", "zh"),
        max_exposure=config.max_item_exposure,
        gap=0,
    )
    return Nothing("language" if not scene.history and with_all.any() else "finished")


def _history(connection: Connection, campaign_id: int, voter_id: int) -> list[Row[Any]]:
    b = core_table(Battle).c
    query = (
        select(
            b.id, b.seq_no, b.kind, b.item_id, b.model_lo_id, b.model_hi_id, b.served_ms, b.status, b.clip_left_id,
            b.clip_right_id, b.gold_check_id, b.repeat_of_id, b.repeat_no,
        )
        .where(b.campaign_id == campaign_id, b.voter_id == voter_id)
        .order_by(b.seq_no)
    )  # fmt: skip
    return list(connection.execute(query))


def _cell(
    scene: _Scene,
    kind: str,
    pair: int,
    item: int,
    *,
    policy: str,
    p_pair: float,
) -> Chosen | None:
    """The battle of a cell, if both files are there."""
    pool = scene.pool
    first, second = pool.pairs[pair]
    lower, higher = int(pool.catalogue.clips[first, item]), int(pool.catalogue.clips[second, item])
    if not scene.both_there(lower, higher):
        return None
    model_lo, model_hi = pool.model_ids(pair)
    on_left = lower_on_left(scene.visit.seed, model_lo, model_hi, pool.take_turn(pair))
    return Chosen(
        scene.visit.campaign_id,
        scene.seq_no,
        kind,
        int(pool.catalogue.items[item]),
        lower if on_left else higher,
        higher if on_left else lower,
        model_lo,
        model_hi,
        policy,
        p_pair,
        scene.rng_seed,
    )


def _regular(scene: _Scene) -> Chosen | None:
    config, pool = scene.visit.config, scene.pool
    allowed = scene.allowed.copy()
    while allowed.any():
        probabilities, policy = pair_probabilities(
            np.any(allowed, axis=1),
            pool.n,
            pool.gain,
            floor=config.coverage_floor,
            epsilon=config.epsilon,
            sharpness=config.sharpness,
        )
        pair = draw(scene.rng, probabilities)
        item = choose_item(scene.rng, allowed[pair], pool.cells[pair])
        if policy == "active":
            policy = config.policy
        found = _cell(scene, "regular", pair, item, policy=policy, p_pair=float(probabilities[pair]))
        if found is not None:
            return found
        allowed &= pool.playable  # a clip was missing: the pool knows by now
        allowed[pair, item] = False
    return None


def _panel(scene: _Scene) -> Chosen | None:
    """The panel cell with the fewest voters, of those this voter may see."""
    pool, wanted = scene.pool, scene.visit.config.panel_voters
    cells = [(pair, item) for pair, item in pool.panel if scene.allowed[pair, item]]
    if not cells:
        return None
    b = core_table(Battle).c
    rows = scene.connection.execute(
        select(b.model_lo_id, b.model_hi_id, b.item_id, func.count())
        .where(b.campaign_id == scene.visit.campaign_id, b.kind == "panel", b.status.in_(("served", "voted")))
        .group_by(b.model_lo_id, b.model_hi_id, b.item_id)
    )
    voters = {(pool.pair_of(lo, hi), pool.item_of(item)): count for lo, hi, item, count in rows}
    open_cells = [cell for cell in cells if voters.get(cell, 0) < wanted]
    while open_cells:
        fewest = min(voters.get(cell, 0) for cell in open_cells)
        best = [cell for cell in open_cells if voters.get(cell, 0) == fewest]
        cell = best[int(scene.rng.integers(len(best)))]
        found = _cell(scene, "panel", *cell, policy="panel", p_pair=1 / len(best))
        if found is not None:
            return found
        open_cells.remove(cell)
    return None


def _gold(scene: _Scene) -> Chosen | None:
    """A gold pair that this voter has not seen; sides at random."""
    seen = {row.gold_check_id for row in scene.history}
    met_items = {row.item_id for row in scene.history[-scene.visit.config.item_gap :]}
    checks = [
        check
        for check in scene.connection.execute(
            select(core_table(GoldCheck))
            .where(GoldCheck.campaign_id == scene.visit.campaign_id, GoldCheck.active)
            .order_by(GoldCheck.id)
        )
        if check.id not in seen
    ]
    fresh = [check for check in checks if check.item_id not in met_items] or checks
    for at in scene.rng.permutation(len(fresh)):
        check = fresh[at]
        if not (scene.both_there(check.clip_good_id, check.clip_bad_id)):
            continue
        owners = dict(
            scene.connection.execute(
                select(Clip.id, Clip.model_id).where(Clip.id.in_((check.clip_good_id, check.clip_bad_id)))
            ).all()
        )
        good, bad = owners[check.clip_good_id], owners[check.clip_bad_id]
        if _cell_used(scene, check.item_id, good, bad):
            continue
        flip = bool(scene.rng.integers(2))
        left, right = (check.clip_bad_id, check.clip_good_id) if flip else (check.clip_good_id, check.clip_bad_id)
        return Chosen(
            scene.visit.campaign_id, scene.seq_no, "gold", check.item_id, left, right, min(good, bad), max(good, bad),
            "gold", 1 / len(fresh), scene.rng_seed, gold_check_id=check.id,
        )  # fmt: skip
    return None


def _cell_used(scene: _Scene, item: int, one: int, other: int) -> bool:
    lower, higher = min(one, other), max(one, other)
    return any(
        row.item_id == item and row.model_lo_id == lower and row.model_hi_id == higher and row.repeat_no == 0
        for row in scene.history
    )


def _repeat(scene: _Scene) -> Chosen | None:
    """An own earlier battle once more with sides swapped; not one of the last few, and each at most once."""
    repeated = {row.repeat_of_id for row in scene.history}
    candidates = [
        row
        for row in scene.history[:-_MIN_REPEAT_DISTANCE]
        if row.kind in {"regular", "panel"} and row.status == "voted" and row.id not in repeated
    ]
    for at in scene.rng.permutation(len(candidates)):
        row = candidates[at]
        if scene.pool.pair_of(row.model_lo_id, row.model_hi_id) < 0 or scene.pool.item_of(row.item_id) < 0:
            continue
        if scene.both_there(row.clip_left_id, row.clip_right_id):
            return Chosen(
                scene.visit.campaign_id, scene.seq_no, "repeat", row.item_id, row.clip_right_id, row.clip_left_id,
                row.model_lo_id, row.model_hi_id, "repeat", 1 / len(candidates), scene.rng_seed,
                repeat_of_id=row.id, repeat_no=1,
            )  # fmt: skip
    return None


def _practice(scene: _Scene) -> Chosen | None:
    """A pair on an item that is shown openly, so that nothing of the battles is given away."""
    visit = scene.visit
    first, second = core_table(Clip).alias("first"), core_table(Clip).alias("second")
    members = select(CampaignModel.model_id).join(Model, Model.id == CampaignModel.model_id)
    members = members.where(CampaignModel.campaign_id == visit.campaign_id, CampaignModel.left_ms.is_(None))
    members = members.where(Model.role != "gold", Model.status == "active")
    understands = ("none", *(visit.understands or visit.config.languages))
    rows = scene.connection.execute(
        select(first.c.item_id, first.c.id, second.c.id, first.c.model_id, second.c.model_id)
        .join(second, (first.c.item_id == second.c.item_id) & (first.c.model_id < second.c.model_id))
        .join(Item, Item.id == first.c.item_id)
        .join(CampaignItem, (CampaignItem.item_id == Item.id) & (CampaignItem.campaign_id == visit.campaign_id))
        .where(Item.browse, Item.status == "active", first.c.status == "ready", second.c.status == "ready")
        .where(first.c.model_id.in_(members), second.c.model_id.in_(members), first.c.take == 0, second.c.take == 0)
        .where(first.c.src_sha256 != second.c.src_sha256)
        .where((~Item.has_speech) | Item.language.in_(understands))
        .order_by(first.c.item_id, first.c.id, second.c.id)
    ).all()
    shown = {row.item_id for row in scene.history}
    fresh = [row for row in rows if row[0] not in shown]
    for at in scene.rng.permutation(len(fresh)):
        item, lower, higher, model_lo, model_hi = fresh[at]
        if not scene.both_there(lower, higher):
            continue
        left, right = (lower, higher) if scene.rng.integers(2) else (higher, lower)
        return Chosen(
            visit.campaign_id, scene.seq_no, "practice", item, left, right, model_lo, model_hi, "practice",
            1 / len(fresh), scene.rng_seed,
        )  # fmt: skip
    return None
