"""Writing a clip: H.264 and AAC in MP4 through PyAV, one thread, so that the decoded content is the same each time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Reel:
    """What goes into a clip.

    pictures: uint8 RGB [H, W, 3], even sides, one per frame. sound: float64 [n] or [channels, n] in -1..1, or None for
    a clip without an audio stream. rotation: degrees counter-clockwise that a player must turn the picture by.
    """

    pictures: Iterable[NDArray[np.uint8]]
    fps: Fraction
    sound: NDArray[np.float64] | None
    sample_rate: int = 48_000
    rotation: int = 0


def write_clip(path: Path, reel: Reel) -> None:
    """Write a clip; the file appears complete or not at all. Raises OSError, ValueError for a reel without pictures."""
    with _whole(path) as part, av.open(str(part), "w", format="mp4") as container:
        pictures = iter(reel.pictures)
        first = next(pictures, None)
        if first is None:
            raise ValueError(f"no pictures for {path.name}")
        video: Any = container.add_stream("libx264", rate=reel.fps)
        video.height, video.width = first.shape[:2]
        video.pix_fmt = "yuv420p"
        video.options = {"preset": "superfast", "crf": "18", "threads": "1"}
        video.codec_context.thread_count = 1
        if reel.rotation:
            video.set_display_rotation(reel.rotation)
        audio = _audio_stream(container, reel)  # before the header goes out with the first packet
        for picture in _chain(first, pictures):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(video.encode())
        if reel.sound is not None:
            _encode_sound(container, audio, reel)


def _chain(first: NDArray[np.uint8], rest: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    yield first
    yield from rest


def _audio_stream(container: Any, reel: Reel) -> Any:
    if reel.sound is None:
        return None
    layout = "mono" if reel.sound.ndim == 1 else "stereo"
    return container.add_stream(
        "aac", rate=reel.sample_rate, layout=layout, bit_rate=160_000, options={"aac_coder": "fast"}
    )


def _encode_sound(container: Any, stream: Any, reel: Reel) -> None:
    samples = np.atleast_2d(np.asarray(reel.sound, np.float32))
    size = 1024
    for start in range(0, samples.shape[1], size):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[:, start : start + size]), format="fltp", layout=stream.layout.name
        )
        frame.sample_rate = reel.sample_rate
        frame.pts, frame.time_base = start, Fraction(1, reel.sample_rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when the block ends well and vanishes otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small text file; it appears complete or not at all."""
    with _whole(path) as part:
        part.write_text(text, "utf-8")
