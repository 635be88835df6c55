"""Writing a clip: H.264 and AAC in MP4 through PyAV, and the sound as float WAV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_model.errors import UserError

VIDEO_OPTIONS = {"crf": "5"}
"""What upstream's writer (quality 9) gives to libx264."""
AUDIO_BITS = 192_000
AAC_FRAME = 1024
TOLERANCE_SECONDS = 0.03
"""How far the lengths of the streams of a written file may be from what went in: less than one picture."""


def to_uint8(pictures: Any) -> NDArray[np.uint8]:
    """Pictures float in -1..1, a tensor [3, F, H, W] -> uint8 [F, H, W, 3], clamped and rounded."""
    scaled = (pictures / 2 + 0.5).clamp(0, 1).mul(255).round()
    return scaled.permute(1, 2, 3, 0).byte().cpu().numpy()  # type: ignore[no-any-return]


def write_clip(
    path: str | os.PathLike[str],
    frames: NDArray[np.uint8],
    fps: float,
    audio: NDArray[np.float32],
    sample_rate: int,
) -> None:
    """Write pictures uint8 [F, H, W, 3] and mono sound [n] in -1..1 as one MP4 file.

    The file appears complete, with both streams, or not at all. Raises UserError when it cannot be written.
    """
    import av

    target = Path(path)
    with _whole(target) as part:
        try:
            with av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as container:
                _encode(container, frames, fps, audio, sample_rate)
        except av.FFmpegError as problem:
            raise OSError(problem.errno, problem.strerror) from problem
        _check(part, len(frames), len(audio) / sample_rate)


def write_wav(path: str | os.PathLike[str], audio: NDArray[np.float32], sample_rate: int) -> None:
    """Write mono sound [n] as 32-bit float WAV; the file appears complete or not at all. Raises UserError."""
    import soundfile

    target = Path(path)
    with _whole(target) as part:
        try:
            soundfile.write(part, audio, sample_rate, subtype="FLOAT", format="WAV")
        except soundfile.LibsndfileError as problem:
            raise OSError(str(problem)) from problem
        if soundfile.info(part).frames != len(audio):
            raise OSError("the file came out short, the disk may be full")


def _video_options(width: int) -> dict[str, str]:
    """Options of libx264 for pictures of a width, so that the same pictures give the same file.

    Its macroblock tree reads beyond the end of rows whose number of macroblocks is no multiple of 8 (352 and 96 pixels;
    not 640 or 1280), and with it the choice of frame types depends on what lies in memory there: left out for those.
    """
    return VIDEO_OPTIONS if -(-width // 16) % 8 == 0 else {**VIDEO_OPTIONS, "x264-params": "mbtree=0"}


def _encode(container: Any, frames: NDArray[np.uint8], fps: float, audio: NDArray[np.float32], rate: int) -> None:
    import av

    exact = Fraction(fps).limit_denominator(1001)
    video = container.add_stream("libx264", rate=exact, options=_video_options(frames.shape[2]))
    video.height, video.width = frames.shape[1:3]
    video.pix_fmt = "yuv420p"
    video.codec_context.time_base = 1 / exact
    sound = container.add_stream("aac", rate=rate, layout="mono", bit_rate=AUDIO_BITS)
    converter = av.video.reformatter.VideoReformatter()
    for index, pixels in enumerate(frames):
        picture = converter.reformat(av.VideoFrame.from_ndarray(pixels, format="rgb24"), format="yuv420p")
        picture.pts, picture.time_base = index, 1 / exact
        container.mux(video.encode(picture))
    container.mux(video.encode())
    clipped = np.clip(audio, -1.0, 1.0).astype(np.float32)
    for start in range(0, len(clipped), AAC_FRAME):
        block = av.AudioFrame.from_ndarray(clipped[None, start : start + AAC_FRAME], format="fltp", layout="mono")
        block.sample_rate, block.pts, block.time_base = rate, start, Fraction(1, rate)
        container.mux(sound.encode(block))
    container.mux(sound.encode())


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A name to write under; the file gets its own name when all went well, and vanishes when not."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as problem:
        raise UserError(
            f"{path} cannot be written ({problem.strerror or problem}): make room or name another place"
        ) from problem


def _check(path: Path, frames: int, seconds: float) -> None:
    """The written file holds what went in: a full disk may show here only. Raises OSError."""
    import av

    try:
        with av.open(str(path)) as container:
            video, sound = container.streams.video[0], container.streams.audio[0]
            length = float((sound.duration or 0) * (sound.time_base or 0))
            right = video.frames == frames and abs(length - seconds) < TOLERANCE_SECONDS
    except (av.FFmpegError, IndexError) as problem:
        raise OSError("what was written is not a complete clip, the disk may be full") from problem
    if not right:
        raise OSError(f"{video.frames} of {frames} pictures and {length:.3f} of {seconds:.3f} s of sound were written")
