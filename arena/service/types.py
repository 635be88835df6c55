"""Values between the services and their callers (pages, commands, the simulator)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from arena.config import CampaignConfig, Criterion

Answer = Literal["left", "right", "tie", "both_bad", "na"]
Choice = Literal["left", "right", "tie", "both_bad"]
SkipReason = Literal["cannot_play", "disturbing", "language", "other"]
BattleKind = Literal["regular", "panel", "gold", "repeat", "practice"]
CampaignStatus = Literal["draft", "open", "paused", "closed"]


@dataclass(frozen=True)
class CampaignView:
    id: int
    slug: str
    title_en: str
    title_zh: str
    status: CampaignStatus
    config: CampaignConfig
    config_version: int
    consent_version: str
    seed: int
    opened_ms: int | None
    closed_ms: int | None


@dataclass(frozen=True)
class VoterView:
    """A voter as the pages know them."""

    id: int
    kind: str
    state: Literal["active", "limited", "blocked"]
    consent_version: str | None
    ui_language: str | None
    understands: tuple[str, ...]
    device: str
    sound: str
    sound_check_ms: int | None
    can_hear: bool | None
    can_see: bool | None
    cohort: str | None
    invite_id: int | None
    created_ms: int


@dataclass(frozen=True)
class BattleView:
    """An open battle, as shown. Holds nothing that tells one model from another."""

    token: str
    campaign: str
    practice: bool
    seq_no: int
    item_id: int
    prompt_en: str | None
    prompt_zh: str | None
    language: str
    first_frame: str | None
    """Path below the media root."""
    media_left: str
    media_right: str
    """Tokens of the media route."""
    duration_left_ms: int
    duration_right_ms: int
    size_left: tuple[int, int]
    size_right: tuple[int, int]
    criteria: tuple[Criterion, ...]
    mode: Literal["quick", "detailed"]
    min_watch: float
    served_ms: int
    expires_ms: int
    warnings: tuple[str, ...] = ()
    """Content flags of the item that are shown before playing, such as "flashing"."""


@dataclass(frozen=True)
class Nothing:
    """There is no battle to show, and why. until_ms: when to come back, for `limit`."""

    reason: Literal["limit", "finished", "draft", "paused", "closed", "blocked", "language"]
    until_ms: int | None = None


@dataclass(frozen=True)
class Telemetry:
    """What the player saw. Fractions in [0, 1]; times in ms; `evidence` is kept as it is."""

    watched_left: float
    watched_right: float
    plays_left: int = 0
    plays_right: int = 0
    first_played: Literal["left", "right"] | None = None
    decide_ms: int | None = None
    hidden_ms: int = 0
    stalled_ms: int = 0
    muted: bool = False
    min_volume: float = 1.0
    viewport_w: int = 0
    viewport_h: int = 0
    fullscreen: bool = False
    input: Literal["mouse", "keyboard", "touch", "api", "unknown"] = "unknown"
    evidence: dict[str, Any] | None = None


@dataclass(frozen=True)
class Recorded:
    """The vote is on disk."""

    vote_id: int
    battle_token: str


@dataclass(frozen=True)
class Already:
    """This battle has an answer. same: it is the one that was given now, so the voter is told "recorded"."""

    same: bool
    choice: Choice


@dataclass(frozen=True)
class Refused:
    """Nothing was written, and why."""

    reason: Literal[
        "unknown", "not_yours", "expired", "closed", "not_watched", "bad_answer", "blocked", "skipped", "too_late"
    ]


VoteOutcome = Recorded | Already | Refused


@dataclass(frozen=True)
class MediaFile:
    """A rendition that this visitor may fetch now."""

    path: Path
    bytes: int
    content_type: str = "video/mp4"


@dataclass(frozen=True)
class MediaRefused:
    status: Literal[403, 404, 410]


@dataclass(frozen=True)
class Rendition:
    """A source clip and the file made from it for serving; what `arena.media` returns and `clips` holds.

    src_*: the source. serve_path: relative to the media root, content-addressed. loudness_lufs: BS.1770 integrated
    loudness of the source, None where it is silent. gain_db: applied. recipe: name and version of the rendition.
    """

    src_sha256: str
    src_bytes: int
    duration_ms: int
    width: int
    height: int
    fps_num: int
    fps_den: int
    video_codec: str
    audio_codec: str
    sample_rate: int
    channels: int
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    gain_db: float
    served_lufs: float | None
    serve_path: str
    serve_sha256: str
    serve_bytes: int
    serve_mtime_ms: int
    recipe: str


@dataclass(frozen=True)
class NewItem:
    """An item to import; `benchmark` and `item_key` identify it."""

    benchmark: str
    item_key: str
    set_name: str = ""
    prompt_en: str | None = None
    prompt_zh: str | None = None
    language: Literal["en", "zh", "other", "none"] = "none"
    category: str = ""
    has_speech: bool = False
    n_speakers: int = 0
    has_visible_source: bool | None = None
    first_frame: Path | None = None
    content_flags: dict[str, Any] = field(default_factory=dict)
    browse: bool = False


@dataclass(frozen=True)
class NewModel:
    """A model to import; `slug` identifies one exact version."""

    slug: str
    display_name: str = ""
    family: str = ""
    organisation: str = ""
    url: str = ""
    licence: str = ""
    is_open: bool = False
    version: str = ""
    role: Literal["contestant", "reference", "gold"] = "contestant"


@dataclass(frozen=True)
class NewClip:
    """A clip to import: `path` is the source file of `model` for (benchmark, item_key)."""

    model: str
    benchmark: str
    item_key: str
    path: Path
    take: int = 0


@dataclass(frozen=True)
class NewScore:
    """What an automatic metric said about a clip of (model, benchmark, item_key)."""

    model: str
    benchmark: str
    item_key: str
    name: str
    value: float
    higher_is_better: bool
    source: str = ""
    protocol: str = "official"


@dataclass(frozen=True)
class ImportReport:
    """Counts of an import, and one sentence for each thing worth a look."""

    added: int
    unchanged: int
    failed: int
    warnings: tuple[str, ...] = ()
