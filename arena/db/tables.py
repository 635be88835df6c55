"""What is compared and who compares: campaigns, models, items, clips, gold pairs, invites, voters."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from arena.db.types import (
    Base,
    Big,
    Hash,
    Json,
    JsonObject,
    Ms,
    OptionalHash,
    OptionalMs,
    OptionalWord,
    PrimaryKey,
    Word,
    one_of,
)


class Campaign(Base):
    """One study: its own quotas, panel and ratings. Votes of two campaigns are never pooled."""

    __tablename__ = "campaigns"
    __table_args__ = (one_of("status", "draft", "open", "paused", "closed"),)

    id: Mapped[PrimaryKey]
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    title_en: Mapped[str] = mapped_column(Text)
    title_zh: Mapped[str] = mapped_column(Text)
    status: Mapped[Word] = mapped_column(default="draft")
    config: Mapped[JsonObject]
    config_version: Mapped[int]
    consent_version: Mapped[Word]
    seed: Mapped[int] = mapped_column(BigInteger)
    opened_ms: Mapped[OptionalMs]
    closed_ms: Mapped[OptionalMs]
    created_ms: Mapped[Ms]


class Model(Base):
    """One exact version of a model. Gold pseudo-models own degraded clips and never appear in ratings."""

    __tablename__ = "models"
    __table_args__ = (
        one_of("role", "contestant", "reference", "gold"),
        one_of("status", "active", "paused", "retired"),
    )

    id: Mapped[PrimaryKey]
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    display_name: Mapped[str] = mapped_column(Text)
    family: Mapped[str] = mapped_column(String(80), default="")
    organisation: Mapped[str] = mapped_column(Text, default="")
    url: Mapped[str] = mapped_column(Text, default="")
    licence: Mapped[str] = mapped_column(Text, default="")
    is_open: Mapped[bool] = mapped_column(default=False)
    version: Mapped[str] = mapped_column(Text, default="")
    role: Mapped[Word] = mapped_column(default="contestant")
    status: Mapped[Word] = mapped_column(default="active")
    status_reason: Mapped[str] = mapped_column(Text, default="")
    created_ms: Mapped[Ms]
    retired_ms: Mapped[OptionalMs]


class CampaignModel(Base):
    __tablename__ = "campaign_models"

    campaign_id: Mapped[int] = mapped_column(Big, ForeignKey("campaigns.id", ondelete="RESTRICT"), primary_key=True)
    model_id: Mapped[int] = mapped_column(Big, ForeignKey("models.id", ondelete="RESTRICT"), primary_key=True)
    joined_ms: Mapped[Ms]
    left_ms: Mapped[OptionalMs]
    declared_private: Mapped[bool] = mapped_column(default=False)


class Item(Base):
    """A prompt with its first frame."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("benchmark", "item_key"),
        CheckConstraint("prompt_en IS NOT NULL OR prompt_zh IS NOT NULL", name="prompt"),
        one_of("language", "en", "zh", "other", "none"),
        one_of("status", "active", "paused", "withdrawn"),
        Index(None, "category"),
        Index(None, "set_name"),
    )

    id: Mapped[PrimaryKey]
    benchmark: Mapped[str] = mapped_column(String(64))
    set_name: Mapped[str] = mapped_column(String(64))
    item_key: Mapped[str] = mapped_column(String(128))
    prompt_en: Mapped[str | None] = mapped_column(Text)
    prompt_zh: Mapped[str | None] = mapped_column(Text)
    language: Mapped[Word]
    category: Mapped[str] = mapped_column(String(64), default="")
    has_speech: Mapped[bool] = mapped_column(default=False)
    n_speakers: Mapped[int] = mapped_column(SmallInteger, default=0)
    has_visible_source: Mapped[bool | None]
    first_frame_sha256: Mapped[OptionalHash]
    first_frame_path: Mapped[str | None] = mapped_column(Text)
    content_flags: Mapped[JsonObject]
    status: Mapped[Word] = mapped_column(default="active")
    browse: Mapped[bool] = mapped_column(default=False)
    content_sha256: Mapped[Hash]


class CampaignItem(Base):
    __tablename__ = "campaign_items"

    campaign_id: Mapped[int] = mapped_column(Big, ForeignKey("campaigns.id", ondelete="RESTRICT"), primary_key=True)
    item_id: Mapped[int] = mapped_column(Big, ForeignKey("items.id", ondelete="RESTRICT"), primary_key=True)
    in_panel: Mapped[bool] = mapped_column(default=False)


class PanelCell(Base):
    """A battle of the overlap panel, which several voters judge; drawn by seed when the campaign opens."""

    __tablename__ = "panel_cells"

    campaign_id: Mapped[int] = mapped_column(Big, ForeignKey("campaigns.id", ondelete="RESTRICT"), primary_key=True)
    model_lo_id: Mapped[int] = mapped_column(Big, ForeignKey("models.id", ondelete="RESTRICT"), primary_key=True)
    model_hi_id: Mapped[int] = mapped_column(Big, ForeignKey("models.id", ondelete="RESTRICT"), primary_key=True)
    item_id: Mapped[int] = mapped_column(Big, ForeignKey("items.id", ondelete="RESTRICT"), primary_key=True)


class Clip(Base):
    """What one model made for one item, and the rendition that is served for it."""

    __tablename__ = "clips"
    __table_args__ = (
        UniqueConstraint("model_id", "item_id", "take"),
        CheckConstraint("duration_ms > 0", name="duration_ms"),
        one_of("status", "ready", "missing", "broken", "withdrawn"),
        Index(None, "item_id", "status"),
        Index(None, "model_id", "status"),
        Index(None, "src_sha256"),
    )

    id: Mapped[PrimaryKey]
    model_id: Mapped[int] = mapped_column(Big, ForeignKey("models.id", ondelete="RESTRICT"))
    item_id: Mapped[int] = mapped_column(Big, ForeignKey("items.id", ondelete="RESTRICT"))
    take: Mapped[int] = mapped_column(SmallInteger, default=0)
    src_sha256: Mapped[Hash]
    src_uri: Mapped[str] = mapped_column(Text)
    src_bytes: Mapped[int] = mapped_column(BigInteger)
    duration_ms: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    fps_num: Mapped[int]
    fps_den: Mapped[int]
    video_codec: Mapped[Word]
    audio_codec: Mapped[Word]
    sample_rate: Mapped[int]
    channels: Mapped[int] = mapped_column(SmallInteger)
    loudness_lufs: Mapped[float | None]
    true_peak_dbtp: Mapped[float | None]
    gain_db: Mapped[float] = mapped_column(default=0.0)
    served_lufs: Mapped[float | None]
    serve_path: Mapped[str] = mapped_column(Text)
    serve_sha256: Mapped[Hash]
    serve_bytes: Mapped[int] = mapped_column(BigInteger)
    serve_mtime_ms: Mapped[Ms]
    recipe: Mapped[str] = mapped_column(String(32))
    status: Mapped[Word] = mapped_column(default="ready")
    status_reason: Mapped[str] = mapped_column(Text, default="")
    created_ms: Mapped[Ms]


class GoldCheck(Base):
    """A pair whose right answer is known."""

    __tablename__ = "gold_checks"
    __table_args__ = (
        UniqueConstraint("campaign_id", "clip_good_id", "clip_bad_id"),
        CheckConstraint("clip_good_id <> clip_bad_id", name="different_clips"),
        one_of(
            "kind",
            "audio_swapped",
            "audio_noise",
            "av_offset",
            "frozen_video",
            "heavy_compression",
            "wrong_item",
            "identical",
        ),
    )

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[int] = mapped_column(Big, ForeignKey("campaigns.id", ondelete="RESTRICT"))
    item_id: Mapped[int] = mapped_column(Big, ForeignKey("items.id", ondelete="RESTRICT"))
    clip_good_id: Mapped[int] = mapped_column(Big, ForeignKey("clips.id", ondelete="RESTRICT"))
    clip_bad_id: Mapped[int] = mapped_column(Big, ForeignKey("clips.id", ondelete="RESTRICT"))
    kind: Mapped[str] = mapped_column(String(24))
    expected: Mapped[JsonObject]
    difficulty: Mapped[float | None]
    active: Mapped[bool] = mapped_column(default=True)
    created_ms: Mapped[Ms]


class Invite(Base):
    __tablename__ = "invites"

    id: Mapped[PrimaryKey]
    campaign_id: Mapped[int] = mapped_column(Big, ForeignKey("campaigns.id", ondelete="RESTRICT"))
    token_hash: Mapped[Hash] = mapped_column(unique=True)
    label: Mapped[str] = mapped_column(Text, default="")
    cohort: Mapped[str] = mapped_column(String(32), default="")
    max_voters: Mapped[int]
    max_votes_per_voter: Mapped[int]
    expires_ms: Mapped[Ms]
    created_by: Mapped[str] = mapped_column(String(64))
    created_ms: Mapped[Ms]
    revoked_ms: Mapped[OptionalMs]


class Voter(Base):
    """A browser that agreed to take part. No name, no e-mail, no address, no user agent."""

    __tablename__ = "voters"
    __table_args__ = (
        one_of("kind", "anonymous", "invited", "login", "simulated"),
        one_of("device", "desktop", "tablet", "mobile", "unknown"),
        one_of("sound", "headphones", "speakers", "none", "unknown"),
        one_of("state", "active", "limited", "blocked"),
        Index(None, "net_hash", "created_ms"),
    )

    id: Mapped[PrimaryKey]
    token_hash: Mapped[Hash] = mapped_column(unique=True)
    kind: Mapped[Word] = mapped_column(default="anonymous")
    login_hash: Mapped[OptionalHash] = mapped_column(unique=True)
    invite_id: Mapped[int | None] = mapped_column(Big, ForeignKey("invites.id", ondelete="RESTRICT"))
    cohort: Mapped[str | None] = mapped_column(String(32))
    ui_language: Mapped[OptionalWord]
    understands: Mapped[list[str] | None] = mapped_column(Json)
    device: Mapped[Word] = mapped_column(default="unknown")
    sound: Mapped[Word] = mapped_column(default="unknown")
    sound_check_ms: Mapped[OptionalMs]
    can_see: Mapped[bool | None]
    can_hear: Mapped[bool | None]
    consent_version: Mapped[OptionalWord]
    consent_ms: Mapped[OptionalMs]
    net_hash: Mapped[OptionalHash]
    net_hash_day: Mapped[int | None]
    state: Mapped[Word] = mapped_column(default="active")
    created_ms: Mapped[Ms]
    last_seen_ms: Mapped[Ms]
    erased_ms: Mapped[OptionalMs]


class NetworkKey(Base):
    """The day's key of network hashes; destroyed after a week, so that older hashes say nothing any more."""

    __tablename__ = "network_keys"

    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[Hash]
