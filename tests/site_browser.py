"""Driving the site in a real browser: starting, agreeing, watching, answering, listening to everything that is sent."""

from __future__ import annotations

import io
import sqlite3
import wave
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from site_support import CHROMIUM, CHROMIUM_FLAGS, SiteFolder

WAIT = 30_000


def launch() -> Iterator[Any]:
    """A headless Chromium; the calling test skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no browser at {CHROMIUM} (apt-get install chromium)")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


def rows(site: SiteFolder, query: str) -> list[Any]:
    path = site.database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        return connection.execute(query).fetchall()


@dataclass
class Visitor:
    """One browser context with one page. `heard`: everything the page sent, got or logged, as text."""

    site: SiteFolder
    context: Any
    page: Any
    heard: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", lambda message: self.heard.append(message.text))
        self.page.on("pageerror", lambda error: self.heard.append(f"pageerror {error}"))
        self.page.on("request", lambda request: self.heard.append(f"{request.url} {request.post_data or ''}"))
        self.page.on("response", lambda response: self.heard.append(str(response.headers)))
        self.page.on("websocket", self._socket)

    def _socket(self, socket: Any) -> None:
        for event in ("framesent", "framereceived"):
            socket.on(event, lambda payload: self.heard.append(_text(payload)))

    def agree(self) -> None:
        """From the first visit to the first pair, without the sound check (a voter that cannot hear)."""
        self.consent()
        self.page.get_by_text("I cannot hear it").click()
        self.ready()

    def consent(self) -> None:
        self.page.goto(self.site.url)
        self.page.wait_for_selector("form[action='/start']", timeout=WAIT)
        self.page.check("input[name=agree]")
        self.page.click("form[action='/start'] button")
        self.page.wait_for_selector("audio", timeout=WAIT)

    def ready(self) -> None:
        """Wait for the player."""
        self.page.wait_for_selector(".arena:not([hidden])", timeout=WAIT)

    @property
    def battle(self) -> str:
        return str(self.page.locator(".arena").get_attribute("data-battle"))

    def watch(self, side: str) -> None:
        """Play one clip to its end and wait until it counts as watched."""
        button = self.page.locator(f"[data-side={side}] .play")
        button.click()
        self.page.wait_for_selector(f"[data-side={side}].done", timeout=WAIT)

    def watch_both(self) -> None:
        self.watch("left")
        self.watch("right")
        self.page.wait_for_selector("button:not([disabled]):has-text('Left is better')", timeout=WAIT)

    def next(self, before: str) -> None:
        """Wait until another pair is shown."""
        self.page.wait_for_function(
            """before => { const hosts = [...document.querySelectorAll('*')].filter(e => e.shadowRoot);
               const found = hosts.map(h => h.shadowRoot.querySelector('.arena')).find(Boolean);
               return found && found.dataset.battle && found.dataset.battle !== before }""",
            arg=before,
            timeout=WAIT,
        )


def visitor(browser: Any, site: SiteFolder, **options: Any) -> Visitor:
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-US", **options})
    context.set_default_timeout(WAIT)
    made = Visitor(site, context, context.new_page())
    made.listen()
    return made


def _text(payload: Any) -> str:
    if isinstance(payload, dict):
        payload = payload.get("payload", "")
    return payload.decode("latin-1") if isinstance(payload, bytes) else str(payload)


def count_beeps(wav: bytes) -> str:
    """The numbers of beeps in the groups of a sound check, such as "3 1 5"."""
    with wave.open(io.BytesIO(wav)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    loud = np.convolve(np.abs(samples), np.ones(240) / 240, "same") > 200
    edges = np.flatnonzero(np.diff(loud.astype(int)) == 1)
    gaps = np.diff(edges) / rate
    groups = np.split(edges, np.flatnonzero(gaps > 0.5) + 1)
    return " ".join(str(len(group)) for group in groups)
