"""The administrator's password: only a scrypt hash of it is kept, in the environment of the service."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from arena.errors import ArenaError

_N, _R, _P = 1 << 15, 8, 1
_MEMORY = 64 * 1024 * 1024
MIN_LENGTH = 12


def hash_password(password: str) -> str:
    """`scrypt:N:r:p:salt:hash` for ARENA_ADMIN_PASSWORD_HASH. Raises ArenaError for a password that is too short."""
    if len(password) < MIN_LENGTH:
        raise ArenaError(f"the administrator's password needs at least {MIN_LENGTH} characters")
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY)
    return ":".join(["scrypt", str(_N), str(_R), str(_P), _text(salt), _text(digest)])


def verify_password(password: str, stored: str) -> bool:
    """Whether a password is the one that was hashed. Raises ArenaError for a stored text that is no such hash."""
    try:
        kind, n, r, p, salt, digest = stored.split(":")
        if kind != "scrypt":
            raise ValueError(kind)
        wanted = base64.urlsafe_b64decode(digest)
        found = hashlib.scrypt(
            password.encode(), salt=base64.urlsafe_b64decode(salt), n=int(n), r=int(r), p=int(p), maxmem=_MEMORY
        )
    except ValueError as error:
        raise ArenaError("ARENA_ADMIN_PASSWORD_HASH is no scrypt hash; mova-eval arena init makes one") from error
    return hmac.compare_digest(found, wanted)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()
