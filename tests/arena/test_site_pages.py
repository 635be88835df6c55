"""The pages without a browser (Streamlit's AppTest): who the visitor is and what was watched is given to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("streamlit")

from arena_world import World
from streamlit.testing.v1 import AppTest

from arena.errors import DatabaseUnavailable
from arena.passwords import hash_password
from arena.service import campaigns, snapshots, visitors, voters
from arena.service import votes as vote_service
from arena.service.types import Recorded
from arena.web import admins
from arena.web.asgi import MAIN
from arena.web.player import PlaybackError, Watch
from arena.web.site import Site, install


class Visitor:
    """A visitor whose cookie and player are told by the test."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.value: str | None = None
        self.admin: str | None = None
        self.watched: dict[str, Any] = {}
        self.shown: list[dict[str, Any]] = []
        site = Site(world.arena, cookie=lambda: self.value, admin_cookie=lambda: self.admin, player=self._player)
        install(site)

    def _player(self, data: Mapping[str, Any]) -> Watch | None:
        self.shown.append(dict(data))
        return Watch(data["battle"], **self.watched) if self.watched else None

    def agree(self, **options: Any) -> int:
        started = voters.start(self.world.arena, "main", device="desktop", **options)
        assert isinstance(started, voters.Started)
        self.value = started.cookie
        voters.update_profile(self.world.arena, started.voter_id, sound="speakers", can_hear=True)
        return started.voter_id

    def watch(self, left: float = 1.0, right: float = 1.0) -> None:
        self.watched = {"watched_left": left, "watched_right": right, "input": "mouse"}

    def page(self, path: str = "", lang: str | None = None) -> AppTest:
        from streamlit.util import calc_hash

        at = AppTest.from_file(str(MAIN), default_timeout=30)
        if path:
            at._page_hash = calc_hash(path)
        if lang:
            at.query_params["lang"] = lang
        return at.run()


@pytest.fixture
def visitor(request: pytest.FixtureRequest, sqlite_url: str, new_world: Callable[..., World]) -> Iterator[Visitor]:
    options = {"config": {"criteria": ["overall"], "item_gap": 0}, **getattr(request, "param", {})}
    yield Visitor(new_world(sqlite_url, **options))
    install(None)


def texts(at: AppTest) -> str:
    parts = [*at.title, *at.markdown, *at.caption, *at.info, *at.success, *at.warning, *at.error, *at.subheader]
    return "\n".join(str(part.value) for part in parts)


def button(at: AppTest, label: str) -> Any:
    return next(b for b in at.button if b.label == label)


def rows(visitor: Visitor, query: str) -> list[Any]:
    path = visitor.world.arena.database.path
    assert path is not None
    with sqlite3.connect(path) as connection:
        return connection.execute(query).fetchall()


DETAILED = {"config": {"criteria": ["overall", "video", "audio", "sync", "prompt"], "item_gap": 0}}


def test_nothing_is_stored_or_shown_before_agreement(visitor: Visitor) -> None:
    at = visitor.page()
    assert not at.exception
    assert "Help us hear and see" in texts(at)
    assert not visitor.shown
    assert rows(visitor, "SELECT COUNT(*) FROM voters")[0][0] == 0


def test_answers_open_after_both_were_watched_and_one_click_is_one_vote(visitor: Visitor) -> None:
    voter = visitor.agree()
    at = visitor.page()
    assert all(b.disabled for b in at.button if b.label in {"Left is better", "Right is better"})
    visitor.watch(1.0, 0.9)
    at.run()
    assert button(at, "Left is better").disabled
    assert "Watch the right clip" in texts(at)
    visitor.watch()
    at.run()
    battle = visitor.shown[-1]["battle"]
    button(at, "Left is better").click().run()
    assert not at.exception
    assert "Saved" in texts(at)
    assert rows(visitor, "SELECT choice, watched_left, input, mode FROM votes") == [("left", 1.0, "mouse", "quick")]
    assert visitor.shown[-1]["battle"] != battle
    assert visitors.activity(visitor.world.arena, voter, "main").total == 1


def test_the_player_learns_nothing_about_models(visitor: Visitor) -> None:
    visitor.agree()
    visitor.page()
    said = str(visitor.shown)
    assert not any(f"'m{m}" in said or f"m{m}-" in said for m in range(3))
    assert ".mp4" not in said


@pytest.mark.parametrize("visitor", [DETAILED], indirect=True)
def test_detailed_mode_writes_five_answers(visitor: Visitor) -> None:
    visitor.agree()
    visitor.watch()
    at = visitor.page()
    button(at, "Both are bad").click().run()
    assert rows(visitor, "SELECT COUNT(*) FROM votes")[0][0] == 0
    assert len(at.button_group) == 5  # four questions and the language
    by_label = {group.label: group for group in at.button_group}
    by_label["Which one looks better?"].set_value("left").run()
    button(at, "Submit").click().run()
    assert not at.exception
    found = dict(rows(visitor, "SELECT criterion, answer FROM vote_answers"))
    assert found == {"video": "left", "audio": "na", "sync": "na", "prompt": "na"}
    assert rows(visitor, "SELECT choice FROM votes") == [("both_bad",)]


@pytest.mark.parametrize("visitor", [DETAILED], indirect=True)
def test_who_cannot_hear_is_not_asked_about_sound(visitor: Visitor) -> None:
    voter = visitor.agree()
    voters.update_profile(visitor.world.arena, voter, sound="none", can_hear=False)
    visitor.watch()
    at = visitor.page()
    assert visitor.shown[-1]["can_hear"] is False
    button(at, "Left is better").click().run()
    assert "Which one sounds better?" not in {group.label for group in at.button_group}
    button(at, "Submit").click().run()
    assert rows(visitor, "SELECT COUNT(*) FROM votes")[0][0] == 1


def test_skipping_and_withdrawing(visitor: Visitor) -> None:
    visitor.agree()
    visitor.watch()
    at = visitor.page()
    button(at, "The content is disturbing").click().run()
    assert "Skipped" in texts(at)
    assert rows(visitor, "SELECT status, skip_reason FROM battles ORDER BY id")[0] == ("skipped", "disturbing")
    button(at, "Left is better").click().run()
    button(at, "Report a mistake in my last answer").click().run()
    assert "will not be counted" in texts(at)
    assert rows(visitor, "SELECT rule FROM exclusions") == [("voter_retracted",)]


def test_a_clip_that_cannot_be_played_ends_the_battle(visitor: Visitor) -> None:
    visitor.agree()
    first: list[str] = []

    def once(data: Mapping[str, Any]) -> Watch | None:
        first.append(data["battle"])
        return Watch(first[0], error=PlaybackError("left", "media", 4))

    install(Site(visitor.world.arena, cookie=lambda: visitor.value, player=once))
    at = visitor.page()
    assert not at.exception
    assert "another pair" in texts(at)
    assert rows(visitor, "SELECT status FROM battles ORDER BY id") == [("void",), ("served",)]


@pytest.mark.parametrize("visitor", [{"browse": 2, "config": {"practice": 1, "criteria": ["overall"]}}], indirect=True)
def test_practice_comes_first_and_does_not_count(visitor: Visitor) -> None:
    visitor.agree()
    visitor.watch()
    at = visitor.page()
    assert "Practice 1 of 1" in texts(at)
    button(at, "Left is better").click().run()
    assert "That was practice" in texts(at)
    assert "0 of 150 today" in texts(at)


def test_the_sound_check(visitor: Visitor) -> None:
    started = voters.start(visitor.world.arena, "main")
    assert isinstance(started, voters.Started)
    visitor.value = started.cookie
    at = visitor.page()
    right = at.session_state["sound_check"]["counts"]
    at.text_input[0].input("9 9 9")
    button(at, "Check").click().run()
    assert "2 tries left" in texts(at)
    right = at.session_state["sound_check"]["counts"]
    at.text_input[0].input(" ".join(map(str, right)))
    button(at, "Check").click().run()
    assert not at.exception
    found = voters.identify(visitor.world.arena, visitor.value)
    assert found is not None
    assert (found.sound, found.can_hear) == ("headphones", True)


def test_a_new_text_about_what_is_stored_asks_again(visitor: Visitor) -> None:
    voter = visitor.agree()
    voters.agree(visitor.world.arena, voter, "1999-1")
    at = visitor.page()
    assert "has changed" in texts(at)
    at.checkbox[0].check().run()
    button(at, "I agree and start").click().run()
    assert visitor.shown


@pytest.mark.parametrize("visitor", [{"config": {"limits": {"voter_hour": 1}, "criteria": ["overall"]}}], indirect=True)
def test_the_limit_says_when_to_come_back(visitor: Visitor) -> None:
    visitor.agree()
    visitor.watch()
    at = visitor.page()
    button(at, "About equal").click().run()
    assert "enough for now" in texts(at)
    assert "UTC" in texts(at)


@pytest.mark.parametrize(("status", "words"), [("paused", "paused"), ("closed", "closed (since 20")])
def test_a_study_that_is_not_open_says_so(visitor: Visitor, status: Any, words: str) -> None:
    visitor.agree()
    campaigns.set_status(visitor.world.arena, "main", status, "test")
    assert words in texts(visitor.page())


def test_chinese(visitor: Visitor) -> None:
    visitor.agree()
    at = visitor.page(lang="zh")
    assert "比较两个片段" in texts(at)
    assert {"左边更好", "右边更好", "差不多", "两个都不好"} <= {b.label for b in at.button}
    assert visitor.shown[-1]["texts"]["play_left"] == "播放左边"


def test_a_database_that_does_not_answer_loses_no_vote(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor.agree()
    visitor.watch()
    at = visitor.page()
    real, calls = vote_service.cast_vote, []

    def gone(*arguments: Any, **more: Any) -> Any:
        calls.append(arguments)
        raise DatabaseUnavailable("the database is locked")

    monkeypatch.setattr(vote_service, "cast_vote", gone)
    button(at, "Right is better").click().run()
    assert not at.exception
    said = texts(at)
    assert "Not saved yet" in said
    assert "Saved." not in said
    for _ in range(5):
        at.run()
    assert "kept on this page" in texts(at)
    monkeypatch.setattr(vote_service, "cast_vote", real)
    at.run()
    assert "Saved" in texts(at)
    assert rows(visitor, "SELECT choice FROM votes") == [("right",)]
    assert len({call[2] for call in calls}) == 1  # always the same battle's token: repeating is harmless


def test_a_page_says_that_the_database_is_gone(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: Any) -> Any:
        raise DatabaseUnavailable("secret host name")

    monkeypatch.setattr(campaigns, "default", gone)
    at = visitor.page()
    assert not at.exception
    assert "does not answer" in texts(at)
    assert "secret host name" not in texts(at)


def test_leaderboard_before_and_after_a_snapshot(visitor: Visitor) -> None:
    world = visitor.world
    at = visitor.page("leaderboard")
    assert not at.exception
    assert "No ranking" in texts(at)
    for number in range(4):
        voter = world.voter()
        for _ in range(8):
            assert isinstance(world.vote(voter, "left" if number % 2 else "tie"), Recorded)
    assert "32 so far" in texts(visitor.page("leaderboard"))
    snapshots.compute(world.arena, "main", publish_now=True, actor="test")
    at = visitor.page("leaderboard")
    assert not at.exception
    assert len(at.tabs) == 6
    assert "32 votes of 4 voters" in texts(at)
    campaigns.configure(world.arena, "main", {"public_results": False}, "test")
    assert "published when it has closed" in texts(visitor.page("leaderboard"))


@pytest.mark.parametrize("visitor", [{"browse": 2}], indirect=True)
def test_browse_shows_only_what_is_in_no_battle(visitor: Visitor) -> None:
    at = visitor.page("browse")
    assert not at.exception
    assert len(at.selectbox[-1].options) == 2


def test_about_and_my_data(visitor: Visitor) -> None:
    for lang, words in (("en", "How ratings come about"), ("zh", "评分怎样得出")):
        at = visitor.page("about", lang)
        assert not at.exception
        assert words in texts(at)
    assert "has not taken part" in texts(visitor.page("me"))
    visitor.agree()
    at = visitor.page("me")
    assert not at.exception
    assert '"sound": "speakers"' in at.code[0].value


def test_the_admin_page_is_for_administrators(visitor: Visitor, tmp_path: Path) -> None:
    arena = visitor.world.arena
    assert "Nobody can log in here yet" in texts(visitor.page("admin"))
    arena.config = arena.config.model_copy(update={"admin_password_hash": hash_password("correct horse battery")})
    at = visitor.page("admin")
    assert not at.exception
    assert not at.metric
    visitor.admin = admins.log_in(arena, "correct horse battery")
    at = visitor.page("admin")
    assert not at.exception
    assert at.metric
    sections = at.button_group[-1]
    for name in sections.options:
        sections.set_value(name.content if hasattr(name, "content") else name)
        at.run()
        assert not at.exception, name
        sections = at.button_group[-1]


def test_a_failing_page_shows_a_number_and_no_traceback(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit import config

    from arena.web.problems import show_failure

    shown: list[str] = []
    monkeypatch.setattr("streamlit.error", lambda text, **more: shown.append(text))
    show_failure(RuntimeError("secret model name"))
    assert "tell the people who run this site the number" in shown[0]
    assert "secret" not in shown[0]
    assert config.get_option("client.showErrorDetails") is not None
