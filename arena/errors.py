"""The errors of the arena. Each message is one sentence: what, where, what to do."""

from __future__ import annotations


class ArenaError(Exception):
    """A mistake of the operator, or a thing missing on the machine; shown without a traceback."""


class ConvergenceError(ArenaError):
    """A fit that did not reach its maximum."""


class DatabaseUnavailable(ArenaError):
    """The database stayed locked or unreachable; nothing was written, and the same call may be repeated."""


class NotAllowed(ArenaError):
    """An action that this actor may not take."""
