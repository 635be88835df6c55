"""Results: immutable snapshots of ratings, and scores of automatic metrics."""

from __future__ import annotations

from sqlalchemy import REAL, BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from arena.db.types import Base, Big, Hash, JsonObject, Ms, PrimaryKey, Word, one_of


class RatingSnapshot(Base):
    __tablename__ = "rating_snapshots"
    __table_args__ = (Index(None, "campaign_id", "criterion", "computed_ms"),)

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[int] = mapped_column(Big, ForeignKey("campaigns.id", ondelete="RESTRICT"))
    criterion: Mapped[Word]
    filter: Mapped[JsonObject]
    method: Mapped[str] = mapped_column(String(24))
    params: Mapped[JsonObject]
    n_votes: Mapped[int]
    n_excluded: Mapped[int]
    n_voters: Mapped[int]
    eff_voters: Mapped[float] = mapped_column(REAL)
    n_items: Mapped[int]
    last_vote_id: Mapped[int] = mapped_column(BigInteger)
    data_sha256: Mapped[Hash]
    code_version: Mapped[str] = mapped_column(String(40))
    fit: Mapped[JsonObject]
    computed_ms: Mapped[Ms]
    wall_ms: Mapped[int]
    published: Mapped[bool] = mapped_column(default=False)


class RatingRow(Base):
    __tablename__ = "rating_rows"
    __table_args__ = (one_of("state", "ranked", "preliminary", "unlisted", "retired"),)

    snapshot_id: Mapped[int] = mapped_column(
        Big, ForeignKey("rating_snapshots.id", ondelete="RESTRICT"), primary_key=True
    )
    model_id: Mapped[int] = mapped_column(Big, ForeignKey("models.id", ondelete="RESTRICT"), primary_key=True)
    rating: Mapped[float | None]
    se: Mapped[float | None]
    lo: Mapped[float | None]
    hi: Mapped[float | None]
    lo_iid: Mapped[float | None]
    hi_iid: Mapped[float | None]
    rank_best: Mapped[int | None]
    rank_worst: Mapped[int | None]
    rank_ub: Mapped[int | None]
    n: Mapped[int]
    wins: Mapped[int]
    ties: Mapped[int]
    losses: Mapped[int]
    both_bad: Mapped[int]
    left_share: Mapped[float | None]
    state: Mapped[Word]


class RatingPair(Base):
    __tablename__ = "rating_pairs"

    snapshot_id: Mapped[int] = mapped_column(
        Big, ForeignKey("rating_snapshots.id", ondelete="RESTRICT"), primary_key=True
    )
    model_lo_id: Mapped[int] = mapped_column(Big, ForeignKey("models.id", ondelete="RESTRICT"), primary_key=True)
    model_hi_id: Mapped[int] = mapped_column(Big, ForeignKey("models.id", ondelete="RESTRICT"), primary_key=True)
    n: Mapped[int]
    lo_wins: Mapped[int]
    ties: Mapped[int]
    hi_wins: Mapped[int]
    both_bad: Mapped[int]
    diff: Mapped[float | None]
    diff_lo: Mapped[float | None]
    diff_hi: Mapped[float | None]
    p_head_to_head: Mapped[float | None]
    p_model: Mapped[float | None]
    p_holm: Mapped[float | None]


class ExternalScore(Base):
    """What an automatic metric said about a clip; the arena does not know who measured."""

    __tablename__ = "external_scores"

    clip_id: Mapped[int] = mapped_column(Big, ForeignKey("clips.id", ondelete="RESTRICT"), primary_key=True)
    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    value: Mapped[float]
    higher_is_better: Mapped[bool]
    source: Mapped[str] = mapped_column(String(80), primary_key=True)
    protocol: Mapped[str] = mapped_column(String(16), primary_key=True)
