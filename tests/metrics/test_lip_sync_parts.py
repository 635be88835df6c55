"""Lip sync: coefficients, tracking, crops, shots, frame grid and scoring, each by itself."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import shared_clip

from metrics.lip_sync.crops import OutsidePicture, crop_track
from metrics.lip_sync.grid import avi_slots, constant_rate
from metrics.lip_sync.mfcc import mfcc
from metrics.lip_sync.scoring import score_embeddings
from metrics.lip_sync.shots import cuts_from_changes, find_shots
from metrics.lip_sync.tracking import Track, follow_faces, overlap, steadied_squares, track_faces


def test_coefficients_equal_the_published_vectors() -> None:
    import soundfile

    samples, _ = soundfile.read(shared_clip("00000.wav"), dtype="int16")
    found = mfcc(samples)
    assert found.shape == (499, 13)
    np.testing.assert_allclose(found[0, :4], [5.81995147, -5.92471467, 0.61312158, -2.04442922], atol=1e-7)
    np.testing.assert_allclose(found[100, :4], [6.2580897, 3.36781412, -1.49009942, -3.09553082], atol=1e-7)
    assert found.mean() == pytest.approx(-1.8067596, abs=1e-7)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3000), st.integers(0, 2**31))
def test_coefficients_equal_the_library(length: int, seed: int) -> None:
    library = pytest.importorskip("python_speech_features")
    samples = np.random.default_rng(seed).integers(-20000, 20000, length).astype(np.int16)
    samples[: length // 3] = 0  # digital silence takes the logarithm's own path
    np.testing.assert_allclose(mfcc(samples), library.mfcc(samples, 16000), atol=1e-9)


def test_coefficients_refuse_floats() -> None:
    with pytest.raises(ValueError, match="int16"):
        mfcc(np.zeros(800, np.float64))  # type: ignore[arg-type]


def face(frame: int, left: float, size: float = 150, conf: float = 0.95, top: float = 40) -> dict[str, Any]:
    return {"frame": frame, "bbox": [left, top, left + size, top + size], "conf": conf}


def public_tracks(scene: list[list[dict[str, Any]]], gap: int, shortest: int, smallest: float) -> list[tuple[Any, Any]]:
    """The public rule, written out as it is described: walk all frames with the list that is being emptied."""
    from scipy.interpolate import interp1d

    found = []
    while True:
        chain: list[dict[str, Any]] = []
        for faces in scene:
            for one in faces:
                if not chain:
                    chain.append(one)
                    faces.remove(one)
                elif one["frame"] - chain[-1]["frame"] <= gap:
                    if overlap(one["bbox"], chain[-1]["bbox"]) > 0.5:
                        chain.append(one)
                        faces.remove(one)
                else:
                    break
        if not chain:
            return found
        if len(chain) > shortest:
            at = np.array([one["frame"] for one in chain])
            every = np.arange(at[0], at[-1] + 1)
            boxes = np.array([one["bbox"] for one in chain])
            filled = np.stack([interp1d(at, boxes[:, side])(every) for side in range(4)], axis=1)
            if max((filled[:, 2] - filled[:, 0]).mean(), (filled[:, 3] - filled[:, 1]).mean()) > smallest:
                found.append((every, filled))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(5, 60), st.integers(1, 30), st.integers(0, 8))
def test_tracks_equal_the_public_rule(seed: int, frames: int, gap: int, shortest: int) -> None:
    chance = np.random.default_rng(seed)
    scene = [
        [
            face(frame, 300 * person + chance.normal(0, 20), 100 + 30 * chance.random(), chance.random())
            for person in chance.permutation(3)
            if chance.random() > 0.4
        ]
        for frame in range(7, 7 + frames)
    ]
    ours = track_faces(scene, gap, shortest, 110)  # type: ignore[arg-type]
    public = public_tracks([list(faces) for faces in scene], gap, shortest, 110)
    assert len(ours) == len(public)
    for track, (numbers, boxes) in zip(ours, public, strict=True):
        np.testing.assert_array_equal(track.frames, numbers)
        np.testing.assert_allclose(track.bboxes, boxes, atol=1e-9)


def test_a_face_that_leaves_and_comes_back_is_one_track_up_to_the_gap() -> None:
    def scene(gap: int) -> list[list[dict[str, Any]]]:
        return [[face(n, 50)] if n < 30 or n >= 30 + gap - 1 else [] for n in range(30 + gap + 30)]

    assert [len(t.frames) for t in track_faces(scene(25))] == [85]  # type: ignore[arg-type]
    assert len(track_faces(scene(26))) == 2  # type: ignore[arg-type]


def test_two_people_who_cross_give_whole_tracks_and_no_face_twice() -> None:
    scene = [[face(n, 10 + 8 * n, conf=0.99), face(n, 490 - 8 * n, conf=0.95, top=60)] for n in range(60)]
    followed = follow_faces(scene)  # type: ignore[arg-type]
    assert sum(t.detected for t in followed.kept) + sum(followed.too_short) == 120
    assert max(len(t.frames) for t in followed.kept) == 60


def test_rejected_chains_say_why() -> None:
    small = [[face(n, 10, size=80), *([face(n, 400)] if n < 12 else [])] for n in range(40)]
    followed = follow_faces(small)  # type: ignore[arg-type]
    assert not followed.kept
    assert [round(t.size) for t in followed.too_small] == [80]
    assert followed.too_short == (12,)
    assert track_faces([]) == []


def test_smoothing_sees_zeros_beyond_the_ends() -> None:
    boxes = np.array([[x - 50, 0, x + 50, 100] for x in range(101, 131)], np.float64)
    squares = steadied_squares(Track(np.arange(30), boxes, 30, 1.0))
    np.testing.assert_array_equal(squares.x[:3], [101, 102, 103])
    from scipy.signal import medfilt

    np.testing.assert_array_equal(squares.x, medfilt(np.arange(101.0, 131.0), 13))


def padded_crop(frame: np.ndarray[Any, Any], x: float, y: float, half: float) -> np.ndarray[Any, Any]:
    """The public way: pad the whole picture, then cut. Raises cv2.error where nothing is cut."""
    border = int(half * 1.8)
    big = np.pad(frame, ((border, border), (border, border), (0, 0)), constant_values=110)
    x, y = x + border, y + border
    return cv2.resize(big[int(y - half) : int(y + half * 1.8), int(x - half * 1.4) : int(x + half * 1.4)], (224, 224))


@settings(deadline=None, max_examples=40)
@given(st.floats(-40, 360), st.floats(-40, 280), st.floats(20, 150))
def test_crops_equal_padding_and_cutting(x: float, y: float, half: float) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    track = Track(np.array([0]), np.array([[x - half, y - half, x + half, y + half]]), 1, 1.0)
    squares = steadied_squares(track, 1)
    try:
        expected = padded_crop(frame, float(squares.x[0]), float(squares.y[0]), float(squares.half[0]))
    except cv2.error:  # the public program ends here
        with pytest.raises(OutsidePicture):
            crop_track([frame], track, smoothing=1)
        return
    found = crop_track([frame], track, smoothing=1)
    np.testing.assert_array_equal(found[0], expected)


def test_a_face_outside_of_the_picture_is_refused() -> None:
    track = Track(np.array([0]), np.array([[-900.0, 10, -800, 110]]), 1, 1.0)
    with pytest.raises(OutsidePicture):
        crop_track([np.zeros((200, 200, 3), np.uint8)], track, smoothing=1)


def scene_pictures(kinds: list[int]) -> list[np.ndarray[Any, Any]]:
    chance = np.random.default_rng(1)
    looks = [cv2.resize(chance.integers(0, 255, (6, 8, 3), dtype=np.uint8), (320, 240)) for _ in range(5)]
    return [np.roll(looks[kind], n, axis=1) for n, kind in enumerate(kinds)]


def test_a_cut_ends_a_shot() -> None:
    assert find_shots(scene_pictures([0] * 30 + [1] * 40)) == [(0, 30), (30, 70)]
    assert find_shots([]) == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 30)), min_size=1, max_size=6))
def test_cuts_equal_those_of_pyscenedetect(runs: list[tuple[int, int]]) -> None:
    detectors = pytest.importorskip("scenedetect.detectors")
    pictures = scene_pictures([kind for kind, length in runs for _ in range(length)])
    detector = detectors.ContentDetector()
    small = [cv2.resize(p, (256, 192)) for p in pictures]
    expected = [cut for number, p in enumerate(small) for cut in detector.process_frame(number, p)]
    assert [start for start, _ in find_shots(pictures)][1:] == expected


def test_flashes_are_merged() -> None:
    assert list(cuts_from_changes([0.0] * 5 + [50.0] + [0.0] * 40)) == []  # too early to be a shot of its own
    assert list(cuts_from_changes([0.0] * 20 + [50.0] + [0.0] * 20 + [27.0])) == [20, 41]


@pytest.mark.parametrize(
    ("rate", "frames", "audio_rate", "coded", "shown", "first"),
    [  # counted in files that ffmpeg 5.1 wrote
        (24, 96, 48000, 96, 101, [0, 2, 3, 4]),
        (25, 100, 16000, 100, 102, [0, 3, 4, 5]),
        (30, 120, 44100, 101, 102, [0, 2, 3, 4]),
        (16, 64, 48000, 64, 100, [0, 3, 4, 6]),
        (10, 40, 24000, 40, 102, [0, 5, 7, 10]),
        (60, 240, 16000, 101, 103, [0, 3, 4, 5]),
        (25, 75, None, 75, 75, [0, 1, 2, 3]),
        (24, 193, None, 193, 201, [0, 1, 2, 3]),
    ],
)
def test_frames_stand_where_ffmpeg_puts_them(
    rate: int, frames: int, audio_rate: int | None, coded: int, shown: int, first: list[int]
) -> None:
    kept = avi_slots(
        [Fraction(n, rate) for n in range(frames)], [Fraction(1, rate)] * frames, audio_rate, Fraction(rate)
    )
    slots = [slot for _, slot in kept]
    assert len(kept) == coded
    assert slots[:4] == first
    pictures = constant_rate(slots)
    assert len(pictures) == shown
    assert sorted(set(pictures)) == list(range(coded))
    assert pictures == sorted(pictures)


@settings(deadline=None, max_examples=40)
@given(st.integers(-10, 10))
def test_a_shift_of_the_sound_moves_the_offset(shift: int) -> None:
    sound = np.random.default_rng(3).normal(size=(80, 1024)).astype(np.float32)
    score = score_embeddings(np.roll(sound, -shift, axis=0), sound)
    assert score.offset == -shift
    assert score.curve.shape == (31,)
    assert score.curve[15 - score.offset] == score.lse_d == score.curve.min()
    assert score.lse_c == pytest.approx(float(np.median(score.curve)) - score.lse_d)
    assert score.offset_ms == score.offset * 40


def test_distances_equal_the_definition() -> None:
    chance = np.random.default_rng(5)
    lips, sound = chance.normal(size=(2, 40, 16)).astype(np.float32)
    padded = np.concatenate([np.zeros((15, 16)), sound, np.zeros((15, 16))])
    curve = [np.mean([np.linalg.norm(lips[i] - padded[i + k] + 1e-6) for i in range(40)]) for k in range(31)]
    np.testing.assert_allclose(score_embeddings(lips, sound).curve, curve, atol=1e-5)
