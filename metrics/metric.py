"""The metric interface: declare what you need and what you give, then measure one clip at a time.

A metric of one's own is a subclass of `Metric` with the class attributes filled in and `compute` written; register it
under the entry-point group `mova_eval.metrics` and the suite finds it (see docs/add-a-metric.md).
"""

from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import ClipError, NotApplicable, UserError
from metrics.types import Feature, Measurement, Need, Protocol, Request, ScoreSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from metrics.clip import Clip


class Metric(ABC):
    """One metric, ready to measure clips.

    Class attributes (all read without loading anything heavy):
        name, title, version: `version` is part of every cache key; raise it whenever a number may change.
        scores: the numbers it gives. needs: what it must be given. reads: the `Request` fields that influence its
            numbers (part of the cache key).
        protocols: the protocols it knows; a protocol it does not know is a user error.
        defaults: its options with their defaults; every option that may change a number goes into `parameters`.
        weights: names of weights files (`metrics.weights`). packages: importable modules it needs at run time.
        licence: of the metric's weights as far as a user must mind it.
        machine_options: names of options that must not change a number (device, threads, batch size).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[str] = "1"
    scores: ClassVar[tuple[ScoreSpec, ...]]
    needs: ClassVar[frozenset[Need]] = frozenset()
    reads: ClassVar[frozenset[str]] = frozenset()
    protocols: ClassVar[tuple[str, ...]] = (Protocol.OFFICIAL.value, Protocol.DIRECT.value)
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    machine_options: ClassVar[frozenset[str]] = frozenset()
    weights: ClassVar[tuple[str, ...]] = ()
    packages: ClassVar[tuple[str, ...]] = ()
    licence: ClassVar[str] = "none needed"

    def __init__(
        self, *, protocol: str = Protocol.OFFICIAL.value, device: str = "cpu", threads: int = 1, **options: Any
    ) -> None:
        """
        protocol: one of `protocols`. device: "cpu", "cuda", "cuda:1" ... threads: for the metric's own arithmetic.

        Raises UserError for an unknown protocol or option, naming the known ones.
        """
        if protocol not in self.protocols:
            raise UserError(f"metric {self.name}: no protocol '{protocol}', it knows {', '.join(self.protocols)}")
        unknown = sorted(set(options) - set(self.defaults))
        if unknown:
            known = ", ".join(sorted(self.defaults)) or "none"
            raise UserError(f"metric {self.name}: no option '{unknown[0]}'; its options: {known}")
        self.protocol = protocol
        self.device = device
        self.threads = threads
        self.options: dict[str, Any] = {**self.defaults, **options}
        self._loaded = False

    # -- to be written by a metric -----------------------------------------------------------------------------------

    @abstractmethod
    def compute(self, clip: Clip, request: Request) -> Measurement:
        """Measure one clip whose declared needs are met.

        Raise `NotApplicable` when the clip has no meaning for the metric; let everything else propagate.
        """

    def load(self) -> None:  # noqa: B027 - most metrics have nothing to load
        """Load networks; called once per process, before the first `compute`."""

    def needs_used(self) -> frozenset[Need]:
        """What this instance needs with its options; a metric given a transcript needs no audio."""
        return self.needs

    def weights_used(self) -> tuple[str, ...]:
        """Names of the weights files this instance uses with its options; part of the cache key by their sha256."""
        return self.weights

    def identity(self) -> Mapping[str, str]:
        """What else the numbers depend on (an ASR model's name, a library's version); part of the cache key."""
        return {}

    def missing(self) -> Sequence[str]:
        """What keeps this instance from running here and now, one sentence each; must not load anything heavy."""
        from metrics.registry import missing_parts

        return missing_parts(self)

    def summarise(self, features: Sequence[Feature]) -> Mapping[str, float]:
        """Corpus-level scores of one group of clips, from the features of its scored measurements."""
        raise NotImplementedError(f"metric {self.name} has no corpus-level score")

    def summarise_resampled(
        self, features: Sequence[Feature], index: NDArray[np.int64]
    ) -> Mapping[str, NDArray[np.float64]]:
        """Corpus-level scores of resamples; index [B, n] holds positions in `features`, the result arrays are [B].

        Override with a vectorised computation where the plain loop is slow.
        """
        import numpy as np

        rows = [self.summarise([features[i] for i in row]) for row in index]
        return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}

    # -- the same for every metric -----------------------------------------------------------------------------------

    def parameters(self) -> dict[str, Any]:
        """Everything about this instance that may change a number, as JSON values."""
        chosen = {name: value for name, value in self.options.items() if name not in self.machine_options}
        return {"protocol": self.protocol, **chosen, **self.identity()}

    def ensure_loaded(self) -> None:
        """Load the networks once."""
        if not self._loaded:
            self.load()
            self._loaded = True

    def measure(self, clip: Clip, item: Request | Mapping[str, Any] | None = None) -> Measurement:
        """Measure one clip; never raises for a bad clip.

        An unexpected error becomes a *failed* measurement with the traceback in `details`, so that it costs one row.
        A `UserError` that is not about the clip (missing weights, a wrong option) propagates.
        """
        request = Request.of(item)
        self.ensure_loaded()
        started, shared = time.perf_counter(), clip.decode_seconds
        try:
            unmet = _unmet_need(self.needs_used(), clip, request)
            result = unmet(self.name) if unmet else self.compute(clip, request)
        except NotApplicable as why:
            result = Measurement.not_applicable(self.name, why.code, why.reason)
        except ClipError as error:
            result = Measurement.failed(self.name, error.code, error.reason)
        except UserError:
            raise
        except Exception as error:
            result = Measurement.failed(
                self.name,
                "error",
                f"{type(error).__name__}: {error}".splitlines()[0],
                details={"traceback": traceback.format_exc()},
            )
        elapsed = time.perf_counter() - started - (clip.decode_seconds - shared)
        return replace(result, seconds=max(elapsed, 0.0))


class _Unmet:
    """A declared need that the clip or the request does not meet."""

    def __init__(self, status: str, code: str, reason: str) -> None:
        self.status, self.code, self.reason = status, code, reason

    def __call__(self, metric: str) -> Measurement:
        make = Measurement.failed if self.status == "failed" else Measurement.not_applicable
        return make(metric, self.code, self.reason)


def unmet_request(needs: frozenset[Need], request: Request) -> tuple[str, str] | None:
    """Code and reason of the first declared need that the request leaves unmet, whatever the clip is like."""
    asked = (
        (Need.PROMPT, bool(request.prompt.strip()), "no_prompt", "the item has no prompt"),
        (Need.AUDIO_PROMPT, any(map(str.strip, request.audio_prompts)), "no_audio_prompt", "no audio prompt asked for"),
        (Need.SPEECH, bool(request.text.strip()), "no_speech", "the item asks for no speech"),
        (Need.SPEAKERS, len(request.speakers) > 1, "one_speaker", "the item asks for fewer than two speakers"),
        (Need.REFERENCE_AUDIO, request.reference_audio is not None, "no_reference_audio", "no reference audio"),
        (Need.FIRST_FRAME, request.first_frame is not None, "no_first_frame", "the item has no first frame"),
    )  # fmt: skip
    return next(((code, reason) for need, met, code, reason in asked if need in needs and not met), None)


def _unmet_need(needs: frozenset[Need], clip: Clip, request: Request) -> _Unmet | None:
    """The first unmet need: requests are looked at before the file is opened, since they cost nothing."""
    asked = unmet_request(needs, request)
    if asked is not None:
        return _Unmet("not_applicable", *asked)
    if Need.AUDIO in needs and not clip.facts.has_audio:
        return _Unmet("failed", "no_audio_stream", f"{clip.path.name} has no audio stream")
    if Need.VIDEO in needs and not clip.facts.has_video:
        return _Unmet("failed", "no_video_stream", f"{clip.path.name} has no video stream")
    return None
