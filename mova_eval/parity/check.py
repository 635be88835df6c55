"""Scoring the golden clips and comparing with frozen values."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics import registry, weights
from metrics.errors import UserError
from mova_eval.doctor import Finding
from mova_eval.parity.golden import GOLDEN, content_sha256, render_golden

if TYPE_CHECKING:
    from metrics.metric import Metric
    from metrics.types import Measurement

Progress = Callable[[str, int, int], None]

TOLERANCES: Mapping[str, float] = {
    "lufs": 0.01, "rms": 1e-5, "dnsmos_p808": 1e-4, "dnsmos_sig": 1e-4, "dnsmos_bak": 1e-4, "dnsmos_ovrl": 1e-4,
    "av_align": 1e-9, "is": 1e-3, "clap": 1e-4, "clap_48k": 1e-4, "ib": 1e-3, "desync": 1e-6, "lse_d": 0.02,
    "lse_c": 0.02, "av_offset_frames": 1e-9, "wer": 1e-9, "cer": 1e-9, "cpcer": 1e-9,
}  # fmt: skip
"""Largest difference to the frozen value that counts as equal: what re-implementations are held to (DNSMOS, IS, CLAP,
IB-score, lip sync), exact where the result is a count or a grid step."""
DEFAULT_TOLERANCE = 1e-3
FEATURE_TOLERANCE = 1e-4
"""Of the means and deviations of arrays behind corpus-level scores."""

PACKAGED_ASR = "faster-whisper:packaged-base"
VARIANTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "wer": ({"asr": PACKAGED_ASR},),
    "cpcer": ({"asr": f"diarised:{PACKAGED_ASR}"}, {"asr": "moss"}),
}
"""Options of metrics whose default needs a service or a network."""


def check_parity(
    *, precision: str | None = None, device: str = "cpu", progress: Progress | None = None
) -> list[Finding]:
    """Score the golden clips with every metric that can run here, and compare.

    precision: of the metrics that know one; the values stay those of float32, so the differences are the drift.
    """
    frozen = frozen_values()
    with tempfile.TemporaryDirectory(prefix="mova-eval-golden-") as folder:
        clips = render_golden(Path(folder))
        findings = [*_clips_as_frozen(frozen["clips"])]
        jobs = list(_instances(precision, device))
        for count, (name, metric, gap) in enumerate(jobs, 1):
            if progress is not None:
                progress(name, count, len(jobs))
            if metric is None:
                findings.append(Finding(f"parity {name}", "missing", gap))
            else:
                found = list(_compare(name, metric, measured(metric, clips), frozen["values"]))
                findings.extend(_as_drift(found, precision) if "precision" in metric.defaults else found)
    return findings


def _as_drift(findings: list[Finding], precision: str | None) -> list[Finding]:
    """With another precision a difference is what was asked about, not a mistake."""
    if precision in {None, "float32"}:
        return findings
    return [
        replace(f, state="info", detail=f"{precision}: {f.detail}", remedy="") if f.state == "wrong" else f
        for f in findings
    ]


def freeze(path: Path, *, device: str = "cpu", keep: bool = True) -> int:
    """Write the values of now to a file, beside those of other weights that stand there (keep); how many are new."""
    with tempfile.TemporaryDirectory(prefix="mova-eval-golden-") as folder:
        clips = render_golden(Path(folder))
        rows = [
            {**_identity(name, metric), "clip": clip, **outcome, "made_with": _libraries()}
            for name, metric, _ in _instances(None, device)
            if metric is not None
            for clip, outcome in measured(metric, clips).items()
        ]
    old = json.loads(path.read_text("utf-8"))["values"] if keep and path.exists() else []
    new = {_row_key(row) for row in rows}
    kept = [row for row in old if _row_key(row) not in new]
    content = {
        "clips": {name: content_sha256(GOLDEN[name]) for name in clips},
        "values": sorted([*kept, *rows], key=lambda row: json.dumps(_row_key(row))),
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return len(rows)


def frozen_values() -> dict[str, Any]:
    """Clips' digests and values that the suite ships."""
    read: dict[str, Any] = json.loads((files("mova_eval.parity") / "values.json").read_text("utf-8"))
    return read


def _instances(precision: str | None, device: str) -> Iterator[tuple[str, Metric | None, str]]:
    """Label, metric (None where it cannot run here) and what it lacks, of every metric and variant."""
    for name in registry.available():
        for options in VARIANTS.get(name, ({},)):
            label = f"{name} {options['asr']}" if "asr" in options else name
            more = {"precision": precision} if precision and "precision" in registry.metric_class(name).defaults else {}
            try:
                metric = registry.get(name, device=device, **{**options, **more})
                gaps = list(metric.missing())
                if not gaps:
                    metric.weights_used()
            except UserError as error:
                yield label, None, str(error)
                continue
            yield label, None if gaps else metric, "; ".join(gaps)


def measured(metric: Metric, clips: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Clip -> what the metric answers: status, code, scores, and figures of its arrays, as JSON values."""
    from metrics.clip import Clip

    found = {}
    for name, path in clips.items():
        with Clip(path) as clip:
            found[name] = _outcome(metric.measure(clip, GOLDEN[name].request))
    return found


def _outcome(measurement: Measurement) -> dict[str, Any]:
    outcome: dict[str, Any] = {"status": measurement.status}
    if measurement.code:
        outcome["code"] = measurement.code
    if measurement.scores:
        outcome["scores"] = {name: float(value) for name, value in measurement.scores.items()}
    if measurement.features:
        outcome["features"] = {
            name: [float(array.astype(float).mean()), float(array.astype(float).std())]
            for name, array in measurement.features.items()
        }
    return outcome


def _identity(name: str, metric: Metric) -> dict[str, Any]:
    """What must agree for values to be comparable: metric, version, protocol, weights by digest, recogniser."""
    asr = metric.identity().get("asr")
    return {
        "metric": name,
        "version": metric.version,
        "protocol": metric.protocol,
        "weights": {used: weights.digest(used) for used in metric.weights_used()},
        **({"asr": asr} if asr else {}),
    }


def _row_key(row: Mapping[str, Any]) -> str:
    return json.dumps(
        [row["clip"], row["metric"], row["version"], row["protocol"], row["weights"], row.get("asr")], sort_keys=True
    )


def _libraries() -> str:
    from mova_eval.runs.manifest import versions

    return ", ".join(f"{name} {version}" for name, version in versions().items())


def _clips_as_frozen(frozen: Mapping[str, str]) -> Iterator[Finding]:
    for name, clip in GOLDEN.items():
        why = clip.missing()
        if why is not None:
            yield Finding(f"golden clip {name}", "missing", why)
        elif content_sha256(clip) == frozen.get(name):
            yield Finding(f"golden clip {name}", "ok", f"sha256 {frozen[name][:12]}..., as frozen")
        elif clip.certain:
            yield Finding(f"golden clip {name}", "wrong", "its pictures or samples differ from the frozen ones")
        else:
            yield Finding(
                f"golden clip {name}", "info", "its voice sounds a little different here: small deltas mean nothing"
            )


def _compare(
    name: str, metric: Metric, found: Mapping[str, Mapping[str, Any]], values: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """One line per score: the largest difference over the clips, and what is allowed."""
    identity = _identity(name, metric)
    known = {key: row for row in values if (key := _row_key(row))}
    pairs = {clip: (known.get(_row_key({**identity, "clip": clip})), now) for clip, now in found.items()}
    compared = {clip: (then, now) for clip, (then, now) in pairs.items() if then is not None}
    if not compared:
        used = ", ".join(f"{weight} {digest[:12]}" for weight, digest in identity["weights"].items()) or "none"
        yield Finding(f"parity {name}", "info", f"no values are frozen for version {metric.version}, weights {used}")
        return
    for clip, (then, now) in compared.items():
        if (then["status"], then.get("code")) != (now["status"], now.get("code")):
            was, is_ = (f"{row['status']} {row.get('code', '')}".strip() for row in (then, now))
            yield Finding(f"parity {name}", "wrong", f"clip {clip} is {is_}, frozen {was}")
    yield from _deltas(name, compared, "scores")
    yield from _deltas(name, compared, "features")


def _deltas(
    name: str, compared: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]], part: str
) -> Iterator[Finding]:
    scores = dict.fromkeys(score for then, _ in compared.values() for score in then.get(part, {}))
    for score in scores:
        rows = [
            (clip, then[part][score], now.get(part, {}).get(score))
            for clip, (then, now) in compared.items()
            if score in then.get(part, {})
        ]
        deltas = {clip: _distance(then, now) for clip, then, now in rows}
        worst = max(deltas, key=lambda clip: deltas[clip])
        allowed = TOLERANCES.get(score, DEFAULT_TOLERANCE) if part == "scores" else FEATURE_TOLERANCE
        good = deltas[worst] <= allowed
        where = f"delta {deltas[worst]:.1e} ({worst}), tolerance {allowed:g}, {len(rows)} clips"
        label = score if part == "scores" else f"{score} (mean and deviation)"
        remedy = "" if good else "compare versions of the libraries; if they agree, please report this"
        yield Finding(f"parity {name} {label}", "ok" if good else "wrong", where, remedy)


def _distance(then: Any, now: Any) -> float:
    if now is None:
        return math.inf
    if isinstance(then, list):
        return max(abs(float(a) - float(b)) for a, b in zip(then, now, strict=True))
    return abs(float(then) - float(now))
