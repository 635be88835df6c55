"""What was shown and said: battles, votes, answers, exclusions, the audit log."""

from __future__ import annotations

from sqlalchemy import REAL, BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, Text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from arena.db.types import (
    Base,
    Big,
    Hash,
    JsonObject,
    Ms,
    OptionalJson,
    OptionalMs,
    OptionalWord,
    PrimaryKey,
    Token,
    Word,
    one_of,
)

_SERVED = sql("status = 'served'")
_IN_FORCE = sql("revoked_ms IS NULL")


class Battle(Base):
    """A served pair. Everything about the choice is stored, and nothing of it ever changes but the status."""

    __tablename__ = "battles"
    __table_args__ = (
        one_of("kind", "regular", "panel", "gold", "repeat", "practice"),
        one_of("status", "served", "voted", "skipped", "expired", "void"),
        one_of("skip_reason", "cannot_play", "disturbing", "language", "other", optional=True),
        CheckConstraint("clip_left_id <> clip_right_id", name="different_clips"),
        CheckConstraint("model_lo_id < model_hi_id", name="model_order"),
        CheckConstraint("(status = 'served') = (closed_ms IS NULL)", name="closed_ms"),
        CheckConstraint("(kind = 'gold') = (gold_check_id IS NOT NULL)", name="gold_check"),
        Unique(
            "campaign_id", "voter_id", "item_id", "model_lo_id", "model_hi_id", "repeat_no", name="uq_battles_no_repeat"
        ),
        Unique("campaign_id", "voter_id", "seq_no"),
        Index(
            "uq_battles_one_open",
            "campaign_id",
            "voter_id",
            unique=True,
            sqlite_where=_SERVED,
            postgresql_where=_SERVED,
        ),
        Index("ix_battles_cell", "campaign_id", "model_lo_id", "model_hi_id", "item_id", "status", "kind"),
        Index(None, "campaign_id", "status", "served_ms"),
        Index(None, "voter_id", "served_ms"),
    )

    id: Mapped[PrimaryKey]
    token: Mapped[Token] = mapped_column(unique=True)
    campaign_id: Mapped[int] = mapped_column(Big, ForeignKey("campaigns.id", ondelete="RESTRICT"))
    voter_id: Mapped[int] = mapped_column(Big, ForeignKey("voters.id", ondelete="RESTRICT"))
    seq_no: Mapped[int]
    item_id: Mapped[int] = mapped_column(Big, ForeignKey("items.id", ondelete="RESTRICT"))
    clip_left_id: Mapped[int] = mapped_column(Big, ForeignKey("clips.id", ondelete="RESTRICT"))
    clip_right_id: Mapped[int] = mapped_column(Big, ForeignKey("clips.id", ondelete="RESTRICT"))
    model_lo_id: Mapped[int] = mapped_column(Big, ForeignKey("models.id", ondelete="RESTRICT"))
    model_hi_id: Mapped[int] = mapped_column(Big, ForeignKey("models.id", ondelete="RESTRICT"))
    kind: Mapped[Word]
    gold_check_id: Mapped[int | None] = mapped_column(Big, ForeignKey("gold_checks.id", ondelete="RESTRICT"))
    repeat_of_id: Mapped[int | None] = mapped_column(Big, ForeignKey("battles.id", ondelete="RESTRICT"))
    repeat_no: Mapped[int] = mapped_column(SmallInteger, default=0)
    policy: Mapped[str] = mapped_column(String(24))
    policy_version: Mapped[int] = mapped_column(SmallInteger)
    p_pair: Mapped[float]
    rng_seed: Mapped[int] = mapped_column(BigInteger)
    media_left: Mapped[Token] = mapped_column(unique=True)
    media_right: Mapped[Token] = mapped_column(unique=True)
    served_ms: Mapped[Ms]
    expires_ms: Mapped[Ms]
    status: Mapped[Word] = mapped_column(default="served")
    skip_reason: Mapped[OptionalWord]
    closed_ms: Mapped[OptionalMs]


class Vote(Base):
    """One judgement. `choice` is the overall answer; answers to the other questions are in `vote_answers`."""

    __tablename__ = "votes"
    __table_args__ = (
        one_of("choice", "left", "right", "tie", "both_bad"),
        one_of("first_played", "left", "right", optional=True),
        one_of("input", "mouse", "keyboard", "touch", "api", "unknown"),
        one_of("mode", "quick", "detailed"),
        CheckConstraint("watched_left >= 0 AND watched_left <= 1", name="watched_left"),
        CheckConstraint("watched_right >= 0 AND watched_right <= 1", name="watched_right"),
        Index(None, "voted_ms"),
    )

    id: Mapped[PrimaryKey]
    battle_id: Mapped[int] = mapped_column(Big, ForeignKey("battles.id", ondelete="RESTRICT"), unique=True)
    choice: Mapped[Word]
    voted_ms: Mapped[Ms]
    server_elapsed_ms: Mapped[int]
    decide_ms: Mapped[int | None]
    watched_left: Mapped[float] = mapped_column(REAL)
    watched_right: Mapped[float] = mapped_column(REAL)
    plays_left: Mapped[int] = mapped_column(SmallInteger, default=0)
    plays_right: Mapped[int] = mapped_column(SmallInteger, default=0)
    first_played: Mapped[OptionalWord]
    hidden_ms: Mapped[int] = mapped_column(default=0)
    stalled_ms: Mapped[int] = mapped_column(default=0)
    muted: Mapped[bool] = mapped_column(default=False)
    min_volume: Mapped[float] = mapped_column(REAL, default=1.0)
    viewport_w: Mapped[int] = mapped_column(SmallInteger, default=0)
    viewport_h: Mapped[int] = mapped_column(SmallInteger, default=0)
    fullscreen: Mapped[bool] = mapped_column(default=False)
    input: Mapped[Word] = mapped_column(default="unknown")
    mode: Mapped[Word]
    evidence: Mapped[OptionalJson]
    code_version: Mapped[str] = mapped_column(String(40))


class VoteAnswer(Base):
    __tablename__ = "vote_answers"
    __table_args__ = (
        one_of("criterion", "video", "audio", "sync", "prompt"),
        one_of("answer", "left", "right", "tie", "both_bad", "na"),
    )

    vote_id: Mapped[int] = mapped_column(Big, ForeignKey("votes.id", ondelete="RESTRICT"), primary_key=True)
    criterion: Mapped[Word] = mapped_column(primary_key=True)
    answer: Mapped[Word]


class Exclusion(Base):
    """A flag with a reason that keeps rows out of every analysis; revoked, never deleted."""

    __tablename__ = "exclusions"
    __table_args__ = (
        one_of("scope", "vote", "battle", "voter", "clip", "item", "model", "gold_check"),
        Index(
            "uq_exclusions_in_force",
            "scope",
            "target_id",
            "rule",
            unique=True,
            sqlite_where=_IN_FORCE,
            postgresql_where=_IN_FORCE,
        ),
        Index(None, "scope", "target_id"),
    )

    id: Mapped[PrimaryKey]
    scope: Mapped[Word]
    target_id: Mapped[int] = mapped_column(Big)
    rule: Mapped[str] = mapped_column(String(40))
    rule_version: Mapped[int] = mapped_column(SmallInteger, default=1)
    reason: Mapped[str] = mapped_column(Text)
    evidence: Mapped[JsonObject]
    created_by: Mapped[str] = mapped_column(String(64))
    created_ms: Mapped[Ms]
    revoked_ms: Mapped[OptionalMs]
    revoked_by: Mapped[str | None] = mapped_column(String(64))


class AuditEntry(Base):
    """One link of a hash chain over everything that an administrator or the machine changed."""

    __tablename__ = "audit_log"

    id: Mapped[PrimaryKey]
    at_ms: Mapped[Ms]
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(48))
    target_type: Mapped[str] = mapped_column(String(32))
    target_id: Mapped[str] = mapped_column(String(128))
    detail: Mapped[JsonObject]
    prev_hash: Mapped[Hash]
    hash: Mapped[Hash] = mapped_column(unique=True)
