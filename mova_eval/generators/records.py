"""Journal lines and manifest of the making of clips."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from mova_eval import __version__
from mova_eval.generators.contract import ClipRequest, PlanOptions
from mova_eval.generators.planning import Planned
from mova_eval.generators.work import Attempt
from mova_eval.records import GenerationManifest, GenerationRecord, GeneratorRef
from mova_eval.runs.manifest import commit_of_suite, machine, versions
from mova_eval.runs.outcomes import digest
from mova_eval.runs.paths import RunPaths

if TYPE_CHECKING:
    from mova_eval.benchmarks import Benchmark


def make_generation_manifest(
    benchmark: Benchmark, ref: GeneratorRef, paths: RunPaths, command: Sequence[str]
) -> GenerationManifest:
    """What is made and where, as of now."""
    commit, dirty = commit_of_suite()
    return GenerationManifest(
        run=paths.root.resolve().name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        benchmark=benchmark.reference(),
        generator=ref,
        machine=machine(),
        versions=versions(),
        commit=commit,
        dirty=dirty,
        command=list(command),
    )


def record_of_attempt(
    request: ClipRequest, attempt: Attempt, ref: GeneratorRef, options: PlanOptions
) -> GenerationRecord:
    """The journal line of an attempt."""
    return GenerationRecord(
        item=request.item,
        set=request.set,
        state="ok" if attempt.ok else "failed",
        generator=ref.kind,
        model=ref.model or ref.name,
        code=_code(),
        request=request.identity(),
        request_sha256=request.sha256(),
        seed=request.seed,
        prompt_sha256=digest(request.prompt.encode()),
        prompt_variant=options.variant,
        first_frame_sha256=request.first_frame_sha256,
        clip_sha256=attempt.clip_sha256,
        facts=attempt.facts,
        flags=attempt.flags,
        seconds=round(attempt.seconds, 3),
        peak_memory_bytes=attempt.peak_memory_bytes,
        attempt=attempt.number,
        reason=attempt.reason,
        code_of_failure=attempt.code,
        details=attempt.details,
        error_tail=attempt.tail,
    )


def record_of_gap(plan: Planned, ref: GeneratorRef, options: PlanOptions) -> GenerationRecord:
    """The journal line of an item that cannot be made."""
    return GenerationRecord(
        item=plan.item,
        set=plan.set,
        state="not_runnable",
        generator=ref.kind,
        model=ref.model or ref.name,
        code=_code(),
        prompt_variant=options.variant,
        reason=plan.reason,
        code_of_failure=plan.code,
    )


@lru_cache(maxsize=1)
def _code() -> str:
    commit, dirty = commit_of_suite()
    return f"mova-eval {__version__}" + (f" {commit[:12]}{'+' if dirty else ''}" if commit else "")
