"""One installation at work: database, clock, configuration and what is cached about campaigns."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from arena.clock import Clock, SystemClock
from arena.config import ArenaConfig, CampaignConfig
from arena.db.engine import Database
from arena.db.migrate import check_revision, is_fast_file, upgrade
from arena.errors import ArenaError
from arena.tokens import TokenSource

if TYPE_CHECKING:
    from arena.service.pool import Pools

MIN_SECRET = 32


@dataclass
class Arena:
    """What every service function takes first.

    background: refresh counts and ratings of the pair selection in a thread; off in tests and simulations, where the
    same refresh runs in line. simulated: people of this arena are made up; pages say so.
    """

    config: ArenaConfig
    database: Database
    clock: Clock
    tokens: TokenSource = secrets.token_bytes
    background: bool = False
    simulated: bool = False
    pools: Pools = field(init=False)
    configurations: dict[tuple[int, int], CampaignConfig] = field(default_factory=dict)
    """(campaign, version) -> its configuration; a version never changes."""

    def __post_init__(self) -> None:
        from arena.service.pool import Pools

        self.pools = Pools()

    @property
    def media_root(self) -> Path:
        return self.config.media_root

    def close(self) -> None:
        self.database.close()


def open_arena(
    config: ArenaConfig,
    *,
    clock: Clock | None = None,
    background: bool = False,
    allow_simulated: bool = False,
    create: bool = False,
    tokens: TokenSource = secrets.token_bytes,
) -> Arena:
    """Connect and check: revision, secret, flushing. Raises ArenaError for what would lose data or trust.

    create: make the tables of an empty database. allow_simulated: accept a file written without flushing.
    """
    if len(config.secret) < MIN_SECRET and not config.dev:
        raise ArenaError(
            f"ARENA_SECRET must be set to at least {MIN_SECRET} random characters (mova-eval arena init makes one)"
        )
    path = Path(config.database.removeprefix("sqlite:///")) if config.database.startswith("sqlite") else None
    fast = path is not None and path.is_file() and is_fast_file(path)
    if fast and not allow_simulated:
        raise ArenaError(f"{path} was written by a simulation without flushing to disk; it does not take real votes")
    database = Database(config.database, clock=clock, fast=fast, i_know=config.i_know)
    if create:
        upgrade(database)
    check_revision(database)
    return Arena(config, database, clock or SystemClock(), tokens, background=background, simulated=fast)
