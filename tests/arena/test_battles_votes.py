"""Serving and answering on both databases: one open battle, one vote, whatever the visitor does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from arena_world import WATCHED, World
from sqlalchemy import func, select, text

from arena.db.tables_votes import Battle, Vote, VoteAnswer
from arena.service import audit, battles, campaigns, votes
from arena.service.types import Already, BattleView, Nothing, Recorded, Refused


def count(world: World, model: type) -> int:
    with world.arena.database.read() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_reload_and_second_tab_show_the_same_battle(world: World) -> None:
    voter = world.voter()
    first = world.battle(voter)
    assert world.battle(voter) == first
    assert count(world, Battle) == 1


def test_a_vote_is_recorded_once_with_all_its_answers(world: World) -> None:
    voter = world.voter()
    shown = world.battle(voter)
    answers = {"overall": "left", "video": "tie", "audio": "right", "sync": "both_bad", "prompt": "na"}
    outcome = votes.cast_vote(world.arena, voter, shown.token, answers, WATCHED)  # type: ignore[arg-type]
    assert isinstance(outcome, Recorded)
    again = votes.cast_vote(world.arena, voter, shown.token, answers, WATCHED)  # type: ignore[arg-type]
    assert again == Already(same=True, choice="left")
    other = votes.cast_vote(world.arena, voter, shown.token, {**answers, "video": "left"}, WATCHED)  # type: ignore[dict-item]
    assert other == Already(same=False, choice="left")
    assert (count(world, Vote), count(world, VoteAnswer)) == (1, 4)
    assert audit.newest(world.arena)[0].action == "second_answer"
    assert world.battle(voter).token != shown.token


def test_the_view_resolves_sides_and_knows_exclusions(world: World) -> None:
    voter = world.voter()
    for choice in ("left", "right", "tie", "both_bad"):
        world.vote(voter, choice, audio="left")
    with world.arena.database.read() as session:
        rows = session.execute(text("SELECT * FROM judgements ORDER BY vote_id, criterion")).all()
    assert len(rows) == 8
    for row in rows:
        want = {"left": "lo" if row.left_is_lo else "hi", "right": "hi" if row.left_is_lo else "lo"}
        if row.criterion == "audio":
            assert row.outcome == want["left"]
        assert not row.excluded
    assert votes.retract(world.arena, voter)
    assert not votes.retract(world.arena, voter)
    with world.arena.database.read() as session:
        hidden = session.execute(text("SELECT vote_id FROM judgements WHERE excluded")).scalars().all()
    assert set(hidden) == {rows[-1].vote_id}


def test_forged_and_foreign_tokens_are_refused(world: World) -> None:
    voter, stranger = world.voter(), world.voter()
    shown = world.battle(voter)
    for token in ("", "x" * 26, "' OR 1=1 --", "../../etc/passwd", "ä" * 26, "a" * 10_000):
        assert votes.cast_vote(world.arena, voter, token, {"overall": "left"}, WATCHED) == Refused("unknown")
    assert votes.cast_vote(world.arena, stranger, shown.token, {"overall": "left"}, WATCHED) == Refused("not_yours")
    assert count(world, Vote) == 0


@pytest.mark.parametrize(
    ("answers", "telemetry", "reason"),
    [
        ({}, WATCHED, "bad_answer"),
        ({"overall": "na"}, WATCHED, "bad_answer"),
        ({"overall": "best"}, WATCHED, "bad_answer"),
        ({"overall": "left", "taste": "left"}, WATCHED, "bad_answer"),
        ({"overall": "left"}, replace(WATCHED, watched_right=0.5), "not_watched"),
        ({"overall": "left"}, replace(WATCHED, watched_left=float("nan")), "bad_answer"),
        ({"overall": "left"}, replace(WATCHED, watched_left=7.0), "bad_answer"),
    ],
)
def test_what_is_no_answer_writes_nothing(small_world: World, answers, telemetry, reason: str) -> None:  # type: ignore[no-untyped-def]
    voter = small_world.voter()
    token = small_world.battle(voter).token
    assert votes.cast_vote(small_world.arena, voter, token, answers, telemetry) == Refused(reason)  # type: ignore[arg-type]
    assert count(small_world, Vote) == 0


def test_a_clock_that_goes_backwards_costs_nothing(world: World) -> None:
    voter = world.voter()
    shown = world.battle(voter)
    world.clock.jump(-3_600_000)
    assert isinstance(votes.cast_vote(world.arena, voter, shown.token, {"overall": "tie"}, WATCHED), Recorded)
    with world.arena.database.read() as session:
        voted, elapsed = session.execute(select(Vote.voted_ms, Vote.server_elapsed_ms)).one()
    assert voted == shown.served_ms
    assert elapsed == 0
    assert isinstance(world.battle(voter), BattleView)


def test_an_expired_battle_gives_way_to_another(world: World) -> None:
    voter = world.voter()
    old = world.battle(voter)
    world.clock.advance(121 * 60_000)
    assert votes.cast_vote(world.arena, voter, old.token, {"overall": "left"}, WATCHED) == Refused("expired")
    assert world.battle(voter).token != old.token
    assert votes.cast_vote(world.arena, voter, old.token, {"overall": "left"}, WATCHED) == Refused("expired")


def test_skipping_ends_a_battle_once(world: World) -> None:
    voter = world.voter()
    shown = world.battle(voter)
    assert not battles.skip(world.arena, world.voter(), shown.token, "other")
    assert battles.skip(world.arena, voter, shown.token, "cannot_play")
    assert not battles.skip(world.arena, voter, shown.token, "cannot_play")
    assert votes.cast_vote(world.arena, voter, shown.token, {"overall": "left"}, WATCHED) == Refused("skipped")


def test_three_voters_who_are_disturbed_pause_the_item(small_world: World) -> None:
    item = None
    seen = 0
    while seen < 3:
        voter = small_world.voter()
        for _ in range(12):
            shown = small_world.battle(voter)
            item = shown.item_id if item is None else item
            battles.skip(small_world.arena, voter, shown.token, "disturbing" if shown.item_id == item else "other")
            if shown.item_id == item:
                seen += 1
                break
    assert audit.newest(small_world.arena)[0].action == "item_paused"
    for _ in range(10):
        voter = small_world.voter()
        assert small_world.battle(voter).item_id != item


def test_a_paused_campaign_serves_nothing_but_takes_answers_for_half_an_hour(world: World) -> None:
    early, late = world.voter(), world.voter()
    tokens = {voter: world.battle(voter).token for voter in (early, late)}
    campaigns.set_status(world.arena, "main", "paused", "test")
    assert battles.current_battle(world.arena, early, "main") == Nothing("paused")
    world.clock.advance(29 * 60_000)
    assert isinstance(votes.cast_vote(world.arena, early, tokens[early], {"overall": "left"}, WATCHED), Recorded)
    world.clock.advance(2 * 60_000)
    assert votes.cast_vote(world.arena, late, tokens[late], {"overall": "left"}, WATCHED) == Refused("closed")


def test_a_clip_gone_from_disk_is_marked_and_another_battle_served(world: World) -> None:
    voter = world.voter()
    shown = world.battle(voter)
    file = battles.media(world.arena, voter, shown.media_left)
    assert isinstance(file, battles.MediaFile)
    file.path.unlink()
    assert battles.media(world.arena, voter, shown.media_left) == battles.MediaRefused(404)
    following = world.battle(voter)
    assert following.token != shown.token
    actions = [row.action for row in audit.newest(world.arena)]
    assert "clip_missing" in actions
    assert audit.verify(world.arena).broken_at is None


def test_media_is_for_the_owner_and_for_a_while(world: World) -> None:
    voter, stranger = world.voter(), world.voter()
    shown = world.battle(voter)
    assert isinstance(battles.media(world.arena, voter, shown.media_right), battles.MediaFile)
    assert battles.media(world.arena, stranger, shown.media_right) == battles.MediaRefused(403)
    assert battles.media(world.arena, None, shown.media_right) == battles.MediaRefused(403)
    for forged in ("../../../etc/passwd", "z" * 26, shown.token):
        assert battles.media(world.arena, voter, forged) == battles.MediaRefused(404)
    votes.cast_vote(world.arena, voter, shown.token, {"overall": "left"}, WATCHED)
    assert isinstance(battles.media(world.arena, voter, shown.media_right), battles.MediaFile)
    world.clock.advance(11 * 60_000)
    assert battles.media(world.arena, voter, shown.media_right) == battles.MediaRefused(410)


def test_a_voter_never_meets_a_battle_twice_and_comes_to_an_end(small_world: World) -> None:
    voter, seen = small_world.voter(), set()
    campaigns.configure(small_world.arena, "main", {"max_item_exposure": 3, "item_gap": 2}, "test")
    while True:
        shown = battles.current_battle(small_world.arena, voter, "main")
        if isinstance(shown, Nothing):
            break
        small_world.vote(voter)
        with small_world.arena.database.read() as session:
            row = session.execute(
                select(Battle.item_id, Battle.model_lo_id, Battle.model_hi_id).where(Battle.token == shown.token)
            ).one()
        assert tuple(row) not in seen
        seen.add(tuple(row))
    assert shown == Nothing("finished")
    assert len(seen) >= 30  # of 36; the last ones fall to the gap


def test_limits_are_counted_when_serving_and_say_when_to_come_back(world: World) -> None:
    campaigns.configure(world.arena, "main", {"limits": {"voter_hour": 3}}, "test")
    voter = world.voter()
    start = world.clock.now_ms()
    for _ in range(3):
        assert isinstance(world.vote(voter), Recorded)
    assert battles.current_battle(world.arena, voter, "main") == Nothing("limit", start + 3_600_000)
    world.clock.advance(3_600_000)
    assert isinstance(battles.current_battle(world.arena, voter, "main"), BattleView)
