"""Values of boards, browsing and administration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

ModelState = Literal["ranked", "preliminary", "unlisted", "retired"]


@dataclass(frozen=True)
class BoardRow:
    """One model of a board. Ratings are None where the votes say nothing; limits may be infinite (never lost).

    lo, hi: 95%, clustered by voter and item. lo_iid, hi_iid: as if votes were independent. wins .. both_bad: counts of
    n. left_share: share of its battles in which it was on the left. battle_share: of all judgements that count.
    """

    model: str
    display_name: str
    organisation: str
    url: str
    licence: str
    is_open: bool
    state: ModelState
    state_reason: str
    joined_ms: int | None
    retired_ms: int | None
    rating: float | None
    se: float | None
    lo: float | None
    hi: float | None
    lo_iid: float | None
    hi_iid: float | None
    rank_best: int | None
    rank_worst: int | None
    rank_ub: int | None
    n: int
    wins: int
    ties: int
    losses: int
    both_bad: int
    left_share: float | None
    battle_share: float
    votes_missing: int
    """Until the model is listed; 0 when it is."""

    @property
    def rank(self) -> str:
        """ "1", "1-2", or "" for a model without a rank."""
        if self.rank_best is None:
            return ""
        return str(self.rank_best) if self.rank_best == self.rank_worst else f"{self.rank_best}-{self.rank_worst}"


@dataclass(frozen=True)
class BoardPair:
    """Two models, `lo` the one with the lower id. diff: rating of lo over hi in Elo with its 95% interval.

    p_head_to_head: permutation over their own battles; p_model: Wald test on all data; p_holm: p_model after Holm.
    """

    lo: str
    hi: str
    n: int
    lo_wins: int
    ties: int
    hi_wins: int
    both_bad: int
    diff: float | None
    diff_lo: float | None
    diff_hi: float | None
    p_head_to_head: float | None
    p_model: float | None
    p_holm: float | None


@dataclass(frozen=True)
class Board:
    """A snapshot of ratings, ready to show: rows best first.

    fit: keys `notes` (sentences), `connected`, `log_likelihood`, `tie_parameter`, `lack_of_fit_p`, `left_share`,
    `left_lo`, `left_hi`, `left_bias_p`, `robustness` (votes, voters, sentence), `convergence` (rows of n, ratings, half
    widths), `alpha` (agreement on the panel, with interval), `adjusted` (contextual fit), `deff`, `elo_online` (for
    comparability: rating, lo, hi per model).
    """

    snapshot_id: int
    campaign: str
    criterion: str
    filter: dict[str, Any]
    method: str
    params: dict[str, Any]
    anchor: str
    n_votes: int
    n_excluded: int
    n_voters: int
    eff_voters: float
    n_items: int
    data_sha256: str
    code_version: str
    computed_ms: int
    wall_ms: int
    published: bool
    simulated: bool
    fit: dict[str, Any]
    rows: tuple[BoardRow, ...]
    pairs: tuple[BoardPair, ...]


@dataclass(frozen=True)
class SnapshotInfo:
    id: int
    criterion: str
    filter: dict[str, Any]
    method: str
    n_votes: int
    n_excluded: int
    computed_ms: int
    published: bool


@dataclass(frozen=True)
class Progress:
    """Counts that may be shown before there is a ranking."""

    votes: int
    voters: int
    battles: int
    items_with_votes: int
    items: int
    models: int


@dataclass(frozen=True)
class FairPlay:
    """What a reader needs to trust a board.

    hidden_models: tested and not shown by name. exclusions: rule -> judgements it keeps out. changes: audited changes
    of policy and configuration (at_ms, action, detail), the newest first.
    """

    hidden_models: int
    exclusions: dict[str, int]
    battle_shares: dict[str, float]
    changes: tuple[tuple[int, str, dict[str, Any]], ...]
    retired: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class BrowseItem:
    id: int
    benchmark: str
    item_key: str
    set_name: str
    category: str
    language: str
    prompt_en: str | None
    prompt_zh: str | None
    first_frame: str | None
    clips: int


@dataclass(frozen=True)
class BrowseClip:
    """A clip shown by name. won, tied, lost: of this clip's judgements. scores: metric -> (value, higher is better)."""

    clip_id: int
    model: str
    display_name: str
    serve_path: str | None
    """Below the media root; None when the file is missing."""
    duration_ms: int
    width: int
    height: int
    won: int
    tied: int
    lost: int
    scores: dict[str, tuple[float, bool]]


@dataclass(frozen=True)
class BrowsePage:
    item: BrowseItem
    clips: tuple[BrowseClip, ...]


@dataclass(frozen=True)
class Health:
    """State of the installation, for the admin page and /healthz."""

    database: str
    writable: bool
    revision_right: bool
    media_readable: bool
    database_bytes: int | None
    wal_bytes: int | None
    open_battles: int
    votes_last_hour: int
    votes_last_day: int
    voters_last_day: int
    missing_clips: int
    median_vote_s: float | None
    """From serving to vote, last day."""


@dataclass(frozen=True)
class VoterRow:
    """A voter as the admin page lists them: numbers and test results, nothing that names a person.

    p: combined p-value of the integrity tests, None with fewer than 12 votes or before the first sweep.
    """

    id: int
    kind: str
    cohort: str | None
    state: str
    device: str
    votes: int
    gold_failed: int
    gold_seen: int
    left_share: float | None
    median_s: float | None
    last_seen_ms: int
    excluded: bool


@dataclass(frozen=True)
class VoterFlag:
    """A voter whose answers the tests find unlikely. p: test name -> p-value. q: after Benjamini-Hochberg.

    automatic: excluded by rule; otherwise a person decides.
    """

    voter_id: int
    votes: int
    p: dict[str, float]
    combined: float
    q: float
    favoured: str | None
    reasons: tuple[str, ...]
    automatic: bool


@dataclass(frozen=True)
class GoldView:
    id: int
    kind: str
    item_key: str
    benchmark: str
    active: bool
    expected: dict[str, Any]
    seen: int
    passed: float
    difficulty: float | None


@dataclass(frozen=True)
class MyData:
    """What is stored about a voter, for that voter."""

    voter: dict[str, Any]
    battles: int
    votes: tuple[dict[str, Any], ...]
