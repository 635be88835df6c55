"""What the Markdown and the HTML report both say, worked out once from the files of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mova_eval.benchmarks.text import speaking_seconds
from mova_eval.records import MetricRef, Record
from mova_eval.reports.inputs import RunFiles

LEGEND = (
    ("Value", "made from the clips that could be scored, by the rule of its row; no clip counts as zero."),
    (
        "95% interval",
        "bootstrap over clips: it says how far the number would move with other clips of the same kind. It covers"
        " neither other seeds of the generator nor errors of the metric itself.",
    ),
    ("↑ ↓ ↔", "higher is better, lower is better, neither is better (a loudness, an offset)."),
    ("Scored", "clips with a number, out of the clips the score was expected on."),
    (
        "Not applicable",
        "the clip is fine, but the score has no meaning for it, such as a word error rate where nobody speaks.",
    ),
    ("Failed", "the clip should have had a score and has none; the reason is listed."),
    (
        "Compat",
        "what the published tool would print: it counts failed clips with a fixed value. Shown only where it differs.",
    ),
    (
        "Comparing",
        "two runs are comparable on the same items, protocol and weights; overlapping intervals do not prove that two"
        " models are equal, since clips are paired (use mova-eval compare).",
    ),
)


@dataclass(frozen=True)
class Coverage:
    """Measurements of a run by what became of them; `missing` ones have no record yet."""

    expected: int
    scored: int
    not_applicable: int
    failed: int

    @property
    def measured(self) -> int:
        return self.scored + self.not_applicable + self.failed

    @property
    def missing(self) -> int:
        return self.expected - self.measured


@dataclass
class ReasonGroup:
    """All measurements without a score that share a status and a reason code.

    reasons: distinct sentences with how often each was given. items: item ids in benchmark order.
    """

    status: str
    code: str
    count: int = 0
    metrics: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    items: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return "failed" if self.status == "failed" else "not applicable"

    def add(self, record: Record) -> None:
        self.count += 1
        self.reasons[record.reason or "no reason given"] += 1
        if record.metric not in self.metrics:
            self.metrics.append(record.metric)
        if not self.items or self.items[-1] != record.item:
            self.items.append(record.item)


@dataclass(frozen=True)
class MetricCost:
    """A metric of the run with what it cost: seconds of its own arithmetic per clip, and how many came from cache."""

    ref: MetricRef
    seconds_per_clip: float | None
    cached: int


def records_in_order(run: RunFiles) -> list[Record]:
    """Records of the run's items and metrics, in benchmark order, whatever order the journal was written in."""
    pairs = ((item.item, metric.name) for item in run.items for metric in run.manifest.metrics)
    return [run.records[pair] for pair in pairs if pair in run.records]


def coverage(run: RunFiles) -> Coverage:
    """Counts of the run's measurements by status."""
    count = Counter(record.status for record in records_in_order(run))
    return Coverage(run.n_expected, count["scored"], count["not_applicable"], count["failed"])


def reason_groups(run: RunFiles) -> list[ReasonGroup]:
    """Failed and not applicable measurements grouped by code: failed first, then by how many there are."""
    groups: dict[tuple[str, str], ReasonGroup] = {}
    for record in records_in_order(run):
        if record.status != "scored":
            key = (record.status, record.code or "no_code")
            groups.setdefault(key, ReasonGroup(*key)).add(record)
    return sorted(groups.values(), key=lambda g: (g.status != "failed", -g.count, g.code))


def costs(run: RunFiles) -> list[MetricCost]:
    """Per metric: mean seconds of the measurements that were really made, None where all came from the cache."""
    found = []
    for ref in run.manifest.metrics:
        timings = [t for (_, metric), t in run.timings.items() if metric == ref.name]
        made = [t.seconds for t in timings if not t.cached]
        mean = sum(made) / len(made) if made else None
        found.append(MetricCost(ref, mean, len(timings) - len(made)))
    return found


def date_of(created: str) -> str:
    """An ISO time as "2026-02-10 14:03 UTC"; a text that is no ISO time stays as it is."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return created
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def warnings(run: RunFiles) -> list[str]:
    """What a reader must know before believing any number of the report."""
    said = list(run.manifest.generator.caveats)
    seen = coverage(run)
    if seen.missing:
        said.append(f"incomplete: {seen.measured} of {seen.expected} measurements")
    elif not run.summary.complete:
        said.append("incomplete: the summary was made before the last measurement")
    if run.stale:
        said.append("the tables were made from an older journal than the clips below; write the summary again")
    if len(run.items) == 1:
        said.append("one item only: no intervals, and nothing to generalise from")
    others = sorted({s.protocol for s in run.summary.scores} - {run.manifest.protocol})
    if others:
        said.append(f"some scores were made with another protocol than {run.manifest.protocol}: {', '.join(others)}")
    if run.summary.missing_clips:
        said.append(f"{len(run.summary.missing_clips)} of {run.summary.n_items} items have no clip")
    return said


def facts(run: RunFiles) -> list[tuple[str, str]]:
    """The headline as (label, text) pairs."""
    m, seen = run.manifest, coverage(run)
    chosen = f"{len(run.items)} items of {', '.join(m.benchmark.sets) or 'all sets'}"
    if m.benchmark.limit is not None:
        chosen += f", limited to {m.benchmark.limit}"
    return [
        ("Benchmark", f"{m.benchmark.title} {m.benchmark.version}"),
        ("Items", chosen),
        ("Prompts", m.benchmark.prompt_variant),
        ("Clips", f"{m.generator.name} ({m.generator.kind})"),
        *generation_facts(run),
        *clip_facts(run),
        ("Protocol", m.protocol),
        ("Date", date_of(m.created)),
        ("Coverage", coverage_line(seen)),
        ("Made with", ", ".join(made_with(run)) or "no network weights"),
    ]


def clip_facts(run: RunFiles) -> list[tuple[str, str]]:
    """What the clips are like, as (label, text) pairs; nothing where none can be read."""
    if run.clips is None:
        return []
    from mova_eval.comparison.wording import clip_texts

    size, length, rate, sound = clip_texts(run.clips)
    return [("Clip format", f"{size}, {length}, {rate} frames per second, sound {sound}")]


def generation_facts(run: RunFiles) -> list[tuple[str, str]]:
    """How the clips were made, where the suite made them, as (label, text) pairs."""
    g, found = run.manifest.generator, []
    if g.model and g.model != g.name:
        found.append(("Model", g.model))
    if g.seconds is not None and g.frames is not None and g.fps is not None:
        length = f"{g.seconds:.2f} s, {g.frames} frames at {g.fps:g} per second"
        found.append(("Length", f"{length}, {' and '.join(g.sizes)}" if g.sizes else length))
        found += _unsayable(run, g.seconds)
    settings = ", ".join(
        f"{name} {_plain(value)}" for name, value in g.settings.items() if value not in (None, False, "")
    )
    if settings:
        found.append(("Settings", settings))
    if g.seed is not None:
        found.append(("Seed", f"{g.seed}, each item's own from it" if g.seed_per_item else f"{g.seed} for every item"))
    return found


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())


def _unsayable(run: RunFiles, seconds: float) -> list[tuple[str, str]]:
    """Lines that a person could not say within a clip: word errors and lip sync suffer from it whatever the model."""
    spoken = [" ".join(turn["text"] for turn in item.speech) for item in run.items if item.speech]
    long = sum(speaking_seconds(text) > seconds + 1e-9 for text in spoken)
    return [("Speech", f"{long} of {len(spoken)} lines are too long to be said in {seconds:.2f} s")] if spoken else []


def coverage_line(seen: Coverage) -> str:
    """Coverage as a sentence."""
    text = f"{seen.scored} of {seen.expected} measurements scored, {seen.not_applicable} not applicable"
    return f"{text}, {seen.failed} failed" + (f", {seen.missing} not measured yet" if seen.missing else "")


def made_with(run: RunFiles) -> Sequence[str]:
    """Distinct weights and model badges of the scores, in the order of the scores."""
    return list(dict.fromkeys(score.made_with for score in run.summary.scores if score.made_with))
