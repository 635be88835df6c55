"""Hold the scores of runs against votes on the same clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from metrics.errors import UserError
from mova_eval.agreement.predicting import Judged, decisive_share, tied_share
from mova_eval.agreement.ranking import ENUMERATED, correlations
from mova_eval.agreement.records import Agreement, Criterion, Prediction, Ranking
from mova_eval.agreement.votes import OVERALL, Vote, read_votes
from mova_eval.comparison.cards import card_of, check_comparable, differences
from mova_eval.comparison.reading import ReadRun, RunScore, read
from mova_eval.comparison.resampling import Draws
from mova_eval.runs.loading import load_run

EXPECTED: Mapping[str, frozenset[str]] = {
    "sync": frozenset({"lse_d", "lse_c", "desync", "av_align", "av_a"}),
    "audio": frozenset({"dnsmos_p808", "dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak", "ce", "cu", "pc", "pq"}),
    "prompt": frozenset({"clap", "ib", "cs", "ta"}),
    "video": frozenset({"vq", "mq", "as"}),
}
"""Which score should predict which question, said before any vote was seen; everything else is exploratory."""
FEW_VOTES = 20
"""Votes below which a category is left out."""


@dataclass(frozen=True)
class _Model:
    """A model of the votes with its run."""

    run: ReadRun
    scores: Mapping[str, RunScore]

    def value(self, score: str, item: str) -> float | None:
        found = self.scores.get(score)
        clip = found.clips.get(item) if found is not None else None
        return clip.value if clip is not None and clip.status == "scored" else None


def agree(
    votes: str | Path,
    runs: Sequence[str | Path],
    *,
    names: Mapping[str, str] | None = None,
    resamples: int = 2000,
    seed: int = 0,
    allow_different_protocol: bool = False,
    allow_unfinished: bool = False,
) -> Agreement:
    """For every automatic score, how often it predicts the votes, and how models rank by both.

    votes: an arena's export (folder or file), or a .csv, .jsonl or .parquet with item, model_a, model_b, winner. runs:
    one per model. names: model as named in the votes -> model of a run, or name of its directory, where they differ.

    Raises UserError for votes that do not read, fewer than two models with a run, runs of different benchmarks or
    protocols, and when no vote is on items that two runs have scored.
    """
    cast, left_out = read_votes(votes)
    models = _models(cast, runs, names or {}, allow_unfinished)
    _check_same_kind([model.run for model in models.values()], allow_different_protocol)
    usable = [vote for vote in cast if vote.model_a in models and vote.model_b in models]
    counted = Counter(left_out)
    others = len(cast) - len(usable)
    if others:
        counted["on models without a run"] = others
    known = {item for model in models.values() for item in model.run.items}
    matched = [vote for vote in usable if vote.item in known]
    if len(matched) < len(usable):
        counted["on items that no run has"] = len(usable) - len(matched)
    if not matched:
        raise UserError(f"no vote of {votes} is on an item of the runs; are these the runs whose clips were voted on?")
    draws = Draws(seed, resamples, 1)
    criteria = [name for name, _ in Counter(vote.criterion for vote in matched).most_common()]
    criteria.sort(key=lambda name: name != OVERALL)
    told, predictions, rankings = [], [], []
    for criterion in criteria:
        mine = [vote for vote in matched if vote.criterion == criterion]
        told.append(_criterion(criterion, mine))
        predictions += _predictions(criterion, mine, models, draws, seed)
        rankings += _rankings(criterion, mine, models)
    return Agreement(
        votes=str(votes),
        runs={name: model.run.run.path.as_posix() for name, model in models.items()},
        criteria=told,
        predictions=predictions,
        rankings=rankings,
        left_out=dict(counted),
        notes=_notes(models, cast),
        resamples=resamples,
        seed=seed,
    )


def _models(
    votes: Sequence[Vote], runs: Sequence[str | Path], names: Mapping[str, str], allow_unfinished: bool
) -> dict[str, _Model]:
    """Models of the votes with their runs, found by the model's name, else by the name of the run directory."""
    opened = [load_run(path) for path in runs]
    wanted = sorted({model for vote in votes for model in (vote.model_a, vote.model_b)})
    by_name: dict[str, list[int]] = {}
    for place, run in enumerate(opened):
        for name in dict.fromkeys((_same(run.manifest.generator.name), _same(run.path.resolve().name))):
            by_name.setdefault(name, []).append(place)
    chosen: dict[str, int] = {}
    for model in wanted:
        found = by_name.get(_same(names.get(model, model)), [])
        if len(found) > 1:
            paths = " and ".join(str(opened[place].path) for place in found)
            raise UserError(f"{paths} are both runs of '{model}'; give one, or say which by --name '{model}=DIRECTORY'")
        if found:
            chosen[model] = found[0]
    unknown = [name for name in names if name not in wanted]
    if unknown:
        raise UserError(f"no vote names a model '{unknown[0]}'; the votes are on {', '.join(wanted)}")
    if len(chosen) < 2:
        ours = ", ".join(run.manifest.generator.name for run in opened)
        raise UserError(
            f"the votes are on {', '.join(wanted)}, the runs are of {ours}: fewer than two models are in both; say "
            f"which is which with --name VOTED=RUN"
        )
    models = {}
    for model, place in chosen.items():
        found_run = read(opened[place], allow_unfinished=allow_unfinished)
        models[model] = _Model(found_run, {name: found_run.score(name) for name in found_run.names()})
    return models


def _same(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _check_same_kind(runs: Sequence[ReadRun], allowed: bool) -> None:
    """Metrics and benchmark must agree; the clips' length and the generator's settings are the models' own."""
    cards = [card_of(run.run) for run in runs]
    for run, card in zip(runs[1:], cards[1:], strict=True):
        if card.benchmark != cards[0].benchmark:
            raise UserError(
                f"{runs[0].run.path} is a run of benchmark {cards[0].benchmark}, {run.run.path} of {card.benchmark}; "
                f"give runs of the benchmark that was voted on"
            )
        found = differences(cards[0], card)
        check_comparable([d for d in found if not d.field.startswith(("clip", "frames", "generator"))], allowed)


def _criterion(name: str, votes: Sequence[Vote]) -> Criterion:
    decisive, with_ties, n = _among_voters(votes)
    return Criterion(
        name=name,
        n_votes=len(votes),
        n_ties=sum(vote.outcome == 0 for vote in votes),
        n_items=len({vote.item for vote in votes}),
        voters_decisive=decisive,
        voters_with_ties=with_ties,
        n_shared=n,
    )


def _among_voters(votes: Sequence[Vote]) -> tuple[float | None, float | None, int]:
    """How often voters agree where both chose a winner, and ties included; on how many pairs of clips."""
    from arena.ratings.agreement import noise_ceiling

    cells: dict[tuple[str, str, str], list[int]] = {}
    for vote in votes:
        low, high = sorted((vote.model_a, vote.model_b))
        turned = vote.outcome if vote.model_a == low else -vote.outcome
        cells.setdefault((vote.item, low, high), []).append(turned + 1)
    several = [values for values in cells.values() if len(values) > 1]
    if not several:
        return None, None, 0
    same = both = 0
    for values in several:
        first, second = values.count(0), values.count(2)
        same += first * (first - 1) + second * (second - 1)
        both += (first + second) * (first + second - 1)
    cell = np.repeat(np.arange(len(several)), [len(values) for values in several])
    value = np.array([one for values in several for one in values], dtype=np.int64)
    return same / both if both else None, noise_ceiling(cell, value, np.arange(len(value))), len(several)


def _predictions(
    criterion: str, votes: Sequence[Vote], models: Mapping[str, _Model], draws: Draws, seed: int
) -> list[Prediction]:
    categories = Counter(vote.category for vote in votes if vote.category)
    wanted: list[str | None] = [None, *(name for name, n in sorted(categories.items()) if n >= FEW_VOTES)]
    if len(wanted) == 2:
        wanted = [None]  # a single category is the whole
    found = []
    for score, run_score in _directed(models).items():
        for category in wanted:
            chosen = [vote for vote in votes if category is None or vote.category == category]
            judged = _judged(chosen, score, models)
            if judged is None:
                continue
            tied, threshold = tied_share(judged, seed, draws)
            found.append(
                Prediction(
                    score=score,
                    title=run_score.spec.title,
                    criterion=criterion,
                    category=category,
                    n=len(judged.outcome),
                    n_decisive=int((judged.outcome != 0).sum()),
                    n_items=judged.n_items,
                    decisive=decisive_share(judged, draws),
                    with_ties=tied,
                    threshold=threshold,
                    expected=score in EXPECTED.get(criterion, frozenset()),
                )
            )
    return found


def _directed(models: Mapping[str, _Model]) -> dict[str, RunScore]:
    """Scores of which one direction is better, that two models have."""
    found: dict[str, RunScore] = {}
    have: Counter[str] = Counter()
    for model in models.values():
        for name, score in model.scores.items():
            if score.spec.direction != "target":
                found.setdefault(name, score)
                have[name] += 1
    return {name: score for name, score in found.items() if have[name] > 1}


def _judged(votes: Sequence[Vote], score: str, models: Mapping[str, _Model]) -> Judged | None:
    """Votes of which both clips have the score; None without any."""
    rows = []
    for vote in votes:
        a, b = models[vote.model_a].value(score, vote.item), models[vote.model_b].value(score, vote.item)
        if a is not None and b is not None:
            rows.append((a - b, vote.outcome, vote.item))
    if not rows:
        return None
    direction = next(model.scores[score].spec.direction for model in models.values() if score in model.scores)
    difference = np.array([row[0] for row in rows]) * (1.0 if direction == "higher" else -1.0)
    _, item = np.unique([row[2] for row in rows], return_inverse=True)
    return Judged(difference, np.array([row[1] for row in rows], dtype=np.int64), item.astype(np.int64))


def _rankings(criterion: str, votes: Sequence[Vote], models: Mapping[str, _Model]) -> list[Ranking]:
    ratings = _ratings(votes)
    found = []
    for name, score in _directed(models).items():
        summaries = {model: one.run.run.summary.scores for model, one in models.items()}
        values = {
            model: s.overall.value
            for model, scores in summaries.items()
            for s in scores
            if s.name == name and s.overall.value is not None and model in ratings
        }
        turn = 1.0 if score.spec.direction == "higher" else -1.0
        kendall, spearman, p = correlations({model: turn * value for model, value in values.items()}, ratings)
        found.append(
            Ranking(
                score=name,
                title=score.spec.title,
                criterion=criterion,
                n_models=len(values),
                kendall=kendall,
                spearman=spearman,
                p=p,
                values=values,
                ratings={model: ratings[model] for model in values},
            )
        )
    return found


def _ratings(votes: Sequence[Vote]) -> dict[str, float]:
    """Bradley-Terry ratings of the models, ties as half a win."""
    from arena.ratings import bradley_terry

    words = {1: "model_a", -1: "model_b", 0: "tie"}
    table = bradley_terry(
        [{"model_a": v.model_a, "model_b": v.model_b, "winner": words[v.outcome], "item": v.item} for v in votes]
    ).table
    return {str(model): float(rating) for model, rating in zip(table["model"], table["rating"], strict=True)}


def _notes(models: Mapping[str, _Model], votes: Sequence[Vote]) -> list[str]:
    notes = []
    if len(models) < ENUMERATED:
        notes.append(
            f"{len(models)} models: rank correlations over so few prove nothing (with 4 models the smallest two-sided "
            f"p is 0.083)"
        )
    without = sorted({name for vote in votes for name in (vote.model_a, vote.model_b)} - set(models))
    if without:
        notes.append(f"no run of {', '.join(without)} was given; votes on them are left out")
    return notes
