"""Clips as the arena serves them: probing, serving renditions of equal level and shape, byte ranges."""

from __future__ import annotations

from arena.media.probing import MediaError, MediaFacts, probe
from arena.media.ranges import ByteRange, Unsatisfiable, parse_range
from arena.media.rendition import CommonShape, Recipe, make_rendition, renderer, rendition_path

__all__ = [
    "ByteRange",
    "CommonShape",
    "MediaError",
    "MediaFacts",
    "Recipe",
    "Unsatisfiable",
    "make_rendition",
    "parse_range",
    "probe",
    "renderer",
    "rendition_path",
]
