"""Protocol cards: everything besides the model that a run's numbers depend on, and in what two of them differ."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from metrics.errors import ClipError, UserError
from mova_eval.comparison.records import CardDifference, ClipFormat, ProtocolCard
from mova_eval.records import Manifest, RunItem
from mova_eval.runs.loading import Run
from mova_eval.runs.paths import canonical_json, write_atomically

CARD_FILE = "card.json"
READ_CLIPS = 48
"""Clips opened to learn what the clips of a run are like."""
_SUBJECT = ("model", "checkpoint", "path", "folder", "url", "revision", "commit", "command", "seed", "device")
"""Words in the name of a generator's setting that say what was generated with, which is what one compares."""
_COMMON_SHARE = 0.05
"""Formats of fewer clips than this do not count as a difference."""


def card_of(run: Run) -> ProtocolCard:
    """The card of a run. What its clips are like is read once and kept in `card.json` of the run directory."""
    manifest = run.manifest
    clips = clip_format(run)
    return ProtocolCard(
        benchmark=manifest.benchmark.name,
        benchmark_sha256=manifest.benchmark.content_sha256,
        prompt_variant=manifest.benchmark.prompt_variant,
        sets=manifest.benchmark.sets,
        n_items=manifest.benchmark.n_items,
        protocol=manifest.protocol,
        generator=_generator(manifest, planned=clips is None),
        seed=manifest.generator.seed,
        metrics={
            ref.name: {"version": ref.version, **_flat(ref.parameters), "weights": ref.weights, "origin": ref.origin}
            for ref in manifest.metrics
        },
        clips=clips,
    )


def _generator(manifest: Manifest, *, planned: bool) -> dict[str, Any]:
    """Settings of the generator besides the model; planned: also the planned format, where no clip can be read."""
    made = manifest.generator
    settings = _flat(made.settings)
    if planned:
        wanted = {"seconds": made.seconds, "frames": made.frames, "fps": made.fps}
        settings |= {name: value for name, value in wanted.items() if value is not None}
    return {name: value for name, value in settings.items() if not any(word in name.lower() for word in _SUBJECT)}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def clip_format(run: Run) -> ClipFormat | None:
    """What the clips are like, from `card.json` if that was made from these clips, else from the files."""
    clips = [item for item in run.items if item.clip is not None]
    key = hashlib.sha256("\n".join(f"{item.item} {item.sha256}" for item in clips).encode()).hexdigest()
    kept = run.path / CARD_FILE
    with suppress(OSError, ValueError, KeyError, ValidationError):
        stored = json.loads(kept.read_bytes())
        if stored["clips"] == key:
            return ClipFormat.model_validate(stored["format"])
    found = _read_format(run.path, clips)
    if found is not None:
        with suppress(OSError):  # a run on a read-only disk is read again each time
            text = json.dumps({"clips": key, "format": found.model_dump(mode="json")}, indent=2)
            write_atomically(kept, text.encode() + b"\n", durable=False)
    return found


def _read_format(root: Path, clips: Sequence[RunItem]) -> ClipFormat | None:
    step = max(1, -(-len(clips) // READ_CLIPS))
    facts = list(_facts(root, clips[::step]))
    if not facts:
        return None
    seconds = sorted(round(float(one.duration), 3) for one in facts)
    return ClipFormat(
        read=len(facts),
        sizes=_shares(f"{one.width}x{one.height}" for one in facts),
        fps=_shares(f"{float(one.fps):.5g}" for one in facts),
        seconds=(seconds[0], statistics.median(seconds), seconds[-1]),
        sample_rates=_shares(str(one.sample_rate) for one in facts),
        channels=_shares(str(one.channels) for one in facts),
    )


def _facts(root: Path, clips: Sequence[RunItem]) -> Iterator[Any]:
    from metrics.media.facts import read_facts

    for item in clips:
        with suppress(ClipError):  # what is wrong with a clip is in the journal
            yield read_facts(root / str(item.clip))


def _shares(values: Iterator[str]) -> dict[str, float]:
    counted = Counter(values)
    total = counted.total()
    return {value: round(n / total, 4) for value, n in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))}


def differences(base: ProtocolCard, head: ProtocolCard, metrics: Sequence[str] | None = None) -> list[CardDifference]:
    """In what two cards differ, what matters first.

    metrics: names of the metrics that are compared; None for all that both have.
    """
    shared = [name for name in base.metrics if name in head.metrics and (metrics is None or name in metrics)]
    found = [
        *_plain(base, head),
        *_clips(base.clips, head.clips),
        *_settings("generator", base.generator, head.generator, silence_matters=False),
        *(d for name in shared for d in _settings(name, base.metrics[name], head.metrics[name])),
    ]
    return sorted(found, key=lambda difference: not difference.matters)


def check_comparable(differing: Sequence[CardDifference], allowed: bool) -> None:
    """Raises UserError naming what differs, unless the user allows it."""
    matter = [difference.text for difference in differing if difference.matters]
    if matter and not allowed:
        raise UserError(
            f"the two runs were not made the same way: {'; '.join(matter)}; compare runs of one protocol, or add "
            f"--allow-different-protocol to compare all the same"
        )


def _plain(base: ProtocolCard, head: ProtocolCard) -> Iterator[CardDifference]:
    for name, title in (
        ("benchmark", "benchmark"),
        ("benchmark_sha256", "content of the benchmark (sha256)"),
        ("prompt_variant", "prompts"),
        ("protocol", "protocol"),
    ):
        a, b = getattr(base, name), getattr(head, name)
        if a != b:
            yield CardDifference(field=title, base=_short(a), head=_short(b))
    if base.sets != head.sets:
        yield CardDifference(field="sets", base=", ".join(base.sets), head=", ".join(head.sets), matters=False)
    if base.seed != head.seed:
        seeds = ["not stated" if card.seed is None else str(card.seed) for card in (base, head)]
        yield CardDifference(field="generation seed", base=seeds[0], head=seeds[1], matters=False)
    if base.n_items != head.n_items:
        yield CardDifference(field="items", base=str(base.n_items), head=str(head.n_items), matters=False)


def _clips(base: ClipFormat | None, head: ClipFormat | None) -> Iterator[CardDifference]:
    if base is None or head is None:
        if base is not head:
            said = ("unknown" if side is None else "known" for side in (base, head))
            yield CardDifference(field="clip format", base=next(said), head=next(said), matters=False)
        return
    for name, title, matters in (
        ("sizes", "clip size", True),
        ("fps", "frames per second", True),
        ("sample_rates", "sample rate", False),
        ("channels", "sound channels", False),
    ):
        a, b = getattr(base, name), getattr(head, name)
        if _usual(a) != _usual(b):
            yield CardDifference(field=title, base=_listed(a), head=_listed(b), matters=matters)
    a, b = base.seconds[1], head.seconds[1]
    if abs(a - b) > 0.02 * max(a, b):
        yield CardDifference(field="clip length", base=f"{a:.2f} s", head=f"{b:.2f} s")


def _usual(shares: Mapping[str, float]) -> set[str]:
    return {value for value, share in shares.items() if share >= _COMMON_SHARE}


def _listed(shares: Mapping[str, float]) -> str:
    usual = [value for value in shares if value in _usual(shares)]
    return ", ".join(usual[:4]) + (" and others" if len(usual) > 4 else "")


def _settings(
    what: str, base: Mapping[str, Any], head: Mapping[str, Any], *, silence_matters: bool = True
) -> Iterator[CardDifference]:
    """Settings that differ. silence_matters: so does one that a single side states."""
    for name in dict.fromkeys([*base, *head]):
        a, b = base.get(name), head.get(name)
        if a != b:
            matters = silence_matters or (name in base and name in head)
            yield CardDifference(field=f"{what} {name}", base=_short(a), head=_short(b), matters=matters)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {str(inner)[:12]}" for name, inner in value.items()) or "none"
    text = value if isinstance(value, str) else "not stated" if value is None else canonical_json(value)
    return text if len(text) <= 60 else f"{text[:16]}…" if " " not in text else f"{text[:57]}…"
