"""All tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from arena.db.rules import install_rules

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("target_type", sa.String(length=32), nullable=False),
        sa.Column("target_id", sa.String(length=128), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("prev_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_log_hash")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("title_zh", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("config", JSON, nullable=False),
        sa.Column("config_version", sa.Integer(), nullable=False),
        sa.Column("consent_version", sa.String(length=16), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('draft', 'open', 'paused', 'closed')", name=op.f("ck_campaigns_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("slug", name=op.f("uq_campaigns_slug")),
    )
    op.create_table(
        "exclusions",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("target_id", BIG, nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("rule_version", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_by", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "scope IN ('vote', 'battle', 'voter', 'clip', 'item', 'model', 'gold_check')",
            name=op.f("ck_exclusions_scope"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exclusions")),
    )
    op.create_index(op.f("ix_exclusions_scope_target_id"), "exclusions", ["scope", "target_id"], unique=False)
    op.create_index(
        "uq_exclusions_in_force",
        "exclusions",
        ["scope", "target_id", "rule"],
        unique=True,
        sqlite_where=sa.text("revoked_ms IS NULL"),
        postgresql_where=sa.text("revoked_ms IS NULL"),
    )
    op.create_table(
        "items",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("benchmark", sa.String(length=64), nullable=False),
        sa.Column("set_name", sa.String(length=64), nullable=False),
        sa.Column("item_key", sa.String(length=128), nullable=False),
        sa.Column("prompt_en", sa.Text(), nullable=True),
        sa.Column("prompt_zh", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("has_speech", sa.Boolean(), nullable=False),
        sa.Column("n_speakers", sa.SmallInteger(), nullable=False),
        sa.Column("has_visible_source", sa.Boolean(), nullable=True),
        sa.Column("first_frame_sha256", sa.String(length=64), nullable=True),
        sa.Column("first_frame_path", sa.Text(), nullable=True),
        sa.Column("content_flags", JSON, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("browse", sa.Boolean(), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.CheckConstraint("language IN ('en', 'zh', 'other', 'none')", name=op.f("ck_items_language")),
        sa.CheckConstraint("status IN ('active', 'paused', 'withdrawn')", name=op.f("ck_items_status")),
        sa.CheckConstraint("prompt_en IS NOT NULL OR prompt_zh IS NOT NULL", name=op.f("ck_items_prompt")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
        sa.UniqueConstraint("benchmark", "item_key", name=op.f("uq_items_benchmark_item_key")),
    )
    op.create_index(op.f("ix_items_category"), "items", ["category"], unique=False)
    op.create_index(op.f("ix_items_set_name"), "items", ["set_name"], unique=False)
    op.create_table(
        "network_keys",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_network_keys")),
    )
    op.create_table(
        "models",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("family", sa.String(length=80), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("retired_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("role IN ('contestant', 'reference', 'gold')", name=op.f("ck_models_role")),
        sa.CheckConstraint("status IN ('active', 'paused', 'retired')", name=op.f("ck_models_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("slug", name=op.f("uq_models_slug")),
    )
    op.create_table(
        "campaign_items",
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("in_panel", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_items_campaign_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_campaign_items_item_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("campaign_id", "item_id", name=op.f("pk_campaign_items")),
    )
    op.create_table(
        "campaign_models",
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("model_id", BIG, nullable=False),
        sa.Column("joined_ms", sa.BigInteger(), nullable=False),
        sa.Column("left_ms", sa.BigInteger(), nullable=True),
        sa.Column("declared_private", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_models_campaign_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_campaign_models_model_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("campaign_id", "model_id", name=op.f("pk_campaign_models")),
    )
    op.create_table(
        "panel_cells",
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("model_lo_id", BIG, nullable=False),
        sa.Column("model_hi_id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_panel_cells_campaign_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_panel_cells_item_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["model_hi_id"], ["models.id"], name=op.f("fk_panel_cells_model_hi_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["model_lo_id"], ["models.id"], name=op.f("fk_panel_cells_model_lo_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("campaign_id", "model_lo_id", "model_hi_id", "item_id", name=op.f("pk_panel_cells")),
    )
    op.create_table(
        "clips",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("model_id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("take", sa.SmallInteger(), nullable=False),
        sa.Column("src_sha256", sa.String(length=64), nullable=False),
        sa.Column("src_uri", sa.Text(), nullable=False),
        sa.Column("src_bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("fps_num", sa.Integer(), nullable=False),
        sa.Column("fps_den", sa.Integer(), nullable=False),
        sa.Column("video_codec", sa.String(length=16), nullable=False),
        sa.Column("audio_codec", sa.String(length=16), nullable=False),
        sa.Column("sample_rate", sa.Integer(), nullable=False),
        sa.Column("channels", sa.SmallInteger(), nullable=False),
        sa.Column("loudness_lufs", sa.Double(), nullable=True),
        sa.Column("true_peak_dbtp", sa.Double(), nullable=True),
        sa.Column("gain_db", sa.Double(), nullable=False),
        sa.Column("served_lufs", sa.Double(), nullable=True),
        sa.Column("serve_path", sa.Text(), nullable=False),
        sa.Column("serve_sha256", sa.String(length=64), nullable=False),
        sa.Column("serve_bytes", sa.BigInteger(), nullable=False),
        sa.Column("serve_mtime_ms", sa.BigInteger(), nullable=False),
        sa.Column("recipe", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('ready', 'missing', 'broken', 'withdrawn')", name=op.f("ck_clips_status")),
        sa.CheckConstraint("duration_ms > 0", name=op.f("ck_clips_duration_ms")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_clips_item_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_clips_model_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clips")),
        sa.UniqueConstraint("model_id", "item_id", "take", name=op.f("uq_clips_model_id_item_id_take")),
    )
    op.create_index(op.f("ix_clips_item_id_status"), "clips", ["item_id", "status"], unique=False)
    op.create_index(op.f("ix_clips_model_id_status"), "clips", ["model_id", "status"], unique=False)
    op.create_index(op.f("ix_clips_src_sha256"), "clips", ["src_sha256"], unique=False)
    op.create_table(
        "invites",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("cohort", sa.String(length=32), nullable=False),
        sa.Column("max_voters", sa.Integer(), nullable=False),
        sa.Column("max_votes_per_voter", sa.Integer(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_invites_campaign_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invites")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invites_token_hash")),
    )
    op.create_table(
        "rating_snapshots",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("criterion", sa.String(length=16), nullable=False),
        sa.Column("filter", JSON, nullable=False),
        sa.Column("method", sa.String(length=24), nullable=False),
        sa.Column("params", JSON, nullable=False),
        sa.Column("n_votes", sa.Integer(), nullable=False),
        sa.Column("n_excluded", sa.Integer(), nullable=False),
        sa.Column("n_voters", sa.Integer(), nullable=False),
        sa.Column("eff_voters", sa.REAL(), nullable=False),
        sa.Column("n_items", sa.Integer(), nullable=False),
        sa.Column("last_vote_id", sa.BigInteger(), nullable=False),
        sa.Column("data_sha256", sa.String(length=64), nullable=False),
        sa.Column("code_version", sa.String(length=40), nullable=False),
        sa.Column("fit", JSON, nullable=False),
        sa.Column("computed_ms", sa.BigInteger(), nullable=False),
        sa.Column("wall_ms", sa.Integer(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_rating_snapshots_campaign_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rating_snapshots")),
    )
    op.create_index(
        op.f("ix_rating_snapshots_campaign_id_criterion_computed_ms"),
        "rating_snapshots",
        ["campaign_id", "criterion", "computed_ms"],
        unique=False,
    )
    op.create_table(
        "external_scores",
        sa.Column("clip_id", BIG, nullable=False),
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("higher_is_better", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["clip_id"], ["clips.id"], name=op.f("fk_external_scores_clip_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("clip_id", "name", "source", "protocol", name=op.f("pk_external_scores")),
    )
    op.create_table(
        "gold_checks",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("clip_good_id", BIG, nullable=False),
        sa.Column("clip_bad_id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("expected", JSON, nullable=False),
        sa.Column("difficulty", sa.Double(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('audio_swapped', 'audio_noise', 'av_offset', 'frozen_video', 'heavy_compression', 'wrong_item', 'identical')",  # noqa: E501
            name=op.f("ck_gold_checks_kind"),
        ),
        sa.CheckConstraint("clip_good_id <> clip_bad_id", name=op.f("ck_gold_checks_different_clips")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_gold_checks_campaign_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["clip_bad_id"], ["clips.id"], name=op.f("fk_gold_checks_clip_bad_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["clip_good_id"], ["clips.id"], name=op.f("fk_gold_checks_clip_good_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_gold_checks_item_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gold_checks")),
        sa.UniqueConstraint(
            "campaign_id",
            "clip_good_id",
            "clip_bad_id",
            name=op.f("uq_gold_checks_campaign_id_clip_good_id_clip_bad_id"),
        ),
    )
    op.create_table(
        "rating_pairs",
        sa.Column("snapshot_id", BIG, nullable=False),
        sa.Column("model_lo_id", BIG, nullable=False),
        sa.Column("model_hi_id", BIG, nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("lo_wins", sa.Integer(), nullable=False),
        sa.Column("ties", sa.Integer(), nullable=False),
        sa.Column("hi_wins", sa.Integer(), nullable=False),
        sa.Column("both_bad", sa.Integer(), nullable=False),
        sa.Column("diff", sa.Double(), nullable=True),
        sa.Column("diff_lo", sa.Double(), nullable=True),
        sa.Column("diff_hi", sa.Double(), nullable=True),
        sa.Column("p_head_to_head", sa.Double(), nullable=True),
        sa.Column("p_model", sa.Double(), nullable=True),
        sa.Column("p_holm", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_hi_id"], ["models.id"], name=op.f("fk_rating_pairs_model_hi_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["model_lo_id"], ["models.id"], name=op.f("fk_rating_pairs_model_lo_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["rating_snapshots.id"], name=op.f("fk_rating_pairs_snapshot_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("snapshot_id", "model_lo_id", "model_hi_id", name=op.f("pk_rating_pairs")),
    )
    op.create_table(
        "rating_rows",
        sa.Column("snapshot_id", BIG, nullable=False),
        sa.Column("model_id", BIG, nullable=False),
        sa.Column("rating", sa.Double(), nullable=True),
        sa.Column("se", sa.Double(), nullable=True),
        sa.Column("lo", sa.Double(), nullable=True),
        sa.Column("hi", sa.Double(), nullable=True),
        sa.Column("lo_iid", sa.Double(), nullable=True),
        sa.Column("hi_iid", sa.Double(), nullable=True),
        sa.Column("rank_best", sa.Integer(), nullable=True),
        sa.Column("rank_worst", sa.Integer(), nullable=True),
        sa.Column("rank_ub", sa.Integer(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("wins", sa.Integer(), nullable=False),
        sa.Column("ties", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("both_bad", sa.Integer(), nullable=False),
        sa.Column("left_share", sa.Double(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "state IN ('ranked', 'preliminary', 'unlisted', 'retired')", name=op.f("ck_rating_rows_state")
        ),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_rating_rows_model_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["rating_snapshots.id"], name=op.f("fk_rating_rows_snapshot_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("snapshot_id", "model_id", name=op.f("pk_rating_rows")),
    )
    op.create_table(
        "voters",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("login_hash", sa.String(length=64), nullable=True),
        sa.Column("invite_id", BIG, nullable=True),
        sa.Column("cohort", sa.String(length=32), nullable=True),
        sa.Column("ui_language", sa.String(length=16), nullable=True),
        sa.Column("understands", JSON, nullable=True),
        sa.Column("device", sa.String(length=16), nullable=False),
        sa.Column("sound", sa.String(length=16), nullable=False),
        sa.Column("sound_check_ms", sa.BigInteger(), nullable=True),
        sa.Column("can_see", sa.Boolean(), nullable=True),
        sa.Column("can_hear", sa.Boolean(), nullable=True),
        sa.Column("consent_version", sa.String(length=16), nullable=True),
        sa.Column("consent_ms", sa.BigInteger(), nullable=True),
        sa.Column("net_hash", sa.String(length=64), nullable=True),
        sa.Column("net_hash_day", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("erased_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("device IN ('desktop', 'tablet', 'mobile', 'unknown')", name=op.f("ck_voters_device")),
        sa.CheckConstraint("kind IN ('anonymous', 'invited', 'login', 'simulated')", name=op.f("ck_voters_kind")),
        sa.CheckConstraint("sound IN ('headphones', 'speakers', 'none', 'unknown')", name=op.f("ck_voters_sound")),
        sa.CheckConstraint("state IN ('active', 'limited', 'blocked')", name=op.f("ck_voters_state")),
        sa.ForeignKeyConstraint(["invite_id"], ["invites.id"], name=op.f("fk_voters_invite_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voters")),
        sa.UniqueConstraint("login_hash", name=op.f("uq_voters_login_hash")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_voters_token_hash")),
    )
    op.create_index(op.f("ix_voters_net_hash_created_ms"), "voters", ["net_hash", "created_ms"], unique=False)
    op.create_table(
        "battles",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("token", sa.String(length=26), nullable=False),
        sa.Column("campaign_id", BIG, nullable=False),
        sa.Column("voter_id", BIG, nullable=False),
        sa.Column("seq_no", sa.Integer(), nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("clip_left_id", BIG, nullable=False),
        sa.Column("clip_right_id", BIG, nullable=False),
        sa.Column("model_lo_id", BIG, nullable=False),
        sa.Column("model_hi_id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("gold_check_id", BIG, nullable=True),
        sa.Column("repeat_of_id", BIG, nullable=True),
        sa.Column("repeat_no", sa.SmallInteger(), nullable=False),
        sa.Column("policy", sa.String(length=24), nullable=False),
        sa.Column("policy_version", sa.SmallInteger(), nullable=False),
        sa.Column("p_pair", sa.Double(), nullable=False),
        sa.Column("rng_seed", sa.BigInteger(), nullable=False),
        sa.Column("media_left", sa.String(length=26), nullable=False),
        sa.Column("media_right", sa.String(length=26), nullable=False),
        sa.Column("served_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("skip_reason", sa.String(length=16), nullable=True),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(kind = 'gold') = (gold_check_id IS NOT NULL)", name=op.f("ck_battles_gold_check")),
        sa.CheckConstraint("(status = 'served') = (closed_ms IS NULL)", name=op.f("ck_battles_closed_ms")),
        sa.CheckConstraint("kind IN ('regular', 'panel', 'gold', 'repeat', 'practice')", name=op.f("ck_battles_kind")),
        sa.CheckConstraint(
            "skip_reason IS NULL OR skip_reason IN ('cannot_play', 'disturbing', 'language', 'other')",
            name=op.f("ck_battles_skip_reason"),
        ),
        sa.CheckConstraint(
            "status IN ('served', 'voted', 'skipped', 'expired', 'void')", name=op.f("ck_battles_status")
        ),
        sa.CheckConstraint("clip_left_id <> clip_right_id", name=op.f("ck_battles_different_clips")),
        sa.CheckConstraint("model_lo_id < model_hi_id", name=op.f("ck_battles_model_order")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_battles_campaign_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["clip_left_id"], ["clips.id"], name=op.f("fk_battles_clip_left_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["clip_right_id"], ["clips.id"], name=op.f("fk_battles_clip_right_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["gold_check_id"], ["gold_checks.id"], name=op.f("fk_battles_gold_check_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_battles_item_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["model_hi_id"], ["models.id"], name=op.f("fk_battles_model_hi_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["model_lo_id"], ["models.id"], name=op.f("fk_battles_model_lo_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["repeat_of_id"], ["battles.id"], name=op.f("fk_battles_repeat_of_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["voter_id"], ["voters.id"], name=op.f("fk_battles_voter_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_battles")),
        sa.UniqueConstraint(
            "campaign_id", "voter_id", "item_id", "model_lo_id", "model_hi_id", "repeat_no", name="uq_battles_no_repeat"
        ),
        sa.UniqueConstraint("campaign_id", "voter_id", "seq_no", name=op.f("uq_battles_campaign_id_voter_id_seq_no")),
        sa.UniqueConstraint("media_left", name=op.f("uq_battles_media_left")),
        sa.UniqueConstraint("media_right", name=op.f("uq_battles_media_right")),
        sa.UniqueConstraint("token", name=op.f("uq_battles_token")),
    )
    op.create_index(
        op.f("ix_battles_campaign_id_status_served_ms"), "battles", ["campaign_id", "status", "served_ms"], unique=False
    )
    op.create_index(
        "ix_battles_cell",
        "battles",
        ["campaign_id", "model_lo_id", "model_hi_id", "item_id", "status", "kind"],
        unique=False,
    )
    op.create_index(op.f("ix_battles_voter_id_served_ms"), "battles", ["voter_id", "served_ms"], unique=False)
    op.create_index(
        "uq_battles_one_open",
        "battles",
        ["campaign_id", "voter_id"],
        unique=True,
        sqlite_where=sa.text("status = 'served'"),
        postgresql_where=sa.text("status = 'served'"),
    )
    op.create_table(
        "votes",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("battle_id", BIG, nullable=False),
        sa.Column("choice", sa.String(length=16), nullable=False),
        sa.Column("voted_ms", sa.BigInteger(), nullable=False),
        sa.Column("server_elapsed_ms", sa.Integer(), nullable=False),
        sa.Column("decide_ms", sa.Integer(), nullable=True),
        sa.Column("watched_left", sa.REAL(), nullable=False),
        sa.Column("watched_right", sa.REAL(), nullable=False),
        sa.Column("plays_left", sa.SmallInteger(), nullable=False),
        sa.Column("plays_right", sa.SmallInteger(), nullable=False),
        sa.Column("first_played", sa.String(length=16), nullable=True),
        sa.Column("hidden_ms", sa.Integer(), nullable=False),
        sa.Column("stalled_ms", sa.Integer(), nullable=False),
        sa.Column("muted", sa.Boolean(), nullable=False),
        sa.Column("min_volume", sa.REAL(), nullable=False),
        sa.Column("viewport_w", sa.SmallInteger(), nullable=False),
        sa.Column("viewport_h", sa.SmallInteger(), nullable=False),
        sa.Column("fullscreen", sa.Boolean(), nullable=False),
        sa.Column("input", sa.String(length=16), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("evidence", JSON, nullable=True),
        sa.Column("code_version", sa.String(length=40), nullable=False),
        sa.CheckConstraint("choice IN ('left', 'right', 'tie', 'both_bad')", name=op.f("ck_votes_choice")),
        sa.CheckConstraint(
            "first_played IS NULL OR first_played IN ('left', 'right')", name=op.f("ck_votes_first_played")
        ),
        sa.CheckConstraint("input IN ('mouse', 'keyboard', 'touch', 'api', 'unknown')", name=op.f("ck_votes_input")),
        sa.CheckConstraint("mode IN ('quick', 'detailed')", name=op.f("ck_votes_mode")),
        sa.CheckConstraint("watched_left >= 0 AND watched_left <= 1", name=op.f("ck_votes_watched_left")),
        sa.CheckConstraint("watched_right >= 0 AND watched_right <= 1", name=op.f("ck_votes_watched_right")),
        sa.ForeignKeyConstraint(["battle_id"], ["battles.id"], name=op.f("fk_votes_battle_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_votes")),
        sa.UniqueConstraint("battle_id", name=op.f("uq_votes_battle_id")),
    )
    op.create_index(op.f("ix_votes_voted_ms"), "votes", ["voted_ms"], unique=False)
    op.create_table(
        "vote_answers",
        sa.Column("vote_id", BIG, nullable=False),
        sa.Column("criterion", sa.String(length=16), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.CheckConstraint("answer IN ('left', 'right', 'tie', 'both_bad', 'na')", name=op.f("ck_vote_answers_answer")),
        sa.CheckConstraint("criterion IN ('video', 'audio', 'sync', 'prompt')", name=op.f("ck_vote_answers_criterion")),
        sa.ForeignKeyConstraint(["vote_id"], ["votes.id"], name=op.f("fk_vote_answers_vote_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("vote_id", "criterion", name=op.f("pk_vote_answers")),
    )
    install_rules(op.get_bind())
