"""The pages in a real browser: they fit every width, run no script that a text brought, and play two clips in step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compare_runs import SIZES, item_ids, typical, write_run
from support import make_clip

from mova_eval.baselines import beside_baselines, write_tables
from mova_eval.comparison import compare, write_comparison
from mova_eval.gates import decide, default_gate

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def page_of_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison whose clips can be played (WebM, which every Chromium plays); head's are shorter."""
    folder = tmp_path_factory.mktemp("pages")
    sides = []
    for name, seconds, values in (("base", 2.0, typical(1)), ("head", 1.6, typical(50, lse_d=0.8))):
        clip = folder / name / "clips" / "a clip.webm"
        clip.parent.mkdir(parents=True)
        make_clip(
            clip, seconds=seconds, video_codec="libvpx-vp9", audio_codec="libopus", audio_rate=48000,
            video_options={"deadline": "realtime"},
        )  # fmt: skip
        clips = {item: "clips/a clip.webm" for _, item in item_ids(SIZES)}
        sides.append(write_run(folder / name, values, clips=clips, model=f"</script><b>{name}</b>"))
    found = compare(*sides, resamples=300, allow_different_protocol=True)
    gate = decide(found, default_gate())
    return next(p for p in write_comparison(found, folder / "out", gate=gate) if p.suffix == ".html")


@pytest.fixture(scope="module")
def table_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = {"set1": 205, "set2": 295, "set3": 100}
    run = write_run(tmp_path_factory.mktemp("table") / "run", typical(1, sizes), sizes=sizes, model="<b>Mine</b>")
    return next(p for p in write_tables(beside_baselines([run], include_doubtful=True), run) if p.suffix == ".html")


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_pages_fit_every_width(browser: Any, page_of_pair: Path, table_page: Path, width: int) -> None:
    for path in (page_of_pair, table_page):
        page = browser.new_page(viewport={"width": width, "height": 844})
        errors: list[str] = []
        page.on("pageerror", lambda error, errors=errors: errors.append(str(error)))
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert errors == []
        assert page.locator("h1 b").count() == 0
        page.close()


def test_dark_mode_is_dark(browser: Any, page_of_pair: Path, table_page: Path) -> None:
    for path in (page_of_pair, table_page):
        page = browser.new_page(color_scheme="dark")
        page.goto(path.as_uri())
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 19, 23)"
        page.close()


def test_two_clips_play_in_step(browser: Any, page_of_pair: Path) -> None:
    page = browser.new_page(bypass_csp=True)  # waiting for a condition needs eval
    page.goto(page_of_pair.as_uri())
    videos = "[...document.querySelectorAll('#stage video')]"
    page.wait_for_function(f"{videos}.length === 2 && {videos}.every((v) => v.readyState >= 2)")
    assert page.evaluate(f"{videos}.map((v) => v.muted)") == [True, False]
    page.get_by_role("button", name="base", exact=True).click()
    assert page.evaluate(f"{videos}.map((v) => v.muted)") == [False, True]
    page.locator("#stage .play").click()
    page.wait_for_function(f"{videos}.every((v) => v.currentTime > 0.5)")
    apart = page.evaluate(f"Math.abs({videos}[0].currentTime - {videos}[1].currentTime)")
    assert apart < 0.2
    page.wait_for_function(f"{videos}[0].ended && {videos}.every((v) => v.paused)")
    page.locator("#stage .seek").evaluate("(seek) => { seek.value = 0.8; seek.dispatchEvent(new Event('input')); }")
    times = page.evaluate(f"{videos}.map((v) => v.currentTime)")
    assert times == pytest.approx([0.8, 0.8], abs=0.05)
    page.close()


def test_clips_are_ordered_filtered_and_stepped_through(browser: Any, page_of_pair: Path) -> None:
    page = browser.new_page()
    page.goto(page_of_pair.as_uri())
    shown = page.locator("#found .id").all_inner_texts()
    assert len(shown) == 40
    assert page.locator("#stage h3").inner_text().startswith(shown[0])
    page.keyboard.press("j")
    assert page.locator("#stage h3").inner_text().startswith(shown[1])
    page.select_option("#order", label="all scores, best first")
    assert page.locator("#found .id").all_inner_texts() != shown
    page.select_option("#pick-set", "set1")
    assert page.locator("#count").inner_text() == "20 of 100 items"
    page.fill("#find", "drummer")
    assert page.locator("#count").inner_text() == "7 of 100 items"
    page.close()


def test_what_is_printed_stays_readable(browser: Any, page_of_pair: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(page_of_pair.as_uri())
    page.emulate_media(media="print")
    assert page.locator(".watch").is_hidden()
    assert page.locator("#scores table").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()
