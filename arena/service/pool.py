"""What the pair selection knows about a campaign, kept in memory: catalogue, counts, gain of one more vote per pair.

Counts start from rows, follow this process's own battles, and are read again once a minute, which also brings in what
other processes did. A failure to read again leaves the old counts in place and is logged.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection, func, select, text

from arena.clock import MINUTE_MS
from arena.config import CampaignConfig
from arena.context import Arena
from arena.db.tables import CampaignItem, CampaignModel, Clip, Item, Model, PanelCell
from arena.db.tables_votes import Battle, Exclusion
from arena.select import Catalogue, Floats, Ints, gains, lmarena_gains

log = logging.getLogger(__name__)

REFRESH_MS = MINUTE_MS
REFIT_VOTES = 50
_COUNTED = ("regular", "panel")


def read_catalogue(session: Connection, campaign_id: int) -> Catalogue:
    """Active models and items of a campaign with their ready clips. Items that are shown by name take no part."""
    models = list(
        session.scalars(
            select(Model.id)
            .join(CampaignModel, CampaignModel.model_id == Model.id)
            .where(CampaignModel.campaign_id == campaign_id, CampaignModel.left_ms.is_(None))
            .where(Model.status == "active", Model.role != "gold")
            .order_by(Model.id)
        )
    )
    items = session.execute(
        select(Item.id, Item.language, Item.has_speech)
        .join(CampaignItem, CampaignItem.item_id == Item.id)
        .where(CampaignItem.campaign_id == campaign_id, Item.status == "active", Item.browse.is_(False))
        .order_by(Item.id)
    ).all()
    row_of, column_of = {m: i for i, m in enumerate(models)}, {item[0]: i for i, item in enumerate(items)}
    clips = np.full((len(models), len(items)), -1, dtype=np.int64)
    content = np.zeros_like(clips)
    numbers: dict[str, int] = {}
    rows = session.execute(
        select(Clip.id, Clip.model_id, Clip.item_id, Clip.src_sha256).where(
            Clip.status == "ready", Clip.take == 0, Clip.model_id.in_(models)
        )
    )
    for clip, model, item, sha in rows:
        column = column_of.get(item)
        if column is not None:
            clips[row_of[model], column] = clip
            content[row_of[model], column] = numbers.setdefault(sha, len(numbers))
    spoken = [lang if speech and lang in {"en", "zh"} else "" for _, lang, speech in items]
    return Catalogue(
        np.array(models, dtype=np.int64),
        np.array([item[0] for item in items], dtype=np.int64),
        clips,
        content,
        np.array(spoken, dtype=np.str_),
    )


@dataclass
class Pool:
    """n: [P] counted battles; cells: [P, N] the same per item; served: [P] all battles ever, for the sides.

    outcomes: [P, 3] votes by (lower won, tie, higher won). gain: [P] or None before the first fit.
    """

    catalogue: Catalogue
    n: Ints
    cells: Ints
    served: Ints
    outcomes: Ints | None
    panel: list[tuple[int, int]]
    loaded_ms: int
    config_version: int
    gain: Floats | None = None
    votes_since_fit: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    refreshing: bool = False

    def __post_init__(self) -> None:
        pairs = self.catalogue.pairs
        self.playable = self.catalogue.playable()
        self.pairs = pairs
        self._models = {int(m): i for i, m in enumerate(self.catalogue.models)}
        self._items = {int(m): i for i, m in enumerate(self.catalogue.items)}
        self._pair_at = {(int(a), int(b)): p for p, (a, b) in enumerate(pairs)}

    def pair_of(self, lower: int, higher: int) -> int:
        """Position of a pair of model ids, -1 if it is not in the catalogue."""
        first, second = self._models.get(lower), self._models.get(higher)
        return -1 if first is None or second is None else self._pair_at[first, second]

    def item_of(self, item: int) -> int:
        return self._items.get(item, -1)

    def model_ids(self, pair: int) -> tuple[int, int]:
        first, second = self.pairs[pair]
        return int(self.catalogue.models[first]), int(self.catalogue.models[second])

    def take_turn(self, pair: int) -> int:
        """Number of the pair's next battle, counted from 0; each number is given once per process."""
        with self.lock:
            turn = int(self.served[pair])
            self.served[pair] += 1
            return turn

    def count(self, lower: int, higher: int, item: int, by: int) -> None:
        """A battle began (by=1), or ended without a vote (by=-1)."""
        pair, column = self.pair_of(lower, higher), self.item_of(item)
        if pair >= 0:
            with self.lock:
                self.n[pair] += by
                if column >= 0:
                    self.cells[pair, column] += by

    def drop_clip(self, clip: int) -> None:
        """A clip is gone: nothing with it is playable any more."""
        with self.lock:
            where = self.catalogue.clips == clip
            self.catalogue.clips[where] = -1
            self.playable = self.catalogue.playable()

    def note_vote(self, lower: int, higher: int, outcome: str) -> None:
        pair = self.pair_of(lower, higher)
        if pair >= 0 and self.outcomes is not None:
            with self.lock:
                self.outcomes[pair, {"lo": 0, "hi": 2}.get(outcome, 1)] += 1
                self.votes_since_fit += 1

    def refit(self, policy: str) -> None:
        """Compute the gain of one more vote per pair from the outcomes."""
        from arena.ratings.bt import fit_counts

        if self.outcomes is None or policy == "uniform" or len(self.catalogue.models) < 2:
            self.gain = None
            return
        fit = fit_counts(len(self.catalogue.models), self.pairs, self.outcomes)
        if policy == "arena":
            self.gain = lmarena_gains(fit.theta, self.outcomes.sum(axis=1), self.pairs)
        else:
            total = max(int(self.outcomes.sum()), 1)
            self.gain = gains(fit.covariance, fit.theta, float(self.outcomes[:, 1].sum() / total), self.pairs)
        self.votes_since_fit = 0


def read_pool(session: Connection, campaign_id: int, config_version: int, now_ms: int, *, outcomes: bool) -> Pool:
    """Catalogue and counts from rows; `outcomes` needs a walk over all votes and may be left for later."""
    catalogue = read_catalogue(session, campaign_id)
    pairs, items = len(catalogue.pairs), len(catalogue.items)
    pool = Pool(
        catalogue,
        np.zeros(pairs, dtype=np.int64),
        np.zeros((pairs, items), dtype=np.int64),
        np.zeros(pairs, dtype=np.int64),
        np.zeros((pairs, 3), dtype=np.int64) if outcomes else None,
        [],
        now_ms,
        config_version,
    )
    rows = session.execute(
        select(Battle.model_lo_id, Battle.model_hi_id, Battle.item_id, Battle.status, func.count())
        .where(Battle.campaign_id == campaign_id, Battle.kind.in_(_COUNTED))
        .group_by(Battle.model_lo_id, Battle.model_hi_id, Battle.item_id, Battle.status)
    )
    for lower, higher, item, status, count in rows:
        pair = pool.pair_of(lower, higher)
        if pair < 0:
            continue
        pool.served[pair] += count
        if status in {"voted", "served"}:
            pool.count(lower, higher, item, count)
    _subtract_excluded(session, pool, campaign_id)
    if outcomes:
        _read_outcomes(session, pool, campaign_id)
    cells = session.execute(
        select(PanelCell.model_lo_id, PanelCell.model_hi_id, PanelCell.item_id).where(
            PanelCell.campaign_id == campaign_id
        )
    )
    found = [(pool.pair_of(a, b), pool.item_of(i)) for a, b, i in cells]
    pool.panel = [cell for cell in found if min(cell) >= 0]
    return pool


def _subtract_excluded(session: Connection, pool: Pool, campaign_id: int) -> None:
    if session.scalar(select(Exclusion.id).where(Exclusion.revoked_ms.is_(None)).limit(1)) is None:
        return
    rows = session.execute(
        text(
            "SELECT model_lo_id, model_hi_id, item_id, COUNT(*) FROM judgements WHERE campaign_id = :campaign"
            " AND criterion = 'overall' AND kind IN ('regular', 'panel') AND excluded"
            " GROUP BY model_lo_id, model_hi_id, item_id"
        ),
        {"campaign": campaign_id},
    )
    for lower, higher, item, count in rows:
        pool.count(lower, higher, item, -count)


def _read_outcomes(session: Connection, pool: Pool, campaign_id: int) -> None:
    assert pool.outcomes is not None
    rows = session.execute(
        text(
            "SELECT model_lo_id, model_hi_id, outcome, COUNT(*) FROM judgements WHERE campaign_id = :campaign"
            " AND criterion = 'overall' AND kind IN ('regular', 'panel') AND NOT excluded"
            " GROUP BY model_lo_id, model_hi_id, outcome"
        ),
        {"campaign": campaign_id},
    )
    for lower, higher, outcome, count in rows:
        pair = pool.pair_of(lower, higher)
        if pair >= 0:
            pool.outcomes[pair, {"lo": 0, "hi": 2}.get(outcome, 1)] += count


class Pools:
    """The pools of all campaigns of a process."""

    def __init__(self, refresh_ms: int | None = REFRESH_MS) -> None:
        self.refresh_ms = refresh_ms
        self._pools: dict[int, Pool] = {}
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def forget(self, campaign_id: int) -> None:
        """Something changed that counts do not follow: read again at the next battle."""
        with self._lock:
            self._pools.pop(campaign_id, None)

    def forget_all(self) -> None:
        with self._lock:
            self._pools.clear()

    def drop_clip(self, clip: int) -> None:
        for pool in list(self._pools.values()):
            pool.drop_clip(clip)

    def loaded(self, campaign_id: int) -> Pool | None:
        return self._pools.get(campaign_id)

    def get(
        self, arena: Arena, session: Connection, campaign_id: int, config: CampaignConfig, config_version: int
    ) -> Pool:
        """The pool, read now if there is none; refreshed in a thread (or in line, when the arena has no background)."""
        now = arena.clock.monotonic_ms()
        pool = self._pools.get(campaign_id)
        if pool is None or pool.config_version != config_version:
            with self._loading:  # one pool per campaign, or two would hand out the same turns
                pool = self._pools.get(campaign_id)
                if pool is None or pool.config_version != config_version:
                    pool = read_pool(session, campaign_id, config_version, now, outcomes=not arena.background)
                    if not arena.background:
                        pool.refit(config.policy)
                    with self._lock:
                        self._pools[campaign_id] = pool
        stale = self.refresh_ms is not None and now - pool.loaded_ms >= self.refresh_ms
        if arena.background:
            if (stale or pool.outcomes is None or pool.votes_since_fit >= REFIT_VOTES) and not pool.refreshing:
                pool.refreshing = True
                threading.Thread(
                    target=self._refresh, args=(arena, campaign_id, config, pool), name="arena-pool", daemon=True
                ).start()
        elif stale:
            pool = read_pool(session, campaign_id, config_version, now, outcomes=True)
            pool.refit(config.policy)
            self._pools[campaign_id] = pool
        elif pool.votes_since_fit >= REFIT_VOTES:
            pool.refit(config.policy)
        return pool

    def _refresh(self, arena: Arena, campaign_id: int, config: CampaignConfig, old: Pool) -> None:
        try:
            now = arena.clock.monotonic_ms()
            if old.outcomes is not None and (self.refresh_ms is None or now - old.loaded_ms < self.refresh_ms):
                old.refit(config.policy)
                return
            with arena.database.look() as session:
                new = read_pool(session, campaign_id, old.config_version, now, outcomes=True)
            new.refit(config.policy)
            new.served = np.maximum(new.served, old.served) if new.served.shape == old.served.shape else new.served
            with self._lock:
                if self._pools.get(campaign_id) is old:
                    self._pools[campaign_id] = new
        except Exception:
            log.exception("could not refresh the counts of campaign %s; pairs are drawn with the old ones", campaign_id)
        finally:
            old.refreshing = False
