"""Loudness and amplitude of a clip's sound: a sanity check that a model's output is neither silent nor distorted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import ClipError
from metrics.metric import Metric
from metrics.types import Measurement, Need, Request, ScoreSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from metrics.clip import Clip

RATE = 48_000
BLOCK_SECONDS = 0.4
SHORT_CLIP_SECONDS = 0.5
ABSOLUTE_GATE = -70.0
"""LUFS; blocks below it do not count, and the official tool's value for a signal that has no other block."""


def loudness_of(samples: NDArray[np.floating[Any]], rate: int = RATE) -> float | None:
    """Integrated loudness in LUFS (ITU-R BS.1770-4, one channel) of mono samples [n], n >= 1, full scale 1.0.

    None when no 400 ms block reaches the absolute gate of -70 LUFS (silence), where the standard has no value.
    A signal shorter than one block, for which the standard has no value either, is followed by zeros up to 0.5 s, as
    the official tool's first back end does.
    """
    import numpy as np
    from pyloudnorm import Meter

    if len(samples) < BLOCK_SECONDS * rate:
        samples = np.pad(samples, (0, int(SHORT_CLIP_SECONDS * rate) - len(samples)))
    value = float(Meter(rate, block_size=BLOCK_SECONDS).integrated_loudness(samples))
    return value if np.isfinite(value) else None


def rms_of(samples: NDArray[np.floating[Any]]) -> float:
    """Root mean square of mono samples [n], n >= 1, computed in float32 as the official tool does; 1.0 = full scale."""
    import numpy as np

    return float(np.sqrt(np.mean(np.square(samples.astype(np.float32, copy=False)))))


class Loudness(Metric):
    """Integrated loudness (`lufs`) and amplitude (`rms`) of the mono downmix of the whole clip at 48 kHz.

    The channels are averaged before metering, so a stereo file with equal channels reads 3.01 LU below a BS.1770
    stereo measurement; comparable with the official tool, and to be read as "mono downmix".

    A silent clip has an `rms` and no `lufs` (its loudness is minus infinity): the reason stands in
    `details["left_out"]`, the flag is "silent_audio" for digital silence, else "below_gate". The official tool counts
    such a clip as -70; that number stands in `details["compat"]`, which maps a score to the value the official tool
    would count for this clip where it differs, for the `compat` aggregate alone.

    Both protocols agree: no lossy file is involved. The meter is pyloudnorm, the official tool's second back end; its
    first one (audiotools) pads the last block and filters in float32. Compared with the calibration tone of the
    standard (997 Hz, full scale, 3 s: -3.0517 LUFS) the difference is below 1e-4 LU; `rms` agrees with double
    precision to 1e-6 of its value.
    """

    name: ClassVar[str] = "loudness"
    title: ClassVar[str] = "Loudness and amplitude"
    scores: ClassVar[tuple[ScoreSpec, ...]] = (
        ScoreSpec(
            "lufs", "Integrated loudness", "target", "LUFS", (ABSOLUTE_GATE, None),
            "ITU-R BS.1770-4; MOVA evaluation toolkit, loudness_lufs", decimals=2,
        ),
        ScoreSpec(
            "rms", "RMS amplitude", "target", "full scale", (0.0, None),
            "MOVA evaluation toolkit, amplitude_rms", decimals=4,
        ),
    )  # fmt: skip
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUDIO})
    packages: ClassVar[tuple[str, ...]] = ("pyloudnorm",)

    def identity(self) -> Mapping[str, str]:
        from importlib.metadata import version

        return {"pyloudnorm": version("pyloudnorm")}

    def load(self) -> None:
        import pyloudnorm  # noqa: F401 - it brings SciPy along: a second that no clip should be charged with

    def compute(self, clip: Clip, request: Request) -> Measurement:
        import numpy as np

        from metrics.signals import is_silent

        samples = clip.audio_mean(RATE).samples
        if not len(samples):
            raise ClipError("empty_audio", f"{clip.path.name} has no sound after its start time, generate it again")
        lufs = loudness_of(samples)
        scores = {"rms": rms_of(samples)}
        details: dict[str, Any] = {"peak": float(np.abs(samples).max()), "seconds_metered": len(samples) / RATE}
        flags = []
        if len(samples) < BLOCK_SECONDS * RATE:
            flags.append("short_audio")
        if lufs is None:
            flags.append("silent_audio" if is_silent(samples) else "below_gate")
            details["left_out"] = {"lufs": f"no 400 ms block reaches the absolute gate of {ABSOLUTE_GATE:.0f} LUFS"}
            details["compat"] = {"lufs": ABSOLUTE_GATE}
        else:
            scores["lufs"] = lufs
        return Measurement.scored(self.name, scores, details=details, flags=tuple(flags))
