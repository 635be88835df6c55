"""IB-Score: crops, windows, spectra, the network's layout, the way from a file to a score."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_states import fingerprint_of, imagebind_state
from support import chirps, make_clip

import metrics
from metrics import Clip, UserError
from metrics.imagebind.inputs import kaldi_fbank, picture_pairs, sound_spectra, window_bounds
from metrics.imagebind.metric import IbScore, Inputs
from metrics.imagebind.network import ImageBind, ImageBindConfig, Tower, imagebind

SMALL = ImageBindConfig(Tower(64, 1, 4), Tower(48, 1, 4), 32)
PUBLISHED_LAYOUT = "c6ce283c0b2d913a"
"""Of the two towers of ImageBind's own `imagebind_huge`, into which the published file loads strictly."""


class Small(IbScore):
    """The metric with a network that fits a test."""

    def load(self) -> None:
        self._network = imagebind(imagebind_state(SMALL), SMALL)


def clip_of(path: Path, frames: int, sound_seconds: float, **more: Any) -> Path:
    sound = {"audio": chirps(sound_seconds), "audio_codec": "pcm_s16le"}
    return make_clip(path, frames=frames, video_codec="ffv1", **{**sound, **more})


def test_state_dict_keys_are_those_of_the_published_file() -> None:
    assert fingerprint_of(ImageBind) == PUBLISHED_LAYOUT


def test_other_towers_are_left_aside_and_other_networks_refused() -> None:
    state = imagebind_state(SMALL)
    imagebind(state | {"modality_trunks.text.blocks.0.norm_1.weight": torch.zeros(3)}, SMALL)
    with pytest.raises(UserError, match=r"ImageBind weights: key 'conv1.weight' is not one of its keys"):
        imagebind(state | {"conv1.weight": torch.zeros(3)}, SMALL)
    del state["modality_trunks.audio.blocks.0.attn.bias_k"]
    with pytest.raises(UserError, match=r"key '.*bias_k' is missing"):
        imagebind(state, SMALL)


@pytest.mark.parametrize(("height", "width"), [(224, 399), (398, 224), (224, 224), (224, 225)])
def test_three_crops_along_the_longer_side(height: int, width: int) -> None:
    pictures = torch.zeros(3, 3, height, width, dtype=torch.uint8)
    long = max(height, width)
    ramp = torch.arange(long, dtype=torch.int64) % 200
    pictures[:] = (ramp[:, None] if height > width else ramp[None]).to(torch.uint8)
    pictures[1] += 10
    pairs = picture_pairs(pictures)
    assert pairs.shape == (6, 3, 2, 224, 224)
    levels = (pairs[:, 0, :, 0, 0] * 0.26862954 + 0.48145466) * 255
    offsets = [0, ceil((long - 224) / 2), long - 224]
    expected = [[float(ramp[at]) + add for add in pair] for pair in ((0, 10), (10, 0)) for at in offsets]
    np.testing.assert_allclose(levels.numpy(), expected, atol=1e-3)


def test_a_single_picture_is_taken_twice() -> None:
    pairs = picture_pairs(torch.full((1, 3, 224, 300), 7, dtype=torch.uint8))
    assert pairs.shape[0] == 3
    assert torch.equal(pairs[:, :, 0], pairs[:, :, 1])


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 400_000))
def test_windows_are_two_seconds_at_both_ends_and_in_the_middle(samples: int) -> None:
    (first, first_end), (middle, _), (last, end) = window_bounds(samples)
    assert (first, first_end) == (0, 32_000)
    if samples <= 32_000:
        assert middle == last == 0
    else:
        assert abs(end - samples) <= 1
        assert abs(middle - (samples - 32_000) / 2) <= 1


def test_the_middle_window_divides_by_two() -> None:
    assert window_bounds(126_400)[1][0] == (126_400 - 32_000) // 2


def test_spectra_are_padded_after_the_logarithm_and_hear_the_first_channel() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.uniform(-0.1, 0.1, (2, 96_000)).astype(np.float32)
    spectra = sound_spectra(np.stack([left, right]))
    assert spectra.shape == (3, 1, 128, 204)
    torch.testing.assert_close(spectra[:, 0, :, 198:], torch.full((3, 128, 6), 4.268 / 9.138))
    torch.testing.assert_close(spectra, sound_spectra(left[None]), rtol=1e-4, atol=2e-3)
    short = sound_spectra(left[None, :4800])
    torch.testing.assert_close(short[0], short[2], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(short[:, 0, :, 28:], torch.full((3, 128, 176), 4.268 / 9.138))


def test_overlapping_windows_share_what_was_taken_off() -> None:
    samples = np.full((1, 48_000), 0.1, np.float32)
    first, middle, _ = sound_spectra(samples)
    floor = (np.log(1.1920929e-07) + 4.268) / 9.138
    assert float(first[0, :, :198].max()) == pytest.approx(floor, abs=1e-4)  # a constant is taken off
    assert float(middle[0, :, :198].max()) > floor + 0.5  # a step remains where the first window ended


def test_the_filter_bank_of_silence_and_of_a_tone() -> None:
    silence = kaldi_fbank(torch.zeros(32_000))
    assert silence.shape == (198, 128)
    torch.testing.assert_close(silence, torch.full_like(silence, np.log(1.1920929e-07)))
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(32_000) / 16_000)
    mel = 1127 * np.log(1 + np.array([20.0, 1000.0, 8000.0]) / 700)
    expected = (mel[1] - mel[0]) / ((mel[2] - mel[0]) / 129) - 1
    assert abs(int(kaldi_fbank(tone).mean(0).argmax()) - expected) < 1


def test_from_a_file_to_a_frozen_score(sound_clip: Path) -> None:
    """Values of this code where, at its published width, it equals the official tool's (test_public_ib.py)."""
    with Clip(sound_clip) as clip:
        result = Small().measure(clip)
    assert result.status == "scored"
    assert result.details == {"pairs": 1}
    assert result.scores["ib"] == pytest.approx(GOLDEN, abs=2e-5)


GOLDEN = -0.0324029


def test_passes_of_any_size_agree(sound_clip: Path) -> None:
    with Clip(sound_clip) as clip:
        inputs = Small().prepare(clip)
    assert isinstance(inputs, Inputs)
    for one, five in zip(Small(batch=1).embed(inputs), Small(batch=5).embed(inputs), strict=True):
        torch.testing.assert_close(one, five, rtol=1e-5, atol=1e-5)
    assert float(Small().embed(inputs)[1].norm()) <= 20.001


def test_short_silent_and_uneven_clips(tmp_path: Path, mute_clip: Path) -> None:
    metric = Small()
    with Clip(clip_of(tmp_path / "two.mkv", 50, 2.0)) as clip:
        assert metric.measure(clip).code == "clip_too_short"
    with Clip(clip_of(tmp_path / "three.mkv", 75, 3.0)) as clip:
        assert metric.measure(clip).status == "scored"
    with Clip(clip_of(tmp_path / "one.mkv", 1, 5.0)) as clip:
        assert metric.measure(clip).code == "clip_too_short"
        assert Small(seconds=5).measure(clip).code == "empty_video"  # one frame gives no picture at one in two seconds
    with Clip(clip_of(tmp_path / "early.mkv", 125, 1.0)) as clip:
        assert metric.measure(clip).code == "audio_too_short"
        assert Small(protocol="direct").measure(clip).status == "scored"
    with Clip(clip_of(tmp_path / "silent.mkv", 125, 5.0, audio=np.zeros(80_000, np.int16))) as clip:
        assert metric.measure(clip).flags == ("silent_audio",)
    with Clip(mute_clip) as clip:
        assert metric.measure(clip).code == "no_audio_stream"


def test_weights_are_checked_before_anything_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "imagebind_huge.pth"
    torch.save(imagebind_state(SMALL), file)
    with pytest.raises(UserError, match=r"ImageBind weights: key '[^']*' has shape"):
        metrics.get("ib", imagebind=file).ensure_loaded()
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(UserError, match="not a readable PyTorch file"):
        metrics.get("ib", imagebind=file).ensure_loaded()
    assert metrics.get("ib").weights_used() == ("imagebind-huge",)
    assert "NC" in metrics.card("ib").licence
