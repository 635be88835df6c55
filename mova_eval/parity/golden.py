"""Golden clips: drawn from integers, stored without loss, so that every machine decodes the same pictures and samples.

Encoders change from version to version; the clips of the `mini` benchmark, which go through one, are for people and for
tests of order. These are for numbers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 256, 144, 24
SECONDS = 5
RATE = 48_000

Pictures = Iterator[NDArray[np.uint8]]
Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Golden:
    """One clip: pictures uint8 RGB [144, 256, 3] at 24 fps, sound int16 [n] or [2, n] at 48 kHz, what it was asked for.

    missing: None, or why it cannot be made here. certain: whether its samples are the same on every machine.
    """

    pictures: Callable[[], Pictures]
    sound: Callable[[], Samples]
    request: dict[str, Any]
    missing: Callable[[], str | None] = lambda: None
    certain: bool = True


def _bounce() -> Pictures:
    """A box that falls and jumps twice a second before a gradient."""
    across = np.arange(WIDTH) * 255 // (WIDTH - 1)
    down = np.arange(HEIGHT) * 255 // (HEIGHT - 1)
    ground = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    ground[..., 0], ground[..., 1], ground[..., 2] = across[None, :], down[:, None], 96
    for k in range(FPS * SECONDS):
        phase = k % 12
        height = 100 - 100 * (phase - 6) ** 2 // 36
        top, left = HEIGHT - 34 - height, 20 + k
        picture = ground.copy()
        picture[max(top, 0) : top + 30, left : left + 30] = (250, 220, 40)
        yield picture


def _clicks() -> Samples:
    """A decaying tone at each landing, over a quiet one."""
    time = np.arange(RATE * SECONDS)
    wave = 0.02 * np.sin(2 * np.pi * 220 * time / RATE)
    length = RATE // 5
    struck = 0.5 * np.sin(2 * np.pi * 880 * np.arange(length) / RATE) * np.exp(-np.arange(length) / (RATE / 40))
    for start in range(0, RATE * SECONDS - length, RATE // 2):
        wave[start : start + length] += struck
    return np.rint(wave * 32767).astype(np.int16)


def _texture() -> Pictures:
    """A patch of noise that drifts and brightens."""
    noise = np.random.RandomState(11).randint(0, 256, (HEIGHT, WIDTH, 3))
    for k in range(FPS * SECONDS):
        yield (np.roll(noise, (k, 3 * k), (0, 1)) * (60 + k) // 255).astype(np.uint8)


def _gusts() -> Samples:
    """Two channels of noise, one louder, that swell and fade."""
    source = np.random.RandomState(12).randint(-8000, 8001, (2, RATE * SECONDS)).astype(np.int64)
    swell = np.abs(np.arange(RATE * SECONDS) % RATE - RATE // 2)
    louder = source * swell // (RATE // 2)
    louder[1] //= 3
    return louder.astype(np.int16)


def _dialogue_item() -> dict[str, Any]:
    from mova_eval.mini import items

    return next(item for item in items() if item["id"] == "m09")


def _dialogue() -> Samples:
    from mova_eval.mini.tracks import track_of

    return np.rint(np.clip(track_of("m09").sound, -1, 1) * 32767).astype(np.int16)[: RATE * SECONDS]


def _voice() -> str | None:
    from mova_eval.mini.voices import missing_voice

    return missing_voice("en")


def _requests() -> dict[str, dict[str, Any]]:
    item = _dialogue_item()
    return {
        "bounce": {"prompt": "A yellow ball bounces, and each landing makes a bright sound."},
        "gusts": {"prompt": "Wind blows over a field of grey grain.", "audio_prompts": ["gusts of wind"]},
        "dialogue": {"prompt": item["prompt"], "speech": item["speech"], "language": "en"},
    }


def _golden() -> dict[str, Golden]:
    asked = _requests()
    return {
        "bounce": Golden(_bounce, _clicks, {"id": "bounce", **asked["bounce"]}),
        "gusts": Golden(_texture, _gusts, {"id": "gusts", **asked["gusts"]}),
        "dialogue": Golden(_bounce, _dialogue, {"id": "dialogue", **asked["dialogue"]}, _voice, certain=False),
    }


GOLDEN: dict[str, Golden] = _golden()


def content_sha256(clip: Golden) -> str:
    """sha256 over the pictures and samples of a clip, before any file."""
    running = hashlib.sha256()
    for picture in clip.pictures():
        running.update(picture.tobytes())
    running.update(clip.sound().astype("<i2").tobytes())
    return running.hexdigest()


def render_golden(folder: Path) -> dict[str, Path]:
    """Write the clips that can be made here, as Matroska with FFV1 and PCM; name -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, clip in GOLDEN.items():
        if clip.missing() is None:
            paths[name] = folder / f"{name}.mkv"
            _write(paths[name], clip)
    return paths


def _write(path: Path, clip: Golden) -> None:
    import av

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    samples = np.atleast_2d(clip.sound())
    with av.open(str(part), "w", format="matroska") as container:
        video: Any = container.add_stream("ffv1", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "bgr0"
        video.codec_context.thread_count = 1
        audio: Any = container.add_stream("pcm_s16le", rate=RATE, layout="mono" if len(samples) == 1 else "stereo")
        for picture in clip.pictures():
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(video.encode())
        for start in range(0, samples.shape[1], 4096):
            packed = np.ascontiguousarray(samples[:, start : start + 4096].T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=audio.layout.name)
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    os.replace(part, path)
