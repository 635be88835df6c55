"""Score the clips of a finished run once more, from its own files and without the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from metrics import registry
from metrics.errors import UserError
from metrics.types import Need, Request, Turn
from mova_eval.records import RunItem
from mova_eval.runs.items import BenchmarkLike
from mova_eval.runs.loading import Run
from mova_eval.runs.runner import OnEvent, RunOutcome, score_clips

_KEPT = frozenset({"id", "prompt", "speech", "language", "category"})
"""What items.jsonl keeps of a request."""
_NEEDED = {Need.AUDIO_PROMPT: "audio_prompts", Need.REFERENCE_AUDIO: "reference_audio", Need.FIRST_FRAME: "first_frame"}


@dataclass(frozen=True)
class StoredItem:
    """An item as the run kept it."""

    kept: RunItem

    @property
    def id(self) -> str:
        return self.kept.item

    @property
    def set(self) -> str:
        return self.kept.set

    @property
    def category(self) -> str | None:
        return self.kept.category

    @property
    def language(self) -> str | None:
        return self.kept.language

    @property
    def prompt(self) -> str:
        return self.kept.prompt

    @property
    def flags(self) -> Sequence[str]:
        return self.kept.flags

    def request(self) -> Request:
        """What metrics may read: no audio prompt, first frame or reference, which a run does not keep."""
        turns = tuple(Turn(turn.get("speaker", ""), turn.get("text", "")) for turn in self.kept.speech)
        return Request(id=self.id, prompt=self.prompt, speech=turns, language=self.language, category=self.category)


@dataclass(frozen=True)
class StoredBenchmark:
    """The benchmark of a run as far as the run kept it."""

    name: str
    version: str
    title: str
    content_sha256: str
    prompt_variant: str
    sets: tuple[str, ...]
    items: tuple[StoredItem, ...]
    limit: int | None = None


@dataclass(frozen=True)
class StoredMatching:
    """The clips of a run."""

    clips: Mapping[str, Path]
    unmatched: Sequence[Path] = field(default=())
    remarks: Sequence[str] = field(default=())
    absent: Mapping[str, str] = field(default_factory=dict)


def benchmark_of(run: Run, benchmark: str | None, root: Path | None, media: Path | None) -> BenchmarkLike:
    """The benchmark that a run was made on: loaded again where metrics read more than the run kept of its items.

    Raises UserError when it has to be loaded and is another one, or cannot be found.
    """
    from mova_eval import benchmarks

    ref = run.manifest.benchmark
    more = _more_than_kept(run)
    if benchmark is None and not more:
        return StoredBenchmark(
            ref.name, ref.version, ref.title, ref.content_sha256, ref.prompt_variant, tuple(ref.sets),
            tuple(map(StoredItem, run.items)), ref.limit,
        )  # fmt: skip
    if benchmark is None and ref.name not in benchmarks.names():
        raise UserError(
            f"{', '.join(more)} reads more of an item than run {run.path} has kept; give the benchmark's path with "
            f"--benchmark"
        )
    loaded: BenchmarkLike = benchmarks.load(
        benchmark or ref.name,
        root=root,
        media=media,
        ids=[item.item for item in run.items],
        variant=ref.prompt_variant,
    )
    if loaded.content_sha256 != ref.content_sha256:
        raise UserError(
            f"run {run.path} was made on another content of benchmark {ref.name} than the one found now; give the "
            f"files it was made from with --root"
        )
    return loaded


def _more_than_kept(run: Run) -> list[str]:
    found = []
    for ref in run.manifest.metrics:
        cls = registry.metric_class(ref.name)
        reads = set(cls.reads) | {_NEEDED[need] for need in cls.needs if need in _NEEDED}
        if reads - _KEPT:
            found.append(ref.name)
    return found


def score_again(
    run: Run, benchmark: BenchmarkLike, out: Path, *, workers: int | None = None, on_event: OnEvent | None = None
) -> RunOutcome:
    """Score a run's clips with the metrics and options of the run into another run directory; resumes.

    Raises UserError for a metric that cannot run here now.
    """
    manifest = run.manifest
    clips = {item.item: (run.path / item.clip).resolve() for item in run.items if item.clip is not None}
    gone = [path for path in clips.values() if not path.exists()]
    if gone:
        raise UserError(f"clip {gone[0]} of run {run.path} is gone ({len(gone)} of {len(clips)}); bring the clips back")
    return score_clips(
        benchmark,
        StoredMatching(clips),
        out=out,
        metrics=[ref.name for ref in manifest.metrics],
        require=[ref.name for ref in manifest.metrics],
        protocol=manifest.protocol,
        options=_options(run),
        generator=manifest.generator,
        seed=manifest.seed,
        workers=workers,
        cache=False,
        on_event=on_event,
        command=["mova-eval", "noise"],
    )


def _options(run: Run) -> dict[str, dict[str, Any]]:
    options = {}
    for ref in run.manifest.metrics:
        cls = registry.metric_class(ref.name)
        options[ref.name] = {name: value for name, value in ref.parameters.items() if name in cls.defaults}
    return options


def changed_keys(run: Run, again: Run) -> list[str]:
    """Metrics whose measurements depend on something else now (another version, other weights)."""
    before = {(record.item, record.metric): record.key for record in run.records}
    return sorted({r.metric for r in again.records if before.get((r.item, r.metric), r.key) != r.key})
