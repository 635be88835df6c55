"""Configuration: of the service (TOML file, overridden by ARENA_* variables) and of a campaign (a row of its table)."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from arena.errors import ArenaError

Criterion = Literal["overall", "video", "audio", "sync", "prompt"]
CRITERIA: tuple[Criterion, ...] = ("overall", "video", "audio", "sync", "prompt")
PREFIX = "ARENA_"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Strict):
    """Counted from rows when a battle is served, so that they survive restarts; a watched answer is never refused."""

    voter_hour: int = Field(60, ge=1)
    voter_day: int = Field(150, ge=1)
    voter_campaign: int = Field(400, ge=1)
    network_hour: int = Field(300, ge=1)
    network_new_voters_hour: int = Field(20, ge=1)


class CampaignConfig(_Strict):
    """What one study asks, of whom, and how pairs are chosen."""

    criteria: tuple[Criterion, ...] = CRITERIA
    """Asked questions, overall first."""
    mode: Literal["quick", "detailed"] = "detailed"
    min_watch: float = Field(0.95, ge=0, le=1)
    """Fraction of each clip that must be heard and seen before answering."""
    reveal: Literal["never", "after_close", "after_vote"] = "never"
    gold_every: tuple[int, int] = (8, 12)
    """Length of a block with one gold battle: in the first 24 battles, and later."""
    repeat_every: int = Field(24, ge=0)
    """Own earlier battle again with sides swapped; 0: never."""
    overlap_share: float = Field(0.10, ge=0, le=1)
    panel_cells: int = Field(60, ge=0)
    panel_voters: int = Field(5, ge=1)
    practice: int = Field(3, ge=0)
    limits: Limits = Limits()
    policy: Literal["variance", "uniform", "arena"] = "variance"
    epsilon: float = Field(0.2, ge=0, le=1)
    sharpness: float = Field(2.0, ge=0)
    coverage_floor: int = Field(10, ge=0)
    battle_ttl_min: int = Field(120, ge=1)
    min_votes_listed: int = Field(100, ge=1)
    min_votes_ranked: int = Field(300, ge=1)
    access: Literal["open", "invite", "login"] = "open"
    languages: tuple[Literal["en", "zh"], ...] = ("en", "zh")
    level: bool = True
    transcode: Literal["none", "all", "common"] = "none"
    public_results: bool = True
    max_item_exposure: int = Field(2, ge=1)
    item_gap: int = Field(10, ge=0)
    anchor: str = "mean:1000"
    """`mean:1000` (of the ranked models) or `MODEL:RATING`."""

    @model_validator(mode="after")
    def _overall_is_asked(self) -> CampaignConfig:
        if not self.criteria or self.criteria[0] != "overall":
            raise ValueError("criteria must begin with 'overall'")
        if len(set(self.criteria)) != len(self.criteria):
            raise ValueError("criteria name a question twice")
        if min(self.gold_every) < 4:
            raise ValueError("gold_every needs blocks of at least 4 battles")
        return self


class ArenaConfig(_Strict):
    """One installation. `ArenaConfig.load` reads the file and the environment."""

    database: str = "sqlite:///arena.sqlite"
    media_root: Path = Path("arena-media")
    secret: str = ""
    """Server key of every keyed hash; at least 32 characters in service."""
    cookie_secret: str = ""
    admin_password_hash: str = ""
    """scrypt hash made by `mova-eval arena init`; empty: no password log-in."""
    admin_subjects: tuple[str, ...] = ()
    """OpenID Connect subjects that may open the admin page."""
    public_hosts: tuple[str, ...] = ()
    trusted_proxies: int = Field(0, ge=0)
    """How many forwarding hops, counted from the right of X-Forwarded-For, are our own."""
    media_delegate: Literal["", "x-accel-redirect"] = ""
    i_know: bool = False
    """Accept a database file on a network file system."""
    dev: bool = False
    code_version: str = "unknown"

    @classmethod
    def load(cls, path: Path | None = None, environment: Mapping[str, str] | None = None, **given: Any) -> ArenaConfig:
        """File, then ARENA_* variables, then `given` (None is "not given"). Raises ArenaError for what does not fit."""
        values: dict[str, Any] = {}
        if path is not None:
            values |= _read_toml(path)
        for name, text in (os.environ if environment is None else environment).items():
            field = name.removeprefix(PREFIX).lower()
            if name.startswith(PREFIX) and field in cls.model_fields:
                values[field] = _from_text(field, text)
        values |= {name: value for name, value in given.items() if value is not None}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ArenaError(f"arena configuration: {first_problem(error)}") from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArenaError(f"there is no configuration file {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArenaError(f"{path} does not read as TOML: {error}") from None


def _from_text(field: str, text: str) -> Any:
    if field in {"admin_subjects", "public_hosts"}:
        return tuple(word.strip() for word in text.split(",") if word.strip())
    return text


def first_problem(error: ValidationError) -> str:
    """Where and what, of the first problem of a validation."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "value"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def campaign_config(values: Mapping[str, Any]) -> CampaignConfig:
    """Validate a campaign's configuration; raises ArenaError for the first thing that does not fit."""
    try:
        return CampaignConfig.model_validate(dict(values))
    except ValidationError as error:
        raise ArenaError(f"campaign configuration: {first_problem(error)}") from None
