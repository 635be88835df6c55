"""Serving battles: the open one, or a new one; skipping, voiding; who may fetch which clip."""

from __future__ import annotations

from typing import Any, Literal, cast

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from arena.clock import MINUTE_MS
from arena.context import Arena
from arena.db.tables import Campaign, Clip, Item, Voter
from arena.db.tables_votes import Battle
from arena.db.types import core_table
from arena.service import audit
from arena.service.campaigns import find, view_of
from arena.service.choosing import Chosen, Visit, choose
from arena.service.types import BattleView, CampaignView, MediaFile, MediaRefused, Nothing, SkipReason
from arena.tokens import new_token, well_formed

MEDIA_GRACE_MS = 10 * MINUTE_MS
DISTURBING_LIMIT = 3
_RESELECT = 5
_battles, _clips = core_table(Battle), core_table(Clip)


class _Lost(Exception):
    """Another tab of the voter opened a battle first, or used the same cell."""


def current_battle(arena: Arena, voter_id: int, campaign: str) -> BattleView | Nothing:
    """The voter's open battle, or a new one, committed before it is returned; or why there is none.

    Reload, second tab and restarted server all get the same battle until it is answered, skipped or expired. Raises
    DatabaseUnavailable when nothing could be read or written; the call may be repeated.
    """
    shown = _open_battle(arena, voter_id, campaign)
    if shown is not None:
        return shown
    for _ in range(_RESELECT):
        try:
            found, chosen = arena.database.write(lambda session: _serve(arena, session, voter_id, campaign))
        except IntegrityError:  # another tab won: show its battle; or another process used the cell: choose again
            shown = _open_battle(arena, voter_id, campaign)
            if shown is not None:
                return shown
            continue
        if chosen is not None:
            _count(arena, chosen)
        return found
    return Nothing("finished")


def _open_battle(arena: Arena, voter_id: int, campaign: str) -> BattleView | None:
    with arena.database.read() as session:
        row = find(session, campaign)
        if row.status != "open":
            return None
        battle = _open_row(session, row.id, voter_id)
        if battle is None or battle.expires_ms <= arena.clock.now_ms():
            return None
        if session.scalar(select(Voter.state).where(Voter.id == voter_id)) == "blocked":
            return None
        if _missing_clips(arena, session, battle):
            return None
        return _view(session, battle, view_of(row))


def _open_row(session: Session, campaign_id: int, voter_id: int) -> Battle | None:
    return session.scalars(
        select(Battle).where(Battle.campaign_id == campaign_id, Battle.voter_id == voter_id, Battle.status == "served")
    ).one_or_none()


def _serve(arena: Arena, session: Session, voter_id: int, campaign: str) -> tuple[BattleView | Nothing, Chosen | None]:
    row = find(session, campaign)
    view, now = view_of(row), arena.clock.now_ms()
    if row.status != "open":
        return Nothing(cast(Literal["draft", "paused", "closed"], row.status)), None
    voter = session.get_one(Voter, voter_id)
    if voter.state == "blocked":
        return Nothing("blocked"), None
    battle = _open_row(session, row.id, voter_id)
    if battle is not None:
        missing = _missing_clips(arena, session, battle)
        if battle.expires_ms > now and not missing:
            return _view(session, battle, view), None  # another tab was faster
        _end(session, battle, "void" if missing else "expired", now)
        _note_end(arena, battle)
        for clip in missing:
            _mark_missing(arena, session, clip, now)
    chosen = choose(arena, session, Visit(view, voter, now), clip_is_there=lambda clip: _checked(arena, session, clip))
    if isinstance(chosen, Nothing):
        return chosen, None
    new = _insert(arena, session, view, voter_id, chosen, now)
    return _view(session, new, view), chosen


def _insert(arena: Arena, session: Session, campaign: CampaignView, voter_id: int, chosen: Chosen, now: int) -> Battle:
    values: dict[str, Any] = {
        "token": new_token(arena.tokens),
        "campaign_id": campaign.id,
        "voter_id": voter_id,
        "seq_no": chosen.seq_no,
        "item_id": chosen.item_id,
        "clip_left_id": chosen.clip_left,
        "clip_right_id": chosen.clip_right,
        "model_lo_id": chosen.model_lo,
        "model_hi_id": chosen.model_hi,
        "kind": chosen.kind,
        "gold_check_id": chosen.gold_check_id,
        "repeat_of_id": chosen.repeat_of_id,
        "repeat_no": chosen.repeat_no,
        "policy": chosen.policy,
        "policy_version": chosen.policy_version,
        "p_pair": chosen.p_pair,
        "rng_seed": chosen.rng_seed,
        "media_left": new_token(arena.tokens),
        "media_right": new_token(arena.tokens),
        "served_ms": now,
        "expires_ms": now + campaign.config.battle_ttl_min * MINUTE_MS,
        "status": "served",
    }
    session.execute(insert(_battles), values)
    return Battle(**values)


def _count(arena: Arena, chosen: Chosen) -> None:
    pool = arena.pools.loaded(chosen.campaign_id)
    if pool is not None and chosen.kind in {"regular", "panel"}:
        pool.count(chosen.model_lo, chosen.model_hi, chosen.item_id, 1)


def _note_end(arena: Arena, battle: Battle) -> None:
    pool = arena.pools.loaded(battle.campaign_id)
    if pool is not None and battle.kind in {"regular", "panel"}:
        pool.count(battle.model_lo_id, battle.model_hi_id, battle.item_id, -1)


def _end(session: Session, battle: Battle, status: str, now: int, reason: str | None = None) -> bool:
    done = session.execute(
        update(_battles)
        .where(_battles.c.token == battle.token, _battles.c.status == "served")
        .values(status=status, closed_ms=max(now, battle.served_ms), skip_reason=reason)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


def _missing_clips(arena: Arena, session: Session, battle: Battle) -> list[int]:
    rows = session.execute(
        select(_clips.c.id, _clips.c.serve_path, _clips.c.serve_bytes, _clips.c.status).where(
            _clips.c.id.in_((battle.clip_left_id, battle.clip_right_id))
        )
    )
    return [clip for clip, path, size, status in rows if status == "withdrawn" or not _on_disk(arena, path, size)]


def _on_disk(arena: Arena, path: str, size: int) -> bool:
    try:
        return (arena.media_root / path).stat().st_size == size
    except OSError:
        return False


def _checked(arena: Arena, session: Session, clip: int) -> bool:
    """Whether a clip can be served; one that cannot is marked missing."""
    path, size = session.execute(select(_clips.c.serve_path, _clips.c.serve_bytes).where(_clips.c.id == clip)).one()
    if _on_disk(arena, path, size):
        return True
    _mark_missing(arena, session, clip, arena.clock.now_ms())
    return False


def _mark_missing(arena: Arena, session: Session, clip: int, now: int) -> None:
    done = session.execute(
        update(_clips)
        .where(_clips.c.id == clip, _clips.c.status == "ready")
        .values(status="missing", status_reason="the served file is not on disk, or has another size")
    )
    if done.rowcount:  # type: ignore[attr-defined]
        audit.append(session, now, "system", "clip_missing", ("clip", clip))
    for campaign_id in session.scalars(select(Campaign.id)):
        pool = arena.pools.loaded(campaign_id)
        if pool is not None:
            pool.drop_clip(clip)


def _view(session: Session, battle: Battle, campaign: CampaignView) -> BattleView:
    item = session.execute(
        select(Item.id, Item.prompt_en, Item.prompt_zh, Item.language, Item.first_frame_path, Item.content_flags).where(
            Item.id == battle.item_id
        )
    ).one()
    shape = {
        clip: (duration, (width, height))
        for clip, duration, width, height in session.execute(
            select(_clips.c.id, _clips.c.duration_ms, _clips.c.width, _clips.c.height).where(
                _clips.c.id.in_((battle.clip_left_id, battle.clip_right_id))
            )
        )
    }
    left, right = shape[battle.clip_left_id], shape[battle.clip_right_id]
    config = campaign.config
    return BattleView(
        token=battle.token,
        campaign=campaign.slug,
        practice=battle.kind == "practice",
        seq_no=battle.seq_no,
        item_id=item.id,
        prompt_en=item.prompt_en,
        prompt_zh=item.prompt_zh,
        language=item.language,
        first_frame=item.first_frame_path,
        media_left=battle.media_left,
        media_right=battle.media_right,
        duration_left_ms=left[0],
        duration_right_ms=right[0],
        size_left=left[1],
        size_right=right[1],
        criteria=config.criteria,
        mode=config.mode,
        min_watch=config.min_watch,
        served_ms=battle.served_ms,
        expires_ms=battle.expires_ms,
        warnings=tuple(sorted(str(flag) for flag in item.content_flags.get("warnings", []))),
    )


def skip(arena: Arena, voter_id: int, token: str, reason: SkipReason) -> bool:
    """The voter does not want to answer. Three voters who found an item disturbing pause it until somebody looks.

    False when the battle is not this voter's open one (a second click changes nothing).
    """
    return _close(arena, voter_id, token, "skipped", reason)


def void(arena: Arena, voter_id: int, token: str, cause: str) -> bool:
    """A clip could not be played twice over: the battle ends without blame and is audited."""
    done = _close(arena, voter_id, token, "void", None)
    if done:
        audit.record(arena, "system", "battle_void", ("battle", token), {"cause": cause[:200]})
    return done


def _close(arena: Arena, voter_id: int, token: str, status: str, reason: SkipReason | None) -> bool:
    if not well_formed(token):
        return False

    def unit(session: Session) -> Battle | None:
        battle = session.scalars(select(Battle).where(Battle.token == token)).one_or_none()
        if battle is None or battle.voter_id != voter_id:
            return None
        now = arena.clock.now_ms()
        if not _end(session, battle, status, now, reason):
            return None
        if reason == "disturbing":
            _pause_disturbing(session, battle.item_id, now)
        return battle

    battle = arena.database.write(unit)
    if battle is None:
        return False
    _note_end(arena, battle)
    if reason == "disturbing":
        arena.pools.forget(battle.campaign_id)
    return True


def _pause_disturbing(session: Session, item_id: int, now: int) -> None:
    voters = set(
        session.scalars(
            select(Battle.voter_id).where(Battle.item_id == item_id, Battle.skip_reason == "disturbing").distinct()
        )
    )
    if len(voters) < DISTURBING_LIMIT:
        return
    done = session.execute(update(Item).where(Item.id == item_id, Item.status == "active").values(status="paused"))
    if done.rowcount:  # type: ignore[attr-defined]
        audit.append(session, now, "system", "item_paused", ("item", item_id), {"reports": len(voters)})


def media(arena: Arena, voter_id: int | None, token: str) -> MediaFile | MediaRefused:
    """The file behind a media token, for the battle's owner, while the battle is open and ten minutes after.

    404: no such token (or the file is gone), 403: somebody else's, 410: too late.
    """
    if not well_formed(token):
        return MediaRefused(404)
    b, now = _battles.c, arena.clock.now_ms()
    with arena.database.read() as session:
        columns = (b.voter_id, b.closed_ms, b.expires_ms, b.clip_left_id, b.clip_right_id, b.media_left)
        row = session.execute(select(*columns).where(b.media_left == token)).one_or_none()
        row = row or session.execute(select(*columns).where(b.media_right == token)).one_or_none()
        if row is None:
            return MediaRefused(404)
        if voter_id is None or row.voter_id != voter_id:
            return MediaRefused(403)
        ended = row.closed_ms if row.closed_ms is not None else row.expires_ms
        if now > ended + MEDIA_GRACE_MS:
            return MediaRefused(410)
        clip = row.clip_left_id if row.media_left == token else row.clip_right_id
        path, size = session.execute(select(_clips.c.serve_path, _clips.c.serve_bytes).where(_clips.c.id == clip)).one()
    if not _on_disk(arena, path, size):
        return MediaRefused(404)
    return MediaFile(arena.media_root / path, size)


def expire_old(arena: Arena) -> int:
    """Close battles past their time (at start-up and now and then); returns how many."""

    def unit(session: Session) -> int:
        now = arena.clock.now_ms()
        done = session.execute(
            update(_battles)
            .where(_battles.c.status == "served", _battles.c.expires_ms <= now)
            .values(status="expired", closed_ms=now)
        )
        return int(done.rowcount)  # type: ignore[attr-defined]

    return arena.database.write(unit)
