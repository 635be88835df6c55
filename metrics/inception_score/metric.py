"""The audio Inception Score as a metric: class probabilities of each clip, one score of many clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.inception_score.score import inception_score, inception_scores_resampled
from metrics.networks.metric import NetworkMetric
from metrics.types import Feature, Measurement, Need, Request, ScoreSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from metrics.clip import Clip
    from metrics.inception_score.cnn14 import Cnn14

_SOURCE = "Salimans et al. 2016 over PANNs Cnn14 (Kong et al. 2020); MOVA evaluation toolkit, IS"


class InceptionScore(NetworkMetric):
    """Inception Score of sounds (`is`): higher is better, from 1 to the number of clips, at most 527.

    A corpus score: each clip gives its 527 class probabilities, the score is made of all clips of a set at once and
    grows with their number, so sets of different size cannot be compared.

    The sound is taken at 32 kHz as the official tool takes it (to two channels and back to their mean, which makes a
    mono file 3 dB quieter), cut or filled with zeros to 10 s. Silence has probabilities like any sound (flag
    "silent_audio"). Both protocols agree.

    Compared with the official tool (its code with panns_inference 0.1.1 and the ffmpeg program, from the file on) on
    five real clips with seeded weights: probabilities to 2e-6 of the largest, the score to 2e-8 of its value.

    Options: cnn14, a file of weights to use instead of the published one; precision; batch.
    """

    name: ClassVar[str] = "inception_score"
    title: ClassVar[str] = "Audio Inception Score (PANNs Cnn14)"
    scores: ClassVar[tuple[ScoreSpec, ...]] = (
        ScoreSpec("is", "Inception Score (audio)", "higher", "classes", (1.0, 527.0), _SOURCE, aggregation="corpus"),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUDIO})
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"cnn14": None, "precision": "float32", "batch": 1})
    files: ClassVar[Mapping[str, str]] = MappingProxyType({"cnn14": "panns-cnn14"})
    weights: ClassVar[tuple[str, ...]] = ("panns-cnn14",)
    licence: ClassVar[str] = "CC BY 4.0 (network)"

    _network: Cnn14

    def load(self) -> None:
        from metrics.inception_score.cnn14 import Cnn14
        from metrics.networks.states import loaded, read_state

        state = read_state(self.file("cnn14"), "Cnn14", inside=("model",))
        self._network = loaded(Cnn14, state, "Cnn14").to(self.device)

    def classify(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Class probabilities of sounds, each float32 [samples] mono at 32 kHz -> float32 [n, 527], rows of sum 1."""
        import torch

        from metrics.inception_score.cnn14 import SAMPLES, posteriors

        self.ensure_loaded()
        waveforms = torch.zeros(len(sounds), SAMPLES)
        for row, sound in zip(waveforms, sounds, strict=True):
            row[: len(sound)] = torch.from_numpy(sound[:SAMPLES].copy())
        with self.arithmetic():
            rows = self.in_passes(lambda part: posteriors(self._network(part)), waveforms)
            probabilities: NDArray[np.float32] = rows.numpy()
        return probabilities

    def compute(self, clip: Clip, request: Request) -> Measurement:
        from metrics.networks.sound import toolkit_sound

        sound = toolkit_sound(clip)
        return self._answer(sound, self.classify([sound])[0])

    def compute_batch(self, clips: Sequence[Clip], requests: Sequence[Request]) -> Sequence[Measurement | Exception]:
        from metrics.networks.sound import toolkit_sound

        sounds: list[NDArray[np.float32] | Exception] = []
        for clip in clips:
            try:
                sounds.append(toolkit_sound(clip))
            except Exception as error:
                sounds.append(error)
        heard = [sound for sound in sounds if not isinstance(sound, Exception)]
        rows = iter(self.classify(heard) if heard else ())
        return [sound if isinstance(sound, Exception) else self._answer(sound, next(rows)) for sound in sounds]

    def _answer(self, sound: NDArray[np.float32], probabilities: NDArray[np.float32]) -> Measurement:
        from metrics.signals import is_silent

        best = probabilities.argsort()[::-1][:3]
        return Measurement.scored(
            self.name,
            {},
            features={"probabilities": probabilities},
            details={"largest_classes": [[int(k), round(float(probabilities[k]), 6)] for k in best]},
            flags=("silent_audio",) if is_silent(sound) else (),
        )

    def summarise(self, features: Sequence[Feature]) -> Mapping[str, float]:
        return {"is": inception_score(_stack(features))}

    def summarise_resampled(
        self, features: Sequence[Feature], index: NDArray[np.int64]
    ) -> Mapping[str, NDArray[np.float64]]:
        return {"is": inception_scores_resampled(_stack(features), index)}


def _stack(features: Sequence[Feature]) -> NDArray[Any]:
    import numpy as np

    return np.stack([feature.arrays["probabilities"] for feature in features])
