"""Tokens and the keyed hashes under which the database knows them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable

import numpy as np

TokenSource = Callable[[int], bytes]
"""Number of bytes -> that many random bytes; `secrets.token_bytes` in service, seeded in simulations."""

TOKEN_LENGTH = 26


def new_token(source: TokenSource = secrets.token_bytes) -> str:
    """128 random bits in base32 without padding, lower case: 26 characters."""
    return base64.b32encode(source(16)).decode().rstrip("=").lower()


def new_cookie(source: TokenSource = secrets.token_bytes) -> str:
    """The voter's cookie: 192 random bits, URL-safe, 32 characters."""
    return base64.urlsafe_b64encode(source(24)).decode()


def seeded_source(seed: int) -> TokenSource:
    """Reproducible bytes, for simulations only."""
    return np.random.default_rng(seed).bytes


def keyed_hash(key: str, *parts: str) -> str:
    """HMAC-SHA256 of the parts under the server's key, as 64 hexadecimal digits."""
    return hmac.new(key.encode(), "\0".join(parts).encode(), hashlib.sha256).hexdigest()


def well_formed(token: str) -> bool:
    """Whether a text has the shape of a token; anything else never reaches the database."""
    return len(token) == TOKEN_LENGTH and token.isascii() and token.isalnum()
