"""The site as an ASGI application: `uvicorn arena.web.asgi:app --workers 1`, or `mova-eval arena serve`.

One process: the framework keeps a visitor's state in memory. More than one machine needs PostgreSQL, sticky sessions at
the proxy, shared media and the same cookie secret.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from arena.context import open_arena
from arena.web import settings
from arena.web.middleware import SecurityHeaders
from arena.web.routes import routes
from arena.web.site import Site, config_from_environment, install

log = logging.getLogger(__name__)
MAIN = Path(__file__).with_name("script") / "main.py"
COLLECT_EVERY_S = 60.0
EXPIRE_EVERY_S = 300.0


def create_app(site: Site) -> Any:
    """The application for one installation. Raises ArenaError for settings that the service must not run with."""
    import streamlit as st
    from starlette.middleware import Middleware

    settings.apply(site.arena.config)
    logging.getLogger("uvicorn.access").disabled = True  # it writes down visitors' addresses
    install(site)

    @asynccontextmanager
    async def running(_app: Any) -> AsyncIterator[dict[str, Any]]:
        jobs = [
            asyncio.create_task(_every(COLLECT_EVERY_S, gc.collect)),
            asyncio.create_task(_every(EXPIRE_EVERY_S, lambda: _housekeeping(site))),
        ]
        try:
            yield {}
        finally:
            for job in jobs:
                job.cancel()
                with suppress(asyncio.CancelledError):
                    await job
            site.arena.close()

    return st.App(
        MAIN, lifespan=running, routes=routes(site), middleware=[Middleware(SecurityHeaders)], on_script_error=_on_error
    )


async def _every(seconds: float, action: Callable[[], object]) -> None:
    """Run an action in a thread now and then; its failure is logged and does not end the repetition."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(action)
        except Exception:
            log.exception("a background job failed")


def _housekeeping(site: Site) -> None:
    """Close battles past their time; drop network hashes past theirs."""
    from arena.service import battles, voters

    battles.expire_old(site.arena)
    voters.forget_networks(site.arena)


def _on_error(error: Exception) -> bool:
    """A page failed: the visitor sees a sentence and a number, the log has the rest."""
    from arena.web.problems import show_failure

    show_failure(error)
    return True


def __getattr__(name: str) -> Any:
    if name == "app":
        return create_app(Site(open_arena(config_from_environment(), background=True)))
    raise AttributeError(name)
