"""Lip sync: the two networks against their definitions, weights that do not fit, scores that follow the sound."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import lip_sync_networks
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from metrics.errors import UserError
from metrics.lip_sync import score_crops
from metrics.lip_sync.s3fd import FaceDetector, S3fdNet
from metrics.lip_sync.scoring import TooShort
from metrics.lip_sync.syncnet import LipSyncNet, SyncNet
from metrics.networks.states import read_state

Pair = tuple[NDArray[np.uint8], NDArray[np.int16]]


def speech(frames: int, seed: int) -> Pair:
    """A mouth that opens as loud as the sound is at that moment."""
    chance = np.random.default_rng(seed)
    loudness = np.convolve(chance.random(frames + 4), np.ones(3) / 3, "same")
    crops = np.full((frames, 224, 224, 3), 90, np.uint8)
    for crop, level in zip(crops, loudness, strict=False):
        cv2.ellipse(crop, (112, 150), (50, int(4 + 50 * level)), 0, 0, 360, (30, 30, 160), -1)
        cv2.circle(crop, (80, 70), int(6 + 8 * level), (20, 20, 20), -1)
    envelope = np.repeat(loudness[:frames], 640)
    return crops, (envelope**2 * chance.normal(0, 6000, frames * 640)).astype(np.int16)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return speech(50, 1)


@pytest.fixture(scope="module")
def state(pair: Pair) -> lip_sync_networks.State:
    torch.set_num_threads(2)
    return lip_sync_networks.syncnet_state([pair], ridge=0.1)


@pytest.fixture(scope="module")
def network(state: lip_sync_networks.State) -> LipSyncNet:
    return LipSyncNet(state)


def test_fast_towers_equal_the_published_network(
    state: lip_sync_networks.State, network: LipSyncNet, pair: Pair
) -> None:
    plain = SyncNet().eval()
    plain.load_state_dict(state)
    frames = pair[0][:14]
    windows = torch.stack([torch.from_numpy(frames[i : i + 5]).permute(3, 0, 1, 2).float() for i in range(10)])
    with torch.no_grad():
        expected = plain.forward_lip(windows).numpy()
    np.testing.assert_allclose(network.embed_lips(frames), expected, atol=1e-4)
    coefficients = np.random.default_rng(0).normal(0, 4, (90, 13))
    sound = torch.stack([torch.from_numpy(coefficients[4 * i : 4 * i + 20].T.copy())[None] for i in range(15)]).float()
    with torch.no_grad():
        expected = plain.forward_audio(sound).numpy()
    np.testing.assert_allclose(network.embed_audio(coefficients, 15), expected, atol=1e-4)


def test_batch_size_does_not_change_a_score(network: LipSyncNet, pair: Pair) -> None:
    crops, sound = pair[0][:24], pair[1][: 24 * 640]
    scores = [score_crops(crops, sound, network, batch=batch) for batch in (1, 4, 16)]
    for other in scores[1:]:
        assert other.lse_d == pytest.approx(scores[0].lse_d, abs=1e-4)
        assert other.lse_c == pytest.approx(scores[0].lse_c, abs=1e-4)


@pytest.mark.parametrize("shift", [5, -7])
def test_the_offset_follows_the_sound(network: LipSyncNet, pair: Pair, shift: int) -> None:
    crops, sound = pair
    assert score_crops(crops, sound, network).offset == 0
    later = np.roll(sound, shift * 640)  # a positive shift: the sound comes later
    assert score_crops(crops, later, network).offset == -shift


def test_scores_from_a_file_and_a_state_dict_are_one(
    state: lip_sync_networks.State, pair: Pair, tmp_path: Path
) -> None:
    path = tmp_path / "syncnet_v2.model"
    torch.save({f"module.{key}": value for key, value in state.items()}, path)
    crops, sound = pair[0][:20], pair[1][: 20 * 640]
    assert score_crops(crops, sound, path).lse_d == score_crops(crops, sound, state).lse_d


def test_too_little_to_compare(network: LipSyncNet) -> None:
    crops = np.zeros((5, 224, 224, 3), np.uint8)
    with pytest.raises(TooShort, match="six frames"):
        score_crops(crops, np.zeros(16000, np.int16), network)
    with pytest.raises(ValueError, match="uint8"):
        score_crops(crops.astype(np.float32), np.zeros(16000, np.int16), network)  # type: ignore[arg-type]


def test_another_networks_file_is_named_by_its_first_wrong_key(state: lip_sync_networks.State, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"S3FD weights: key 'vgg\.0\.weight' is missing"):
        FaceDetector(state)
    wrong = {**state, "netcnnaud.0.weight": torch.zeros(64, 3, 3, 3)}
    with pytest.raises(UserError, match=r"netcnnaud.0.weight.*\[64, 3, 3, 3\] instead of \[64, 1, 3, 3\]"):
        LipSyncNet(wrong)
    with pytest.raises(UserError, match="'extra'"):
        LipSyncNet({**state, "extra": torch.zeros(1)})
    (tmp_path / "broken").write_bytes(b"no weights")
    with pytest.raises(UserError, match="not a readable PyTorch file"):
        read_state(tmp_path / "broken", "SyncNet")
    with pytest.raises(UserError, match="no file"):
        read_state(tmp_path / "absent", "SyncNet")


@pytest.fixture
def published() -> Iterator[Any]:
    """The network definitions of the package syncnet-python, taken from its folder: importing it starts a pipeline."""
    from importlib.util import find_spec

    spec = find_spec("syncnet_python")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("syncnet-python is not installed")
    folder = spec.submodule_search_locations[0]
    sys.path.insert(0, folder)
    try:
        from detectors.s3fd.nets import S3FDNet  # type: ignore[import-not-found]
        from SyncNetModel import S  # type: ignore[import-not-found]

        yield S, S3FDNet
    finally:
        sys.path.remove(folder)


def test_keys_equal_those_of_the_package(published: Any) -> None:
    theirs, their_detector = published[0]().state_dict(), published[1](device="cpu").state_dict()
    assert {k: v.shape for k, v in SyncNet().state_dict().items()} == {k: v.shape for k, v in theirs.items()}
    assert {k: v.shape for k, v in S3fdNet().state_dict().items()} == {k: v.shape for k, v in their_detector.items()}


def face_film(count: int = 6) -> list[NDArray[np.uint8]]:
    chance = np.random.default_rng(2)
    ground = cv2.resize(chance.integers(60, 200, (12, 20, 3), dtype=np.uint8), (640, 384))
    film = []
    for number in range(count):
        frame = ground.copy()
        cv2.ellipse(frame, (352 + 3 * number, 224), (70, 100), 0, 0, 360, (150, 180, 230), -1)
        film.append(frame)
    return film


def test_faces_equal_those_of_the_package(published: Any) -> None:
    """Same boxes as the package's detector, whatever the batch, at several scales."""
    from detectors.s3fd import S3FD  # type: ignore[import-not-found]

    film = face_film(2)
    state = lip_sync_networks.s3fd_state(film, [[(252, 124, 452, 324)]] * len(film))
    net = published[1](device="cpu")
    net.load_state_dict(state)
    theirs = S3FD(net=net.eval(), device="cpu")
    for scales in ([0.25], [0.25, 0.3]):
        expected = [
            theirs.detect_faces(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), conf_th=0.9, scales=scales) for frame in film
        ]
        for batch in (1, 4):
            found = FaceDetector(state, scales=scales, batch=batch).detect(film)
            for number, (ours, rows) in enumerate(zip(found, expected, strict=True)):
                assert len(ours) == len(rows) >= 1
                for box, row in zip(ours, rows, strict=True):
                    assert box["frame"] == number
                    np.testing.assert_allclose([*box["bbox"], box["conf"]], row, atol=2e-3)


def test_identical_frames_are_detected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    film = face_film(3)
    detector = FaceDetector(lip_sync_networks.s3fd_state(film, [[(252, 124, 452, 324)]] * 3), batch=2)
    seen = []
    forward = detector.network.forward

    def counted(pictures: torch.Tensor) -> Any:
        seen.append(len(pictures))
        return forward(pictures)

    monkeypatch.setattr(detector.network, "forward", counted)
    found = detector.detect([film[0], film[1], film[0], film[2], film[2]])
    assert sum(seen) == 3
    assert [box["frame"] for boxes in found for box in boxes] == [0, 1, 2, 3, 4]
    assert found[0][0]["bbox"] == found[2][0]["bbox"]
    assert detector.detect([]) == []
