"""Voters: agreeing, being recognised by a cookie, what they told about themselves, private links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from arena.clock import DAY_MS, day_of
from arena.context import Arena
from arena.db.tables import Campaign, Invite, Voter
from arena.errors import ArenaError
from arena.service import audit, limits
from arena.service.campaigns import find, view_of
from arena.service.types import Nothing, VoterView
from arena.tokens import keyed_hash, new_cookie, new_token

COOKIE_DAYS = 180
_PROFILE = {"ui_language", "understands", "device", "sound", "can_see", "can_hear"}


@dataclass(frozen=True)
class Started:
    """A new voter. cookie: the only copy of the secret that the browser keeps; the database holds its keyed hash."""

    voter_id: int
    cookie: str


@dataclass(frozen=True)
class InviteView:
    id: int
    label: str
    cohort: str
    max_voters: int
    max_votes_per_voter: int
    expires_ms: int
    revoked_ms: int | None
    voters: int


def _hash(arena: Arena, cookie: str) -> str:
    return keyed_hash(arena.config.secret, "voter", cookie)


def view(row: Voter) -> VoterView:
    return VoterView(
        row.id,
        row.kind,
        cast(Literal["active", "limited", "blocked"], row.state),
        row.consent_version,
        row.ui_language,
        tuple(row.understands or ()),
        row.device,
        row.sound,
        row.sound_check_ms,
        row.can_hear,
        row.can_see,
        row.cohort,
        row.invite_id,
        row.created_ms,
    )


def start(
    arena: Arena,
    campaign: str,
    *,
    address: str | None = None,
    invite: str | None = None,
    login: tuple[str, str] | None = None,
    ui_language: str | None = None,
    device: str = "unknown",
    understands: Sequence[str] = ("en", "zh"),
    kind: Literal["anonymous", "simulated"] = "anonymous",
) -> Started | Nothing:
    """Someone agreed to take part: make a voter with a new cookie.

    address: of the visitor; only a keyed hash of its network is kept, for a week. invite: token of a private link.
    login: (issuer, subject). Returns Nothing("limit") when the network brought too many voters, Nothing("blocked") when
    the campaign is for invited people only. Raises ArenaError for an invite that does not hold.
    """
    net = limits.network_hash(arena, address) if address else None
    cookie = new_cookie(arena.tokens)

    def unit(session: Session) -> Started | Nothing:
        row, now = find(session, campaign), arena.clock.now_ms()
        config = view_of(row).config
        bound = _usable_invite(session, arena, row, invite) if invite else None
        if config.access == "invite" and bound is None:
            return Nothing("blocked")
        if config.access == "login" and login is None:
            return Nothing("blocked")
        login_hash = keyed_hash(arena.config.secret, "login", *login) if login else None
        if login_hash and (known := session.scalars(select(Voter).where(Voter.login_hash == login_hash)).one_or_none()):
            known.token_hash, known.last_seen_ms = _hash(arena, cookie), now
            return Started(known.id, cookie)
        if bound is None and kind == "anonymous" and login_hash is None:
            wait = limits.new_voter_wait(session, config.limits, net, now)
            if wait is not None:
                return Nothing("limit", wait)
        voter = Voter(
            token_hash=_hash(arena, cookie),
            kind="login" if login_hash else "invited" if bound else kind,
            login_hash=login_hash,
            invite_id=bound.id if bound else None,
            cohort=bound.cohort if bound else None,
            ui_language=ui_language,
            understands=list(understands),
            device=device,
            sound="unknown",
            consent_version=row.consent_version,
            consent_ms=now,
            net_hash=net,
            net_hash_day=day_of(now) if net else None,
            state="active",
            created_ms=now,
            last_seen_ms=now,
        )
        session.add(voter)
        session.flush()
        return Started(voter.id, cookie)

    return arena.database.write(unit)


def identify(arena: Arena, cookie: str | None, *, address: str | None = None) -> VoterView | None:
    """The voter of a cookie, or None for a cookie that is missing, forged, erased or expired.

    With an address, the network and the day of the last visit are brought up to date (at most once a day).
    """
    if not cookie or len(cookie) > 128:
        return None
    digest = _hash(arena, cookie)
    with arena.database.read() as session:
        row = session.scalars(select(Voter).where(Voter.token_hash == digest)).one_or_none()
        if row is None or row.erased_ms is not None:
            return None
        now = arena.clock.now_ms()
        if now - row.created_ms > COOKIE_DAYS * DAY_MS:
            return None
        found, stale = view(row), address is not None and row.net_hash_day != day_of(now)
    if stale and address is not None:
        net = limits.network_hash(arena, address)
        values = {"net_hash": net, "net_hash_day": day_of(now), "last_seen_ms": now}
        arena.database.write(lambda s: s.execute(update(Voter).where(Voter.id == found.id).values(values)))
    return found


def update_profile(arena: Arena, voter_id: int, **changes: Any) -> VoterView:
    """Set ui_language, understands, device, sound, can_see or can_hear; a known sound dates the check."""
    unknown = set(changes) - _PROFILE
    if unknown:
        raise ArenaError(f"a voter has no '{sorted(unknown)[0]}'")
    if "understands" in changes:
        changes["understands"] = [word for word in changes["understands"] if word in {"en", "zh"}]
    if changes.get("sound", "unknown") != "unknown":
        changes["sound_check_ms"] = arena.clock.now_ms()

    def unit(session: Session) -> VoterView:
        row = session.get_one(Voter, voter_id)
        for name, value in changes.items():
            setattr(row, name, value)
        session.flush()
        return view(row)

    return arena.database.write(unit)


def agree(arena: Arena, voter_id: int, consent_version: str) -> None:
    """A known voter agreed to a newer text."""
    values = {"consent_version": consent_version, "consent_ms": arena.clock.now_ms()}
    arena.database.write(lambda s: s.execute(update(Voter).where(Voter.id == voter_id).values(values)))


def set_state(
    arena: Arena, voter_id: int, state: Literal["active", "limited", "blocked"], reason: str, actor: str
) -> None:
    """Limit or block a voter, or let him in again. His votes stay; to leave them out, exclude the voter."""

    def unit(session: Session) -> None:
        row = session.get_one(Voter, voter_id)
        before, row.state = row.state, state
        session.flush()
        detail = {"from": before, "to": state, "reason": reason}
        audit.append(session, arena.clock.now_ms(), actor, "voter_state", ("voter", voter_id), detail)

    arena.database.write(unit)


def forget_networks(arena: Arena) -> int:
    """Remove network hashes older than a week; returns how many voters had one."""
    limit = day_of(arena.clock.now_ms()) - limits.KEY_DAYS

    def unit(session: Session) -> int:
        old = session.scalar(select(func.count()).select_from(Voter).where(Voter.net_hash_day < limit)) or 0
        session.execute(update(Voter).where(Voter.net_hash_day < limit).values(net_hash=None, net_hash_day=None))
        return old

    return arena.database.write(unit)


def create_invite(
    arena: Arena,
    campaign: str,
    *,
    label: str = "",
    cohort: str = "",
    max_voters: int = 1,
    max_votes_per_voter: int = 400,
    days: float = 30,
    actor: str,
) -> str:
    """A private link's token; only its hash is kept, so it is shown this once."""
    token = new_token(arena.tokens)

    def unit(session: Session) -> None:
        row, now = find(session, campaign), arena.clock.now_ms()
        session.add(
            Invite(
                campaign_id=row.id,
                token_hash=keyed_hash(arena.config.secret, "invite", token),
                label=label,
                cohort=cohort,
                max_voters=max_voters,
                max_votes_per_voter=max_votes_per_voter,
                expires_ms=now + round(days * DAY_MS),
                created_by=actor,
                created_ms=now,
            )
        )
        session.flush()
        audit.append(session, now, actor, "invite_created", ("campaign", campaign), {"label": label, "cohort": cohort})

    arena.database.write(unit)
    return token


def _usable_invite(session: Session, arena: Arena, campaign: Campaign, token: str) -> Invite:
    digest = keyed_hash(arena.config.secret, "invite", token)
    invite = session.scalars(select(Invite).where(Invite.token_hash == digest)).one_or_none()
    if invite is None or invite.campaign_id != campaign.id:
        raise ArenaError("this link is not valid; ask whoever sent it for a new one")
    if invite.revoked_ms is not None:
        raise ArenaError("this link was withdrawn; ask whoever sent it for a new one")
    if invite.expires_ms <= arena.clock.now_ms():
        raise ArenaError("this link has expired; ask whoever sent it for a new one")
    used = session.scalar(select(func.count()).select_from(Voter).where(Voter.invite_id == invite.id)) or 0
    if used >= invite.max_voters:
        raise ArenaError("this link has been used by as many people as it is for; ask whoever sent it for a new one")
    return invite


def check_invite(arena: Arena, campaign: str, token: str) -> None:
    """Raises ArenaError, in words for the visitor, unless the link can be used now."""
    with arena.database.read() as session:
        _usable_invite(session, arena, find(session, campaign), token)


def list_invites(arena: Arena, campaign: str) -> list[InviteView]:
    with arena.database.read() as session:
        row = find(session, campaign)
        used = dict(session.execute(select(Voter.invite_id, func.count()).group_by(Voter.invite_id)).all())
        return [
            InviteView(
                i.id,
                i.label,
                i.cohort,
                i.max_voters,
                i.max_votes_per_voter,
                i.expires_ms,
                i.revoked_ms,
                used.get(i.id, 0),
            )
            for i in session.scalars(select(Invite).where(Invite.campaign_id == row.id).order_by(Invite.id))
        ]


def revoke_invite(arena: Arena, invite_id: int, actor: str) -> None:
    def unit(session: Session) -> None:
        row = session.get(Invite, invite_id)
        if row is None:
            raise ArenaError(f"there is no invite {invite_id}")
        row.revoked_ms = row.revoked_ms or arena.clock.now_ms()
        session.flush()
        audit.append(session, arena.clock.now_ms(), actor, "invite_revoked", ("invite", invite_id))

    arena.database.write(unit)
