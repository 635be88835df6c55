"""Checks of options that several metrics with networks have."""

from __future__ import annotations

from metrics.errors import UserError


def check_seconds(metric: str, seconds: object) -> None:
    """Raise UserError unless `seconds` is None or a number above 0.1."""
    if seconds is None or (isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0.1):
        return
    raise UserError(f"metric {metric}: seconds is {seconds!r}, give the nominal length of the clips in seconds")
