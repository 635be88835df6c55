"""The one cookie of a voter, and how requests and pages read it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import HTTPConnection
from starlette.responses import Response

from arena.config import ArenaConfig

PLAIN, SECURE = "arena_voter", "__Host-arena_voter"
ADMIN_PLAIN, ADMIN_SECURE = "arena_admin", "__Host-arena_admin"
MAX_AGE = 180 * 24 * 3600
ADMIN_MAX_AGE = 12 * 3600


def is_secure(request: HTTPConnection, config: ArenaConfig) -> bool:
    """Whether the visitor's connection is encrypted, as far as we or our own proxy know."""
    if request.url.scheme in {"https", "wss"}:
        return True
    forwarded = request.headers.get("x-forwarded-proto", "")
    return config.trusted_proxies > 0 and forwarded.split(",")[-1].strip().lower() == "https"


def voter_cookie(cookies: Mapping[str, str]) -> str | None:
    """The voter's secret; the cookie that only an encrypted connection can set goes first."""
    return cookies.get(SECURE) or cookies.get(PLAIN)


def admin_cookie(cookies: Mapping[str, str]) -> str | None:
    return cookies.get(ADMIN_SECURE) or cookies.get(ADMIN_PLAIN)


def cookie_of_context() -> str | None:
    """The voter's secret of the running page."""
    import streamlit as st

    return voter_cookie(st.context.cookies)


def admin_cookie_of_context() -> str | None:
    """The administrator's secret of the running page."""
    import streamlit as st

    return admin_cookie(st.context.cookies)


def set_cookie(response: Response, names: tuple[str, str], value: str, *, secure: bool, max_age: int) -> None:
    """names: (plain, under TLS)."""
    response.set_cookie(
        names[1] if secure else names[0],
        value,
        max_age=max_age,
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict" if names[0] == ADMIN_PLAIN else "lax",
    )


def drop_cookie(response: Response, names: tuple[str, str]) -> None:
    for name in names:
        response.set_cookie(name, "", max_age=0, path="/", secure=name.startswith("__Host-"), httponly=True)
