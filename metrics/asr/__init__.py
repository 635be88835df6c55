"""Speech recognition behind the speech metrics: one small interface, several back ends, named by a short string."""

from __future__ import annotations

from metrics.asr.base import AsrFailure, Segment, Transcriber, Transcript
from metrics.asr.specs import transcriber

__all__ = ["AsrFailure", "Segment", "Transcriber", "Transcript", "transcriber"]
