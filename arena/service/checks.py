"""Is an installation sound: rows, rules of the database, files of clips."""

from __future__ import annotations

from sqlalchemy import select, text

from arena.context import Arena
from arena.db.rules import missing_rules
from arena.db.tables import Clip

_MISMATCHES = {
    "battles are voted without a vote": (
        "SELECT COUNT(*) FROM battles b LEFT JOIN votes v ON v.battle_id = b.id"
        " WHERE b.status = 'voted' AND v.id IS NULL"
    ),
    "votes belong to battles that are not voted": (
        "SELECT COUNT(*) FROM votes v JOIN battles b ON b.id = v.battle_id WHERE b.status <> 'voted'"
    ),
    "battles show clips of another item or model": (
        "SELECT COUNT(*) FROM battles b JOIN clips l ON l.id = b.clip_left_id JOIN clips r ON r.id = b.clip_right_id"
        " WHERE l.item_id <> b.item_id OR r.item_id <> b.item_id"
        " OR l.model_id NOT IN (b.model_lo_id, b.model_hi_id) OR r.model_id NOT IN (b.model_lo_id, b.model_hi_id)"
        " OR l.model_id = r.model_id"
    ),
    "detailed votes lack answers": (
        "SELECT COUNT(*) FROM votes v WHERE v.mode = 'detailed'"
        " AND NOT EXISTS (SELECT 1 FROM vote_answers a WHERE a.vote_id = v.id)"
    ),
}


def check_rows(arena: Arena) -> list[str]:
    """A sentence for each thing in the database that should not be."""
    problems = []
    with arena.database.look() as connection:
        if arena.database.is_sqlite:
            said = connection.exec_driver_sql("PRAGMA quick_check").scalar()
            if said != "ok":
                problems.append(f"the database file is damaged: {said}")
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                problems.append(f"{len(broken)} rows refer to rows that are not there")
        gone = missing_rules(connection)
        if gone:
            problems.append(f"the database lacks {', '.join(sorted(gone))}; run: mova-eval arena migrate")
        for what, statement in _MISMATCHES.items():
            count = connection.execute(text(statement)).scalar() or 0
            if count:
                problems.append(f"{count} {what}")
    return problems


def check_files(arena: Arena, limit: int | None = None) -> list[str]:
    """A sentence for each ready clip whose file is missing or has another size. limit: look at so many only."""
    query = select(Clip.id, Clip.serve_path, Clip.serve_bytes).where(Clip.status == "ready").order_by(Clip.id)
    problems = []
    with arena.database.look() as connection:
        for clip, path, size in connection.execute(query.limit(limit) if limit else query):
            place = arena.media_root / path
            if not place.is_file():
                problems.append(f"clip {clip}: {place} is missing")
            elif place.stat().st_size != size:
                problems.append(f"clip {clip}: {place} has {place.stat().st_size} bytes, not {size}")
    return problems
