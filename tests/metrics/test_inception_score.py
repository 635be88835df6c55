"""The Inception Score: its arithmetic, the network's layout, the way from a file to probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from network_states import cnn14_state, fingerprint_of
from support import make_clip, tone

import metrics
from metrics import Clip, Feature, UserError
from metrics.inception_score import inception_score
from metrics.inception_score.cnn14 import SAMPLES, Cnn14, Cnn14Config, posteriors
from metrics.inception_score.metric import InceptionScore
from metrics.inception_score.score import inception_scores_resampled
from metrics.networks.sound import toolkit_sound
from metrics.networks.states import loaded, read_state

SMALL = Cnn14Config(channels=(2, 4, 4, 8, 8, 16), hidden=16)
PUBLISHED_LAYOUT = "176f9276a98e3a1d"
"""Of `panns_inference.models.Cnn14(32000, 1024, 320, 64, 50, 14000, 527)`, into which the published file loads."""

probability_rows = st.tuples(st.integers(1, 12), st.integers(1, 9)).flatmap(
    lambda shape: arrays.arrays(np.float64, shape, elements=st.floats(1e-6, 1.0))
)


class Small(InceptionScore):
    """The metric with a network that fits a test."""

    def load(self) -> None:
        self._network = loaded(lambda: Cnn14(SMALL), cnn14_state(SMALL), "Cnn14")


def test_one_class_per_clip_scores_the_number_of_clips() -> None:
    assert metrics.inception_score.inception_score(np.eye(40, 527)) == pytest.approx(40, abs=1e-6)


def test_clips_that_are_alike_score_one() -> None:
    assert inception_score(np.tile(np.random.default_rng(0).random(527), (9, 1))) == pytest.approx(1.0, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(probability_rows, st.randoms(use_true_random=False))
def test_bounds_order_and_scale(rows: np.ndarray, random: object) -> None:
    score = inception_score(rows)
    assert 1 - 1e-9 <= score <= min(rows.shape) + 1e-6
    order = np.random.default_rng(random.randrange(100)).permutation(len(rows))  # type: ignore[attr-defined]
    assert inception_score(rows[order] * 3.0) == pytest.approx(score, rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(probability_rows, st.integers(0, 99))
def test_resamples_equal_the_plain_score(rows: np.ndarray, seed: int) -> None:
    index = np.random.default_rng(seed).integers(0, len(rows), (5, len(rows)))
    plain = [inception_score(rows[row]) for row in index]
    np.testing.assert_allclose(inception_scores_resampled(rows, index), plain, rtol=1e-10)


@pytest.mark.parametrize(
    "wrong", [np.zeros((0, 3)), np.ones(4), np.full((2, 3), np.nan), -np.ones((2, 2)), np.zeros((2, 2))]
)
def test_what_are_no_probabilities_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        inception_score(wrong)


def test_a_saturated_class_stays_finite() -> None:
    rows = posteriors(torch.tensor([[40.0, 20.0, -40.0], [1.0, 0.0, -1.0]]))
    assert torch.isfinite(rows).all()
    assert rows[0].argmax() == 0
    torch.testing.assert_close(rows[1], torch.softmax(torch.tensor([1.0, 0.0, -1.0]), 0), rtol=1e-5, atol=1e-7)


def test_state_dict_keys_are_those_of_the_published_file() -> None:
    assert fingerprint_of(Cnn14) == PUBLISHED_LAYOUT


def test_a_mono_file_is_three_decibels_quieter(tmp_path: Path) -> None:
    mono = make_clip(tmp_path / "mono.mkv", audio=tone(0.5, rate=32000), audio_rate=32000, audio_codec="pcm_s16le")
    both = np.stack([tone(0.5, rate=32000)] * 2)
    stereo = make_clip(tmp_path / "stereo.mkv", audio=both, audio_rate=32000, audio_codec="pcm_s16le")
    with Clip(mono) as one, Clip(stereo) as two:
        ratio = np.abs(toolkit_sound(two)).max() / np.abs(toolkit_sound(one)).max()
    assert ratio == pytest.approx(np.sqrt(2), rel=1e-3)


def test_from_a_file_to_frozen_probabilities(sound_clip: Path, tmp_path: Path) -> None:
    """Values of this code where it equals the official tool's (tests/metrics/test_public_networks.py)."""
    weights = tmp_path / "Cnn14.pth"
    sampler = {"indexes": np.arange(3), "pointer": np.int64(2)}  # as training checkpoints hold
    torch.save({"iteration": 7, "sampler": sampler, "model": cnn14_state()}, weights)
    result = metrics.measure("inception_score", sound_clip, cnn14=str(weights), threads=2)
    assert result.status == "scored"
    probabilities = result.features["probabilities"]
    assert probabilities.dtype == np.float32
    assert float(probabilities.sum()) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(probabilities[[93, 40, 14, 0, 526]], GOLDEN, rtol=1e-3)


GOLDEN = [0.5654269, 0.0818757, 0.0992276, 3.0993e-05, 3.8364e-08]


def test_clips_of_a_set_make_one_score(sound_clip: Path, tiny_clip: Path, silent_clip: Path) -> None:
    metric = Small()
    features = []
    for path in (sound_clip, tiny_clip, silent_clip):
        with Clip(path) as clip:
            result = metric.measure(clip)
        assert result.status == "scored", result.reason
        assert result.flags == (("silent_audio",) if path == silent_clip else ())
        features.append(Feature(path.stem, "a", result.features))
    score = metric.summarise(features)["is"]
    resampled = metric.summarise_resampled(features, np.array([[0, 1, 2], [1, 1, 1]]))["is"]
    assert 1 < score < 3
    assert resampled == pytest.approx([score, 1.0])


def test_batches_and_lengths_do_not_matter() -> None:
    sounds = [tone(seconds, rate=32000, frequency=300.0 + seconds) for seconds in (0.3, 4.0, 10.0, 12.0)]
    alone = np.concatenate([Small().classify([sound]) for sound in sounds])
    np.testing.assert_allclose(Small(batch=3).classify(sounds), alone, rtol=1e-5, atol=1e-8)
    np.testing.assert_array_equal(Small().classify([sounds[3]]), Small().classify([sounds[3][:SAMPLES]]))


def test_several_clips_at_once_give_what_each_gives(sound_clip: Path, tiny_clip: Path, mute_clip: Path) -> None:
    with Clip(sound_clip) as one, Clip(mute_clip) as mute, Clip(tiny_clip) as other:
        metric, clips = Small(batch_size=3), [one, mute, other]
        together, single = metric.measure_batch(clips, [None] * 3), [metric.measure(clip) for clip in clips]
    assert [m.status for m in together] == ["scored", "failed", "scored"]
    for batched, alone in zip(together, single, strict=True):
        assert batched.details == alone.details
        for name, array in alone.features.items():
            np.testing.assert_array_equal(batched.features[name], array)


def test_a_clip_without_sound_is_a_failure(mute_clip: Path) -> None:
    with Clip(mute_clip) as clip:
        result = Small().measure(clip)
    assert (result.status, result.code) == ("failed", "no_audio_stream")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.pth"
    torch.save({"model": {"conv.weight": torch.zeros(3)}}, file)
    with pytest.raises(UserError, match=r"Cnn14 weights: key .* is missing; is it the file of another network"):
        metrics.get("inception_score", cnn14=file).ensure_loaded()
    with pytest.raises(UserError, match="shape"):
        loaded(Cnn14, cnn14_state(SMALL), "Cnn14")


def test_weights_cut_short_or_holding_code_are_refused(tmp_path: Path) -> None:
    whole, cut, code = tmp_path / "whole.pth", tmp_path / "cut.pth", tmp_path / "code.pth"
    torch.save({"model": {"a": torch.zeros(1000)}}, whole)
    cut.write_bytes(whole.read_bytes()[:2000])
    torch.save({"model": {"a": torch.zeros(3)}, "sampler": Path("/")}, code)
    for file in (cut, code):
        with pytest.raises(UserError, match=r"Cnn14 weights: .* is not a readable PyTorch file"):
            read_state(file, "Cnn14", inside=("model",))


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no precision 'int8'"):
        metrics.get("inception_score", precision="int8")
    with pytest.raises(UserError, match="batch is 0"):
        metrics.get("inception_score", batch=0)
    with pytest.raises(UserError, match="where nothing is"):
        metrics.get("inception_score", cnn14=tmp_path / "no.pth").parameters()
