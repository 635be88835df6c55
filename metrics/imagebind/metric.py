"""IB-Score as a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import ClipError, NotApplicable
from metrics.networks.metric import NetworkMetric
from metrics.networks.options import check_seconds
from metrics.types import Measurement, Need, Protocol, Request, ScoreSpec

if TYPE_CHECKING:
    from torch import Tensor

    from metrics.clip import Clip
    from metrics.imagebind.network import ImageBind

_SOURCE = "ImageBind (Girdhar et al. 2023); MOVA evaluation toolkit, IB-Score; protocol of av-benchmark"
PICTURE_RATE = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the towers are given: float32 [pairs * 3, 3, 2, 224, 224] and [3, 1, 128, 204]; flags of the clip."""

    pairs: Tensor
    spectra: Tensor
    flags: tuple[str, ...]


class IbScore(NetworkMetric):
    """Cosine of the embeddings of picture and sound by ImageBind (`ib`): higher is better, usually 0.1 to 0.4.

    Pictures 2 s apart, in pairs and three crops each, against three windows of 2 s of the sound; the vectors of either
    side are averaged. Clips of less than 2.1 s are *not applicable* ("clip_too_short"). Where the sound ends before
    the picture the official tool leaves the clip out: *failed* ("audio_too_short") under protocol "official", scored
    under "direct". Silence has an embedding like any sound (flag "silent_audio").

    Compared with the official tool (its code and copy of ImageBind, pytorchvideo's sampler and the ffmpeg program, from
    the file on, two layers of the published width, seeded weights) on seven clips: picture vectors to 4e-7 of the
    largest entry, sound vectors to 4e-6, scores to 3e-7.

    Options: seconds, the nominal length of the run's clips (None: each clip's own, in whole seconds); imagebind, a file
    of weights to use instead of the published one; precision, where "float16" on a GPU is what the official tool does;
    batch, picture pairs or sound windows per pass.
    """

    name: ClassVar[str] = "ib"
    title: ClassVar[str] = "Picture against sound (ImageBind)"
    scores: ClassVar[tuple[ScoreSpec, ...]] = (ScoreSpec("ib", "IB-Score", "higher", "cosine", (-1.0, 1.0), _SOURCE),)
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUDIO, Need.VIDEO})
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"seconds": None, "imagebind": None, "precision": "float32", "batch": 3}
    )
    files: ClassVar[Mapping[str, str]] = MappingProxyType({"imagebind": "imagebind-huge"})
    weights: ClassVar[tuple[str, ...]] = ("imagebind-huge",)
    licence: ClassVar[str] = "CC BY-NC 4.0 (network): no commercial use"

    _network: ImageBind

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        check_seconds(self.name, self.options["seconds"])

    def load(self) -> None:
        from metrics.imagebind.network import imagebind
        from metrics.networks.states import read_state

        self._network = imagebind(read_state(self.file("imagebind"), "ImageBind")).to(self.device)

    def prepare(self, clip: Clip) -> Inputs | Measurement:
        """The towers' inputs, or the measurement that says why there are none."""
        from metrics.imagebind.inputs import RATE, picture_pairs, sound_spectra
        from metrics.imagebind.network import SIDE
        from metrics.networks.pictures import official_duration, small_pictures
        from metrics.networks.sound import channels_at
        from metrics.signals import is_silent

        seconds = official_duration(clip, self.options["seconds"])
        count = int(PICTURE_RATE * seconds)
        if count < 1:
            raise NotApplicable("clip_too_short", f"{seconds + 0.1:g} s of picture are too few, 2.1 s are needed")
        channels = channels_at(clip, RATE)
        have = channels.shape[1] / RATE
        if self.protocol == Protocol.OFFICIAL and channels.shape[1] < int(RATE * seconds):
            reason = f"the sound ends before the picture: {have:.2f} s of {seconds:.2f} s"
            return Measurement.failed(self.name, "audio_too_short", reason)
        if channels.shape[1] < 400:
            raise ClipError("empty_audio", f"{clip.path.name} has {have * 1000:.0f} ms of sound, 25 are needed")
        pictures = small_pictures(clip, PICTURE_RATE, count, SIDE)
        flags = ("silent_audio",) if is_silent(channels) else ()
        return Inputs(picture_pairs(pictures), sound_spectra(channels), flags)

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The mean vectors of picture and sound, float32 [1024] each."""
        self.ensure_loaded()
        with self.arithmetic():
            seen = self.in_passes(self._network.see, inputs.pairs)
            heard = self.in_passes(self._network.hear, inputs.spectra)
            return seen.mean(dim=0), heard.mean(dim=0)

    def compute(self, clip: Clip, request: Request) -> Measurement:
        import torch

        inputs = self.prepare(clip)
        if isinstance(inputs, Measurement):
            return inputs
        seen, heard = self.embed(inputs)
        score = float(torch.cosine_similarity(seen, heard, dim=0))
        details = {"pairs": len(inputs.pairs) // 3}
        return Measurement.scored(self.name, {"ib": score}, details=details, flags=inputs.flags)
