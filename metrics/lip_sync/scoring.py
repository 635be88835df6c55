"""From embeddings to LSE-D, LSE-C and the offset."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from metrics.lip_sync.mfcc import RATE, mfcc

if TYPE_CHECKING:
    from metrics.lip_sync.syncnet import LipSyncNet
    from metrics.networks.states import StateDict

FRAME_RATE = 25
_SAMPLES_PER_FRAME = RATE // FRAME_RATE
_SMOOTHING = 9


@dataclass(frozen=True, slots=True)
class SyncScore:
    """How well lips and sound of one track go together.

    lse_d: smallest mean distance over the shifts (>= 0, lower is better). lse_c: median of the mean distances minus the
    smallest (>= 0, higher is better). offset: frames of 40 ms, in the sign of the official tool: positive where the
    sound comes before the lips. curve: mean distance at each shift, float64 [2 vshift + 1]; entry k belongs to the
    offset vshift - k. confidence: per window, median of `curve` minus the distance at the best shift, float64
    [windows].
    """

    lse_d: float
    lse_c: float
    offset: int
    curve: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @property
    def offset_ms(self) -> float:
        """The offset in milliseconds."""
        return self.offset * 1000 / FRAME_RATE

    @property
    def windows(self) -> int:
        """Windows of five frames that were compared."""
        return len(self.confidence)

    def smoothed_confidence(self) -> NDArray[np.float64]:
        """Per-window confidence after a median over nine windows, zeros beyond the ends, as the tool logs it."""
        padded = np.pad(self.confidence, _SMOOTHING // 2)
        smoothed: NDArray[np.float64] = np.median(np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHING), axis=1)
        return smoothed


class TooShort(ValueError):
    """Fewer than six frames with sound: no window to compare."""


def score_crops(
    frames: NDArray[np.uint8],
    audio: NDArray[np.int16],
    weights: str | os.PathLike[str] | StateDict | LipSyncNet | None = None,
    vshift: int = 15,
    *,
    device: str = "cpu",
    batch: int = 8,
) -> SyncScore:
    """Score one track from its crops and its sound.

    frames: uint8 [T, 224, 224, 3] BGR at 25 fps. audio: int16 [N], mono, 16 kHz, starting with the first frame.
    weights: path of `syncnet_v2.model`, a state dict with its keys, a loaded `LipSyncNet`, or None for the file that
    the weights table knows. vshift: shifts of up to so many frames are tried on both sides. batch: windows per pass of
    the lip tower.

    Raises ValueError for arrays of another shape or type, TooShort for fewer than six frames with sound, UserError for
    weights that do not fit or are not here.
    """
    if frames.ndim != 4 or frames.shape[1:] != (224, 224, 3) or frames.dtype != np.uint8:
        raise ValueError(f"frames must be uint8 [T, 224, 224, 3], not {frames.dtype} {list(frames.shape)}")
    if audio.ndim != 1 or audio.dtype != np.int16:
        raise ValueError(f"audio must be int16 [N], not {audio.dtype} {list(audio.shape)}")
    count = min(len(frames), len(audio) // _SAMPLES_PER_FRAME) - 5
    if count < 1:
        raise TooShort(
            f"{len(frames)} frames and {len(audio)} samples give no window; six frames with sound are needed"
        )
    network = _network(weights, device)
    lips = network.embed_lips(frames[: count + 4], batch)
    sound = network.embed_audio(mfcc(audio), count)
    return score_embeddings(lips, sound, vshift)


def _network(weights: str | os.PathLike[str] | StateDict | LipSyncNet | None, device: str) -> LipSyncNet:
    from metrics.lip_sync.syncnet import LipSyncNet
    from metrics.networks.states import read_state

    if isinstance(weights, LipSyncNet):
        return weights
    if weights is None:
        from metrics.weights import verified

        weights = verified("syncnet-v2")
    return LipSyncNet(read_state(weights, "SyncNet"), device)


def score_embeddings(lips: NDArray[np.float32], sound: NDArray[np.float32], vshift: int = 15) -> SyncScore:
    """Score from lip and sound embeddings, both float32 [windows, 1024].

    Window i of the lips is compared with windows i - vshift ... i + vshift of the sound; beyond its ends the sound is a
    zero vector, which counts like any other (Wav2Lip's evaluation and the public SyncNet code). Raises ValueError for
    arrays of different shape or without a window.
    """
    if lips.shape != sound.shape or not len(lips):
        raise ValueError(f"embeddings must have one shape [n, d] with n > 0, not {lips.shape} and {sound.shape}")
    distances = _distances(lips, sound, vshift)
    curve = distances.mean(axis=0)
    best = int(curve.argmin())
    median = float(np.median(curve))
    return SyncScore(
        lse_d=float(curve[best]),
        lse_c=median - float(curve[best]),
        offset=vshift - best,
        curve=curve,
        confidence=median - distances[:, best],
    )


def _distances(lips: NDArray[np.float32], sound: NDArray[np.float32], vshift: int) -> NDArray[np.float64]:
    """Euclidean distances [windows, 2 vshift + 1], with the 1e-6 that the reference adds to each difference."""
    padded = np.pad(sound, ((vshift, vshift), (0, 0)))
    shifts = range(2 * vshift + 1)
    columns = [np.linalg.norm(lips - padded[k : k + len(lips)] + np.float32(1e-6), axis=1) for k in shifts]
    return np.stack(columns, axis=1).astype(np.float64)
