"""Simulated voters with known opinions, against the real services and a real database; and the same as plain arrays.

An honest voter's log odds for left are theta_left - theta_right plus what this item does for either model (sd 0.8) and
what this voter thinks of either model (sd 0.3), with the tie threshold of Rao-Kupper. Beside honest voters there are
careless ones, left-clickers, fans, contrary and fast ones, some who fail gold, and rings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from arena.clock import MINUTE_MS, FakeClock
from arena.config import CampaignConfig
from arena.context import Arena
from arena.errors import ArenaError
from arena.ratings.bt import fit_totals
from arena.ratings.data import BOTH_BAD, HI, LO, TIE, Judgements, pairs_of
from arena.ratings.scale import ELO, MEAN, Floats
from arena.service import battles, campaigns, simulation, voters, votes
from arena.service.types import Answer, BattleView, Nothing, Recorded, Telemetry

VoterType = Literal["honest", "careless", "left", "fan", "contrary", "fast", "gold_failing", "ring"]
PAPER = {"MOVA-720p": 1113.8, "LTX-2": 1074.1, "OVI": 925.4, "WAN2.1+MMAudio": 886.9}
_BOTH_BAD_SHARE = 0.25
_RING_ADDRESS = "198.51.100.7"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Scenario:
    """Who votes on what. ratings: model -> Elo. shares: of voter types other than honest. join_at: share of the votes
    after which the late models join.
    """

    name: str
    ratings: Mapping[str, float]
    items: int = 132
    voters: int = 100
    votes: int = 5000
    item_sd: float = 0.8
    voter_sd: float = 0.3
    threshold: float = 0.25
    left_bias: float = 0.0
    activity: float = 1.5
    shares: Mapping[str, float] = field(default_factory=dict)
    late: Mapping[str, float] = field(default_factory=dict)
    join_at: float = 0.5
    events: float = 0.02
    """Chance per battle of each of: reload, double vote, skip, expiry."""
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        return (*self.ratings, *self.late)

    @property
    def theta(self) -> Floats:
        return (np.array([*self.ratings.values(), *self.late.values()]) - MEAN) / ELO

    def truth(self) -> Floats:
        """[m] ratings that a fit to endless votes on endless items by endless voters would give (mean 1000).

        Effects of items and voters flatten the observed scores, so these lie nearer together than `ratings`.
        """
        m, theta = len(self.models), self.theta
        nodes, weights = np.polynomial.hermite_e.hermegauss(41)
        spread = np.sqrt(2 * (self.item_sd**2 + self.voter_sd**2)) * nodes
        pairs = pairs_of(m)
        d = (theta[pairs[:, 0]] - theta[pairs[:, 1]])[:, None] + spread[None, :]
        first, second = 1 / (1 + np.exp(-(d - self.threshold))), 1 / (1 + np.exp(d + self.threshold))
        score = ((1 + first - second) / 2) @ weights / weights.sum()
        total, won = np.zeros((m, m)), np.zeros((m, m))
        total[pairs[:, 0], pairs[:, 1]] = total[pairs[:, 1], pairs[:, 0]] = 1
        won[pairs[:, 0], pairs[:, 1]], won[pairs[:, 1], pairs[:, 0]] = score, 1 - score
        return MEAN + ELO * fit_totals(total, won, np.inf).theta


def _even(count: int, spread: float) -> dict[str, float]:
    return {f"model-{i + 1:02d}": float(r) for i, r in enumerate(MEAN + np.linspace(spread, -spread, count))}


PRESETS: dict[str, Scenario] = {
    "paper4": Scenario("paper4", PAPER),
    "flat8": Scenario("flat8", _even(8, 0.0)),
    "spread20": Scenario("spread20", _even(20, 200.0), items=300, voters=300, votes=20_000),
    "late_joiner": Scenario("late_joiner", PAPER, late={"newcomer": 1050.0}, join_at=0.8),
    "attack_fan": Scenario("attack_fan", PAPER, shares={"fan": 0.1}),
    "attack_ring": Scenario("attack_ring", PAPER, shares={"ring": 0.1}),
}


def preset(name: str, **changes: Any) -> Scenario:
    """A preset with some values changed. Raises ArenaError for an unknown one."""
    if name not in PRESETS:
        raise ArenaError(f"there is no preset '{name}'; there is {', '.join(PRESETS)}")
    return replace(PRESETS[name], **{key: value for key, value in changes.items() if value is not None})


def draw_judgements(scenario: Scenario, rng: np.random.Generator) -> Judgements:
    """Votes of honest voters as arrays, pairs and items drawn evenly: for measuring intervals over many repetitions."""
    m, n = len(scenario.models), scenario.votes
    share = activity(scenario, rng)
    voter = rng.choice(scenario.voters, size=n, p=share)
    item = rng.integers(0, scenario.items, n)
    pairs = pairs_of(m)[rng.integers(0, m * (m - 1) // 2, n)]
    likes_item = rng.normal(0, scenario.item_sd, (scenario.items, m))
    likes_voter = rng.normal(0, scenario.voter_sd, (scenario.voters, m))
    utility = scenario.theta + likes_item[item] + likes_voter[voter]
    rows = np.arange(n)
    first_left = rng.random(n) < 0.5
    d = utility[rows, pairs[:, 0]] - utility[rows, pairs[:, 1]] + scenario.left_bias * (2 * first_left - 1)
    u = rng.random(n)
    wins = 1 / (1 + np.exp(-(d - scenario.threshold)))
    losses = 1 / (1 + np.exp(d + scenario.threshold))
    outcome = np.where(u < wins, LO, np.where(u > 1 - losses, HI, TIE))
    both = (outcome == TIE) & (rng.random(n) < _BOTH_BAD_SHARE)
    outcome = np.where(both, BOTH_BAD, outcome).astype(np.int64)
    return Judgements(scenario.models, pairs[:, 0], pairs[:, 1], outcome, voter, item, first_left)


def activity(scenario: Scenario, rng: np.random.Generator) -> Floats:
    """[voters] shares of the votes: Pareto, so that few people give most of them."""
    weight = 1 + rng.pareto(scenario.activity, scenario.voters)
    return np.asarray(weight / weight.sum())


@dataclass
class Person:
    """A simulated voter."""

    number: int
    type: str
    likes: dict[str, float]
    voter_id: int = 0
    done: bool = False
    given: int = 0


@dataclass
class Played:
    """What happened. refused: outcomes other than Recorded of votes that should have been recorded."""

    votes: int = 0
    served: int = 0
    skipped: int = 0
    expired: int = 0
    repeated: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)


class Simulator:
    """Plays a scenario on an open campaign. The arena must run on a FakeClock; one seed gives one database content."""

    def __init__(self, arena: Arena, campaign: str, scenario: Scenario, seed: int = 0) -> None:
        if not isinstance(arena.clock, FakeClock):
            raise ArenaError("a simulation needs a clock of its own")
        self.arena, self.campaign, self.scenario = arena, campaign, scenario
        self.clock: FakeClock = arena.clock
        self.rng = np.random.default_rng(seed)
        self.theta = dict(zip(scenario.models, scenario.theta.tolist(), strict=True))
        self.item_effects: dict[tuple[int, str], float] = {}
        self.criteria = campaigns.get(arena, campaign).config.criteria
        self.played = Played(people=self._people())
        self.target = scenario.models[-1]
        """Whom fans and rings support."""

    def _people(self) -> list[Person]:
        names, shares = list(self.scenario.shares), list(self.scenario.shares.values())
        types = self.rng.choice([*names, "honest"], size=self.scenario.voters, p=[*shares, 1 - sum(shares)])
        return [
            Person(i, str(t), {m: float(self.rng.normal(0, self.scenario.voter_sd)) for m in self.scenario.models})
            for i, t in enumerate(types)
        ]

    def play(self, count: int, progress: Progress | None = None) -> Played:
        """Give `count` votes (or as many as the voters may); may be called again to go on."""
        share = activity(self.scenario, self.rng)
        until = self.played.votes + count
        while self.played.votes < until:
            if all(person.done for person in self.played.people):
                break
            person = self.played.people[int(self.rng.choice(len(share), p=share))]
            self.clock.advance(int(self.rng.integers(500, 4000)))
            if not person.done:
                self._turn(person)
            if progress is not None and self.played.votes % 100 == 0:
                progress(self.played.votes, until)
        return self.played

    def _turn(self, person: Person) -> None:
        if not person.voter_id:
            address = _RING_ADDRESS if person.type == "ring" else None
            started = voters.start(self.arena, self.campaign, kind="simulated", address=address, device="desktop")
            if isinstance(started, Nothing):
                person.done = True
                return
            person.voter_id = started.voter_id
        shown = battles.current_battle(self.arena, person.voter_id, self.campaign)
        if isinstance(shown, Nothing):
            if shown.reason == "limit" and shown.until_ms is not None:
                self.clock.advance(MINUTE_MS)  # others go on; this one comes back later
            else:
                person.done = True
            return
        self.played.served += 1
        if self._event():
            again = battles.current_battle(self.arena, person.voter_id, self.campaign)
            assert isinstance(again, BattleView)
            assert again.token == shown.token
        if self._event():
            battles.skip(self.arena, person.voter_id, shown.token, "other")
            self.played.skipped += 1
        elif self._event():
            self.clock.advance(shown.expires_ms - self.clock.now_ms() + 1)
            self.played.expired += 1
        else:
            self._vote(person, shown)

    def _event(self) -> bool:
        return bool(self.rng.random() < self.scenario.events)

    def _vote(self, person: Person, shown: BattleView) -> None:
        behind = simulation.reveal(self.arena, shown.token)
        answers: dict[str, Answer] = {c: self._answer(person, behind) for c in self.criteria}
        fast = person.type == "fast"
        decide = int(self.rng.gamma(2.0, 150 if fast else 2500)) + (50 if fast else 500)
        self.clock.advance(int(behind.shown_ms * (0.3 if fast else 1.05)) + decide)
        telemetry = Telemetry(1.0, 1.0, 1, 1, "left", decide, input="mouse", viewport_w=1440, viewport_h=900)
        outcome = votes.cast_vote(self.arena, person.voter_id, shown.token, answers, telemetry)
        if not isinstance(outcome, Recorded):
            name = type(outcome).__name__
            self.played.refused[name] = self.played.refused.get(name, 0) + 1
            return
        self.played.votes += 1
        person.given += 1
        if self._event():
            repeated = votes.cast_vote(self.arena, person.voter_id, shown.token, answers, telemetry)
            assert not isinstance(repeated, Recorded)
            self.played.repeated += 1

    def _answer(self, person: Person, behind: simulation.Behind) -> Answer:
        if behind.good_left is not None:
            return self._gold_answer(person, behind.good_left)
        if person.type in {"careless", "fast"}:
            return self._pick((0.4, 0.2, 0.4))
        if person.type == "left":
            return "left" if self.rng.random() < 0.9 else self._pick((0.4, 0.2, 0.4))
        if person.type in {"fan", "ring"} and self.target in {behind.model_left, behind.model_right}:
            return "left" if behind.model_left == self.target else "right"
        d = self._liking(person, behind.model_left, behind.item) - self._liking(person, behind.model_right, behind.item)
        if person.type == "contrary":
            d = -d
        d += self.scenario.left_bias
        k = self.scenario.threshold
        left, right = 1 / (1 + np.exp(-(d - k))), 1 / (1 + np.exp(d + k))
        return self._pick((left, 1 - left - right, right))

    def _gold_answer(self, person: Person, good_left: bool) -> Answer:
        attentive = 0.05 if person.type == "gold_failing" else 0.5 if person.type in {"careless", "fast"} else 0.97
        right_answer = self.rng.random() < attentive
        return "left" if good_left == bool(right_answer) else "right"

    def _pick(self, p: tuple[float, float, float]) -> Answer:
        at = int(np.searchsorted(np.cumsum(p), self.rng.random() * sum(p)))
        if at == 1:
            return "both_bad" if self.rng.random() < _BOTH_BAD_SHARE else "tie"
        return "left" if at == 0 else "right"

    def _liking(self, person: Person, model: str, item: int) -> float:
        key = (item, model)
        if key not in self.item_effects:
            self.item_effects[key] = float(self.rng.normal(0, self.scenario.item_sd))
        return float(self.theta[model] + self.item_effects[key] + person.likes[model])


def simulated_config(scenario: Scenario) -> CampaignConfig:
    """Limits wide enough for few people to give many votes; otherwise the defaults of a campaign."""
    allowed = scenario.items * len(scenario.models)
    limits = {"voter_hour": 10_000, "voter_day": 10_000, "voter_campaign": allowed, "network_hour": 1_000_000}
    limits["network_new_voters_hour"] = 1_000_000
    values = {"practice": 0, "max_item_exposure": 6, "limits": limits, "mode": "quick", "criteria": ("overall",)}
    return CampaignConfig.model_validate({**values, **dict(scenario.config)})


def run(arena: Arena, scenario: Scenario, seed: int = 0, progress: Progress | None = None) -> Simulator:
    """Build the world of a scenario in an empty database and play it to its end."""
    arena.pools.refresh_ms = None  # this process serves every battle, so its own counts are the truth
    simulation.build(
        arena,
        scenario.name,
        list(scenario.ratings),
        scenario.items,
        config=simulated_config(scenario),
        seed=seed,
        late=list(scenario.late),
    )
    simulator = Simulator(arena, scenario.name, scenario, seed)
    first = round(scenario.votes * scenario.join_at) if scenario.late else scenario.votes
    simulator.play(first, progress)
    if scenario.late:
        campaigns.add_models(arena, scenario.name, list(scenario.late), "simulator")
        simulator.play(scenario.votes - first, progress)
    return simulator


@dataclass(frozen=True)
class Coverage:
    """How often intervals held the truth, over replications; mean half-widths in Elo."""

    replications: int
    clustered: float
    iid: float
    half_clustered: float
    half_iid: float
    order_right: float


def coverage(
    scenario: Scenario,
    replications: int,
    seed: int = 0,
    *,
    source: Callable[[Scenario, int], Judgements] | None = None,
    progress: Progress | None = None,
) -> Coverage:
    """Coverage of the 95% intervals of all models. source: (scenario, seed) -> judgements, else `draw_judgements`."""
    from arena.ratings.fitting import rate

    truth = scenario.truth()
    hits = np.zeros((replications, 2, len(truth)))
    half = np.zeros((replications, 2))
    order = 0
    for replication in range(replications):
        own_seed = seed * 1_000_003 + replication
        data = source(scenario, own_seed) if source else draw_judgements(scenario, np.random.default_rng(own_seed))
        fitted = rate(data)
        limits = ((fitted.lower, fitted.upper), (fitted.lower_iid, fitted.upper_iid))
        for kind, (lower, upper) in enumerate(limits):
            hits[replication, kind] = (lower <= truth) & (truth <= upper)
            half[replication, kind] = np.mean(upper - lower) / 2
        order += int(np.array_equal(np.argsort(-fitted.rating), np.argsort(-truth)))
        if progress is not None:
            progress(replication + 1, replications)
    mean, width = hits.mean(axis=(0, 2)), half.mean(axis=0)
    return Coverage(
        replications, float(mean[0]), float(mean[1]), float(width[0]), float(width[1]), order / replications
    )
