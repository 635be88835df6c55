"""DNSMOS: perceived speech quality without a reference, by the P.808 and P.835 networks of Microsoft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from metrics.metric import Metric
from metrics.signals import is_silent, mel_spectrogram, power_to_db
from metrics.types import Measurement, Need, Request, ScoreSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from metrics.clip import Clip

RATE = 16_000
WINDOW_SECONDS = 9.01
WINDOW = int(WINDOW_SECONDS * RATE)
"""Samples that the networks see at a time: 144,160."""

_SOURCE = "DNSMOS P.808 (ICASSP 2021); MOVA evaluation toolkit, P808_MOS"
_SOURCE_P835 = "DNSMOS P.835 (ICASSP 2022); MOVA evaluation toolkit"

# from raw network output to a MOS, highest power first: SIG, BAK, OVRL
_CALIBRATION = (
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
    (-0.06766283, 1.11546468, 0.04602535),
)
_CALIBRATION_PERSONALISED = (
    (-0.01019296, 0.02751166, 1.19576786, -0.24348726),
    (-0.04976499, 0.44276479, -0.1644611, 0.96883132),
    (-0.00533021, 0.005101, 1.18058466, -0.11236046),
)


def repeated(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mono samples [n] doubled end to end until they fill one window; unchanged when they do already.

    Raises ValueError for no samples, which no doubling would ever make longer.
    """
    if not len(samples):
        raise ValueError("DNSMOS needs at least one sample")
    while len(samples) < WINDOW:
        samples = np.concatenate([samples, samples])
    return samples


def window_starts(length: int) -> list[int]:
    """First samples of the windows that count in a signal of `length` samples (>= `WINDOW`) at 16 kHz.

    Windows start every second. The official expressions are evaluated in double precision, where the windows that
    start at 7 to 23 s come out one sample short and are skipped: a signal below 34 s never has more than seven windows
    (its first 15.01 s), and the number of windows is not monotonic in the length of a repeated clip.
    """
    hops = int(np.floor(length / RATE) - WINDOW_SECONDS) + 1
    starts = range(0, hops * RATE, RATE)
    ends = (min(int((hop + WINDOW_SECONDS) * RATE), length) for hop in range(hops))
    return [start for start, end in zip(starts, ends, strict=True) if end - start >= WINDOW]


def windows_of(samples: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The windows that count, each [144160], of mono samples [n], n >= 1, in [-1, 1] at 16 kHz; at least one."""
    filled = repeated(samples)
    return [filled[start : start + WINDOW] for start in window_starts(len(filled))]


def p808_features(window: NDArray[np.float64]) -> NDArray[np.float32]:
    """Input of the P.808 network for one window [144160]: scaled log mel spectrogram float32 [900, 120] in [-1, 1]."""
    mel = mel_spectrogram(window[:-160], rate=RATE, n_fft=321, hop=160, n_mels=120)
    decibels = power_to_db(mel, reference=float(mel.max()))
    scaled: NDArray[np.float64] = (decibels + 40.0) / 40.0
    return scaled.T.astype(np.float32)


class Dnsmos(Metric):
    """DNSMOS P.808 (`dnsmos_p808`, the published score) and P.835 (`dnsmos_sig`, `dnsmos_bak`, `dnsmos_ovrl`).

    Mean opinion scores, nominally 1 to 5, higher is better, of the clip's sound at 16 kHz mono (16 bit). A clip
    shorter than 9.01 s is repeated, not padded. `personalised=True` takes the P.835 network that counts other voices
    as noise, with its own calibration; P.808 does not change. The scores are about speech: on sounds without speech
    they are numbers without meaning, silence included (flag "silent_audio"; the networks give 2.147 for P.808).

    Both protocols agree: no lossy file is involved.
    Compared with `speechmos.dnsmos.run` (0.0.1.1) from the same samples, on real speech, noise and silence of 0.05 to
    34 s, with both P.835 networks: largest difference 5e-7. Compared with the official pipeline on five real clips:
    5e-7 from samples decoded by its ffmpeg 5.1, 5e-5 from those of a newer libavcodec, which rounds up to 43 of 80,896
    samples to the next 16-bit step.
    """

    name: ClassVar[str] = "dnsmos"
    title: ClassVar[str] = "Speech quality (DNSMOS)"
    scores: ClassVar[tuple[ScoreSpec, ...]] = (
        ScoreSpec("dnsmos_p808", "DNSMOS P.808", "higher", "MOS", (1.0, 5.0), _SOURCE),
        ScoreSpec("dnsmos_sig", "DNSMOS P.835 speech (SIG)", "higher", "MOS", (1.0, 5.0), _SOURCE_P835),
        ScoreSpec("dnsmos_bak", "DNSMOS P.835 background (BAK)", "higher", "MOS", (1.0, 5.0), _SOURCE_P835),
        ScoreSpec("dnsmos_ovrl", "DNSMOS P.835 overall (OVRL)", "higher", "MOS", (1.0, 5.0), _SOURCE_P835),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUDIO})
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"personalised": False})
    weights: ClassVar[tuple[str, ...]] = ("dnsmos-p808", "dnsmos-p835", "dnsmos-p835-personalised")
    packages: ClassVar[tuple[str, ...]] = ("onnxruntime",)
    licence: ClassVar[str] = "MIT (networks)"

    _p808: Any
    _p835: Any

    def weights_used(self) -> tuple[str, ...]:
        return ("dnsmos-p808", "dnsmos-p835-personalised" if self.options["personalised"] else "dnsmos-p835")

    def identity(self) -> Mapping[str, str]:
        from importlib.metadata import version

        return {"onnxruntime": version("onnxruntime")}

    def load(self) -> None:
        from metrics.weights import verified

        p808, p835 = self.weights_used()
        self._p808 = _session(verified(p808), self.threads)
        self._p835 = _session(verified(p835), self.threads)

    def rate_windows(self, windows: Sequence[NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        """Scores of windows, each [144160] in [-1, 1] at 16 kHz: score name -> [windows]."""
        self.ensure_loaded()
        # one window per call: on a CPU a batch of seven takes 10 to 20 % longer, and memory that grows with the clip
        p808 = np.array([self._run(self._p808, p808_features(window))[0] for window in windows])
        raw = np.array([self._run(self._p835, window.astype(np.float32)) for window in windows])
        calibration = _CALIBRATION_PERSONALISED if self.options["personalised"] else _CALIBRATION
        sig, bak, ovrl = (np.polyval(line, raw[:, place]) for place, line in enumerate(calibration))
        return {"dnsmos_p808": p808, "dnsmos_sig": sig, "dnsmos_bak": bak, "dnsmos_ovrl": ovrl}

    @staticmethod
    def _run(session: Any, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Output row of a network for the input of one window, in double precision."""
        row: NDArray[np.float32] = session.run(None, {"input_1": features[None]})[0][0]
        return row.astype(np.float64)

    def compute(self, clip: Clip, request: Request) -> Measurement:
        samples = clip.audio(rate=RATE, layout="mono", sample_format="s16").samples / 32768.0
        windows = windows_of(samples)
        rated = self.rate_windows(windows)
        details = {
            "windows": len(windows),
            "per_window": {name: [round(float(value), 6) for value in values] for name, values in rated.items()},
        }
        return Measurement.scored(
            self.name,
            {name: float(values.mean()) for name, values in rated.items()},
            details=details,
            flags=("silent_audio",) if is_silent(samples) else (),
        )


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors; the networks' unused initialisers are nobody's concern
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
