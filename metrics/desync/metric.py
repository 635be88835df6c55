"""DeSync as a metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import NotApplicable
from metrics.networks.metric import NetworkMetric
from metrics.networks.options import check_seconds
from metrics.types import Measurement, Need, Request, ScoreSpec

if TYPE_CHECKING:
    from torch import Tensor

    from metrics.clip import Clip
    from metrics.desync.synchformer import Synchformer

_SOURCE = "Synchformer (Iashin et al. 2024); MOVA evaluation toolkit, DeSync; protocol of av-benchmark"


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of a clip that are compared, the first 14 and the last 14 of `total`.

    pictures: uint8 [n, 16, 3, 224, 224]. sounds: float32 [n, 10240]. seconds: of the clip that were looked at.
    repeated: copies of the last picture at the end.
    """

    pictures: Tensor
    sounds: Tensor
    total: int
    seconds: float
    repeated: int


class Desync(NetworkMetric):
    """Mean absolute offset in seconds between picture and sound by Synchformer (`desync`): lower is better, 0 to 2.

    Two windows of 4.8 s are judged, the first and the last of the clip's nominal length less 0.1 s; each is given one
    of 21 offsets from -2 to 2 s, and the score is the mean of their magnitudes. `details` has both with their sign.
    Clips of less than 4.9 s are *not applicable* ("clip_too_short"); a clip whose sound ends before its picture is
    *failed* ("audio_too_short"), as the official tool leaves it out.

    Compared with the official tool (its code and the ffmpeg program, from the file on, seeded weights) on real clips
    and on one of 8.04 s, upright, 24 frames per second, 44.1 kHz: activations to 2e-6 of the largest (6e-7 at full
    depth), picture features to 5e-7, sound features to 3e-5, the same offsets.

    Options: seconds, the nominal length of the run's clips (None: each clip's own, in whole seconds); synchformer, a
    file of weights to use instead of the published one (also in the container of its authors); precision, where
    "float16" on a GPU is what the official tool does; batch, segments per pass.
    """

    name: ClassVar[str] = "desync"
    title: ClassVar[str] = "Audio-video offset (Synchformer)"
    scores: ClassVar[tuple[ScoreSpec, ...]] = (ScoreSpec("desync", "DeSync", "lower", "s", (0.0, 2.0), _SOURCE),)
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUDIO, Need.VIDEO})
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"seconds": None, "synchformer": None, "precision": "float32", "batch": 2}
    )
    files: ClassVar[Mapping[str, str]] = MappingProxyType({"synchformer": "synchformer"})
    weights: ClassVar[tuple[str, ...]] = ("synchformer",)
    licence: ClassVar[str] = "MIT (network)"

    _network: Synchformer

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        check_seconds(self.name, self.options["seconds"])

    def load(self) -> None:
        from metrics.desync.synchformer import Synchformer
        from metrics.networks.states import loaded, read_state

        state = read_state(self.file("synchformer"), "Synchformer", inside=("model", "state_dict"))
        self._network = loaded(Synchformer, state, "Synchformer").to(self.device)

    def prepare(self, clip: Clip) -> Segments | Measurement:
        """The segments of a clip, or the measurement that says why there are none."""
        import torch

        from metrics.desync import synchformer as net
        from metrics.networks.pictures import official_duration, small_pictures
        from metrics.networks.sound import mean_at

        seconds = official_duration(clip, self.options["seconds"])
        frames, samples = int(net.FRAME_RATE * seconds), int(net.SAMPLE_RATE * seconds)
        total = (frames - net.SEGMENT_FRAMES) // net.STEP_FRAMES + 1
        if total < net.COMPARED:
            raise NotApplicable("clip_too_short", f"{seconds + 0.1:g} s of picture are too few, 4.9 s are needed")
        sound = mean_at(clip, net.SAMPLE_RATE)
        if len(sound) < samples:
            have, reason = len(sound) / net.SAMPLE_RATE, "the sound ends before the picture"
            return Measurement.failed(self.name, "audio_too_short", f"{reason}: {have:.2f} s of {seconds:.2f} s")
        small = centre(small_pictures(clip, net.FRAME_RATE, frames, net.SIDE), net.SIDE)
        places = [place for place in range(total) if place < net.COMPARED or place >= total - net.COMPARED]
        there = len(clip.frames("rgb24", rate=net.FRAME_RATE))
        return Segments(
            torch.stack([small[8 * place : 8 * place + net.SEGMENT_FRAMES] for place in places]),
            torch.from_numpy(sound.copy()).unfold(0, net.SEGMENT_SAMPLES, net.STEP_SAMPLES)[places],
            total,
            seconds,
            max(frames - there, 0),
        )

    def activations(self, segments: Segments) -> Tensor:
        """Activations of the 21 offsets for the first and the last window: float32 [2, 21]."""
        import torch

        self.ensure_loaded()
        network = self._network
        with self.arithmetic():
            seen = self.in_passes(network.see, segments.pictures)
            heard = self.in_passes(network.hear, segments.sounds)
            windows = [(features[:14], features[-14:]) for features in (seen, heard)]
            pair = [torch.stack(parts).to(self.device) for parts in windows]
            found: Tensor = network.compare(*pair).float().cpu()
        return found

    def compute(self, clip: Clip, request: Request) -> Measurement:
        from metrics.desync.synchformer import OFFSETS

        segments = self.prepare(clip)
        if isinstance(segments, Measurement):
            return segments
        activations = self.activations(segments)
        first, last = (round(float(OFFSETS[int(row.argmax())]), 1) for row in activations)
        sure = activations.softmax(dim=-1).amax(dim=-1).tolist()
        return Measurement.scored(
            self.name,
            {"desync": (abs(first) + abs(last)) / 2},
            details={
                "offset_seconds": [first, last],
                "probability": [round(value, 4) for value in sure],
                "seconds": round(segments.seconds, 3),
                "segments": segments.total,
            },
            flags=("last_frame_repeated",) if segments.repeated else (),
        )


def centre(pictures: Tensor, side: int) -> Tensor:
    """The middle square [n, 3, side, side] of pictures [n, 3, h, w]; a half pixel is rounded to even."""
    top, left = (round((size - side) / 2.0) for size in pictures.shape[-2:])
    return pictures[..., top : top + side, left : left + side]
