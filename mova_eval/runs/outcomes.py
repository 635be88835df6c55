"""A measurement on its way from a worker process through the cache into the journal."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mova_eval.records import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from metrics.metric import Metric
    from metrics.types import Measurement, Status

NO_CLIP = "no_clip"
WORKER_DIED = "worker_died"
TIMEOUT = "timeout"
ERROR = "error"
LOAD_ERROR = "load_error"
OUT_OF_MEMORY = "out_of_memory"
TRANSIENT_CODES = frozenset({ERROR, LOAD_ERROR, WORKER_DIED, TIMEOUT, OUT_OF_MEMORY})
"""Failures that may not come back when measured again: never cached, and measured again on request."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A `metrics.Measurement` made of plain containers, so that it can be pickled and written as JSON.

    seconds: the metric's own time; decode_seconds: shared decoding that happened during this measurement.
    """

    metric: str
    status: Status
    scores: dict[str, float] = field(default_factory=dict)
    counts: dict[str, tuple[float, float]] = field(default_factory=dict)
    reason: str | None = None
    code: str | None = None
    flags: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    features: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    seconds: float = 0.0
    decode_seconds: float = 0.0

    @classmethod
    def failed(cls, metric: str, code: str, reason: str) -> Outcome:
        """A failure that the run itself has to report, in place of the metric."""
        return cls(metric, "failed", reason=reason, code=code)


def outcome_of(metric: Metric, measurement: Measurement, decode_seconds: float = 0.0) -> Outcome:
    """What a metric answered, as plain containers.

    A score that the metric does not declare, and details that JSON has no word for, make the measurement a failure
    of code "error": writing them down would make them a contract.
    """
    strangers = sorted(set(measurement.scores) - {spec.name for spec in metric.scores})
    if strangers:
        known = ", ".join(spec.name for spec in metric.scores)
        reason = f"metric {metric.name} gave a score '{strangers[0]}' that it does not declare (it declares {known})"
        return Outcome.failed(metric.name, ERROR, reason)
    try:
        details = {str(name): _json_value(value) for name, value in measurement.details.items()}
    except TypeError as error:
        return Outcome.failed(metric.name, ERROR, f"metric {metric.name}: {error}")
    return Outcome(
        metric=metric.name,
        status=measurement.status,
        scores={name: float(value) for name, value in measurement.scores.items()},
        counts={name: (float(r.numerator), float(r.denominator)) for name, r in measurement.counts.items()},
        reason=measurement.reason,
        code=measurement.code,
        flags=list(measurement.flags),
        details=details,
        features=dict(measurement.features),
        seconds=measurement.seconds,
        decode_seconds=decode_seconds,
    )


def _json_value(value: Any) -> Any:
    """A detail as strict JSON: numpy scalars and arrays become numbers and lists, NaN and infinities become null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json_value(inner) for inner in (sorted(value) if isinstance(value, set | frozenset) else value)]
    raise TypeError(f"details hold a {type(value).__name__}, which JSON has no word for")


def record_of(outcome: Outcome, *, item: str, set_: str, key: str, features: str | None) -> Record:
    """The journal line of an outcome. features: name of the file its arrays were written to."""
    return Record(
        item=item,
        set=set_,
        metric=outcome.metric,
        key=key,
        status=outcome.status,
        scores=outcome.scores,
        counts=outcome.counts,
        reason=outcome.reason,
        code=outcome.code,
        flags=outcome.flags,
        details=outcome.details,
        features=features if outcome.features else None,
    )


def encode_features(features: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Arrays as the bytes of an .npz file; the same arrays give the same bytes."""
    import numpy as np

    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: features[name] for name in sorted(features)}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def decode_features(data: bytes) -> dict[str, NDArray[np.generic]]:
    """Arrays of an .npz file. Raises ValueError, OSError or zipfile.BadZipFile when it is damaged."""
    import numpy as np

    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def digest(data: bytes) -> str:
    """Hex sha256."""
    return hashlib.sha256(data).hexdigest()
