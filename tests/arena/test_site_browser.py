"""The voting page in a real browser, against the real server: what a voter does, and what goes wrong."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("streamlit")

from site_browser import Visitor, count_beeps, launch, rows, visitor
from site_support import MODELS, SiteFolder, make_site

pytestmark = pytest.mark.slow

HOSTILE = "A bar <script>document.title='owned'</script> moves. ![x](http://evil.example/x.png) {{7*7}} $x$"


GLYPHS = """() => new Set(["投", "票", "\\uffff"].map(c => {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  pen.font = "40px " + getComputedStyle(document.querySelector("h1")).fontFamily;
  pen.fillText(c, 10, 60);
  return canvas.toDataURL();
})).size"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    yield from launch()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[SiteFolder]:
    made = make_site(
        tmp_path_factory.mktemp("site"),
        items=12,
        seconds=1.2,
        config={"practice": 1},
        prompts=dict.fromkeys(range(2, 12), HOSTILE),
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def person(browser: Any, site: SiteFolder) -> Iterator[Visitor]:
    made = visitor(browser, site)
    yield made
    made.context.close()


def practise(person: Visitor) -> None:
    """Agree and get the practice pair over with."""
    person.agree()
    before = person.battle
    person.watch_both()
    person.page.get_by_role("button", name="About equal").click()
    person.next(before)


def test_a_whole_visit(person: Visitor, site: SiteFolder) -> None:
    page = person.page
    person.consent()
    assert [c["name"] for c in person.context.cookies() if c["httpOnly"]] == ["arena_voter"]
    source = page.locator("audio").get_attribute("src")
    page.get_by_label("Three numbers").fill(count_beeps(page.request.get(source).body()))
    page.get_by_role("button", name="Check").click()
    person.ready()
    assert page.get_by_text("Practice 1 of 1").is_visible()
    before = person.battle
    person.watch_both()
    page.get_by_role("button", name="About equal").click()
    person.next(before)

    before = person.battle
    person.watch_both()
    page.get_by_role("button", name="Left is better").click()  # with the mouse
    person.next(before)
    assert page.get_by_text("Saved. Thank you!").is_visible()

    before = person.battle
    page.keyboard.press("q")
    page.wait_for_selector("[data-side=left].done")
    page.keyboard.press("w")
    page.wait_for_selector("[data-side=right].done")
    page.wait_for_selector("button:not([disabled]):has-text('Left is better')")
    page.keyboard.press("2")
    person.next(before)

    found = rows(
        site,
        "SELECT v.choice, v.watched_left, v.watched_right, v.input, v.server_elapsed_ms, v.decide_ms, v.evidence, v.first_played,"
        " v.muted FROM votes v JOIN battles b ON b.id = v.battle_id WHERE b.kind = 'regular' ORDER BY v.id",
    )
    assert [(r[0], r[3]) for r in found] == [("left", "mouse"), ("right", "keyboard")]
    for row in found:
        assert min(row[1], row[2]) >= 0.95
        assert row[4] > 2000  # both clips cannot be watched faster
        assert 0 < row[5] < row[4]
        assert "bytes" in row[6]
        assert (row[7], row[8]) == ("left", 0)
    _nothing_tells_the_models(person, site)


def _nothing_tells_the_models(person: Visitor, site: SiteFolder) -> None:
    """Everything that was sent, got or logged, and what the page holds, names no model, file or source hash."""
    heard = "\n".join([*person.heard, person.page.content()]).lower()
    assert "/clip/" in heard
    secrets = {*MODELS, *(m.replace("-", " ") for m in MODELS)}
    for path, serve, source in rows(site, "SELECT src_uri, serve_path, src_sha256 FROM clips"):
        secrets |= {path, Path(path).name, serve, Path(serve).name, source}
    assert not [secret for secret in secrets if secret.lower() in heard]


def test_only_real_watching_opens_the_answers(person: Visitor) -> None:
    page = person.page
    practise(person)  # this visitor cannot hear; one who can is needed for the muted part
    page.reload()
    person.ready()
    jump = "v => { v.currentTime = v.duration - 0.05; return v.play() }"
    for side in ("left", "right"):
        page.locator(f"[data-side={side}] video").evaluate(jump)
        page.wait_for_timeout(700)
    assert page.locator(".clip.done").count() == 0
    assert page.get_by_role("button", name="Left is better").is_disabled()

    left, right = (page.locator(f"[data-side={side}] video") for side in ("left", "right"))
    left.evaluate("v => { v.currentTime = 0; return v.play() }")
    page.wait_for_timeout(200)
    right.evaluate("v => { v.currentTime = 0; return v.play() }")
    page.wait_for_timeout(200)
    assert left.evaluate("v => v.paused")  # one at a time
    assert not right.evaluate("v => v.paused")
    builds = page.locator(".arena").get_attribute("data-builds")
    page.get_by_text("Keyboard shortcuts").click()  # runs the page's script again
    page.wait_for_timeout(400)
    assert page.locator(".arena").get_attribute("data-builds") == builds
    assert right.evaluate("v => v.currentTime > 0.3 || v.ended")  # was not interrupted


def test_both_in_sync_with_one_of_them_to_be_heard(person: Visitor) -> None:
    person.agree()
    person.watch_both()
    page = person.page
    page.get_by_role("button", name="Play both in sync").click()
    page.wait_for_timeout(600)
    look = "v => [v.paused, v.muted, v.currentTime]"
    left, right = (page.locator(f"[data-side={side}] video").evaluate(look) for side in ("left", "right"))
    assert (left[0], right[0]) == (False, False)
    assert (left[1], right[1]) == (False, True)
    assert abs(left[2] - right[2]) < 0.3
    page.get_by_role("button", name="Sound from: Left").click()
    assert page.locator("[data-side=right] video").evaluate("v => !v.muted")
    page.wait_for_timeout(2500)  # it loops, and nothing of it is counted or sent
    assert not page.locator("[data-side=left] video").evaluate("v => v.paused")
    page.get_by_role("button", name="Stop both").click()
    assert page.locator("[data-side=left] video").evaluate("v => v.paused && !v.muted")


def test_a_page_of_another_site_gets_no_websocket(site: SiteFolder) -> None:
    def shake(origin: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol": "streamlit",
            "Origin": origin,
        }
        connection.request("GET", "/_stcore/stream", headers=headers)
        status = connection.getresponse().status
        connection.close()
        return status

    assert shake(site.url) == 101
    assert shake("https://evil.example") == 403


def test_muted_playback_does_not_count(person: Visitor, site: SiteFolder) -> None:
    page = person.page
    person.consent()
    source = page.locator("audio").get_attribute("src")
    page.get_by_label("Three numbers").fill(count_beeps(page.request.get(source).body()))
    page.get_by_role("button", name="Check").click()
    person.ready()
    page.locator("[data-side=left] video").evaluate("v => { v.muted = true; return v.play() }")
    page.wait_for_timeout(2000)
    assert page.locator("[data-side=left].done").count() == 0
    assert "Turn the sound on" in page.locator(".live").inner_text()
    page.locator("[data-side=left] video").evaluate("v => { v.muted = false }")
    person.watch("left")


def test_double_click_and_held_key_are_one_vote(person: Visitor, site: SiteFolder) -> None:
    practise(person)
    for action in ("click", "key"):
        before, count = person.battle, rows(site, "SELECT COUNT(*) FROM votes")[0][0]
        person.watch_both()
        if action == "click":
            person.page.get_by_role("button", name="Right is better").dblclick()
        else:
            person.page.keyboard.down("3")
            for _ in range(5):
                person.page.keyboard.down("3")
            person.page.keyboard.up("3")
        person.next(before)
        person.page.wait_for_timeout(800)
        assert rows(site, "SELECT COUNT(*) FROM votes")[0][0] == count + 1
        assert person.page.get_by_role("button", name="Right is better").is_disabled()


def test_reload_and_second_tab(person: Visitor, site: SiteFolder) -> None:
    practise(person)
    battle = person.battle
    person.page.reload()
    person.ready()
    assert person.battle == battle
    other = Visitor(site, person.context, person.context.new_page())
    other.page.goto(site.url)
    other.ready()
    assert other.battle == battle
    other.watch_both()
    person.page.bring_to_front()
    person.watch_both()
    person.page.get_by_role("button", name="Left is better").click()
    person.next(battle)
    other.page.bring_to_front()
    other.page.get_by_role("button", name="Right is better").click()
    other.next(battle)
    assert other.battle == person.battle
    assert other.page.get_by_text("This comparison already has your answer").is_visible()
    assert other.page.locator('[data-testid="stException"]').count() == 0
    assert rows(
        site, "SELECT v.choice FROM votes v JOIN battles b ON b.id = v.battle_id ORDER BY v.id DESC LIMIT 1"
    ) == [("left",)]


@pytest.mark.parametrize("outage", [1.0, 5.0])
def test_the_server_is_killed_after_watching(person: Visitor, site: SiteFolder, outage: float) -> None:
    practise(person)
    battle = person.battle
    person.watch_both()
    site.kill()
    time.sleep(outage)
    site.start()
    page = person.page
    page.wait_for_selector("button:not([disabled]):has-text('Left is better')")
    page.wait_for_timeout(4000)  # the page has connected again by itself
    assert person.battle == battle
    page.get_by_role("button", name="Left is better").click()  # the first click counts
    person.next(battle)
    status = rows(
        site, f"SELECT b.status, v.choice FROM battles b JOIN votes v ON v.battle_id = b.id WHERE b.token = '{battle}'"
    )
    assert status == [("voted", "left")]


def test_a_clip_deleted_on_disk(person: Visitor, site: SiteFolder) -> None:
    practise(person)
    battle = person.battle
    query = f"SELECT c.serve_path FROM clips c JOIN battles b ON c.id = b.clip_left_id WHERE b.token = '{battle}'"
    path = site.media / rows(site, query)[0][0]
    content = path.read_bytes()
    path.unlink()
    try:
        person.page.reload()
        person.next(battle)
        assert rows(site, f"SELECT status FROM battles WHERE token = '{battle}'") == [("void",)]
        assert rows(site, "SELECT COUNT(*) FROM clips WHERE status = 'missing'")[0][0] == 1
        assert person.page.locator('[data-testid="stException"]').count() == 0
    finally:
        path.write_bytes(content)


def test_a_clip_that_stops_loading_offers_a_way_out(person: Visitor, site: SiteFolder) -> None:
    practise(person)
    battle = person.battle
    person.page.route("**/clip/*", lambda route: route.abort())
    video = person.page.locator("[data-side=right] video")
    video.evaluate("v => v.load()")
    person.page.wait_for_selector("[data-side=right] .problem:not([hidden])")
    person.page.unroute("**/clip/*")
    person.page.locator("[data-side=right] .again").click()
    person.page.wait_for_selector("[data-side=right].done")
    person.page.route("**/clip/*", lambda route: route.abort())
    video.evaluate("v => v.load()")  # a second failure: another pair comes
    person.next(battle)
    assert rows(site, f"SELECT status FROM battles WHERE token = '{battle}'") == [("void",)]


def test_a_telephone(browser: Any, site: SiteFolder) -> None:
    made = visitor(
        browser, site, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, locale="zh-CN",
        user_agent="Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36",
    )  # fmt: skip
    page = made.page
    try:
        page.goto(site.url)
        page.wait_for_selector("form[action='/start']")
        assert page.locator("html").get_attribute("lang") == "zh"
        page.check("input[name=agree]")
        page.tap("form[action='/start'] button")
        page.get_by_text("我听不到").tap()
        made.ready()
        page.wait_for_selector("button:has-text('左边更好')")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        boxes = [page.locator(f"[data-side={side}] .box").bounding_box() for side in ("left", "right")]
        assert boxes[0]["x"] == boxes[1]["x"]
        assert boxes[0]["width"] == boxes[1]["width"]
        assert boxes[0]["height"] == boxes[1]["height"]
        for answer in page.locator(".st-key-answer_row button").all():
            box = answer.bounding_box()
            assert box["height"] >= 44
            assert box["y"] + box["height"] <= 844  # the bar is in sight
        assert page.locator("[data-side=left] .name").inner_text() == "第一个"
        assert page.evaluate(GLYPHS) == 3  # two characters and the sign of a missing one look different
        assert rows(site, "SELECT device, ui_language FROM voters ORDER BY id DESC LIMIT 1") == [("mobile", "zh")]
    finally:
        made.context.close()


def test_names_roles_and_focus(person: Visitor) -> None:
    person.agree()
    page = person.page
    assert page.locator("html").get_attribute("lang") == "en"
    nameless = page.evaluate(
        """() => { const roots = [document, ...[...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)];
          return roots.flatMap(r => [...r.querySelectorAll('button, a[href], input, video, [role=progressbar]')])
            .filter(e => e.checkVisibility() && !(e.getAttribute('aria-label') || e.innerText || e.title ||
              e.getAttribute('aria-labelledby') || (e.labels && e.labels.length))).map(e => e.outerHTML.slice(0, 200)) }"""
    )
    assert nameless == []
    assert page.evaluate("() => document.querySelectorAll('h1').length") == 1
    page.set_viewport_size({"width": 640, "height": 450})  # what a window of 1280 x 900 shows at 200 % zoom
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    focused = "() => { let e = document.activeElement; while (e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement; return e.className }"
    assert page.evaluate(focused) == "play"  # a new pair begins at the left play button
    ring = page.locator("[data-side=left] .play").evaluate(
        "e => { e.focus(); return getComputedStyle(e).outlineStyle }"
    )
    assert ring in {"solid", "none"}  # solid once the keyboard is used
    page.keyboard.press("Tab")
    assert (
        page.evaluate(
            "() => getComputedStyle((() => { let e = document.activeElement; while (e.shadowRoot && e.shadowRoot.activeElement) e = e.shadowRoot.activeElement; return e })()).outlineStyle"
        )
        != "none"
    )


def test_prompts_with_markup_are_text(person: Visitor, site: SiteFolder) -> None:
    practise(person)
    page = person.page
    assert page.locator(".prompt-text").inner_text() == HOSTILE
    assert page.title() != "owned"
    asked = [line for line in person.heard if line.startswith(("http://", "https://"))]
    assert asked
    assert all(line.startswith(site.url) for line in asked)  # nothing is fetched from anywhere else


def test_pages_without_and_with_votes(browser: Any, site: SiteFolder, tmp_path: Path) -> None:
    from site_support import fill_votes

    made = visitor(browser, site)
    try:
        for path, words in (
            ("leaderboard", "Leaderboard"),
            ("browse", "Browse"),
            ("about", "How ratings"),
            ("me", "My data"),
            ("admin", "Nobody can log in"),
        ):
            made.page.goto(f"{site.url}/{path}")
            made.page.get_by_text(words).first.wait_for()
            assert made.page.locator('[data-testid="stException"]').count() == 0
        fill_votes(site, voters=12, each=12)
        made.page.goto(f"{site.url}/leaderboard")
        made.page.wait_for_selector(".arena-table")
        made.page.wait_for_selector("canvas, svg.marks")
        for tab in made.page.get_by_role("tab").all():
            tab.click()
        made.page.screenshot(path=str(tmp_path / "leaderboard.png"))
        assert made.page.locator('[data-testid="stException"]').count() == 0
    finally:
        made.context.close()
