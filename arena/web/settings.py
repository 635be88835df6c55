"""Settings of the web framework that the service depends on: set in code, refused when something else was asked for."""

from __future__ import annotations

from typing import Any

from arena.config import ArenaConfig
from arena.errors import ArenaError

FIXED: dict[str, Any] = {
    "server.fileWatcherType": "none",  # every visit would register polling watchers
    "runner.postScriptGC": False,  # a full collection after every run costs 100 ms of a core
    "server.enableCORS": True,  # without it the websocket, over which votes travel, accepts any origin
    "server.enableXsrfProtection": True,
    "server.enableAgentApi": False,
    "server.enableStaticServing": False,  # clips must not be reachable by name
    "server.headless": True,
    "runner.magicEnabled": False,
    "client.showErrorDetails": "none",  # tracebacks can name models and paths
    "client.toolbarMode": "minimal",
    "browser.gatherUsageStats": False,  # otherwise voters' browsers call a third party
}

_ACCENT = "#2f5fe0"
LOOK: dict[str, Any] = {
    "theme.base": None,
    "theme.light.primaryColor": _ACCENT,
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f2f4f9",
    "theme.light.textColor": "#171a21",
    "theme.light.borderColor": "#bcc2cf",
    "theme.dark.primaryColor": "#4f7df5",
    "theme.dark.backgroundColor": "#12141a",
    "theme.dark.secondaryBackgroundColor": "#1d212b",
    "theme.dark.textColor": "#eceef3",
    "theme.dark.borderColor": "#4a5161",
    "theme.showWidgetBorder": True,
}


def apply(config: ArenaConfig) -> None:
    """Set everything. Raises ArenaError when a mandatory option was set to something else, unless `config.dev`."""
    from streamlit import config as options

    wanted = {**FIXED, "server.allowedHosts": list(config.public_hosts)}
    if not config.dev:
        for name, value in wanted.items():
            _refuse_other(options, name, value)
        if not config.cookie_secret:
            raise ArenaError("ARENA_COOKIE_SECRET must be set to random characters (mova-eval arena init makes one)")
    for name, value in {**wanted, **LOOK}.items():
        if value is not None:
            options.set_option(name, value)
    if config.cookie_secret:
        options.set_option("server.cookieSecret", config.cookie_secret)


def _refuse_other(options: Any, name: str, value: Any) -> None:
    where = options.get_where_defined(name)
    if where in {"<default>", "<user defined>"}:  # nobody's, or our own from an earlier call
        return
    given = options.get_option(name)
    if given != value:
        raise ArenaError(f"{name} is set to {given!r} in {where}, but the arena needs {value!r}: remove it there")
