"""The lossy files of the official pipeline, written and read in memory with FFmpeg's libraries.

Settings are those that make the packets equal, byte for byte, to what the ffmpeg program (5.1) and OpenCV's writer put
into their files. The ffmpeg program codes MPEG-4 in as many slices as it has threads (cores + 1, at most 16 and at most
one per 16 rows), so that its own numbers depend on the machine; here the number of slices is a setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.codec.context import CodecContext

_LIMITED, _FULL = 1, 2
_TICK = Fraction(1, 25)
_QUALITY_TWO = {"qmin": "2", "qmax": "2", "lmin": "236", "lmax": "236"}
"""`-qscale:v 2`: quantiser 2 in every picture (236 = 2 * 118, FFmpeg's unit of lambda)."""
_OPENCV_QUALITY = {"qmin": "3", "g": "12"}
_OPENCV_BITS_PER_PIXEL = 1.5
_DEFAULT_BIT_RATE = 200_000


def mpeg4_fixed_quality(frames: Iterable[av.VideoFrame], slices: int = 1) -> Iterator[av.VideoFrame]:
    """yuv420p frames after MPEG-4 part 2 at quantiser 2, one out per one in, coded in so many slices per picture."""
    return _recoded("mpeg4", "yuv420p", frames, _QUALITY_TWO, slices=slices)


def mpeg4_of_opencv(pictures: Iterable[NDArray[np.uint8]]) -> Iterator[av.VideoFrame]:
    """BGR pictures [H, W, 3] after OpenCV's `VideoWriter` with FourCC XVID at 25 fps, as yuv420p frames."""
    reformat = av.video.reformatter.VideoReformatter().reformat
    frames = (
        reformat(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24"), format="yuv420p")
        for picture in pictures
    )
    return _recoded("mpeg4", "yuv420p", frames, _OPENCV_QUALITY, bits_per_pixel=_OPENCV_BITS_PER_PIXEL)


def jpegs_fixed_quality(frames: Iterable[av.VideoFrame]) -> Iterator[bytes]:
    """One JPEG per yuv420p frame as `ffmpeg -qscale:v 2 %06d.jpg` writes them."""
    return _packets("mjpeg", "yuvj420p", map(to_full_range, frames), {**_QUALITY_TWO, "huffman": "default"})


def jpegs_default_quality(frames: Iterable[av.VideoFrame]) -> Iterator[bytes]:
    """One JPEG per yuv420p frame as `ffmpeg %06d.jpg` writes them: 200 kb/s, so that they get worse along the clip."""
    return _packets("mjpeg", "yuvj420p", map(to_full_range, frames), {}, bit_rate=_DEFAULT_BIT_RATE)


def read_jpeg(data: bytes) -> NDArray[np.uint8]:
    """A JPEG's picture, uint8 [H, W, 3] BGR."""
    import cv2

    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{len(data)} bytes are not a readable JPEG")
    return np.asarray(picture, dtype=np.uint8)


def to_full_range(frame: av.VideoFrame) -> av.VideoFrame:
    """Limited-range yuv420p as full-range yuvj420p, with the rounding of FFmpeg up to 7.0 (8 differs by one level)."""
    import cv2

    full = av.VideoFrame(frame.width, frame.height, "yuvj420p")
    for plane, source, table in zip(full.planes, frame.planes, _range_tables(), strict=True):
        values = np.frombuffer(memoryview(source), np.uint8).reshape(-1, source.line_size)
        if source.line_size != plane.line_size:
            values = np.pad(values[:, : source.width], ((0, 0), (0, plane.line_size - source.width)))
        plane.update(np.ascontiguousarray(cv2.LUT(values, table)))  # type: ignore[arg-type]
    full.color_range = _FULL
    return full


@lru_cache(maxsize=1)
def _range_tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    values = np.arange(256, dtype=np.int64) << 7
    luma = (np.minimum(values, 30189) * 19077 - 39057361) >> 14
    chroma = (np.minimum(values, 30775) * 4663 - 9289992) >> 12
    luma8, chroma8 = (np.clip((x + 64) >> 7, 0, 255).astype(np.uint8) for x in (luma, chroma))
    return luma8, chroma8, chroma8


def mp3_round_trip(samples: NDArray[np.float32], rate: int) -> tuple[NDArray[np.float32], int]:
    """Sound after MP3 at LAME's default bit rate, delayed by 1105 samples as any reader of an AVI hears it.

    samples: float32 [channels, n]; more than two channels become two. Returns the decoded samples and their rate,
    which is the nearest that MP3 knows.
    """
    rate_out = _mp3_rate(rate)
    layout = "mono" if len(samples) == 1 else "stereo"
    encoder: Any = av.CodecContext.create("libmp3lame", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.time_base = (
        rate_out,
        layout,
        "fltp",
        Fraction(1, rate_out),
    )
    frame = _audio_frame(samples, rate)
    packets = [bytes(packet) for part in (frame, None) for packet in encoder.encode(part)]
    decoder: Any = av.CodecContext.create("mp3float", "r")
    decoded = [part.to_ndarray() for data in packets for part in decoder.decode(_packet(data))]
    return np.concatenate(decoded, axis=1), rate_out


def to_16k_mono(samples: NDArray[np.float32], rate: int) -> NDArray[np.int16]:
    """Sound as `ffmpeg -ac 1 -ar 16000 -acodec pcm_s16le` gives it: float32 [channels, n] -> int16 [m]."""
    resampler = av.AudioResampler("s16", "mono", 16_000)
    parts = [
        part.to_ndarray()[0] for frame in (_audio_frame(samples, rate), None) for part in resampler.resample(frame)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def _audio_frame(samples: NDArray[np.float32], rate: int) -> av.AudioFrame:
    layouts = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layouts[len(samples)])
    frame.sample_rate = rate
    return frame


def _mp3_rate(rate: int) -> int:
    known = (44100, 48000, 32000, 22050, 24000, 16000, 11025, 12000, 8000)
    return min(known, key=lambda candidate: abs(candidate - rate))


def _packet(data: bytes) -> Any:
    """A packet with the readable bytes after its end that decoders count on; `av.Packet(data)` has none."""
    packet: Any = av.Packet(len(data))
    packet.update(data)
    return packet


def _recoded(
    codec: str,
    pixel_format: str,
    frames: Iterable[av.VideoFrame],
    options: dict[str, str],
    bits_per_pixel: float | None = None,
    slices: int = 1,
) -> Iterator[av.VideoFrame]:
    decoder: Any = av.CodecContext.create(codec, "r")
    decoder.thread_count = 1
    for data in _packets(codec, pixel_format, frames, options, bits_per_pixel=bits_per_pixel, slices=slices):
        yield from decoder.decode(_packet(data))
    yield from decoder.decode(None)


def _packets(
    codec: str,
    pixel_format: str,
    frames: Iterable[av.VideoFrame],
    options: dict[str, str],
    *,
    bit_rate: int | None = None,
    bits_per_pixel: float | None = None,
    slices: int = 1,
) -> Iterator[bytes]:
    encoder: CodecContext | None = None
    for number, frame in enumerate(frames):
        if encoder is None:
            if bits_per_pixel is not None:
                bit_rate = int(bits_per_pixel * 25 * frame.width * frame.height)
            encoder = _encoder(codec, pixel_format, frame, options, bit_rate, slices)
        frame.pts, frame.time_base, frame.pict_type = number, _TICK, 0
        yield from map(bytes, encoder.encode(frame))  # type: ignore[attr-defined]
    if encoder is not None:
        yield from map(bytes, encoder.encode(None))  # type: ignore[attr-defined]


def _encoder(
    codec: str, pixel_format: str, like: av.VideoFrame, options: dict[str, str], bit_rate: int | None, slices: int
) -> CodecContext:
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = like.width, like.height, pixel_format
    encoder.time_base, encoder.framerate = _TICK, Fraction(25)
    encoder.thread_count = slices
    if slices > 1:
        encoder.thread_type = "SLICE"
    if bit_rate is not None:
        encoder.bit_rate = bit_rate
    if codec == "mjpeg":
        encoder.color_range = _FULL
        encoder.sample_aspect_ratio = Fraction(1)  # the JFIF header counts in the rate control
    encoder.options = options
    return encoder  # type: ignore[no-any-return]
