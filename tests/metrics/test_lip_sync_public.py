"""Lip sync: the whole chain beside the public code, file by file; see `public_lip_sync` for what it needs."""

from __future__ import annotations

import os
from pathlib import Path

import lip_sync_real
import numpy as np
import public_lip_sync
import pytest
from lip_sync_clips import Studio, speech
from support import shared_clip

from metrics.clip import Clip
from metrics.lip_sync.metric import LipSync


def slices_here(rows: int) -> int:
    """Slices per picture that the ffmpeg program makes on this machine, of a picture with so many rows of blocks."""
    cores = len(os.sched_getaffinity(0))
    return min(cores + 1, 16, rows) if cores > 1 else 1


def compare(path: Path, syncnet: str, s3fd: str, folder: Path) -> None:
    """Same tracks, LSE within 0.01, same offset."""
    code = public_lip_sync.patched(public_lip_sync.checkout(), folder / "code", Path(s3fd))
    public = public_lip_sync.run_public(code, path, Path(syncnet), folder / "work")
    with Clip(path) as clip:
        slices = slices_here(clip.facts.height // 16)
        analysis = LipSync(slices=slices, syncnet=syncnet, s3fd=s3fd).analyse(clip)
    assert len(analysis.people) == len(public.tracks)
    for person, track, (offset, lse_c, lse_d, _) in zip(analysis.people, public.tracks, public.scores, strict=True):
        np.testing.assert_array_equal(person.track.frames, track["track"]["frame"])  # type: ignore[index]
        np.testing.assert_allclose(person.track.bboxes, track["track"]["bbox"], atol=1e-2)  # type: ignore[index]
        assert person.score is not None
        assert person.score.offset == offset
        assert person.score.lse_d == pytest.approx(lse_d, abs=0.01)
        assert person.score.lse_c == pytest.approx(lse_c, abs=0.01)


@pytest.mark.slow
def test_a_short_clip_equals_the_public_code(lip_sync_studio: Studio, tmp_path: Path) -> None:
    public_lip_sync.checkout()
    compare(lip_sync_studio.clip("talking"), str(lip_sync_studio.syncnet), str(lip_sync_studio.s3fd), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", lip_sync_real.FACES)
def test_real_clips_equal_the_public_code(name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    public_lip_sync.checkout()
    clip = shared_clip(f"{name}.mp4")
    networks = lip_sync_real.fitted(tmp_path_factory.getbasetemp() / "lip_sync_real")
    compare(clip, **networks, folder=tmp_path)


def test_the_pipeline_of_the_package_gives_the_same(
    lip_sync_studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one face, our MP3 sound and MOVA's shortest track, the pipeline of syncnet-python equals ours."""
    import shutil
    from importlib.util import find_spec

    import soundfile

    from metrics.lip_sync.conversion import convert_audio

    missing = [name for name in ("syncnet_python", "scenedetect", "ffmpeg") if find_spec(name) is None]
    if missing or not shutil.which("ffmpeg"):
        pytest.skip(f"needs {', '.join(missing) or 'the ffmpeg program'}")
    from syncnet_python import SyncNetPipeline  # type: ignore[import-untyped]

    path = lip_sync_studio.clip("package", seconds=1.12, audio=speech(28))
    with Clip(path) as clip:
        sound = convert_audio(clip)
        slices = slices_here(clip.facts.height // 16)
        ours = LipSync(slices=slices, **lip_sync_studio.options()).analyse(clip).chosen
    soundfile.write(tmp_path / "sound.wav", sound, 16_000, subtype="PCM_16")
    pipeline = SyncNetPipeline(
        {"s3fd_weights": str(lip_sync_studio.s3fd), "syncnet_weights": str(lip_sync_studio.syncnet), "min_track": 20},
        device="cpu",
    )
    offsets, confidences, distances, *_ = pipeline.inference(
        str(path), str(tmp_path / "sound.wav"), cache_dir=str(tmp_path / "work")
    )
    assert ours is not None
    assert ours.score is not None
    assert len(offsets) == 1
    assert ours.score.offset == int(offsets[0])
    assert ours.score.lse_c == pytest.approx(float(confidences[0]), abs=1e-3)
    assert ours.score.lse_d == pytest.approx(float(distances[0]), abs=1e-3)
