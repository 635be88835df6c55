"""Serving battles: the open one, or a new one; skipping, voiding; who may fetch which clip."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from arena.clock import MINUTE_MS
from arena.context import Arena
from arena.db.tables import Clip, Item
from arena.db.tables_votes import Battle
from arena.db.types import core_table
from arena.service import audit
from arena.service.choosing import Chosen, choose
from arena.service.types import BattleView, MediaFile, MediaRefused, Nothing, SkipReason
from arena.service.visits import Visit, visit
from arena.tokens import new_token, well_formed

MEDIA_GRACE_MS = 10 * MINUTE_MS
DISTURBING_LIMIT = 3
_RESELECT = 5
_battles, _clips, _items = core_table(Battle), core_table(Clip), core_table(Item)


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
            found, chosen = arena.database.transact(lambda connection: _serve(arena, connection, voter_id, campaign))
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
    with arena.database.look() as connection:
        here = visit(arena, connection, voter_id, campaign)
        battle = here.battle
        if battle is None or here.status != "open" or here.state == "blocked" or battle.expires_ms <= here.now:
            return None
        files = _files(connection, battle.clip_left_id, battle.clip_right_id)
        if not all(_servable(arena, file) for file in files.values()):
            return None
        return _view(connection, battle._mapping, here, files)


def _serve(
    arena: Arena, connection: Connection, voter_id: int, campaign: str
) -> tuple[BattleView | Nothing, Chosen | None]:
    here = visit(arena, connection, voter_id, campaign)
    if here.status != "open":
        return Nothing(here.status), None
    if here.state == "blocked":
        return Nothing("blocked"), None
    battle = here.battle
    if battle is not None:
        files = _files(connection, battle.clip_left_id, battle.clip_right_id)
        missing = [clip for clip, file in files.items() if not _servable(arena, file)]
        if battle.expires_ms > here.now and not missing:
            return _view(connection, battle._mapping, here, files), None  # another tab was faster
        _end(connection, battle.token, battle.served_ms, "void" if missing else "expired", here.now)
        _note_end(arena, battle)
        for clip in missing:
            _mark_missing(arena, connection, clip, here.now)
    known: Files = {}
    chosen = choose(arena, connection, here, lambda left, right: _both_there(arena, connection, left, right, known))
    if isinstance(chosen, Nothing):
        return chosen, None
    return _view(connection, _insert(arena, connection, here, chosen), here, known), chosen


def _insert(arena: Arena, connection: Connection, here: Visit, chosen: Chosen) -> dict[str, Any]:
    values: dict[str, Any] = {
        "token": new_token(arena.tokens),
        "campaign_id": here.campaign_id,
        "voter_id": here.voter_id,
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
        "served_ms": here.now,
        "expires_ms": here.now + here.config.battle_ttl_min * MINUTE_MS,
        "status": "served",
    }
    connection.execute(insert(_battles), values)
    return values


def _count(arena: Arena, chosen: Chosen) -> None:
    pool = arena.pools.loaded(chosen.campaign_id)
    if pool is not None and chosen.kind in {"regular", "panel"}:
        pool.count(chosen.model_lo, chosen.model_hi, chosen.item_id, 1)


def _note_end(arena: Arena, battle: Any) -> None:
    pool = arena.pools.loaded(battle.campaign_id)
    if pool is not None and battle.kind in {"regular", "panel"}:
        pool.count(battle.model_lo_id, battle.model_hi_id, battle.item_id, -1)


def _end(connection: Connection, token: str, served: int, status: str, now: int, reason: str | None = None) -> bool:
    done = connection.execute(
        update(_battles)
        .where(_battles.c.token == token, _battles.c.status == "served")
        .values(status=status, closed_ms=max(now, served), skip_reason=reason)
    )
    return bool(done.rowcount)


Files = dict[int, Any]
"""Clip id -> what serving and showing it needs."""


def _files(connection: Connection, left: int, right: int) -> Files:
    c = _clips.c
    rows = connection.execute(
        select(c.id, c.serve_path, c.serve_bytes, c.status, c.duration_ms, c.width, c.height).where(
            c.id.in_((left, right))
        )
    )
    return {row.id: row for row in rows}


def _servable(arena: Arena, file: Any) -> bool:
    return file.status != "withdrawn" and _on_disk(arena, file.serve_path, file.serve_bytes)


def _on_disk(arena: Arena, path: str, size: int) -> bool:
    try:
        return os.stat(arena.media_root / path).st_size == size
    except OSError:
        return False


def _both_there(arena: Arena, connection: Connection, left: int, right: int, known: Files) -> bool:
    """Whether both clips can be served (then they are put into `known`); one that cannot is marked missing."""
    files = _files(connection, left, right)
    missing = [clip for clip, file in files.items() if not _servable(arena, file)]
    for clip in missing:
        _mark_missing(arena, connection, clip, arena.clock.now_ms())
    known |= files
    return not missing


def _mark_missing(arena: Arena, connection: Connection, clip: int, now: int) -> None:
    done = connection.execute(
        update(_clips)
        .where(_clips.c.id == clip, _clips.c.status == "ready")
        .values(status="missing", status_reason="the served file is not on disk, or has another size")
    )
    if done.rowcount:
        audit.append(connection, now, "system", "clip_missing", ("clip", clip))
    arena.pools.drop_clip(clip)


def _view(connection: Connection, battle: Mapping[Any, Any], here: Visit, files: Files) -> BattleView:
    i = _items.c
    item = connection.execute(
        select(i.prompt_en, i.prompt_zh, i.language, i.first_frame_path, i.content_flags).where(
            i.id == battle["item_id"]
        )
    ).one()
    left, right = files[battle["clip_left_id"]], files[battle["clip_right_id"]]
    return BattleView(
        token=battle["token"],
        campaign=here.slug,
        practice=battle["kind"] == "practice",
        seq_no=battle["seq_no"],
        item_id=battle["item_id"],
        prompt_en=item.prompt_en,
        prompt_zh=item.prompt_zh,
        language=item.language,
        first_frame=item.first_frame_path,
        media_left=battle["media_left"],
        media_right=battle["media_right"],
        duration_left_ms=left.duration_ms,
        duration_right_ms=right.duration_ms,
        size_left=(left.width, left.height),
        size_right=(right.width, right.height),
        criteria=here.config.criteria,
        mode=here.config.mode,
        min_watch=here.config.min_watch,
        served_ms=battle["served_ms"],
        expires_ms=battle["expires_ms"],
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

    def unit(connection: Connection) -> Row[Any] | None:
        battle = connection.execute(select(_battles).where(_battles.c.token == token)).one_or_none()
        if battle is None or battle.voter_id != voter_id:
            return None
        now = arena.clock.now_ms()
        if not _end(connection, token, battle.served_ms, status, now, reason):
            return None
        if reason == "disturbing":
            _pause_disturbing(connection, battle.item_id, now)
        return battle

    battle = arena.database.transact(unit)
    if battle is None:
        return False
    _note_end(arena, battle)
    if reason == "disturbing":
        arena.pools.forget(battle.campaign_id)
    return True


def _pause_disturbing(connection: Connection, item_id: int, now: int) -> None:
    b = _battles.c
    voters = connection.execute(
        select(b.voter_id).where(b.item_id == item_id, b.skip_reason == "disturbing").distinct()
    ).all()
    if len(voters) < DISTURBING_LIMIT:
        return
    i = _items.c
    done = connection.execute(update(_items).where(i.id == item_id, i.status == "active").values(status="paused"))
    if done.rowcount:
        audit.append(connection, now, "system", "item_paused", ("item", item_id), {"reports": len(voters)})


def media(arena: Arena, voter_id: int | None, token: str) -> MediaFile | MediaRefused:
    """The file behind a media token, for the battle's owner, while the battle is open and ten minutes after.

    404: no such token (or the file is gone), 403: somebody else's, 410: too late.
    """
    if not well_formed(token):
        return MediaRefused(404)
    b, now = _battles.c, arena.clock.now_ms()
    with arena.database.look() as session:
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

    def unit(connection: Connection) -> int:
        now = arena.clock.now_ms()
        done = connection.execute(
            update(_battles)
            .where(_battles.c.status == "served", _battles.c.expires_ms <= now)
            .values(status="expired", closed_ms=now)
        )
        return int(done.rowcount)

    return arena.database.transact(unit)
