"""Clips as the arena serves them: probing, serving renditions of equal level and shape, tokens, byte ranges."""

from __future__ import annotations

from arena.media.probing import MediaError, MediaFacts, probe
from arena.media.ranges import ByteRange, Unsatisfiable, parse_range
from arena.media.rendition import CommonShape, Recipe, Rendition, make_rendition, rendition_path
from arena.media.tokens import is_token, new_token

__all__ = [
    "ByteRange",
    "CommonShape",
    "MediaError",
    "MediaFacts",
    "Recipe",
    "Rendition",
    "Unsatisfiable",
    "is_token",
    "make_rendition",
    "new_token",
    "parse_range",
    "probe",
    "rendition_path",
]
