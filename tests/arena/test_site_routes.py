"""Routes beside the pages, called as a server calls them: media, forms, health; and what hostile visitors try."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("streamlit")

from arena_world import World
from starlette.applications import Starlette

from arena.clock import MINUTE_MS
from arena.passwords import hash_password
from arena.service import battles, campaigns, voters, votes
from arena.service.types import BattleView, Telemetry
from arena.web.routes import routes
from arena.web.site import Site

HOST = "arena.test"
SAME = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.headers}


@dataclass
class Client:
    """Sends requests to the application without a socket."""

    app: Starlette
    site: Site

    def call(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        cookie: str | None = None,
        form: dict[str, Any] | None = None,
        query: str = "",
    ) -> Answer:
        body = urlencode(form, doseq=True).encode() if form is not None else b""
        sent = {"host": HOST, **(headers or {})}
        if form is not None:
            sent.setdefault("content-type", "application/x-www-form-urlencoded")
        if cookie:
            sent["cookie"] = f"arena_voter={cookie}"
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "scheme": "http", "server": (HOST, 80), "client": ("203.0.113.9", 1),
            "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()], "root_path": "",
        }  # fmt: skip
        got: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            got.append(message)

        asyncio.run(self.app(scope, receive, send))  # type: ignore[arg-type]
        raw = [(k.decode(), v.decode()) for k, v in got[0]["headers"]]
        return Answer(got[0]["status"], raw, b"".join(m.get("body", b"") for m in got[1:]))

    def voter(self, **options: Any) -> tuple[int, str]:
        started = voters.start(self.site.arena, "main", **options)
        assert isinstance(started, voters.Started)
        return started.voter_id, started.cookie


@pytest.fixture
def client(small_world: World) -> Client:
    site = Site(small_world.arena)
    return Client(Starlette(routes=routes(site)), site)


def battle_of(client: Client, voter: int) -> BattleView:
    shown = battles.current_battle(client.site.arena, voter, "main")
    assert isinstance(shown, BattleView)
    return shown


def test_a_clip_has_exactly_these_headers(client: Client) -> None:
    voter, cookie = client.voter()
    found = client.call(f"/clip/{battle_of(client, voter).media_left}", cookie=cookie)
    assert found.status == 200
    assert dict(found.headers) == {
        "content-type": "video/mp4",
        "accept-ranges": "bytes",
        "content-length": str(len(found.body)),
        "cache-control": "private, max-age=600",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    }
    assert re.fullmatch(rb"m\d i\d+", found.body)


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [("bytes=0-1", 206, slice(0, 2)), ("bytes=2-", 206, slice(2, None)), ("bytes=-2", 206, slice(-2, None)),
     ("bytes=99-", 416, slice(0, 0)), ("nonsense", 200, slice(None))],
)  # fmt: skip
def test_ranges(client: Client, asked: str, status: int, part: slice) -> None:
    voter, cookie = client.voter()
    path = f"/clip/{battle_of(client, voter).media_left}"
    whole = client.call(path, cookie=cookie).body
    found = client.call(path, cookie=cookie, headers={"range": asked})
    assert (found.status, found.body) == (status, whole[part])
    if status == 416:
        assert found.get("content-range") == f"bytes */{len(whole)}"


def test_who_may_fetch_what(client: Client, small_world: World) -> None:
    voter, cookie = client.voter()
    _, other = client.voter()
    shown = battle_of(client, voter)
    path = f"/clip/{shown.media_right}"
    assert client.call(path).status == 403
    assert client.call(path, cookie=other).status == 403
    assert client.call(path, cookie="forged").status == 403
    assert client.call(path, cookie=cookie[:-1] + ("A" if cookie[-1] != "A" else "B")).status == 403
    assert client.call(path, cookie=cookie).status == 200
    assert client.call(f"/clip/{shown.token}", cookie=cookie).status == 404  # the battle's token is no media token
    telemetry = Telemetry(1.0, 1.0)
    votes.cast_vote(small_world.arena, voter, shown.token, {"overall": "left"}, telemetry)
    assert client.call(path, cookie=cookie).status == 200  # still playing
    small_world.clock.advance(11 * MINUTE_MS)
    assert client.call(path, cookie=cookie).status == 410  # replayed later


@pytest.mark.parametrize(
    "token",
    [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "a" * 26,
        "A" * 5000,
        "' OR 1=1 --",
        "\x00",
        "/etc/passwd",
    ],
)
def test_made_up_addresses_find_nothing(client: Client, token: str) -> None:
    _, cookie = client.voter()
    for place in ("clip", "frame", "released"):
        assert client.call(f"/{place}/{token}", cookie=cookie).status in {400, 404}


def test_a_clip_that_is_deleted_while_it_is_served(client: Client, small_world: World) -> None:
    voter, cookie = client.voter()
    path = f"/clip/{battle_of(client, voter).media_left}"
    assert client.call(path, cookie=cookie).status == 200
    for file in small_world.arena.media_root.rglob("*.mp4"):
        file.unlink()
    assert client.call(path, cookie=cookie).status == 404


def test_fetches_become_evidence(client: Client) -> None:
    voter, cookie = client.voter()
    shown = battle_of(client, voter)
    client.call(f"/clip/{shown.media_left}", cookie=cookie, headers={"range": "bytes=0-0"})
    found = client.site.fetches.of(shown.media_left)
    assert found is not None
    assert (found["bytes"], found["requests"]) == (1, 1)
    assert client.site.fetches.of(shown.media_right) is None


def test_the_proxy_sends_the_file_where_that_is_configured(client: Client) -> None:
    voter, cookie = client.voter()
    arena = client.site.arena
    arena.config = arena.config.model_copy(update={"media_delegate": "x-accel-redirect"})
    found = client.call(f"/clip/{battle_of(client, voter).media_left}", cookie=cookie)
    assert found.body == b""
    assert re.fullmatch(r"/_clips/clips/[0-9a-f]{64}\.mp4", found.get("x-accel-redirect") or "")
    assert "content-length" not in found.names


def start(client: Client, **options: Any) -> Answer:
    form = {"agree": "yes", "understands": ["en", "zh"], "lang": "zh", **options.pop("form", {})}
    return client.call("/start", method="POST", form=form, headers=options.pop("headers", SAME), **options)


def test_agreeing_sets_one_cookie_and_goes_to_the_page(client: Client) -> None:
    done = start(client)
    assert (done.status, done.get("location")) == (303, "/?lang=zh")
    cookie = done.get("set-cookie") or ""
    value = re.match(r"arena_voter=([\w-]{32});", cookie)
    assert value is not None
    assert "HttpOnly" in cookie
    assert "Max-Age=15552000" in cookie
    assert "SameSite=lax" in cookie
    found = voters.identify(client.site.arena, value[1])
    assert found is not None
    assert (found.understands, found.ui_language) == (("en", "zh"), "zh")


def test_under_tls_the_cookie_can_only_come_from_this_host(client: Client) -> None:
    arena = client.site.arena
    arena.config = arena.config.model_copy(update={"trusted_proxies": 1})
    done = start(client, headers={**SAME, "x-forwarded-proto": "https"})
    cookie = done.get("set-cookie") or ""
    assert cookie.startswith("__Host-arena_voter=")
    assert "Secure" in cookie
    assert "Path=/" in cookie


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {},
     {"origin": f"http://{HOST}", "sec-fetch-site": "cross-site"}, {**SAME, "content-type": "application/json"}],
)  # fmt: skip
def test_forms_of_other_sites_are_refused(client: Client, headers: dict[str, str]) -> None:
    for path in ("/start", "/forget", "/admin-login", "/admin-logout"):
        done = client.call(path, method="POST", headers=headers, form={"agree": "yes", "sure": "yes", "password": "x"})
        assert done.status == 403
        assert done.get("set-cookie") is None


def test_huge_and_incomplete_forms(client: Client) -> None:
    assert start(client, form={"lang": "x" * 10_000}).status == 403
    assert start(client, form={"agree": "no"}).status == 400


def test_too_many_new_visitors_of_one_network(client: Client) -> None:
    for _ in range(20):
        assert start(client).status == 303
    done = start(client)
    assert done.status == 403
    assert done.get("set-cookie") is None


def test_private_links(client: Client) -> None:
    arena = client.site.arena
    campaigns.configure(arena, "main", {"access": "invite"}, "test")
    assert start(client).status == 403
    token = voters.create_invite(arena, "main", cohort="expert", max_voters=1, actor="test")
    looked = client.call("/join", query=f"k={token}")
    assert looked.status == 200
    assert looked.get("referrer-policy") == "no-referrer"
    assert start(client, form={"k": token}).status == 303
    assert start(client, form={"k": token}).status == 403  # full
    assert client.call("/join", query="k=<script>alert(1)</script>").status == 404
    page = client.call("/join", query="k=" + "a" * 26)
    assert page.status == 404
    assert b"<script>" not in page.body


def test_a_title_with_markup_stays_text(client: Client) -> None:
    arena = client.site.arena
    campaigns.create(arena, "evil", title_en="<img src=x onerror=alert(1)>", config={"practice": 0})
    token = voters.create_invite(arena, "evil", actor="test")
    page = client.call("/join", query=f"k={token}").body.decode()
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_being_forgotten(client: Client) -> None:
    _, cookie = client.voter()
    done = client.call("/forget", method="POST", form={"sure": "yes"}, headers=SAME, cookie=cookie)
    assert done.status == 200
    assert "Max-Age=0" in (done.get("set-cookie") or "")
    assert voters.identify(client.site.arena, cookie) is None


def test_the_administrators_log_in(client: Client) -> None:
    from arena.web import admins

    arena = client.site.arena
    arena.config = arena.config.model_copy(update={"admin_password_hash": hash_password("correct horse battery")})

    def log_in(password: str) -> Answer:
        return client.call("/admin-login", method="POST", form={"password": password}, headers=SAME)

    assert log_in("wrong").status == 403
    done = log_in("correct horse battery")
    assert done.status == 303
    cookie = re.match(r"arena_admin=([^;]+);", done.get("set-cookie") or "")
    assert cookie is not None
    assert admins.cookie_holds(arena, cookie[1])
    assert not admins.cookie_holds(arena, cookie[1][:-1])
    assert not admins.cookie_holds(arena, "9" * 13 + "." + cookie[1].partition(".")[2])
    assert [log_in("wrong").status for _ in range(6)] == [403] * 5 + [429]


def test_health(client: Client, small_world: World, tmp_path: Path) -> None:
    assert client.call("/healthz").status == 200
    arena = client.site.arena
    arena.config = arena.config.model_copy(update={"media_root": tmp_path / "gone"})
    assert client.call("/healthz").status == 503


def test_released_clips(client: Client, new_world: Callable[..., World], sqlite_url: str) -> None:
    from arena.service import browse

    arena = client.site.arena
    assert client.call("/released/1").status == 404  # in battles: not by name
    campaigns.configure(arena, "main", {"reveal": "after_close"}, "test")
    campaigns.set_status(arena, "main", "closed", "test")
    page = browse.item(arena, "main", browse.items(arena, "main")[0].id)
    assert client.call(f"/released/{page.clips[0].clip_id}").status == 200
