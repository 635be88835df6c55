"""Trouble under a real browser: a locked database, one that is stopped, a server that is killed again and again; memory."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("streamlit")

from site_browser import Visitor, launch, rows, visitor
from site_support import SiteFolder, make_site

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from launch()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[SiteFolder]:
    made = make_site(tmp_path_factory.mktemp("site"), items=12, browse=0, seconds=0.8)
    made.start()
    yield made
    made.stop()


def test_a_locked_database_delays_a_vote_and_does_not_lose_it(browser: Any, site: SiteFolder) -> None:
    person = visitor(browser, site)
    try:
        person.agree()
        battle = person.battle
        person.watch_both()
        locked = threading.Event()

        def hold() -> None:
            connection = sqlite3.connect(site.database.removeprefix("sqlite:///"), timeout=20, isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            locked.set()
            time.sleep(5)
            connection.execute("ROLLBACK")
            connection.close()

        other = threading.Thread(target=hold)
        other.start()
        assert locked.wait(20)
        person.page.get_by_role("button", name="Left is better").click()
        person.page.get_by_text("Saving your answer").wait_for()
        assert person.page.get_by_text("Saved.").count() == 0  # nothing that looks saved
        assert rows(site, f"SELECT status FROM battles WHERE token = '{battle}'") == [("served",)]
        person.next(battle)
        other.join()
        assert person.page.get_by_text("Saved. Thank you!").is_visible()
        assert rows(site, f"SELECT status FROM battles WHERE token = '{battle}'") == [("voted",)]
    finally:
        person.context.close()


def test_postgresql_stops_and_comes_back(browser: Any, postgresql: Any, tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    site = make_site(
        tmp_path / "site", items=4, browse=0, seconds=0.8, extra={"ARENA_DATABASE": postgresql.new_database()}
    )
    site.start()
    person = visitor(browser, site)
    try:
        person.agree()
        battle = person.battle
        person.watch_both()
        postgresql.stop("immediate")
        person.page.get_by_role("button", name="Right is better").click()
        person.page.get_by_text("Not saved yet").wait_for()
        stranger = visitor(browser, site)
        stranger.page.goto(site.url)
        stranger.page.get_by_text("The database does not answer").wait_for()
        stranger.context.close()
        postgresql.start()
        person.next(battle)
        assert person.page.get_by_text("Saved. Thank you!").is_visible()
        with site.arena().database.engine.connect() as connection:
            found = connection.exec_driver_sql(
                f"SELECT b.status, v.choice FROM battles b JOIN votes v ON v.battle_id = b.id WHERE b.token = '{battle}'"
            ).fetchall()
        assert [tuple(row) for row in found] == [("voted", "right")]
    finally:
        person.context.close()
        site.stop()


ROUNDS = int(os.environ.get("ARENA_BROWSER_KILLS", "2"))
"""Kills for each of two people; each takes some eight seconds."""


def test_no_confirmed_vote_is_lost_over_repeated_kills(browser: Any, site: SiteFolder) -> None:
    """Two people vote while the server is killed at random moments; each vote that was confirmed is there."""
    people = [visitor(browser, site) for _ in range(2)]
    rng = random.Random(4)
    confirmed: list[str] = []
    try:
        for person in people:
            person.agree()
        for _ in range(ROUNDS):
            for person in people:
                before = person.battle
                person.watch_both()
                killer = threading.Timer(rng.uniform(0, 0.25), site.kill)
                killer.start()
                person.page.get_by_role("button", name="Left is better").click()
                killer.join()
                site.start()
                _until_confirmed(person, before)
                confirmed.append(before)
    finally:
        for person in people:
            person.context.close()
    voted = [token for (token,) in rows(site, "SELECT b.token FROM battles b JOIN votes v ON v.battle_id = b.id")]
    assert len(confirmed) == 2 * ROUNDS
    assert set(confirmed) <= set(voted)
    assert len(voted) == len(set(voted))
    assert rows(site, "PRAGMA integrity_check") == [("ok",)]


def _until_confirmed(person: Visitor, before: str) -> None:
    """After the restart either the next pair is there, or the same one waits for the click that was lost."""
    for _ in range(40):
        person.page.wait_for_timeout(500)
        if person.battle != before:
            return
        button = person.page.get_by_role("button", name="Left is better")
        if button.count() and button.is_enabled() and not person.page.locator('[data-testid="stStatusWidget"]').count():
            person.page.wait_for_timeout(1500)
            if person.battle == before and button.is_enabled():
                button.click()
    raise AssertionError("the page did not come back")


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_memory_does_not_grow_with_clips_watched(site: SiteFolder, tmp_path: Path) -> None:
    """600 requests for a clip of 2 MB through the server: 1.2 GB pass, the process stays as large as it was."""
    import requests

    from arena.service import battles, voters

    arena = site.arena()
    try:
        started = voters.start(arena, "main")
        assert isinstance(started, voters.Started)
        shown = battles.current_battle(arena, started.voter_id, "main")
        path = battles.media(arena, started.voter_id, shown.media_left).path  # type: ignore[union-attr]
    finally:
        arena.close()
    small = path.read_bytes()
    large = small + bytes(2_000_000)
    path.write_bytes(large)
    with sqlite3.connect(site.database.removeprefix("sqlite:///"), timeout=20) as connection:
        place = str(path.relative_to(site.media))
        connection.execute("UPDATE clips SET serve_bytes = ? WHERE serve_path = ?", (len(large), place))
    assert site.process is not None
    try:
        session = requests.Session()
        session.cookies.set("arena_voter", started.cookie)
        url = f"{site.url}/clip/{shown.media_left}"  # type: ignore[union-attr]

        def fetch(times: int) -> None:
            for _ in range(times):
                assert len(session.get(url, timeout=30).content) == len(large)

        fetch(100)
        before = resident_mib(site.process.pid)
        fetch(500)
        after = resident_mib(site.process.pid)
    finally:
        path.write_bytes(small)
    print(f"resident: {before:.1f} MiB after 100 clips, {after:.1f} MiB after 600")
    assert after - before < 8
