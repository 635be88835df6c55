"""The report's page in a real browser: fits every width, sorts, filters, plays, and runs nothing that a text brought."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_runs import HOSTILE, MORE, SCORES, make_run
from support import make_clip

from mova_eval.reports import write_reports

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run over 120 items whose first has a real clip (WebM, which every Chromium plays)."""
    folder = make_run(tmp_path_factory.mktemp("page") / "run", n_items=120, clips={0: "clips/set1/a b.webm"})
    (folder / "clips/set1").mkdir(parents=True)
    make_clip(
        folder / "clips/set1/a b.webm",
        video_codec="libvpx-vp9",
        audio_codec="libopus",
        audio_rate=48000,
        video_options={"deadline": "realtime"},
    )
    return next(path for path in write_reports(folder) if path.suffix == ".html")


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The page at desktop width; a script error fails the test."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(report.as_uri())
    yield opened
    opened.close()
    assert errors == []


def ids(page: Any) -> list[str]:
    return [cell.strip() for cell in page.locator("#clip-table tbody th").all_inner_texts()]


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_width_makes_the_page_scroll_sideways(browser: Any, report: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_dark_mode_is_dark_and_texts_are_readable(browser: Any, report: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(report.as_uri())
    text, ground = page.evaluate(
        "['color', 'backgroundColor'].map(k => getComputedStyle(document.body)[k].match(/[\\d.]+/g).slice(0, 3).map(Number))"
    )
    page.close()

    def luminance(rgb: list[float]) -> float:
        linear = [c / 255 / 12.92 if c / 255 <= 0.03928 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert luminance(ground) < 0.05
    assert (luminance(text) + 0.05) / (luminance(ground) + 0.05) > 7


def test_sorting_by_a_score_puts_values_in_order_and_the_rest_last(page: Any) -> None:
    page.click("#clip-table thead th[data-key=lse_d] button")
    column = 1 + page.evaluate(
        "[...document.querySelectorAll('#clip-table thead th')].findIndex(h => h.dataset.key === 'lse_d')"
    )
    shown = page.locator(f"#clip-table tbody tr > :nth-child({column})").all_inner_texts()
    values = [float(text) for text in shown if text.replace(".", "").isdigit()]
    assert len(values) > 40
    assert values == sorted(values)
    assert all(text.replace(".", "").isdigit() for text in shown[: len(values)])
    page.click("#clip-table thead th[data-key=lse_d] button")
    first = page.locator(f"#clip-table tbody tr:first-child > :nth-child({column})").inner_text()
    assert float(first) >= max(values)  # descending now


def test_filters_narrow_and_say_how_many_are_left(page: Any) -> None:
    page.fill("#find", "00017")
    assert [name.split()[-1] for name in ids(page)] == ["00017"]
    assert "1 of 120" in page.inner_text("#count")
    page.fill("#find", "")
    page.select_option("#pick-set", "set2")
    assert "40 of 120" in page.inner_text("#count")
    page.select_option("#pick-status", "noclip")
    page.select_option("#pick-set", "")
    assert "2 of 120" in page.inner_text("#count")
    page.fill("#find", "no such words")
    assert "nothing matches" in page.inner_text("#count")


def test_a_clip_opens_beside_its_scores_and_plays(page: Any) -> None:
    page.click("#clip-table tbody tr:first-child th button")
    panel = page.locator("#panel")
    assert panel.locator("video").get_attribute("src") == "./clips/set1/a%20b.webm"
    duration = page.evaluate(
        """() => new Promise((done, fail) => {
            const video = document.querySelector('#panel video');
            video.addEventListener('loadedmetadata', () => done(video.duration));
            video.addEventListener('error', () => fail(new Error('not playable')));
            video.load();
        })"""
    )
    assert duration == pytest.approx(1.0, abs=0.15)
    assert "lse_d" in panel.inner_text()
    page.keyboard.press("Escape")
    assert not panel.is_visible()


def test_a_clip_that_is_gone_is_said_in_words(page: Any) -> None:
    page.click("#clip-table tbody tr:nth-child(2) th button")
    page.evaluate("document.querySelector('#panel video').load()")
    page.wait_for_selector("#panel .gone")
    assert "cannot be played" in page.inner_text("#panel .gone")


def test_hostile_texts_are_shown_and_never_run(page: Any) -> None:
    page.fill("#find", "onerror")
    page.click("#clip-table tbody tr:first-child th button")
    assert HOSTILE in page.inner_text("#panel .prompt")
    assert page.evaluate("window.hacked") is None


def test_six_hundred_items_by_twenty_scores(browser: Any, tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", n_items=600, scores=SCORES + MORE, long_details=200)
    path = next(path for path in write_reports(folder) if path.suffix == ".html")
    assert path.stat().st_size < 3_000_000
    page = browser.new_page()
    page.goto(path.as_uri())
    assert "600 clips" in page.inner_text("#count")
    page.close()
