"""Snapshots, exports that reproduce them, exclusions, browsing, erasing, gold and the sweep, on both databases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from arena_world import WATCHED, World
from sqlalchemy import select, text

from arena.db.tables import Clip, Model, Voter
from arena.db.tables_votes import Vote
from arena.errors import ArenaError, NotAllowed
from arena.integrity import Behaviour, examine, flagged
from arena.ratings import bradley_terry
from arena.service import (
    audit,
    battles,
    browse,
    campaigns,
    erase,
    exclusions,
    fairness,
    gold,
    importer,
    limits,
    overview,
    snapshots,
    sweep,
    voters,
    votes,
)
from arena.service.export import counted, data_sha256, export_votes, read_export
from arena.service.types import NewModel, NewScore, Nothing
from arena.simulate import PAPER, Scenario, draw_judgements


@pytest.fixture
def voted(world: World) -> World:
    """Six people with ten votes each; lower model numbers are liked better."""
    campaigns.configure(world.arena, "main", {"max_item_exposure": 3, "item_gap": 2}, "t")
    rng = np.random.default_rng(0)
    for _ in range(6):
        voter = world.voter(device="desktop")
        for turn in range(10):
            shown = world.battle(voter)
            with world.arena.database.look() as connection:
                left, right = connection.execute(
                    text("SELECT l.model_id, r.model_id FROM battles b JOIN clips l ON l.id = b.clip_left_id"
                         " JOIN clips r ON r.id = b.clip_right_id WHERE b.token = :token"), {"token": shown.token}
                ).one()  # fmt: skip
            world.clock.advance(9000)
            better = "left" if left < right else "right"
            choice = better if rng.random() < 0.75 else "tie" if turn % 2 else "both_bad"
            votes.cast_vote(world.arena, voter, shown.token, {"overall": choice, "sync": "left"}, WATCHED)  # type: ignore[dict-item]
    return world


def test_a_snapshot_holds_everything_and_never_changes(voted: World) -> None:
    board = snapshots.compute(voted.arena, "main")
    assert (board.n_votes, board.n_voters, board.n_excluded) == (60, 6, 0)
    assert [r.model for r in board.rows] == ["m0", "m1", "m2"]
    assert {r.state for r in board.rows} == {"unlisted"}
    assert board.rows[0].votes_missing == 100 - board.rows[0].n
    assert sum(p.n for p in board.pairs) == 60
    assert board.fit["convergence"]["n"][-1] == 60
    assert snapshots.latest(voted.arena, "main") is None
    snapshots.publish(voted.arena, board.snapshot_id, actor="t")
    assert snapshots.latest(voted.arena, "main") == snapshots.get(voted.arena, board.snapshot_id)
    with pytest.raises(Exception, match="immutable"):
        voted.arena.database.transact(lambda c: c.execute(text("UPDATE rating_snapshots SET n_votes = 1")))
    assert audit.verify(voted.arena).broken_at is None
    sync = snapshots.compute(voted.arena, "main", "sync", given={"category": "c0"})
    assert 0 < sync.n_votes < 60
    for wrong in ({"criterion": "taste"}, {"given": {"colour": 1}}, {"method": "guess"}):
        with pytest.raises(ArenaError):
            snapshots.compute(voted.arena, "main", **wrong)  # type: ignore[arg-type]


def test_an_export_alone_reproduces_the_leaderboard(voted: World, tmp_path: Path) -> None:
    board = snapshots.compute(voted.arena, "main", extras=False)
    made = export_votes(voted.arena, "main", tmp_path / "out")
    assert made.snapshots == (board.snapshot_id,)
    assert made.rows == 120
    wanted = {r.model: (r.rating, r.lo, r.hi) for r in board.rows}
    for place in (tmp_path / "out", *(tmp_path / "out" / f"votes.{f}" for f in ("csv", "parquet", "jsonl"))):
        table = read_export(place)
        assert data_sha256(table) == board.data_sha256
        for row in bradley_terry(counted(table)).table.itertuples():
            assert (row.rating, row.lower, row.upper) == pytest.approx(wanted[row.model], abs=1e-9)
    text_ = (tmp_path / "out" / "votes.csv").read_text()
    with voted.arena.database.read() as session:
        for voter in session.scalars(select(Voter)):
            assert voter.token_hash not in text_
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert set(manifest["columns"]) == set(table.columns)
    with pytest.raises(ArenaError, match="holds an export already"):
        export_votes(voted.arena, "main", tmp_path / "out")
    (tmp_path / "out" / "votes.parquet").write_bytes(b"changed")
    with pytest.raises(ArenaError, match="not the file"):
        read_export(tmp_path / "out")


def test_an_exclusion_takes_votes_out_of_everything_and_gives_them_back(voted: World, tmp_path: Path) -> None:
    before = snapshots.compute(voted.arena, "main", extras=False)
    made = exclusions.exclude(voted.arena, "voter", 1, rule="by_hand", reason="clicked blindly", actor="t")
    assert exclusions.exclude(voted.arena, "voter", 1, rule="by_hand", reason="again", actor="t") == made
    after = snapshots.compute(voted.arena, "main", extras=False)
    assert (after.n_votes, after.n_excluded) == (50, 10)
    assert fairness.fair_play(voted.arena, "main").exclusions == {"by_hand": 10}
    with pytest.raises(ArenaError, match="needs a reason"):
        snapshots.publish(voted.arena, after.snapshot_id, actor="t")
    snapshots.publish(voted.arena, after.snapshot_id, actor="t", reason="one careless voter")
    table = read_export(export_votes(voted.arena, "main", tmp_path / "e", formats=["jsonl"]).folder)
    assert (table["excluded"] == "by_hand").sum() == 20
    assert data_sha256(table) == after.data_sha256
    assert exclusions.revoke(voted.arena, made, reason="it was fine", actor="t")
    assert not exclusions.revoke(voted.arena, made, reason="twice", actor="t")
    assert snapshots.compute(voted.arena, "main", extras=False).data_sha256 == before.data_sha256
    with pytest.raises(ArenaError, match="no voter 999"):
        exclusions.exclude(voted.arena, "voter", 999, rule="x", reason="x", actor="t")


def test_forgetting_cuts_the_link_and_keeps_the_votes(voted: World) -> None:
    started = voters.start(voted.arena, "main", address="203.0.113.9", ui_language="zh")
    assert isinstance(started, voters.Started)
    assert voters.identify(voted.arena, started.cookie) is not None
    voted.vote(started.voter_id)
    voted.battle(started.voter_id)
    mine = erase.my_data(voted.arena, started.voter_id)
    assert len(mine.votes) == 1
    assert mine.voter["network_hash_kept"] is True
    erase.forget_me(voted.arena, started.voter_id)
    assert voters.identify(voted.arena, started.cookie) is None
    with voted.arena.database.read() as session:
        row = session.get_one(Voter, started.voter_id)
        assert (row.net_hash, row.ui_language, row.device) == (None, None, "unknown")
        assert session.scalar(select(Vote.id).order_by(Vote.id.desc()).limit(1)) is not None
    assert snapshots.compute(voted.arena, "main", extras=False).n_votes == 61
    for forged in ("", "x", started.cookie[:-1], "ä" * 200):
        assert voters.identify(voted.arena, forged) is None


def test_invites_hold_for_so_many_people_and_so_long(small_world: World) -> None:
    arena = small_world.arena
    campaigns.configure(arena, "main", {"access": "invite"}, "t")
    assert voters.start(arena, "main") == Nothing("blocked")
    token = voters.create_invite(arena, "main", cohort="experts", max_voters=1, max_votes_per_voter=2, actor="t")
    first = small_world.voter(invite=token)
    with pytest.raises(ArenaError, match="as many people"):
        small_world.voter(invite=token)
    small_world.vote(first)
    small_world.vote(first)
    assert battles.current_battle(arena, first, "main") == Nothing("finished")
    with pytest.raises(ArenaError, match="not valid"):
        small_world.voter(invite="forged")
    late = voters.create_invite(arena, "main", days=1, actor="t")
    small_world.clock.advance(2 * 86_400_000)
    with pytest.raises(ArenaError, match="expired"):
        small_world.voter(invite=late)


def test_networks_are_limited_under_a_key_that_changes_and_is_destroyed(small_world: World) -> None:
    arena = small_world.arena
    campaigns.configure(arena, "main", {"limits": {"network_new_voters_hour": 2, "network_hour": 3}}, "t")
    people = [small_world.voter(address="192.0.2.77"), small_world.voter(address="192.0.2.1")]
    assert isinstance(voters.start(arena, "main", address="192.0.2.200"), Nothing)
    small_world.voter(address="192.0.3.1")
    for turn in range(3):
        small_world.vote(people[turn % 2])
    assert isinstance(battles.current_battle(arena, people[1], "main"), Nothing)
    one = limits.network_hash(arena, "2001:db8:1:2::5")
    assert one == limits.network_hash(arena, "2001:db8:1:ffff::9")
    assert one != limits.network_hash(arena, "2001:db8:2::5")
    assert limits.network_hash(arena, "no address") is None
    small_world.clock.advance(9 * 86_400_000)
    assert limits.network_hash(arena, "2001:db8:1:2::5") != one
    assert voters.forget_networks(arena) == 3
    with arena.database.look() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM network_keys")).scalar() == 1
    assert limits.client_address("10.0.0.1", "6.6.6.6, 203.0.113.5", 1) == "203.0.113.5"
    assert limits.client_address("198.51.100.1", "6.6.6.6", 0) == "198.51.100.1"


def test_browsing_shows_only_what_is_in_no_battle(sqlite_url: str, new_world) -> None:  # type: ignore[no-untyped-def]
    world: World = new_world(sqlite_url, browse=2)
    scores = [NewScore("m0", "bench", "i0", "lse_d", 7.5, False, "lip_sync")]
    assert importer.import_scores(world.arena, scores).added == 1
    assert importer.import_scores(world.arena, [NewScore("m0", "bench", "none", "x", 1, True)]).failed == 1
    shown = browse.items(world.arena, "main")
    assert [i.item_key for i in shown] == ["i0", "i1"]
    page = browse.item(world.arena, "main", shown[0].id)
    assert [c.model for c in page.clips] == ["m0", "m1", "m2"]
    assert page.clips[0].scores == {"lse_d": (7.5, False)}
    with pytest.raises(NotAllowed):
        browse.item(world.arena, "main", shown[1].id + 1)
    assert browse.media(world.arena, "main", 999_999).status == 404  # type: ignore[union-attr]
    assert browse.media(world.arena, "main", page.clips[0].clip_id).bytes > 0  # type: ignore[union-attr]


def test_gold_comes_is_judged_and_two_failures_exclude(small_world: World) -> None:
    arena = small_world.arena
    importer.import_models(arena, [NewModel("gold-noise", role="gold")])
    from arena_world import copy_renderer

    from arena.service.types import NewClip

    source = small_world.sources / "gold.mp4"
    clips = []
    for i in range(8):
        source = small_world.sources / f"gold{i}.mp4"
        source.write_bytes(f"gold {i}".encode())
        clips.append(NewClip("gold-noise", "bench", f"i{i}", source))
    importer.import_clips(arena, clips, copy_renderer(arena.media_root))
    with arena.database.read() as session:
        good = dict(
            session.execute(
                select(Clip.item_id, Clip.id).join(Model, Model.id == Clip.model_id).where(Model.slug == "m0")
            ).all()
        )
        bad = dict(
            session.execute(
                select(Clip.item_id, Clip.id).join(Model, Model.id == Clip.model_id).where(Model.slug == "gold-noise")
            ).all()
        )
    for item, worse in bad.items():
        gold.add(arena, "main", good[item], worse, "audio_noise", "t")
    campaigns.configure(arena, "main", {"max_item_exposure": 3, "item_gap": 1}, "t")
    careful, careless = small_world.voter(), small_world.voter()
    for voter, right in ((careful, True), (careless, False)):
        for _ in range(17):
            shown = small_world.battle(voter)
            with arena.database.look() as connection:
                left = connection.execute(
                    text("SELECT CASE WHEN g.clip_good_id = b.clip_left_id THEN 1 WHEN g.id IS NULL THEN NULL ELSE 0 END"
                         " FROM battles b LEFT JOIN gold_checks g ON g.id = b.gold_check_id WHERE b.token = :t"),
                    {"t": shown.token},
                ).scalar()  # fmt: skip
            choice = "left" if left is None or bool(left) == right else "right"
            small_world.clock.advance(12_000)
            votes.cast_vote(arena, voter, shown.token, {"overall": choice}, WATCHED)
    seen = gold.list_all(arena, "main")
    assert sum(g.seen for g in seen) == 4
    flags = {flag.voter_id: flag for flag in sweep.sweep(arena, "main")}
    assert flags[careless].automatic
    assert careful not in flags or not flags[careful].automatic
    (exclusion,) = [e for e in exclusions.list_all(arena) if e.scope == "voter"]
    assert (exclusion.target_id, exclusion.rule) == (careless, "gold_failed")
    assert next(r for r in overview.voters(arena, "main") if r.id == careless).state == "limited"
    assert voters.identify(arena, "x") is None


def test_fast_votes_are_left_out_by_rule(small_world: World) -> None:
    voter = small_world.voter()
    shown = small_world.battle(voter)
    small_world.clock.advance(2000)  # two clips of three seconds
    votes.cast_vote(small_world.arena, voter, shown.token, {"overall": "left"}, WATCHED)
    small_world.vote(voter)
    (flag,) = sweep.sweep(small_world.arena, "main")
    assert "before both clips" in flag.reasons[0]
    assert [e.rule for e in exclusions.list_all(small_world.arena)] == ["too_fast"]


def test_honest_voters_are_hardly_ever_flagged_and_fans_nearly_always() -> None:
    """From 24 votes on: each fan by the test of favour alone, and most after all tests are combined and corrected."""
    honest = hit = fans = seen = caught = 0
    for seed in range(6):
        data = draw_judgements(
            Scenario("h", PAPER, voters=60, votes=60 * 30, activity=1000), np.random.default_rng(seed)
        )
        fan = data.voter < 3
        has = fan & ((data.first == 3) | (data.second == 3))
        outcome = np.where(has, np.where(data.first == 3, 0, 2), data.outcome)
        from dataclasses import replace

        data = replace(data, outcome=outcome)
        n = len(data)
        quiet = Behaviour(np.full(n, 20_000), np.full(n, 10_000), np.full(n, -1), {}, {}, {})
        for verdict in examine(data, quiet):
            if verdict.voter < 3:
                if verdict.votes < 24:
                    continue
                fans, seen, caught = fans + 1, seen + (verdict.p["favour"] < 0.005), caught + flagged(verdict)
            else:
                honest, hit = honest + 1, hit + flagged(verdict)
    assert seen == fans
    assert caught >= 0.8 * fans
    assert hit <= 0.02 * honest


def test_health_traffic_and_cells_count(voted: World) -> None:
    state = overview.health(voted.arena)
    assert state.writable
    assert state.revision_right
    assert state.votes_last_day == 60
    assert sum(h.votes for h in overview.traffic(voted.arena, "main")) == 60
    assert [(c.model, c.ready, c.absent) for c in overview.cells(voted.arena, "main")] == [
        ("m0", 12, 0),
        ("m1", 12, 0),
        ("m2", 12, 0),
    ]
    assert fairness.progress(voted.arena, "main").votes == 60
    assert len(overview.voters(voted.arena, "main")) == 6


def test_texts_of_strangers_stay_texts(small_world: World, tmp_path: Path) -> None:
    from arena_world import copy_renderer

    from arena.service.types import NewClip, NewItem

    arena = small_world.arena
    nasty = "'); DROP TABLE votes; --<script>alert(1)</script>"
    importer.import_models(arena, [NewModel("=cmd|'/c calc'!A0", display_name=nasty)])
    importer.import_items(arena, [NewItem("bench", "=1+1", prompt_en=nasty, category="@x")])
    path = small_world.sources / "nasty.mp4"
    path.write_bytes(b"nasty")
    clips = [NewClip(m, "bench", "=1+1", path) for m in ("=cmd|'/c calc'!A0",)]
    assert importer.import_clips(arena, clips, copy_renderer(arena.media_root)).added == 1
    with pytest.raises(ArenaError, match="longer than"):
        importer.import_items(arena, [NewItem("bench", "long", prompt_en="x" * 9000)])
    with pytest.raises(ArenaError, match="no name"):
        importer.import_models(arena, [NewModel("x" * 81)])
    with pytest.raises(ArenaError, match="another prompt"):
        importer.import_items(arena, [NewItem("bench", "i0", prompt_en="changed")])
    campaigns.add_models(arena, "main", ["=cmd|'/c calc'!A0"], "t")
    small_world.vote(small_world.voter())
    export_votes(arena, "main", tmp_path / "x", formats=["csv"])
    assert not any(line.startswith("=") for line in (tmp_path / "x" / "votes.csv").read_text().split(","))
