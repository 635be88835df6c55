"""Helpers for tests: the folder of development data, and real little media files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

SHARED_VARIABLE = "MOVA_EVAL_SHARED"
Pictures = Callable[[int], NDArray[np.uint8]]


def shared_data() -> Path:
    """The folder of development data (`clips/`, `verse_bench_prompts.json`); the calling test skips where it is absent.

    Looked for at MOVA_EVAL_SHARED (the folder itself), else at `shared/data` beside the checkout or inside it.
    """
    root = Path(__file__).resolve().parents[1]
    given = os.environ.get(SHARED_VARIABLE)
    places = [Path(given)] if given else [root.parent / "shared" / "data", root / "shared" / "data"]
    for place in places:
        if place.is_dir():
            return place
    pytest.skip(f"no development data here (set {SHARED_VARIABLE})")


def shared_clip(name: str) -> Path:
    """A file of the development clips, with the same skip."""
    path = shared_data() / "clips" / name
    if not path.is_file():
        pytest.skip(f"no {name} in the development data")
    return path


def tone(
    seconds: float = 1.0, *, rate: int = 16000, frequency: float = 440.0, level: float = 0.25, channels: int = 1
) -> NDArray[np.float32]:
    """A sine: float32 [n] for one channel, else [channels, n] with every channel an octave above the last."""
    time = np.arange(round(seconds * rate)) / rate
    rows = [level * np.sin(2 * np.pi * frequency * 2**c * time) for c in range(channels)]
    samples = np.stack(rows).astype(np.float32)
    return samples[0] if channels == 1 else samples


def chirps(seconds: float, *, rate: int = 16000) -> NDArray[np.int16]:
    """Stereo int16 [2, n]: a rising tone, clicks twice a second and a little noise; the right channel is quieter."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(5).uniform(-0.02, 0.02, len(time))
    clicks = 0.5 * (np.mod(time, 0.5) < 0.004)
    left = 0.3 * np.sin(2 * np.pi * (200 + 300 * time) * time) + clicks + noise
    return np.round(np.stack([left, 0.5 * left[::-1]]) * 32767).astype(np.int16)


def picture(index: int, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """Picture `index` of the default test film: uint8 RGB [H, W, 3], a colour ramp with a bright box moving right."""
    width, height = size
    x, y = np.linspace(0, 255, width), np.linspace(0, 255, height)
    film = np.empty((height, width, 3), np.uint8)
    film[..., 0], film[..., 1], film[..., 2] = x[None, :], y[:, None], (index * 9) % 256
    left = (index * 3) % max(width - width // 4, 1)
    film[height // 3 : 2 * height // 3 + 1, left : left + width // 4 + 1] = (255, 240, 32)
    return film


def make_clip(
    path: str | os.PathLike[str],
    *,
    seconds: float = 1.0,
    frames: int | None = None,
    fps: int | Fraction = 25,
    size: tuple[int, int] = (64, 48),
    video: bool = True,
    pictures: Pictures | None = None,
    times: Sequence[Fraction | float] | None = None,
    video_codec: str = "libx264",
    pixel_format: str = "yuv420p",
    video_options: Mapping[str, str] | None = None,
    colorspace: tuple[int, int] | None = None,
    rotation: int = 0,
    audio: NDArray[Any] | Literal["tone"] | None = "tone",
    audio_rate: int = 16000,
    audio_codec: str = "aac",
    audio_start: float = 0.0,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Write a real media file with PyAV; its container follows from the suffix (.mp4 .mov .mkv .webm .avi .wav).

    frames: number of pictures (default seconds * fps). size: (width, height). video False: sound only. pictures:
    index -> uint8 RGB [H, W, 3]. times: presentation time of each picture in seconds (variable frame rate; decides
    the number of frames). rotation: degrees counter-clockwise that a player is told to turn the pictures.
    colorspace: (matrix, range) tags by their FFmpeg numbers. audio: float32 or int16, [n] or [channels, n], "tone"
    for a 440 Hz mono sine, None for no audio stream. audio_start: time of the first sample in seconds.
    """
    import av

    path = Path(path)
    with av.open(str(path), "w", container_options=dict(container_options or {})) as out:
        streams: list[tuple[Any, Iterable[Any]]] = []
        if video:
            stream = out.add_stream(video_codec, rate=Fraction(fps), options=_video_options(video_codec, video_options))
            stream.width, stream.height = size
            stream.pix_fmt = pixel_format
            stream.codec_context.thread_count = 1
            if times is not None:
                stream.codec_context.time_base = Fraction(1, 90000)
            if colorspace is not None:
                stream.codec_context.colorspace, stream.codec_context.color_range = colorspace
            if rotation:
                stream.set_display_rotation(rotation)
            count = len(times) if times is not None else (frames if frames is not None else round(seconds * fps))
            film = pictures or (lambda index: picture(index, size))
            streams.append((stream, _video_frames(film, count, Fraction(fps), times, colorspace)))
        if audio is not None:
            samples = tone(seconds, rate=audio_rate) if isinstance(audio, str) else audio
            layout = {1: "mono", 2: "stereo", 6: "5.1"}[1 if samples.ndim == 1 else samples.shape[0]]
            sound = out.add_stream(audio_codec, rate=audio_rate, layout=layout)
            streams.append((sound, _audio_frames(samples, audio_rate, layout, audio_start)))
        for stream, source in streams:
            for frame in source:
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return path


def _video_options(codec: str, given: Mapping[str, str] | None) -> dict[str, str]:
    fast = {"libx264": {"preset": "ultrafast", "crf": "18"}, "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"}}
    return {**fast.get(codec, {}), **(given or {})}


def _video_frames(
    film: Pictures,
    count: int,
    fps: Fraction,
    times: Sequence[Fraction | float] | None,
    colorspace: tuple[int, int] | None,
) -> Iterable[Any]:
    from av import VideoFrame

    for index in range(count):
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(film(index)), format="rgb24")
        frame.pts = index if times is None else round(times[index] * 90000)
        frame.time_base = 1 / fps if times is None else Fraction(1, 90000)
        if colorspace is not None:
            frame.colorspace, frame.color_range = colorspace
        yield frame


def _audio_frames(samples: NDArray[Any], rate: int, layout: str, start: float) -> Iterable[Any]:
    from av import AudioFrame

    planar = np.atleast_2d(samples)
    sample_format = {"float32": "fltp", "int16": "s16p"}[planar.dtype.name]
    for first in range(0, planar.shape[1], 1024):
        frame = AudioFrame.from_ndarray(
            np.ascontiguousarray(planar[:, first : first + 1024]), format=sample_format, layout=layout
        )
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = first + round(start * rate)
        yield frame


def cv2_frames(path: Path) -> list[NDArray[np.uint8]]:
    """All frames of a file as OpenCV's VideoCapture gives them (BGR)."""
    import cv2

    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = capture.read()
        if not there:
            break
        frames.append(frame)
    capture.release()
    return frames


def run_python(code: str, *, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that sees the checkout's packages; its output is captured as text."""
    root = Path(__file__).resolve().parents[1]
    paths = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )
