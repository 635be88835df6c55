"""From a comparison and rules to pass, warn or fail.

A loss fails only when it is both large and shown: its whole interval lies beyond the tolerance (or the noise floor),
and its p-value survives Holm's correction over everything that the gate looks at, coverage included. So two equal
models fail in at most `alpha` of all cases, however many scores are gated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mova_eval.comparison.records import Comparison, Coverage, ScoreComparison
from mova_eval.comparison.resampling import holm
from mova_eval.comparison.wording import headline
from mova_eval.gates.records import Check, GateResult, Outcome
from mova_eval.gates.rules import Condition, GateFile, Rule
from mova_eval.reports.numbers import difference_style, p_text

Key = tuple[Literal["loss", "coverage"], str]


def decide(
    comparison: Comparison, gate: GateFile, *, noise: Mapping[str, float] | None = None, name: str = "default"
) -> GateResult:
    """Judge a comparison.

    noise: score -> how far it moves between evaluations that should be equal; nothing below it fails. name: of the
    gate file, for the reader.
    """
    floors = noise or {}
    rules = {s.name: rule for s in comparison.scores if (rule := gate.rule_for(s.name, s.metric, s.direction))}
    judged = [score for score in comparison.scores if score.name in rules]
    covered = _coverages(judged)
    corrected = _corrected(judged, covered, gate)
    checks = [
        _loss(score, rules[score.name], floors.get(score.name, 0.0), corrected.get(("loss", score.name)), gate)
        for score in judged
    ]
    checks += [_coverage(who, seen, corrected.get(("coverage", who)), gate) for who, seen in covered.items()]
    checks += _missing(comparison, gate)
    n_judged = sum(check.kind == "loss" and check.limit is not None for check in checks)
    if not n_judged:
        said = "the gate compared nothing: no score of the two runs could be judged"
        checks.insert(0, Check(name="nothing compared", kind="comparison", outcome="fail", message=said))
    differing = [one.text for one in comparison.card_differences if one.matters]
    if differing:
        said = f"the runs were made differently: {'; '.join(differing)}"
        checks.append(Check(name="protocol", kind="comparison", outcome="warn", message=said))
    outcomes = {check.outcome for check in checks}
    return GateResult(
        outcome="fail" if "fail" in outcomes else "warn" if "warn" in outcomes else "pass",
        checks=checks,
        n_judged=n_judged,
        gate=name,
        subject=headline(comparison),
    )


def _coverages(scores: list[ScoreComparison]) -> dict[str, Coverage]:
    """Coverages to look at: one per metric where its scores share it, else one per score."""
    by_metric: dict[str, list[ScoreComparison]] = {}
    for score in scores:
        by_metric.setdefault(score.metric, []).append(score)
    found: dict[str, Coverage] = {}
    for metric, group in by_metric.items():
        shared = all(score.coverage == group[0].coverage for score in group)
        found |= {metric: group[0].coverage} if shared else {score.name: score.coverage for score in group}
    return found


def _corrected(
    scores: list[ScoreComparison], covered: Mapping[str, Coverage], gate: GateFile
) -> dict[Key, float | None]:
    """p-values of all that the gate looks at, corrected together."""
    found: dict[Key, float | None] = {("loss", s.name): s.p for s in scores if s.n >= gate.min_items}
    found |= {("coverage", name): seen.p for name, seen in covered.items() if seen.base}
    return dict(zip(found, holm(list(found.values())), strict=True))


def _loss_of(score: ScoreComparison) -> tuple[float | None, tuple[float, float] | None]:
    """The loss and its interval; where neither direction is better, any change counts as a loss."""
    if score.direction != "target" or score.difference is None:
        return score.loss, score.loss_interval
    interval = score.interval
    if interval is not None:
        low, high = sorted(map(abs, interval))
        interval = (0.0 if score.interval[0] <= 0 <= score.interval[1] else low, high)  # type: ignore[index]
    return abs(score.difference), interval


def _loss(score: ScoreComparison, rule: Rule, floor: float, p: float | None, gate: GateFile) -> Check:
    loss, interval = _loss_of(score)
    base = {"name": score.name, "kind": "loss", "n": score.n, "p": p, "noise_floor": floor or None}
    if loss is None:
        outcome: Outcome = "fail" if score.coverage.base else "not judged"
        why = "; ".join(score.notes) or "nothing to compare"
        return Check.model_validate({**base, "outcome": outcome, "message": f"not compared: {why}"})
    if score.n < gate.min_items:
        said = f"{score.n} common items, fewer than the {gate.min_items} that the gate asks for"
        return Check.model_validate({**base, "outcome": "not judged", "message": said, "loss": loss})
    tolerance = rule.allowed(score.base or 0.0)
    limit = max(tolerance, floor)
    fails = _holds(rule.fail_if, loss, interval, p, limit, gate.alpha)
    warns = _holds(rule.warn_if, loss, interval, p, limit, gate.alpha)
    outcome = "fail" if fails else "warn" if warns else "pass"
    said = _said(score, loss, interval, p, tolerance, floor, outcome)
    return Check.model_validate(
        {**base, "outcome": outcome, "message": said, "loss": loss, "interval": interval, "limit": limit}
    )


def _holds(
    condition: Condition | None,
    loss: float,
    interval: tuple[float, float] | None,
    p: float | None,
    limit: float,
    alpha: float,
) -> bool:
    if condition in (None, "never"):
        return False
    if condition == "value beyond tolerance":
        return loss > limit
    if interval is None:
        return False
    if condition == "interval reaches tolerance":
        return interval[1] > limit
    return interval[0] > limit and p is not None and p <= alpha


def _said(
    score: ScoreComparison,
    loss: float,
    interval: tuple[float, float] | None,
    p: float | None,
    tolerance: float,
    floor: float,
    outcome: Outcome,
) -> str:
    style = difference_style(score)
    moved = "worse" if score.direction != "target" else "another number"
    text = f"{moved} by {style.write(loss)}" if loss > 0 else f"better by {style.write(-loss)}"
    if loss == 0:
        text = "no change"
    if interval is not None:  # of what the sentence says: of the gain where it speaks of one
        text += f" [{style.interval(interval if loss >= 0 else (-interval[1], -interval[0]))}]"
    text += f", p {p_text(p)}, {score.n} items"
    floors = floor > tolerance
    limit = style.write(max(tolerance, floor))
    kind = "noise floor" if floors else "tolerance"
    if outcome == "fail":
        return f"{text}: beyond the {kind} of {limit}"
    if outcome == "warn":
        return f"{text}: beyond the {kind} of {limit}, but not shown to be"
    return f"{text}; {kind} {limit}"


def _coverage(name: str, seen: Coverage, p: float | None, gate: GateFile) -> Check:
    rule = gate.coverage
    base = {"name": name, "kind": "coverage", "n": seen.base, "p": p, "limit": rule.max_drop}
    if not seen.base:
        return Check.model_validate({**base, "outcome": "not judged", "message": "base has no number either"})
    drop = seen.drop
    said = f"{seen.head} of the {seen.base} items scored in base are scored in head"
    if seen.only_head:
        said = f"{seen.base} items scored in base, {seen.head} in head ({seen.only_base} lost, {seen.only_head} gained)"
    if seen.only_base:
        said += f"; lost: {', '.join(f'{reason} {n}' for reason, n in seen.lost_reasons.items())}"
    shown = p is not None and p <= gate.alpha
    beyond = drop > rule.max_drop
    outcome: Outcome = "fail" if drop > rule.hard_drop or (beyond and shown) else "warn" if beyond else "pass"
    if beyond:
        said += f"; a drop of {drop:.1%}, {rule.max_drop:.1%} allowed, p {p_text(p)}"
    return Check.model_validate({**base, "outcome": outcome, "message": said, "loss": drop})


def _missing(comparison: Comparison, gate: GateFile) -> list[Check]:
    """Scores that a rule names or requires and that the comparison does not hold."""
    there = {score.name for score in comparison.scores} | {score.metric for score in comparison.scores}
    compared = {name for score in comparison.compared for name in (score.name, score.metric)}
    found = []
    for name in dict.fromkeys([*gate.required, *(gate.metrics if gate.judge == "listed" else ())]):
        if name not in there:
            said = "the gate asks for it, and neither run has it"
            found.append(Check(name=name, kind="loss", outcome="fail", message=said))
        elif name in gate.required and name not in compared:
            found.append(Check(name=name, kind="loss", outcome="fail", message="required, but it was not compared"))
    return found
