"""Who may open the admin page: a password whose hash is in the environment, or named subjects of OpenID Connect."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections import deque

from arena.clock import MINUTE_MS
from arena.config import ArenaConfig
from arena.context import Arena
from arena.errors import NotAllowed
from arena.passwords import verify_password
from arena.service import audit
from arena.tokens import keyed_hash
from arena.web.cookies import ADMIN_MAX_AGE
from arena.web.site import Site

TRIES, WINDOW_MS = 5, 15 * MINUTE_MS
ACTOR = "admin"


class Tries:
    """At most five wrong passwords per address, and fifty from everywhere, in fifteen minutes; kept in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, deque[int]] = {}

    def take(self, address: str, now_ms: int) -> bool:
        """Count an attempt; False when there have been too many."""
        with self._lock:
            self._times = {a: t for a, t in self._times.items() if t and t[-1] > now_ms - WINDOW_MS}
            everywhere = self._times.setdefault("", deque(maxlen=10 * TRIES))
            own = self._times.setdefault(address, deque(maxlen=TRIES))
            for times in (own, everywhere):
                if len(times) == times.maxlen and times[0] > now_ms - WINDOW_MS:
                    return False
            own.append(now_ms)
            if own is not everywhere:
                everywhere.append(now_ms)
            return True

    def forgive(self, address: str) -> None:
        """The right password was given."""
        with self._lock:
            self._times.pop(address, None)


def log_in(arena: Arena, password: str) -> str | None:
    """A signed, dated cookie for the right password; None for a wrong one. Both are audited."""
    right = bool(arena.config.admin_password_hash) and verify_password(password, arena.config.admin_password_hash)
    audit.record(arena, ACTOR, "login" if right else "login_failed", ("admin", "password"))
    if not right:
        return None
    text = f"{arena.clock.now_ms() + 1000 * ADMIN_MAX_AGE}.{secrets.token_hex(8)}"
    return f"{text}.{_signature(arena.config, text)}"


def cookie_holds(arena: Arena, cookie: str | None) -> bool:
    """Whether a cookie was made by `log_in` under the present password and has not run out."""
    if not cookie or len(cookie) > 200 or not arena.config.admin_password_hash:
        return False
    text, _, signature = cookie.rpartition(".")
    until = text.partition(".")[0]
    if not hmac.compare_digest(signature.encode(), _signature(arena.config, text).encode()):
        return False
    return until.isdecimal() and int(until) > arena.clock.now_ms()


def _signature(config: ArenaConfig, text: str) -> str:
    """A new password hash ends all sessions."""
    return keyed_hash(config.secret, "admin", config.admin_password_hash, text)


def is_admin(site: Site) -> bool:
    """Whether this visitor is an administrator."""
    return cookie_holds(site.arena, site.admin_cookie()) or _named(site)


def _named(site: Site) -> bool:
    subjects = site.arena.config.admin_subjects
    if not subjects:
        return False
    import streamlit as st

    return bool(st.user.is_logged_in) and str(st.user.get("sub", "")) in subjects


def require(site: Site) -> str:
    """The actor's name for the audit log. Raises NotAllowed for anybody else; every action asks again."""
    if not is_admin(site):
        raise NotAllowed("this needs an administrator: log in again")
    return ACTOR
