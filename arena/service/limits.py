"""How much one voter and one network may be served, counted from rows, so that restarts forget nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from arena.clock import DAY_MS, HOUR_MS, day_of
from arena.config import Limits
from arena.context import Arena
from arena.db.tables import NetworkKey, Voter
from arena.db.tables_votes import Battle
from arena.tokens import keyed_hash

KEY_DAYS = 7


def network_of(address: str) -> str | None:
    """The network of an address: /24 of IPv4, /48 of IPv6; None for a text that is no address."""
    try:
        ip = ipaddress.ip_address(address.strip().strip("[]").split("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    bits = 24 if ip.version == 4 else 48
    return str(ipaddress.ip_network((ip, bits), strict=False))


def client_address(socket: str, forwarded: str | None, trusted_proxies: int) -> str:
    """The visitor's address: the socket's, or the entry of X-Forwarded-For that our own outermost proxy wrote.

    Entries further left can be forged by the visitor and are not looked at.
    """
    if not trusted_proxies or not forwarded:
        return socket
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    return hops[-trusted_proxies] if len(hops) >= trusted_proxies else socket


def network_hash(arena: Arena, address: str) -> str | None:
    """Keyed hash of the address's network under today's key; keys older than a week are destroyed."""
    network = network_of(address)
    if network is None:
        return None
    day = day_of(arena.clock.now_ms())
    with arena.database.read() as session:
        key = session.scalar(select(NetworkKey.key).where(NetworkKey.day == day))
    if key is None:
        key = _new_key(arena, day)
    return keyed_hash(arena.config.secret, key, network)


def _new_key(arena: Arena, day: int) -> str:
    def unit(session: Session) -> str:
        there = session.scalar(select(NetworkKey.key).where(NetworkKey.day == day))
        if there is not None:
            return there
        made = arena.tokens(32).hex()
        session.execute(insert(NetworkKey).values(day=day, key=made))
        session.execute(delete(NetworkKey).where(NetworkKey.day < day - KEY_DAYS))
        return made

    try:
        return arena.database.write(unit)
    except IntegrityError:  # another process made it a moment ago
        return arena.database.write(unit)


def _wait(times: Sequence[int], limit: int, span_ms: int, now: int) -> int | None:
    """When the limit-th newest of the times leaves the span, if it is inside it. times: ascending."""
    if len(times) < limit:
        return None
    free = times[-limit] + span_ms
    return free if free > now else None


def wait_until(
    session: Connection,
    limits: Limits,
    served: Sequence[int],
    net_hash: str | None,
    votes_allowed: int | None,
    now: int,
) -> tuple[bool, int | None]:
    """(whether the whole allowance of the campaign is used up, when the next battle may be served).

    served: times of this voter's battles in the campaign, ascending, practice left out. votes_allowed: of the invite.
    """
    if len(served) >= min(limits.voter_campaign, votes_allowed or limits.voter_campaign):
        return True, None
    waits = [
        _wait(served, limits.voter_hour, HOUR_MS, now),
        _wait(served, limits.voter_day, DAY_MS, now),
        _network_wait(session, limits, net_hash, now),
    ]
    found = [wait for wait in waits if wait is not None]
    return False, max(found) if found else None


def _network_wait(session: Connection, limits: Limits, net_hash: str | None, now: int) -> int | None:
    if net_hash is None:
        return None
    query = (
        select(Battle.served_ms)
        .join(Voter, Voter.id == Battle.voter_id)
        .where(Voter.net_hash == net_hash, Battle.served_ms > now - HOUR_MS)
        .order_by(Battle.served_ms.desc())
        .limit(limits.network_hour)
    )
    times = sorted(session.scalars(query))
    return _wait(times, limits.network_hour, HOUR_MS, now)


def new_voter_wait(session: Session, limits: Limits, net_hash: str | None, now: int) -> int | None:
    """When this network may bring another anonymous voter; None: now."""
    if net_hash is None:
        return None
    count, oldest = session.execute(
        select(func.count(), func.min(Voter.created_ms)).where(
            Voter.net_hash == net_hash, Voter.kind == "anonymous", Voter.created_ms > now - HOUR_MS
        )
    ).one()
    return int(oldest) + HOUR_MS if count >= limits.network_new_voters_hour else None
