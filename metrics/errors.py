"""The errors that a person can do something about. Each message is one sentence: what, where, what to do."""

from __future__ import annotations


class UserError(Exception):
    """A mistake of the user, or a thing missing on the machine; shown without a traceback."""


class ClipError(UserError):
    """A file that cannot give what was asked of it.

    code: short stable slug for grouping, one of "unreadable", "not_media", "truncated", "no_audio_stream",
        "no_video_stream", "empty_audio", "empty_video", "undecodable_audio", "undecodable_video",
        "audio_not_finite", "too_large".
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[ClipError], tuple[str, str]]:
        return (type(self), (self.code, self.reason))


class NotApplicable(Exception):
    """Raised inside a metric when it has no meaning for this clip; becomes a *not applicable* measurement."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[NotApplicable], tuple[str, str]]:
        return (type(self), (self.code, self.reason))


class MissingWeights(UserError):
    """A weights file that is not on this machine; the message says how to get it."""


class MissingPackage(UserError):
    """An optional package that is not installed; the message says what to install."""
