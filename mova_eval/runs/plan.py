"""Which metrics a run measures, and the key under which each of its measurements is known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import metrics
from metrics import registry, weights
from metrics.errors import UserError
from metrics.metric import Metric, unmet_request
from metrics.types import Need, Request
from mova_eval.records import MetricRef, NotRun
from mova_eval.runs.memory import loaded_bytes
from mova_eval.runs.outcomes import NO_CLIP, Outcome, digest
from mova_eval.runs.paths import canonical_json

_FIELD_OF_NEED = {
    Need.PROMPT: "prompt",
    Need.AUDIO_PROMPT: "audio_prompts",
    Need.SPEECH: "speech",
    Need.SPEAKERS: "speech",
    Need.REFERENCE_AUDIO: "reference_audio",
    Need.FIRST_FRAME: "first_frame",
}
_FILE_FIELDS = frozenset({"first_frame", "reference_audio"})


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """One metric of a run: how to make it again in another process, and what its numbers depend on."""

    ref: MetricRef
    options: dict[str, Any]
    needs: frozenset[Need]
    reads: tuple[str, ...]
    """`Request` fields that influence its outcome, those behind its declared needs included."""
    _prefix: dict[str, Any] = field(repr=False)
    clips_per_batch: tuple[int, int] | None = None
    """On a CPU, on a GPU; None for a metric that measures one clip at a time."""
    loaded_bytes: int = 0
    """Memory that its networks take, about."""

    @property
    def name(self) -> str:
        return self.ref.name

    def key(self, clip_sha256: str | None, request: Request) -> str:
        """sha256 over everything that the outcome depends on. Raises UserError for an unreadable reference file."""
        asked = {name: _request_value(request, name) for name in self.reads}
        return digest(canonical_json({**self._prefix, "clip": clip_sha256, "request": asked}).encode())

    def without_clip(self, request: Request, item: str, why: str = "") -> Outcome:
        """The outcome for an item that has no clip: not applicable where a clip would not have helped, else failed.

        why: there is none, where that is known.
        """
        unmet = unmet_request(self.needs, request)
        if unmet is not None:
            return Outcome(self.name, "not_applicable", reason=unmet[1], code=unmet[0])
        return Outcome.failed(self.name, NO_CLIP, f"there is no clip of item {item}" + (f": {why}" if why else ""))


def _request_value(request: Request, name: str) -> Any:
    value = getattr(request, name)
    if name in _FILE_FIELDS:
        if value is None:
            return None
        try:
            return weights.sha256_of(Path(value))
        except OSError as error:
            raise UserError(
                f"item {request.id}: {name} {value} cannot be read ({error.strerror}); put the file there or load "
                f"the benchmark without it"
            ) from error
    if name == "speech":
        return [[turn.speaker, turn.text] for turn in request.speech]
    return list(value) if isinstance(value, tuple) else value


_OF_THE_RUN = {"protocol", "device", "threads"}


def choose(
    names: Sequence[str] | None,
    *,
    require: Iterable[str] = (),
    protocol: str,
    options: Mapping[str, Mapping[str, Any]],
    licence: str = "any",
) -> tuple[list[MetricPlan], list[NotRun]]:
    """The metrics of a run and those that were asked for but cannot run here.

    names: metrics or scores; None for every metric there is. `require`d ones are asked for, too. licence: "commercial"
    leaves out metrics whose weights forbid commercial use.
    Raises UserError for an unknown name, protocol or option, for a required metric that cannot run, and when nothing
    is left to run.
    """
    settings = {registry.metric_class(name).name: dict(values) for name, values in options.items()}
    for metric_name, values in settings.items():
        for word in sorted(_OF_THE_RUN & set(values)):
            raise UserError(
                f"metric {metric_name}: '{word}' is not set for one metric; give --{word} for the whole run"
            )
    required = _metric_names(require)
    asked = list(registry.available()) if names is None else _metric_names(names)
    asked += [name for name in required if name not in asked]
    plans, not_run = [], []
    for name in asked:
        optional = names is None and name not in required
        plan = _plan(name, protocol, settings.get(name, {}), optional=optional, licence=licence)
        if isinstance(plan, MetricPlan):
            plans.append(plan)
        elif name in required:
            raise UserError(f"required metric {name} cannot run: {plan.reason}")
        else:
            not_run.append(plan)
    if not plans:
        reasons = "; ".join(gap.reason for gap in not_run) or "none was asked for"
        raise UserError(f"no metric can run: {reasons}")
    return plans, not_run


def _metric_names(names: Iterable[str]) -> list[str]:
    """Metric names in the registry's order, scores replaced by the metric that gives them, each once."""
    chosen = {registry.metric_class(name).name for name in names}
    known = registry.available()
    return sorted(chosen, key=lambda name: known.index(name) if name in known else len(known))


def _plan(name: str, protocol: str, options: dict[str, Any], *, optional: bool, licence: str) -> MetricPlan | NotRun:
    try:
        cls = registry.metric_class(name)
    except UserError as error:
        if optional:  # another distribution's broken entry must not keep the other metrics from running
            return NotRun(metric=name, reason=str(error))
        raise
    if optional and protocol not in cls.protocols:
        return NotRun(metric=name, reason=f"it knows no protocol '{protocol}', only {', '.join(cls.protocols)}")
    metric = metrics.get(name, protocol=protocol, **options)
    forbidding = [entry for entry in map(weights.declared, metric.weights_used()) if not entry.commercial]
    if licence == "commercial" and forbidding:
        lost = ", ".join(spec.name for spec in metric.scores)
        terms = " and ".join(f"{entry.name} ({entry.licence})" for entry in forbidding)
        return NotRun(metric=name, reason=f"left out by --licence commercial, and with it {lost}: weights {terms}")
    gaps = metric.missing()
    if gaps:
        said = [gap.removeprefix(f"{metric.name} not run: ").removeprefix(f"{metric.name} ") for gap in gaps]
        return NotRun(metric=name, reason="; ".join(said))  # the name stands beside it wherever it is shown
    return _plan_of(metric, options)


def _plan_of(metric: Metric, options: dict[str, Any]) -> MetricPlan:
    parameters = metric.parameters()
    try:
        canonical_json(parameters)
    except (TypeError, ValueError) as error:
        raise UserError(f"metric {metric.name}: its parameters are not JSON values: {error}") from error
    digests = {name: weights.digest(name) for name in metric.weights_used()}
    ref = MetricRef(
        name=metric.name,
        version=metric.version,
        parameters=parameters,
        weights=digests,
        scores=[spec.name for spec in metric.scores],
        origin=registry.origin(metric.name),
        made_with=_made_with(metric),
    )
    prefix = {
        "metric": ref.name,
        "version": ref.version,
        "parameters": parameters,
        "weights": digests,
        "origin": ref.origin,
    }
    reads = set(metric.reads) | {_FIELD_OF_NEED[need] for need in metric.needs if need in _FIELD_OF_NEED}
    needs = frozenset(metric.needs)
    given = options.get("batch_size")
    liked = (metric.clips_per_batch, metric.clips_per_batch_gpu) if given is None else (given, given)
    batch = liked if metric.is_batched else None
    return MetricPlan(ref, options, needs, tuple(sorted(reads)), prefix, batch, loaded_bytes(metric))


def _made_with(metric: Metric) -> str:
    """Short name of what a number was made with: weights files, and the model where the metric names one."""
    identity = metric.identity()
    used = [f"{name} (own file)" if weights.own_path(name) else name for name in metric.weights_used()]
    return ", ".join([*used, *(identity[key] for key in ("asr", "model") if key in identity)])


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def resolve_device(device: str) -> str:
    """What "auto" means on this machine: "cuda" where a driver and torch are, without importing anything heavy."""
    if device != "auto":
        return device
    from importlib.util import find_spec

    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}
    return "cuda" if not hidden and Path("/dev/nvidiactl").exists() and find_spec("torch") is not None else "cpu"
