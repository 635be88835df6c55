"""DeSync: segments, the network's layout and parts, the way from a file to an offset."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from network_states import fingerprint_of, seeded, synchformer_state
from support import chirps, make_clip, picture

import metrics
from metrics import Clip, Measurement, NotApplicable, UserError
from metrics.desync.metric import Desync, Segments, centre
from metrics.desync.synchformer import OFFSETS, Synchformer, SynchformerConfig
from metrics.desync.video_tower import Aggregate
from metrics.networks.pictures import official_duration, short_side, small_pictures
from metrics.networks.spectra import htk_filters
from metrics.networks.states import loaded

SMALL = SynchformerConfig(width=48, heads=4, depth=1, joint_depth=1, joint_heads=4)
PUBLISHED_LAYOUT = "30dd96733084b292"
"""Of the toolkit's own `Synchformer`, which loads the published file strictly."""


class Small(Desync):
    """The metric with a network that fits a test."""

    def load(self) -> None:
        self._network = loaded(lambda: Synchformer(SMALL), synchformer_state(SMALL), "Synchformer")


def clip_of(path: Path, frames: int, fps: int, seconds: float, **more: Any) -> Path:
    sound = {"audio": chirps(seconds)[0], "audio_codec": "pcm_s16le"}
    return make_clip(path, frames=frames, fps=fps, video_codec="ffv1", **{**sound, **more})


def test_state_dict_keys_are_those_of_the_published_file() -> None:
    assert fingerprint_of(Synchformer) == PUBLISHED_LAYOUT


def test_the_grid_of_offsets() -> None:
    assert len(OFFSETS) == 21
    np.testing.assert_allclose(OFFSETS[[0, 10, 11, 20]].numpy(), [-2.0, 0.0, 0.2, 2.0], atol=1e-12)


@pytest.mark.parametrize(
    ("frames", "fps", "duration", "segments"),
    [(126, 25, 4.9, 14), (125, 25, 4.9, 14), (150, 25, 5.9, 17), (193, 24, 7.9, 23), (191, 24, 7.9, 23), (250, 25, 9.9, 29)],
)  # fmt: skip
def test_segments_of_a_clip(tmp_path: Path, frames: int, fps: int, duration: float, segments: int) -> None:
    path = clip_of(tmp_path / "clip.mkv", frames, fps, frames / fps + 0.2, size=(32, 24))
    with Clip(path) as clip:
        assert official_duration(clip, None) == pytest.approx(duration)
        found = Small().prepare(clip)
    assert isinstance(found, Segments)
    assert found.total == segments
    assert len(found.pictures) == len(found.sounds) == min(segments, 28)
    assert found.pictures.shape[1:] == (16, 3, 224, 224)
    assert found.sounds.shape[1:] == (10_240,)


def test_pictures_are_those_of_the_fps_filter_and_the_last_is_repeated(tmp_path: Path) -> None:
    with Clip(clip_of(tmp_path / "clip.mkv", 48, 24, 2.0)) as clip:
        small = small_pictures(clip, 25, 55, 24)
        frames = clip.frames("rgb24", rate=25)
        assert len(frames) == 50
        for place in (0, 12, 13, 49):
            assert torch.equal(small[place], short_side(frames[place], 24))
        assert torch.equal(small[54], small[49])
        assert small_pictures(clip, 25, 55, 24) is small
        assert torch.equal(small_pictures(clip, Fraction(1, 2), 1, 48)[0], short_side(clip.frames("rgb24")[23], 48))


@pytest.mark.parametrize(
    ("size", "scaled"), [((640, 360), (224, 398)), ((360, 640), (398, 224)), ((64, 64), (224, 224))]
)
def test_the_shorter_side_decides(size: tuple[int, int], scaled: tuple[int, int]) -> None:
    small = short_side(picture(3, size), 224)
    assert small.shape == (3, *scaled)
    assert small.dtype == torch.uint8
    assert centre(small[None], 224).shape == (1, 3, 224, 224)


def test_htk_filters_meet_at_half_height() -> None:
    filters = htk_filters(16000, 1024, 128, 0.0, 8000.0)
    assert filters.shape == (513, 128)
    inside = filters[20:490].sum(dim=1)
    torch.testing.assert_close(inside, torch.ones_like(inside), rtol=0, atol=1e-4)


def test_the_summary_of_tokens_equals_the_layer_of_torch() -> None:
    state = seeded(lambda: Aggregate(24, 4))
    ours = loaded(lambda: Aggregate(24, 4), state, "layer")
    theirs = torch.nn.TransformerEncoderLayer(
        24, 4, 96, 0.0, torch.nn.GELU(), 1e-6, batch_first=True, norm_first=True
    ).eval()
    theirs.load_state_dict({key: value for key, value in state.items() if key != "cls_token"})
    tokens = torch.randn(2, 3, 5, 24, generator=torch.manual_seed(0))
    whole = torch.cat([state["cls_token"].expand(6, -1, -1), tokens.flatten(0, 1)], dim=1)
    torch.testing.assert_close(ours(tokens).flatten(0, 1), theirs(whole)[:, 0], rtol=1e-5, atol=1e-6)


def test_from_a_file_to_frozen_activations(sound_clip: Path) -> None:
    """Values of this code where, at its full size, it equals the official tool's (test_public_networks.py)."""
    metric = Small()
    with Clip(sound_clip) as clip:
        segments = metric.prepare(clip)
        assert isinstance(segments, Segments)
        activations = metric.activations(segments)
        np.testing.assert_allclose(activations[0, [0, 5, 10, 15, 20]].numpy(), GOLDEN, atol=2e-4)
        result = metric.measure(clip)
    first, last = (float(OFFSETS[int(row.argmax())]) for row in activations)
    assert result.scores == {"desync": pytest.approx((abs(first) + abs(last)) / 2, abs=1e-6)}
    assert result.details["offset_seconds"] == pytest.approx([first, last])


GOLDEN = [1.694353, 0.775884, -1.293161, 1.719553, -1.778023]


def test_passes_of_any_size_agree(sound_clip: Path) -> None:
    with Clip(sound_clip) as clip:
        segments = Small().prepare(clip)
    assert isinstance(segments, Segments)
    one, five = (Small(batch=size).activations(segments) for size in (1, 5))
    torch.testing.assert_close(one, five, rtol=1e-5, atol=1e-5)


def test_half_precision_stays_near(sound_clip: Path) -> None:
    with Clip(sound_clip) as clip:
        segments = Small().prepare(clip)
    assert isinstance(segments, Segments)
    full, half = (Small(precision=kind).activations(segments) for kind in ("float32", "bfloat16"))
    difference = float((full - half).abs().max())
    assert 0 < difference < 0.1 * float(full.abs().max())


def test_clips_too_short_or_with_too_little_sound(tmp_path: Path, tiny_clip: Path) -> None:
    metric = Small()
    with Clip(tiny_clip) as clip, pytest.raises(NotApplicable, match=r"1 s of picture are too few, 4\.9 s are needed"):
        metric.prepare(clip)
    with Clip(clip_of(tmp_path / "four.mkv", 100, 25, 6.0, size=(32, 24))) as clip:
        assert metric.measure(clip).code == "clip_too_short"
    with Clip(clip_of(tmp_path / "quiet.mkv", 125, 25, 4.0, size=(32, 24))) as clip:
        result = metric.measure(clip)
        assert (result.status, result.code) == ("failed", "audio_too_short")
        assert result.reason == "the sound ends before the picture: 4.00 s of 4.90 s"
    one_frame = clip_of(tmp_path / "one.mkv", 1, 25, 6.0, size=(32, 24))
    with Clip(one_frame) as clip:
        assert metric.measure(clip).code == "clip_too_short"
        told = Small(seconds=5).measure(clip)  # a run of 5 s clips: the last picture is repeated, as officially
        assert (told.status, told.flags) == ("scored", ("last_frame_repeated",))


def test_silence_and_black_pictures_have_an_offset(tmp_path: Path) -> None:
    black = np.zeros((24, 32, 3), np.uint8)
    path = clip_of(
        tmp_path / "dark.mkv", 125, 25, 5.1, size=(32, 24), audio=np.zeros(81600, np.int16), pictures=lambda _: black
    )
    with Clip(path) as clip:
        result: Measurement = Small().measure(clip)
    assert result.status == "scored"


def test_options_and_weights_are_checked(tmp_path: Path) -> None:
    for wrong in (0, -1, "8", True):
        with pytest.raises(UserError, match="give the nominal length"):
            metrics.get("desync", seconds=wrong)
    file = tmp_path / "container.pt"
    torch.save({"args": 1, "model": {f"module.{k}": v for k, v in synchformer_state(SMALL).items()}}, file)
    with pytest.raises(UserError, match=r"Synchformer weights: key 'vfeat_extractor\.[^']*' has shape"):
        metrics.get("desync", synchformer=file).ensure_loaded()
