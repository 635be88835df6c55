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

from metrics.batching import Batches, is_out_of_memory, release_memory
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
        machine_options: names of options that must not change a number (device, threads, rows per pass).
        clips_per_batch, clips_per_batch_gpu: how many clips `compute_batch` likes to get at once on a CPU, and on a
            GPU; without it, clips are measured one by one.
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
    clips_per_batch: ClassVar[int] = 1
    clips_per_batch_gpu: ClassVar[int] = 8

    def __init__(
        self,
        *,
        protocol: str = Protocol.OFFICIAL.value,
        device: str = "cpu",
        threads: int = 1,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        """
        protocol: one of `protocols`. device: "cpu", "cuda", "cuda:1" ... threads: for the metric's own arithmetic.
        batch_size: clips measured at once, None for as many as the metric likes; it changes no number.

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
        if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
            raise UserError(f"metric {self.name}: batch_size is {batch_size!r}, give a number of clips from 1 on")
        liked = self.clips_per_batch if device == "cpu" else self.clips_per_batch_gpu
        self.batches = Batches(batch_size or liked)
        self.options: dict[str, Any] = {**self.defaults, **options}
        self._loaded = False

    # -- to be written by a metric -----------------------------------------------------------------------------------

    @abstractmethod
    def compute(self, clip: Clip, request: Request) -> Measurement:
        """Measure one clip whose declared needs are met.

        Raise `NotApplicable` when the clip has no meaning for the metric; let everything else propagate.
        """

    def compute_batch(self, clips: Sequence[Clip], requests: Sequence[Request]) -> Sequence[Measurement | Exception]:
        """Measure several clips whose declared needs are met, in one pass of the networks; one result each, in order.

        Override it, and set `clips_per_batch`, where networks are faster on many clips than on one. A clip that cannot
        be measured gives its exception (`NotApplicable`, `ClipError` ...) in its place. An error that is raised instead
        costs nothing but time: of memory, the batch is halved; any other, the clips are measured one by one. The
        numbers must be those of `compute`, however clips are grouped (`metrics.batching.Batches` helps).
        """
        results: list[Measurement | Exception] = []
        for clip, request in zip(clips, requests, strict=True):
            try:
                results.append(self.compute(clip, request))
            except Exception as error:
                results.append(error)
        return results

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

    @property
    def is_batched(self) -> bool:
        """Whether it measures several clips in one pass."""
        return type(self).compute_batch is not Metric.compute_batch

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
        except Exception as error:
            result = self._without_score(error)
        elapsed = time.perf_counter() - started - (clip.decode_seconds - shared)
        return replace(result, seconds=max(elapsed, 0.0))

    def measure_batch(
        self, clips: Sequence[Clip], items: Sequence[Request | Mapping[str, Any] | None]
    ) -> list[Measurement]:
        """Measure several clips, in batches of `batch_size`; the same measurements, and errors, as from `measure`.

        `seconds` of each is its share of the whole.
        """
        requests = [Request.of(item) for item in items]
        self.ensure_loaded()
        if len(clips) == 1 or not self.is_batched:
            return [self.measure(clip, request) for clip, request in zip(clips, requests, strict=True)]
        pairs = list(zip(clips, requests, strict=True))
        started, shared = time.perf_counter(), sum(clip.decode_seconds for clip in clips)
        try:
            results = self.batches.run(self._batch, pairs)
        except UserError:
            raise
        except Exception:  # one clip must not cost the others their scores: each for itself shows which it is
            release_memory()
            return [self.measure(clip, request) for clip, request in pairs]
        elapsed = time.perf_counter() - started - (sum(clip.decode_seconds for clip in clips) - shared)
        return [replace(result, seconds=max(elapsed, 0.0) / len(pairs)) for result in results]

    def _batch(self, pairs: Sequence[tuple[Clip, Request]]) -> list[Measurement]:
        """One call of `compute_batch` with those clips whose needs are met."""
        results: dict[int, Measurement] = {}
        for place, (clip, request) in enumerate(pairs):
            try:
                unmet = _unmet_need(self.needs_used(), clip, request)
            except Exception as error:
                results[place] = self._without_score(error)
            else:
                if unmet is not None:
                    results[place] = unmet(self.name)
        ready = [place for place in range(len(pairs)) if place not in results]
        if ready:
            given = self.compute_batch([pairs[i][0] for i in ready], [pairs[i][1] for i in ready])
            for place, found in zip(ready, given, strict=True):
                if isinstance(found, Exception) and is_out_of_memory(found):
                    raise found  # halve the batch
                results[place] = self._without_score(found) if isinstance(found, Exception) else found
        return [results[place] for place in range(len(pairs))]

    def _without_score(self, error: Exception) -> Measurement:
        """The measurement that an error amounts to; a `UserError` that is not about the clip is raised again."""
        if isinstance(error, NotApplicable):
            return Measurement.not_applicable(self.name, error.code, error.reason)
        if isinstance(error, ClipError):
            return Measurement.failed(self.name, error.code, error.reason)
        if isinstance(error, UserError):
            raise error
        code = "out_of_memory" if is_out_of_memory(error) else "error"
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        own = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename == __file__:
            own = own.tb_next  # where the metric's own code begins, the same for a clip alone and in a batch
        trace = "".join(traceback.format_exception(type(error), error, own))
        return Measurement.failed(self.name, code, said, details={"traceback": trace})


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
