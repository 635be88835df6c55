"""By which rule the scores of clips become the numbers of a table.

The MOVA evaluation toolkit averages over each set and then over the sets, except that it pools the clips for the
lip-sync scores and sums counts for the error rates; its paper prints DNSMOS and lip sync on set3 of Verse-Bench alone
(arXiv 2602.08794, Table 4). The Verse-Bench tool (arXiv 2509.06155) pools clips over the sets that a score is defined
on. Two aggregates stand side by side: the strict one over scored clips only, and `compat`, in which clips without a
score count as the official tool counts them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metrics.types import Protocol, ScoreSpec
from mova_eval.records import Record, RunItem
from mova_eval.statistics import Kind

_TOOLKIT_BENCHMARKS = frozenset({"verse-bench", "mybench"})
_SPEECH_SET = "set3"
_POOLED = frozenset({"lse_d", "lse_c", "av_offset_frames"})
_ON_SPEECH_SET = _POOLED | {"dnsmos_p808", "dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak"}
_EMPTY_SET_COUNTS_ZERO = frozenset({"rms", "lufs", "is", "clap", "av_align", *_ON_SPEECH_SET} - _POOLED)
"""Scores for which the toolkit counts a set whose clips all failed as 0.0 in the mean over the sets."""
_FATAL_FAILURE = frozenset({"cpcer"})
"""Scores of which the toolkit gives none at all when one clip fails."""

_SLUG = re.compile("[a-z][a-z0-9_]*")

Condition = Callable[[RunItem], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one score is aggregated over a run.

    sets: the sets that enter the overall number, None for all of the run. condition: items that enter it, and how
    that reads in a sentence. per_clip_mean: take the mean of the clips' ratios instead of the ratio of sums.
    """

    kind: Kind
    sets: tuple[str, ...] | None = None
    condition: Condition | None = None
    condition_text: str = ""
    per_clip_mean: bool = False
    empty_set: float | None = None
    """What the official tool counts for a set that has clips but no score; None: it has no number either."""
    fatal_failure: bool = False
    """The official tool gives no number at all when a clip fails."""

    def chosen(self, sets: Sequence[str]) -> list[str]:
        """Those of a run's sets that enter the overall number, in their order."""
        return [name for name in sets if self.sets is None or name in self.sets]

    def takes(self, item: RunItem) -> bool:
        """Whether an item enters the aggregates of this score."""
        return self.condition is None or self.condition(item)

    def text(self, spec: ScoreSpec, sets: Sequence[str]) -> str:
        """The rule as a phrase, for a run with these sets."""
        chosen = self.chosen(sets)
        where = ", ".join(chosen) if chosen else ", ".join(self.sets or ())
        restricted = f" {self.condition_text}" if self.condition_text else ""
        if self.kind == "mean_of_sets" and len(chosen) > 1:
            inner = "corpus scores" if spec.aggregation == "corpus" else "means"
            return f"mean of the {inner} of {where}{restricted}"
        if spec.aggregation == "corpus":
            return f"over all clips of {where} at once{restricted}"
        if spec.aggregation == "ratio" and not self.per_clip_mean:
            return f"sum of errors over sum of reference lengths, {where}{restricted}"
        return f"mean over clips of {where}{restricted}"


def rule_for(benchmark: str, protocol: str, spec: ScoreSpec) -> Rule:
    """The official rule for a score on a benchmark under a protocol; pooled over all items where there is none.

    benchmark: its name. A benchmark of one's own, and `mini`, have no published rule.
    """
    if benchmark == "verse-bench" and protocol == Protocol.VERSE_BENCH:
        return _verse_bench_tool(spec)
    if benchmark not in _TOOLKIT_BENCHMARKS or protocol == Protocol.VERSE_BENCH:
        return Rule("pooled")
    fatal = spec.name in _FATAL_FAILURE
    if spec.aggregation == "ratio":
        return Rule("pooled", fatal_failure=fatal)
    speech_only = benchmark == "verse-bench" and spec.name in _ON_SPEECH_SET
    return Rule(
        "pooled" if spec.name in _POOLED else "mean_of_sets",
        sets=(_SPEECH_SET,) if speech_only else None,
        empty_set=0.0 if spec.name in _EMPTY_SET_COUNTS_ZERO else None,
    )


def _has_speech(item: RunItem) -> bool:
    return any(turn.get("text", "").strip() for turn in item.speech)


def _lists_audio_prompt(item: RunItem) -> bool:
    return item.audio_prompt_listed


def _verse_bench_tool(spec: ScoreSpec) -> Rule:
    """The tool's own conditions per score, by the name the suite gives it."""
    spoken = {"condition": _has_speech, "condition_text": "with speech asked for"}
    sounding = {"condition": _lists_audio_prompt, "condition_text": "with an audio prompt listed"}
    first_two = ("set1", "set2")
    match spec.name:
        case "ce" | "cu" | "pc" | "pq":
            return Rule("pooled", sets=first_two)
        case "cs" | "av_a" | "av_a_abs":
            return Rule("pooled", sets=first_two, **sounding)  # type: ignore[arg-type]
        case "fd" | "kl":
            return Rule("pooled", sets=("set2",), **sounding)  # type: ignore[arg-type]
        case "wer":
            return Rule("pooled", per_clip_mean=True, **spoken)  # type: ignore[arg-type]
        case "lse_c" | "lse_d":
            return Rule("pooled", **spoken)  # type: ignore[arg-type]
    return Rule("pooled")


@dataclass(frozen=True, slots=True)
class ClipScore:
    """What one clip contributes to one score.

    status: as in the record, with "pending" for no record yet; a scored measurement that leaves this score out counts
    as not applicable. compat: what the official tool counts for the clip, None if it leaves the clip out.
    """

    item: RunItem
    status: str
    value: float | None = None
    counts: tuple[float, float] | None = None
    compat: float | None = None
    code: str | None = None
    reason: str | None = None
    record: Record | None = None


def clip_score(item: RunItem, record: Record | None, spec: ScoreSpec) -> ClipScore:
    """Read one score off a record."""
    if record is None:
        return ClipScore(item, "pending", code="pending")
    told = record.details.get("compat")
    official = told.get(spec.name) if isinstance(told, dict) else None
    if record.status == "scored" and (spec.name in record.scores or _from_features(record, spec)):
        value = record.scores.get(spec.name)
        counts = record.counts.get(spec.name)
        compat = value if official is None else float(official)
        return ClipScore(item, "scored", value, counts, compat, record=record)
    if record.status == "failed" and official is None and item.clip is not None:
        official = spec.failure_value
    status, code, reason = record.status, record.code or record.status, record.reason
    if status == "scored":
        left_out = record.details.get("left_out")
        why = str(left_out.get(spec.name, "")) if isinstance(left_out, dict) else ""
        status, code, reason = "not_applicable", why if _SLUG.fullmatch(why) else "left_out", why or None
    compat = None if official is None else float(official)
    return ClipScore(item, status, compat=compat, code=code, reason=reason, record=record)


def _from_features(record: Record, spec: ScoreSpec) -> bool:
    return spec.aggregation == "corpus" and record.features is not None
