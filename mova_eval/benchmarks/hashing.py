"""Digests of benchmarks: texts and media apart, so that a run with first frames and one without agree on the texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from metrics.errors import UserError
from mova_eval.benchmarks.schema import Item

_MEDIA = {"first_frame", "reference"}


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space; text as it is, without Unicode normalisation. NaN is a ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_item(item: Item) -> bytes:
    """What of an item is hashed: everything but its media, as canonical JSON in UTF-8.

    Raises UserError for text that UTF-8 cannot hold (half of a surrogate pair).
    """
    text = canonical_json(item.model_dump(mode="json", exclude=_MEDIA))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"item {item.id}: a text holds half of a surrogate pair (\\u{ord(text[error.start]):04x}); write the "
            "whole character"
        ) from error


def content_sha256(items: Iterable[Item]) -> str:
    """Hex sha256 over the canonical items, one per line, in the given order."""
    return hashlib.sha256(b"\n".join(canonical_item(item) for item in items)).hexdigest()


def media_sha256(items: Iterable[Item]) -> str:
    """Hex sha256 over the digests of the items' first frames, `id<TAB>digest` a line; items without are left out."""
    lines = (f"{item.id}\t{item.first_frame.sha256}" for item in items if item.first_frame and item.first_frame.sha256)
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()
