"""What every form of a comparison says in the same words."""

from __future__ import annotations

from mova_eval.comparison.records import (
    CardDifference,
    ClipFormat,
    Comparison,
    ItemChange,
    ProtocolCard,
    ScoreComparison,
)
from mova_eval.reports.numbers import difference_style, p_text, signed, signed_interval

LEGEND = (
    ("Head − base", "difference of the two values over the items that both runs scored, each by the rule of its row."),
    (
        "95% interval",
        "bootstrap over items, both runs resampled together: it says how far the difference would move with other items"
        " of the same kind, not with other seeds of the generators (see the noise floor for those).",
    ),
    (
        "p",
        "how often a random swap of the two runs within each item gives a difference as large; corrected for the number"
        " of scores (Holm), so that at most one comparison in twenty of equal models shows any difference.",
    ),
    (
        "Could find",
        "the smallest true difference that these items would show with probability 0.8 at the 5% level, for one score"
        " alone. A smaller one may well exist: no difference shown is not the same as no difference.",
    ),
    ("Lost", "items that have a number in base and none in head: fewer faces found, sound missing, clips missing."),
    (
        "Most changed",
        "per item the mean over its scores of the change towards worse, each in units of that score's usual change.",
    ),
)


def headline(comparison: Comparison) -> str:
    """What is compared with what."""
    base, head = comparison.base, comparison.head
    names = (base.run, head.run) if base.model == head.model else (base.model, head.model)
    return f"{names[1]} against {names[0]}, {comparison.benchmark}, {comparison.n_common} common items"


def counts(comparison: Comparison) -> dict[str, int]:
    """How many scores got better, worse, changed, show no difference, are equal, were not compared."""
    found: dict[str, int] = {}
    for score in comparison.scores:
        found[score.verdict] = found.get(score.verdict, 0) + 1
    return found


def verdict_sentence(comparison: Comparison) -> str:
    """The outcome in one sentence."""
    found = counts(comparison)
    parts = []
    for verdict in ("worse", "better", "changed"):
        names = [score.name for score in comparison.scores if score.verdict == verdict]
        if names:
            parts.append(f"{verdict}: {', '.join(names)}")
    still = found.get("no difference shown", 0)
    if still:
        parts.append(f"no difference shown in {still} of {len(comparison.scores)} scores")
    for verdict in ("equal", "not compared"):
        if verdict in found:
            parts.append(f"{verdict}: {found[verdict]}")
    return "; ".join(parts)


def sentence_of_differences(comparison: Comparison) -> str:
    """In what the cards differ that matters, empty when they agree."""
    return "; ".join(one.text for one in comparison.card_differences if one.matters)


def difference_text(difference: CardDifference) -> str:
    """One field that differs."""
    return difference.text


def said_of(score: ScoreComparison) -> str:
    """One score as a sentence, with its evidence."""
    style = difference_style(score)
    text = f"{score.name} {signed(style, score.difference)}"
    if score.interval is not None:
        text += f" [{signed_interval(style, score.interval)}]"
    return f"{text}, p {p_text(score.p_holm)}, {score.n} items"


def biggest_change(change: ItemChange, comparison: Comparison) -> tuple[ScoreComparison, float] | None:
    """The score of an item that moved most towards worse in units of that score's detectable difference."""
    best: tuple[float, ScoreComparison, float] | None = None
    for score in comparison.compared:
        base, head = change.values.get(score.name, (None, None))
        if base is None or head is None or score.direction == "target":
            continue
        loss = score.as_loss(head - base) or 0.0
        size = loss / (score.detectable or 1.0)
        if best is None or size > best[0]:
            best = (size, score, head - base)
    return None if best is None else (best[1], best[2])


def card_facts(card: ProtocolCard) -> list[tuple[str, str]]:
    """A protocol card as (field, text) pairs, the same fields for every card."""
    clips = card.clips
    settings = ", ".join(f"{name} {value}" for name, value in card.generator.items())
    size, length, rate, sound = clip_texts(clips)
    weights = {name: digest for metric in card.metrics.values() for name, digest in metric["weights"].items()}
    return [
        ("Benchmark", card.benchmark),
        ("Benchmark content (sha256)", card.benchmark_sha256[:16]),
        ("Prompts", card.prompt_variant),
        ("Items", f"{card.n_items} of {', '.join(card.sets)}"),
        ("Protocol", card.protocol),
        ("Clip size", size),
        ("Clip length", length),
        ("Frames per second", rate),
        ("Sound", sound),
        ("Generator settings", settings or "none stated"),
        ("Generation seed", "not stated" if card.seed is None else str(card.seed)),
        ("Weights (sha256)", ", ".join(f"{name} {digest[:8]}" for name, digest in weights.items()) or "none"),
    ]


def clip_texts(clips: ClipFormat | None) -> tuple[str, str, str, str]:
    """Size, length, frame rate and sound of a run's clips, "unknown" where no clip could be read."""
    if clips is None:
        return "unknown", "unknown", "unknown", "unknown"
    shortest, median, longest = clips.seconds
    length = f"{median:.2f} s" if longest - shortest < 0.01 else f"{shortest:.2f} to {longest:.2f} s"
    sound = f"{_shares(clips.sample_rates)} Hz, {_shares(clips.channels)} channels"
    return _shares(clips.sizes), length, _shares(clips.fps), sound


def _shares(shares: dict[str, float]) -> str:
    if len(shares) == 1:
        return next(iter(shares))
    return ", ".join(f"{value} ({share:.0%})" for value, share in list(shares.items())[:4])
