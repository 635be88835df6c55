"""Opaque names: 128 random bits that say nothing about what they stand for."""

from __future__ import annotations

import base64
import re
import secrets

_TOKEN = re.compile(r"[A-Z2-7]{26}")


def new_token() -> str:
    """128 bits from the system's generator, as 26 characters of base32 without padding."""
    return base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=")


def is_token(text: str) -> bool:
    """Whether a text has the shape of a token; anything else need not be looked up at all."""
    return _TOKEN.fullmatch(text) is not None
