"""Small parts of the site: texts, what a browser says, tables, passwords, settings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from hypothesis import given
from hypothesis import strategies as st

from arena.config import ArenaConfig
from arena.errors import ArenaError
from arena.passwords import hash_password, verify_password
from arena.web import settings, tables
from arena.web.admins import TRIES, WINDOW_MS, Tries
from arena.web.i18n import LANGUAGES, Texts, catalogue, pick_language
from arena.web.player import read_asset, read_watch
from arena.web.site import FetchLog
from arena.web.visit import plain

ROOT = Path(__file__).resolve().parents[2]


def test_both_languages_have_the_same_texts_with_the_same_places() -> None:
    english, chinese = catalogue("en"), catalogue("zh")
    assert set(english) == set(chinese)
    for key in english:
        assert set(re.findall(r"{\w+}", english[key])) == set(re.findall(r"{\w+}", chinese[key])), key
        assert english[key].strip()
        assert chinese[key].strip()


def test_every_text_that_the_code_names_is_there() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "arena" / "web").rglob("*.py"))
    named = set(re.findall(r'\b(?:t|texts)\("([a-z_0-9.]+)"', code))
    assert named <= set(catalogue("en"))
    assert len(named) > 60
    player = read_asset("player.js")
    assert {f"player.{name}" for name in re.findall(r"texts\.(\w+)", player)} - {"player.narrow"} <= set(
        catalogue("en")
    )


@pytest.mark.parametrize(
    ("asked", "locale", "language"),
    [("zh", "en-US", "zh"), (None, "zh-CN", "zh"), (None, "de-DE", "en"), ("xx", None, "en"), (None, "zh_TW", "zh")],
)
def test_language(asked: str | None, locale: str | None, language: str) -> None:
    assert pick_language(asked, locale) == language


def test_a_text_fills_its_places_once() -> None:
    assert Texts("en")("vote.revealed", left="{right}", right="B") in {"Left: B. Right: B.", "Left: {right}. Right: B."}
    for language in LANGUAGES:
        assert "{" not in Texts(language)("vote.progress_of", done=1, limit=2)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=12,
)


@given(json_values)
def test_whatever_a_browser_says_is_read_without_an_error(state: object) -> None:
    read_watch(state)


@given(st.dictionaries(st.sampled_from(["watched_left", "watched_right", "min_volume", "plays_left", "hidden_ms",
                                        "viewport", "input", "first_played", "error", "muted"]), json_values))  # fmt: skip
def test_watch_values_stay_in_their_ranges(state: dict[str, object]) -> None:
    watch = read_watch({**state, "battle": "b"})
    assert watch is not None
    assert 0 <= watch.watched_left <= 1
    assert 0 <= watch.watched_right <= 1
    assert 0 <= watch.min_volume <= 1
    assert 0 <= watch.plays_left <= 1000
    assert 0 <= watch.viewport_w <= 32767
    assert watch.input in {"mouse", "keyboard", "touch", "unknown"}
    assert watch.first_played in {"left", "right", None}


def test_fetches_are_counted_and_bounded() -> None:
    log = FetchLog(kept=3)
    log.note("a", 10, 100)
    log.note("a", 30, 50)
    assert log.of("a") == {"first_ms": 10, "last_ms": 30, "bytes": 150, "requests": 2}
    for name in "bcd":
        log.note(name, 40, 1)
    assert log.of("a") is None
    assert log.of("d") is not None


def test_passwords() -> None:
    stored = hash_password("correct horse battery")
    assert verify_password("correct horse battery", stored)
    assert not verify_password("correct horse batterz", stored)
    assert stored != hash_password("correct horse battery")
    with pytest.raises(ArenaError, match="12 characters"):
        hash_password("short")
    with pytest.raises(ArenaError, match="no scrypt hash"):
        verify_password("x", "secret")


def test_five_wrong_passwords_in_fifteen_minutes() -> None:
    tries = Tries()
    assert [tries.take("1.2.3.4", ms) for ms in range(TRIES + 1)] == [True] * TRIES + [False]
    assert tries.take("5.6.7.8", TRIES)
    assert tries.take("1.2.3.4", WINDOW_MS + TRIES)
    everywhere = Tries()
    assert sum(everywhere.take(f"10.0.0.{i}", i) for i in range(200)) == 10 * TRIES


def test_tables_escape_text_and_formulas() -> None:
    text = tables.as_csv(["a", "b"], [["=cmd()", 1.5], ["x,y", None]])
    assert text == 'a,b\n\'=cmd(),1.5\n"x,y",\n'
    assert tables.shown(-3.14159) == "\N{MINUS SIGN}3.1"


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "[link](http://x)", "![i](http://x/p.png)", "**b**", "$x$", ":smile:", "`c`"]
)
def test_text_of_others_cannot_format(text: str) -> None:
    safe = plain(text)
    assert re.sub(r"\\(.)", r"\1", safe) == text
    assert not re.search(r"(?<!\\)[<\[\]*`$:!]", safe)


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin", "HOME": "/nonexistent", **environment}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd="/", check=False)


APPLY = """
from arena.config import ArenaConfig
from arena.web import settings
from streamlit import config
settings.apply(ArenaConfig(cookie_secret="x" * 40, public_hosts=("arena.example",)))
print({name: config.get_option(name) for name in [*settings.FIXED, "server.allowedHosts", "server.cookieSecret"]})
"""


def test_mandatory_settings_are_set() -> None:
    done = run(APPLY)
    assert done.returncode == 0, done.stderr
    found = eval(done.stdout)
    assert {name: found[name] for name in settings.FIXED} == settings.FIXED
    assert found["server.allowedHosts"] == ["arena.example"]
    assert found["server.cookieSecret"] == "x" * 40


def test_a_setting_that_somebody_asked_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text("[server]\nenableStaticServing = true\n")
    done = run(APPLY, HOME=str(tmp_path))
    assert done.returncode == 1
    assert "server.enableStaticServing is set to True" in done.stderr


def test_the_service_needs_a_cookie_secret() -> None:
    done = run(APPLY.replace('cookie_secret="x" * 40', 'cookie_secret=""'))
    assert "ARENA_COOKIE_SECRET must be set" in done.stderr
    assert ArenaConfig().cookie_secret == ""


def test_services_know_no_framework_and_pages_no_sql() -> None:
    def imports(folder: str) -> dict[str, str]:
        return {str(p): p.read_text("utf-8") for p in (ROOT / "arena").glob(f"{folder}/**/*.py")}

    for folder in ("service", "ratings", "media", "db"):
        for name, text in imports(folder).items():
            assert not re.search(r"^\s*(import|from) streamlit", text, re.MULTILINE), name
    for name, text in imports("web").items():
        assert not re.search(r"^\s*(import|from) (sqlalchemy|scipy|arena\.db)", text, re.MULTILINE), name
        assert "SELECT " not in text, name


def test_packaged_files_are_there_and_whole() -> None:
    for name in ("player.html", "player.css", "player.js", "forms.css", "grid.css", "grid.js", "site.css", "icon.svg"):
        assert read_asset(name).strip()
    for place in ("published.json", "i18n/about.en.md", "i18n/about.zh.md"):
        text = (ROOT / "arena" / "web" / place).read_text("utf-8")
        assert json.loads(text) if place.endswith("json") else "<!-- formulas -->" in text
