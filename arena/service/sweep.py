"""The sweep: per-voter tests over all votes of a campaign, flags for a person, and the few automatic exclusions.

A new version of the rules adds and revokes exclusions of its own; it never edits one.
"""

from __future__ import annotations

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from arena.context import Arena
from arena.db.tables import Clip, Voter
from arena.db.tables_votes import Exclusion, Vote
from arena.integrity import VERSION, Behaviour, Ring, Verdict, examine, flagged, rings
from arena.service import exclusions, voters
from arena.service.campaigns import find
from arena.service.gold import outcomes
from arena.service.judgements import Loaded, load
from arena.service.types_results import VoterFlag

RING_P = 0.001


def sweep(arena: Arena, campaign: str, *, act: bool = True, actor: str = "system") -> list[VoterFlag]:
    """Examine all voters; returns those a person should look at, the least likely first.

    act: also exclude by rule (votes faster than the clips, two failed gold of the first three, favour below 1e-6).
    """
    with arena.database.read() as session:
        row = find(session, campaign)
        loaded = load(session, row)  # voters that were excluded before are examined no more
        behaviour, ids = _behaviour(session, row.id, loaded)
    verdicts = examine(loaded.data, behaviour)
    if act:
        for verdict in verdicts:
            _act(arena, loaded, verdict, ids[verdict.voter], actor)
    flags = [_flag(loaded, verdict, ids) for verdict in verdicts if flagged(verdict)]
    ringed = {v: ring for ring in rings(loaded.data, behaviour) if ring.p <= RING_P for v in ring.voters}
    flags = _with_rings(loaded, flags, ringed, verdicts, ids)
    return sorted(flags, key=lambda flag: (not flag.automatic, flag.q, flag.combined))


def _behaviour(session: Session, campaign_id: int, loaded: Loaded) -> tuple[Behaviour, dict[int, int]]:
    ids = {int(number): int(voter) for number, voter in zip(loaded.data.voter, loaded.voter, strict=True)}
    number_of = {voter: number for number, voter in ids.items()}
    length = dict(session.execute(select(Clip.id, Clip.duration_ms)).all())
    shown = np.array(
        [length[int(a)] + length[int(b)] for a, b in zip(loaded.clip_first, loaded.clip_second, strict=True)],
        dtype=np.int64,
    )
    decide = dict(session.execute(select(Vote.id, Vote.decide_ms).where(Vote.decide_ms.is_not(None))).all())
    gold: dict[int, tuple[int, float]] = {}
    for voter, _, passed, _ in outcomes(session, campaign_id):
        if voter in number_of:
            seen, total = gold.get(number_of[voter], (0, 0.0))
            gold[number_of[voter]] = (seen + 1, total + passed)
    networks = session.execute(select(Voter.id, Voter.net_hash).where(Voter.net_hash.is_not(None)))
    network = {number_of[voter]: str(name) for voter, name in networks if voter in number_of}
    decided = np.array([decide.get(int(vote), -1) for vote in loaded.vote], dtype=np.int64)
    repeated = _repeats(session, campaign_id, number_of)
    return Behaviour(loaded.elapsed_ms, shown, decided, gold, repeated, network), ids


def _repeats(session: Session, campaign_id: int, number_of: dict[int, int]) -> dict[int, tuple[int, int]]:
    rows = session.execute(
        text(
            "SELECT j.voter_id AS voter, j.outcome AS again, o.outcome AS before FROM judgements j"
            " JOIN battles b ON b.id = j.battle_id"
            " JOIN judgements o ON o.battle_id = b.repeat_of_id AND o.criterion = j.criterion"
            " WHERE j.campaign_id = :campaign AND j.criterion = 'overall' AND j.kind = 'repeat'"
        ),
        {"campaign": campaign_id},
    )
    found: dict[int, tuple[int, int]] = {}
    for row in rows:
        number = number_of.get(row.voter)
        if number is not None:
            shown, reversals = found.get(number, (0, 0))
            found[number] = (shown + 1, reversals + ({row.again, row.before} == {"lo", "hi"}))
    return found


def _act(arena: Arena, loaded: Loaded, verdict: Verdict, voter: int, actor: str) -> None:
    for at in verdict.fast_votes:
        exclusions.exclude(
            arena, "vote", int(loaded.vote[at]), rule="too_fast", rule_version=VERSION, actor=actor,
            reason="answered before both clips could have been watched",
            evidence={"elapsed_ms": int(loaded.elapsed_ms[at])},
        )  # fmt: skip
    if not verdict.automatic:
        return
    failed_gold = any("gold" in reason for reason in verdict.reasons)
    exclusions.exclude(
        arena, "voter", voter, rule="gold_failed" if failed_gold else "favour", rule_version=VERSION, actor=actor,
        reason="; ".join(verdict.reasons) if failed_gold else "supports one model far beyond what the others see in it",
        evidence={"p": verdict.p, "votes": verdict.votes},
    )  # fmt: skip
    if failed_gold:
        voters.set_state(arena, voter, "limited", "failed gold battles", actor)


def _flag(loaded: Loaded, verdict: Verdict, ids: dict[int, int], ring: Ring | None = None) -> VoterFlag:
    favoured = loaded.data.models[verdict.favoured] if verdict.favoured >= 0 else None
    reasons = verdict.reasons
    p = dict(verdict.p)
    if ring is not None:
        p["ring"] = ring.p
        model = loaded.data.models[ring.model]
        reasons += (f"one of {len(ring.voters)} voters of one network who together favour {model}",)
    return VoterFlag(
        ids[verdict.voter], verdict.votes, p, verdict.combined, verdict.q, favoured, reasons, verdict.automatic
    )


def _with_rings(
    loaded: Loaded,
    flags: list[VoterFlag],
    ringed: dict[int, Ring],
    verdicts: list[Verdict],
    ids: dict[int, int],
) -> list[VoterFlag]:
    there = {ids[number] for number in ringed}
    kept = [flag for flag in flags if flag.voter_id not in there]
    return kept + [_flag(loaded, v, ids, ringed[v.voter]) for v in verdicts if v.voter in ringed]


def revoke_older(arena: Arena, actor: str = "system") -> int:
    """End automatic exclusions made by an older version of the rules, before a new sweep; returns how many."""
    query = select(Exclusion.id).where(
        Exclusion.rule.in_(("too_fast", "gold_failed", "favour")),
        Exclusion.rule_version < VERSION,
        Exclusion.revoked_ms.is_(None),
    )
    with arena.database.read() as session:
        old = list(session.scalars(query))
    return sum(exclusions.revoke(arena, i, reason=f"rules of version {VERSION}", actor=actor) for i in old)
