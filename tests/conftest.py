"""What all tests share: caches in a temporary folder, no network for the model hub, and little clips."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import make_clip

if TYPE_CHECKING:
    from lip_sync_clips import Studio


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches go to a temporary folder (a cache that the caller names is kept), and the model hub stays silent."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        if "MOVA_EVAL_CACHE" not in os.environ:
            patch.setenv("MOVA_EVAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def clips_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for clips that several tests read."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def tiny_clip(clips_folder: Path) -> Path:
    """1 s, 25 fps, 64x48, H.264, with a 440 Hz mono tone in AAC at 16 kHz. Read only."""
    return make_clip(clips_folder / "tiny.mp4")


@pytest.fixture(scope="session")
def silent_clip(clips_folder: Path) -> Path:
    """As `tiny_clip`, with digital silence for sound. Read only."""
    import numpy as np

    return make_clip(clips_folder / "silent.mp4", audio=np.zeros(16000, np.float32))


@pytest.fixture(scope="session")
def mute_clip(clips_folder: Path) -> Path:
    """As `tiny_clip`, without an audio stream. Read only."""
    return make_clip(clips_folder / "mute.mp4", audio=None)


@pytest.fixture(scope="session")
def sound_only_clip(clips_folder: Path) -> Path:
    """As `tiny_clip`, without a video stream. Read only."""
    return make_clip(clips_folder / "sound.mp4", video=False)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium (a playwright Browser); tests that want one skip where none is installed."""
    import shutil

    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run"]  # fmt: skip
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=quiet)
        yield running
        running.close()


@pytest.fixture(scope="session")
def sound_clip(clips_folder: Path) -> Path:
    """5.04 s, 25 fps, 320x240, lossless picture and 16-bit sound (stereo, 16 kHz): chirps, clicks and noise, whose
    samples depend on no codec. Read only."""
    from support import chirps, make_clip

    return make_clip(
        clips_folder / "sound_and_picture.mkv",
        frames=126,
        size=(320, 240),
        video_codec="ffv1",
        audio=chirps(5.04),
        audio_codec="pcm_s16le",
    )


@pytest.fixture(scope="session")
def lip_sync_studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Clips of a drawn talking face and lip-sync networks fitted to it."""
    from lip_sync_clips import build_studio

    return build_studio(tmp_path_factory.mktemp("studio"))
