"""The errors that a person can do something about. Each message is one sentence: what, where, what to do."""

from __future__ import annotations


class UserError(Exception):
    """A mistake of the user, or a thing missing on the machine; shown without a traceback."""


class MissingCheckpoint(UserError):
    """A checkpoint, or a part of it, that is not on this machine."""


class UnsupportedCheckpoint(UserError):
    """A checkpoint whose configuration or tensors are not those of a model that this package implements."""


class NotFinite(UserError):
    """NaN or infinity in the latents. `step` is the 0-based step after which they were found."""

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class Cancelled(Exception):
    """The caller asked to stop. `step` is the number of steps done; with a checkpoint they are kept."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped after step {step}, as asked")
        self.step = step
