"""Gold pairs: battles whose right answer is known, and who passed them."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from arena.context import Arena
from arena.db.tables import Clip, GoldCheck, Item
from arena.errors import ArenaError
from arena.service import audit
from arena.service.campaigns import find
from arena.service.types_results import GoldView

GoldKind = Literal[
    "audio_swapped", "audio_noise", "av_offset", "frozen_video", "heavy_compression", "wrong_item", "identical"
]
EXPECTED: dict[str, dict[str, str]] = {
    "audio_swapped": {"overall": "good", "audio": "good", "sync": "good"},
    "audio_noise": {"overall": "good", "audio": "good"},
    "av_offset": {"overall": "good", "sync": "good"},
    "frozen_video": {"overall": "good", "video": "good"},
    "heavy_compression": {"overall": "good", "video": "good"},
    "wrong_item": {"overall": "good", "prompt": "good"},
    "identical": {"overall": "tie"},
}
"""What an attentive voter answers, per kind."""
RETIRE_BELOW = 0.9


def add(arena: Arena, campaign: str, good_clip: int, bad_clip: int, kind: GoldKind, actor: str = "system") -> int:
    """Make a gold pair of two ready clips; the bad one belongs to a gold pseudo-model. Returns its id.

    Raises ArenaError for clips that are not there, or a bad clip of a real model.
    """
    if kind not in EXPECTED:
        raise ArenaError(f"'{kind}' is no kind of gold pair; there is {', '.join(EXPECTED)}")

    def unit(session: Session) -> int:
        row, now = find(session, campaign), arena.clock.now_ms()
        clips = {c.id: c for c in session.scalars(select(Clip).where(Clip.id.in_((good_clip, bad_clip))))}
        if len(clips) < 2:
            raise ArenaError(f"a gold pair needs two clips that are there, not {good_clip} and {bad_clip}")
        if clips[good_clip].model_id == clips[bad_clip].model_id:
            raise ArenaError("the degraded clip of a gold pair must belong to a gold pseudo-model")
        if clips[good_clip].item_id != clips[bad_clip].item_id:
            raise ArenaError("both clips of a gold pair must be of one item")
        check = GoldCheck(
            campaign_id=row.id,
            item_id=clips[good_clip].item_id,
            clip_good_id=good_clip,
            clip_bad_id=bad_clip,
            kind=kind,
            expected=EXPECTED[kind],
            active=True,
            created_ms=now,
        )
        session.add(check)
        session.flush()
        audit.append(session, now, actor, "gold_added", ("gold_check", check.id), {"kind": kind})
        return check.id

    return arena.database.write(unit)


def retire(arena: Arena, gold_id: int, *, reason: str, actor: str) -> None:
    """Show a gold pair no more; its answers stay."""

    def unit(session: Session) -> None:
        row = session.get(GoldCheck, gold_id)
        if row is None:
            raise ArenaError(f"there is no gold pair {gold_id}")
        row.active = False
        session.flush()
        audit.append(session, arena.clock.now_ms(), actor, "gold_retired", ("gold_check", gold_id), {"reason": reason})

    arena.database.write(unit)


def outcomes(session: Session, campaign_id: int) -> list[tuple[int, int, float, bool]]:
    """(voter, gold pair, passed: 1, 1/2 for a tie, or 0, whether the voter is invited) of every answered gold battle.

    Judged on the overall answer.
    """
    rows = session.execute(
        text(
            "SELECT b.voter_id AS voter, g.id AS gold, v.choice AS choice, w.kind AS voter_kind, g.kind AS kind,"
            " CASE WHEN b.clip_left_id = g.clip_good_id THEN 'left' ELSE 'right' END AS good_side"
            " FROM battles b JOIN votes v ON v.battle_id = b.id JOIN gold_checks g ON g.id = b.gold_check_id"
            " JOIN voters w ON w.id = b.voter_id WHERE b.campaign_id = :campaign AND b.kind = 'gold' ORDER BY v.id"
        ),
        {"campaign": campaign_id},
    )
    found = []
    for row in rows:
        tie = row.choice in {"tie", "both_bad"}
        if row.kind == "identical":
            passed = 1.0 if tie else 0.0
        else:
            passed = 1.0 if row.choice == row.good_side else 0.5 if tie else 0.0
        found.append((int(row.voter), int(row.gold), passed, row.voter_kind == "invited"))
    return found


def list_all(arena: Arena, campaign: str) -> list[GoldView]:
    """Gold pairs with how often they were passed; difficulty: pass rate of invited voters."""
    with arena.database.read() as session:
        row = find(session, campaign)
        answers = outcomes(session, row.id)
        checks = session.execute(
            select(GoldCheck, Item)
            .join(Item, Item.id == GoldCheck.item_id)
            .where(GoldCheck.campaign_id == row.id)
            .order_by(GoldCheck.id)
        ).all()
        found = []
        for check, item in checks:
            own = [(passed, trusted) for _, gold, passed, trusted in answers if gold == check.id]
            trusted = [passed for passed, known in own if known]
            found.append(
                GoldView(
                    check.id, check.kind, item.item_key, item.benchmark, check.active, check.expected, len(own),
                    sum(p for p, _ in own) / len(own) if own else 0.0,
                    sum(trusted) / len(trusted) if trusted else None,
                )
            )  # fmt: skip
        return found
