"""Cheap metrics for testing runs: their numbers come from the bytes of a "clip", whose first word says how it behaves.

They are registered the way any other distribution registers metrics (see `run_support.install_trial_metrics`).
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from metrics import ClipError, Feature, Measurement, Metric, Need, NotApplicable, Ratio, Request, ScoreSpec, UserError

if TYPE_CHECKING:
    from metrics.clip import Clip


def first_word(clip: Clip) -> bytes:
    return clip.path.read_bytes().split(b" ")[0]


def number(clip: Clip) -> float:
    """A number in 0..1 that depends on the content of the clip alone."""
    return int.from_bytes(hashlib.sha256(clip.path.read_bytes()).digest()[:4], "big") / 2**32


class Trial(Metric):
    """A mean of numbers, with every way to go wrong."""

    name = "trial"
    title = "Trial"
    scores = (ScoreSpec("trial", "Trial", "higher", "", (0.0, 1.0), "test", failure_value=0.0),)
    defaults: ClassVar[Mapping[str, Any]] = {"sleep": 0.0, "shift": 0.0}
    machine_options = frozenset({"sleep"})

    def compute(self, clip: Clip, request: Request) -> Measurement:
        time.sleep(self.options["sleep"])
        match first_word(clip):
            case b"die":
                os.kill(os.getpid(), signal.SIGKILL)
            case b"exit":
                os._exit(7)
            case b"hang":
                time.sleep(600)
            case b"error":
                raise ZeroDivisionError("division by zero")
            case b"bad":
                raise ClipError("undecodable_video", f"{clip.path.name} cannot be decoded")
            case b"skip":
                raise NotApplicable("no_face", "no face in the picture")
            case b"user":
                raise UserError("trial needs a licence file; get one")
            case b"stranger":
                return Measurement.scored(self.name, {"unheard_of": 1.0})
        details = {"size": float(clip.path.stat().st_size), "name": {"suffix": clip.path.suffix, "again": [None, 1]}}
        return Measurement.scored(self.name, {"trial": number(clip) + self.options["shift"]}, details=details)


class Rates(Metric):
    """A ratio of counts, for items with speech."""

    name = "rates"
    title = "Rates"
    scores = (ScoreSpec("rate", "Rate", "lower", "", (0.0, None), "test", aggregation="ratio"),)
    needs = frozenset({Need.SPEECH})
    reads = frozenset({"speech"})

    def compute(self, clip: Clip, request: Request) -> Measurement:
        ratio = Ratio(float(len(clip.path.read_bytes()) % 5), float(len(request.text)))
        return Measurement.scored(self.name, {"rate": ratio.value}, counts={"rate": ratio})


class Variety(Metric):
    """A corpus-level score: the exponential of the mean divergence of class probabilities from their mean."""

    name = "variety"
    title = "Variety"
    scores = (ScoreSpec("variety", "Variety", "higher", "", (1.0, None), "test", aggregation="corpus"),)

    def compute(self, clip: Clip, request: Request) -> Measurement:
        if first_word(clip) == b"bad":
            raise ClipError("undecodable_audio", f"{clip.path.name} cannot be decoded")
        seed = int(number(clip) * 2**32)
        return Measurement(self.name, "scored", features={"p": np.random.default_rng(seed).dirichlet(np.full(8, 0.5))})

    def summarise(self, features: Sequence[Feature]) -> Mapping[str, float]:
        p = np.stack([feature.arrays["p"] for feature in features])
        return {"variety": float(np.exp(np.mean(np.sum(p * (np.log(p) - np.log(p.mean(axis=0))), axis=1))))}


class Unloadable(Metric):
    """Its networks cannot be loaded."""

    name = "unloadable"
    title = "Unloadable"
    scores = (ScoreSpec("unloadable", "Unloadable", "higher", "", (0.0, 1.0), "test"),)

    def load(self) -> None:
        raise RuntimeError("PytorchStreamReader failed")

    def compute(self, clip: Clip, request: Request) -> Measurement:
        return Measurement.scored(self.name, {"unloadable": 1.0})


class Heavyweight(Metric):
    """Kills its process while loading, as a lack of memory does."""

    name = "heavyweight"
    title = "Heavyweight"
    scores = (ScoreSpec("heavyweight", "Heavyweight", "higher", "", (0.0, 1.0), "test"),)

    def load(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def compute(self, clip: Clip, request: Request) -> Measurement:
        return Measurement.scored(self.name, {"heavyweight": 1.0})


class Together(Trial):
    """As `Trial`, several clips at once; the sizes of its batches go to a file, if one is named."""

    name = "together"
    title = "Together"
    scores = (ScoreSpec("together", "Together", "higher", "", (0.0, 1.0), "test", failure_value=0.0),)
    defaults: ClassVar[Mapping[str, Any]] = {**Trial.defaults, "log": None, "room": 99}
    machine_options = frozenset({"sleep", "log", "room"})
    clips_per_batch = 4

    def compute(self, clip: Clip, request: Request) -> Measurement:
        measured = super().compute(clip, request)
        return Measurement.scored(self.name, {"together": measured.scores["trial"]}, details=measured.details)

    def compute_batch(self, clips: Sequence[Clip], requests: Sequence[Request]) -> Sequence[Measurement | Exception]:
        if self.options["log"]:
            with open(self.options["log"], "a") as file:
                file.write(f"{len(clips)}\n")
        if len(clips) > self.options["room"]:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return super().compute_batch(clips, requests)


class Greedy(Metric):
    """Its networks find no memory while another metric's are loaded."""

    name = "greedy"
    title = "Greedy"
    scores = (ScoreSpec("greedy", "Greedy", "higher", "", (0.0, 1.0), "test"),)
    loaded: ClassVar[int] = 0

    def load(self) -> None:
        Greedy.loaded += 1
        if Greedy.loaded == 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    def compute(self, clip: Clip, request: Request) -> Measurement:
        return Measurement.scored(self.name, {"greedy": number(clip)})
