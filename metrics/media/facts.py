"""What a media file says about itself, read from its headers and packets: nothing but the first frame is decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import av
import av.error

from metrics.errors import ClipError
from metrics.media.container import opened
from metrics.media.extent import promised_size

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_PIXELS = 1 << 27
"""Largest picture that is decoded (16384 x 8192): beyond it one RGB frame alone takes 400 MB."""

_ONE_SECOND_PARTS = 1_000_000  # container durations are in microseconds


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """Exact facts of one file; times and durations in seconds.

    frames: pictures in the file; after decoding, the pictures that could be decoded. fps: nominal rate, as OpenCV's
    CAP_PROP_FPS reports it (0 without video). duration: from the earliest start to the latest end of the two streams,
    as their packets say. width, height: as shown, after rotation. rotation: degrees clockwise, one of 0, 90, 180, 270.
    video_start, audio_start: presentation time of the first picture and sample, None without the stream.
    problems: what is wrong with the file, one sentence each.
    """

    has_video: bool
    has_audio: bool
    frames: int
    fps: Fraction
    duration: Fraction
    width: int
    height: int
    rotation: int
    video_codec: str | None
    pixel_format: str | None
    video_start: Fraction | None
    video_duration: Fraction | None
    variable_frame_rate: bool
    audio_start: Fraction | None
    audio_duration: Fraction | None
    sample_rate: int
    channels: int
    audio_codec: str | None
    container: str
    size_bytes: int
    problems: tuple[str, ...] = ()


def video_stream(container: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures; a cover picture is none."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    return None


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The audio stream that FFmpeg takes for the best (most channels, then bit rate)."""
    best = container.streams.best("audio")
    return best if best is not None and best.type == "audio" else None  # type: ignore[return-value]


def nominal_rate(stream: VideoStream) -> Fraction:
    """Frames per second as OpenCV's CAP_PROP_FPS gives them: the average, else FFmpeg's guess, else the tick rate."""
    rate = stream.average_rate or stream.guessed_rate
    if rate:
        return Fraction(rate)
    return 1 / Fraction(stream.time_base) if stream.time_base else Fraction(0)


def clockwise(frame: VideoFrame) -> int:
    """Degrees by which a decoded picture has to be turned clockwise to stand upright: 0, 90, 180 or 270."""
    return -round(frame.rotation / 90) * 90 % 360


def read_facts(path: Path) -> ClipFacts:
    """Facts of a file from its headers and one pass over its packets.

    Raises ClipError "unreadable", "not_media", "truncated" or "too_large".
    """
    with opened(path) as container:
        video, audio = video_stream(container), audio_stream(container)
        if video is None and audio is None:
            if cut := _cut_off(path):
                raise ClipError("truncated", f"{path.name} is cut off before its streams are described: {cut}")
            raise ClipError("not_media", f"{path.name} has neither a video nor an audio stream, generate it again")
        return _facts(path, container, video, audio)


@dataclass(slots=True)
class _Packets:
    """What the packets of one stream say."""

    tick: Fraction
    count: int = 0
    corrupt: int = 0
    times: list[tuple[int, int]] = field(default_factory=list)
    """(presentation time, duration) in ticks."""

    def add(self, packet: Packet[Any]) -> None:
        if packet.is_discard or not packet.size:
            return
        self.count += 1
        self.corrupt += packet.is_corrupt
        time = packet.pts if packet.pts is not None else packet.dts
        if time is not None:
            self.times.append((time, packet.duration or 0))

    @property
    def start(self) -> Fraction | None:
        return min(t for t, _ in self.times) * self.tick if self.times else None

    @property
    def end(self) -> Fraction | None:
        return max(t + d for t, d in self.times) * self.tick if self.times else None

    def irregular(self) -> bool:
        """Whether the intervals differ by more than the rounding of the time stamps explains."""
        ordered = sorted(t for t, _ in self.times)
        steps = [b - a for a, b in pairwise(ordered)]
        if len(steps) < 2:
            return False
        usual = median(steps)
        return any(abs(step - usual) > max(1.5, 0.02 * usual) for step in steps)


def _facts(path: Path, container: InputContainer, video: VideoStream | None, audio: AudioStream | None) -> ClipFacts:
    pictures, sounds, rotation, problems = _scan(path, container, video, audio)
    problems += _missing_parts(path, container, video, pictures, sounds)
    width, height = (video.codec_context.width, video.codec_context.height) if video and video.codec_context else (0, 0)
    if rotation in (90, 270):
        width, height = height, width
    ends = [s.end for s in (pictures, sounds) if s and s.end is not None]
    starts = [s.start for s in (pictures, sounds) if s and s.start is not None]
    duration = max(ends) - min(starts) if ends and starts else Fraction(container.duration or 0, _ONE_SECOND_PARTS)
    audio_start = sounds.start if sounds else None
    if audio_start is not None and audio_start < 0:
        audio_start = Fraction(0)  # priming samples, which the decoder throws away
    return ClipFacts(
        has_video=video is not None,
        has_audio=audio is not None,
        frames=pictures.count if pictures else 0,
        fps=nominal_rate(video) if video else Fraction(0),
        duration=duration,
        width=width,
        height=height,
        rotation=rotation,
        video_codec=_codec(video),
        pixel_format=video.codec_context.pix_fmt if video and video.codec_context else None,
        video_start=pictures.start if pictures else None,
        video_duration=_length(pictures),
        variable_frame_rate=pictures.irregular() if pictures else False,
        audio_start=audio_start,
        audio_duration=_length(sounds),
        sample_rate=audio.codec_context.sample_rate if audio and audio.codec_context else 0,
        channels=audio.codec_context.layout.nb_channels if audio and audio.codec_context else 0,
        audio_codec=_codec(audio),
        container=container.format.name,
        size_bytes=path.stat().st_size,
        problems=tuple(problems),
    )


def _codec(stream: VideoStream | AudioStream | None) -> str | None:
    if stream is None:
        return None
    return stream.codec_context.name if stream.codec_context else "unknown"


def _length(packets: _Packets | None) -> Fraction | None:
    if packets is None or packets.start is None or packets.end is None:
        return None
    return packets.end - packets.start


def _scan(
    path: Path, container: InputContainer, video: VideoStream | None, audio: AudioStream | None
) -> tuple[_Packets | None, _Packets | None, int, list[str]]:
    """One pass over the packets; video packets are decoded until the first picture tells the rotation."""
    if video is not None:
        check_size(path, video)
    pictures = _Packets(Fraction(video.time_base or 0)) if video is not None else None
    sounds = _Packets(Fraction(audio.time_base or 0)) if audio is not None else None
    problems: list[str] = []
    rotation: int | None = None
    try:
        for packet in container.demux([stream for stream in (video, audio) if stream is not None]):
            if pictures is not None and packet.stream is video:
                pictures.add(packet)
                if rotation is None and video.codec_context:
                    rotation = _rotation(packet)
            elif sounds is not None:
                sounds.add(packet)
    except (av.error.FFmpegError, OSError) as error:
        problems.append(f"truncated: {path.name} cannot be read to its end ({error.strerror or error})")
    return pictures, sounds, rotation or 0, problems


def _rotation(packet: Packet[Any]) -> int | None:
    try:
        frames = packet.decode()
    except av.error.FFmpegError:
        return None  # counted and reported when the pictures are decoded
    return clockwise(frames[0]) if frames else None


def check_size(path: Path, video: VideoStream) -> None:
    """Raises ClipError "too_large" for a picture beyond `MAX_PIXELS`."""
    context = video.codec_context
    if context and context.width * context.height > MAX_PIXELS:
        raise ClipError(
            "too_large",
            f"{path.name} has pictures of {context.width}x{context.height}, more than {MAX_PIXELS} pixels: "
            "scale it down",
        )


def _cut_off(path: Path) -> str:
    """How much of the file is there, if less than its outermost boxes promise; else nothing."""
    whole, there = promised_size(path), path.stat().st_size
    return f"it has {there} of the {whole} bytes it should have" if whole is not None and there < whole else ""


def _missing_parts(
    path: Path,
    container: InputContainer,
    video: VideoStream | None,
    pictures: _Packets | None,
    sounds: _Packets | None,
) -> list[str]:
    """Signs that the file ends before its header says it does, or holds damaged packets."""
    problems = []
    damaged = sum(s.corrupt for s in (pictures, sounds) if s)
    if damaged:
        problems.append(f"damaged: {path.name} has {damaged} packets that the container marks as damaged")
    if cut := _cut_off(path):
        problems.append(f"truncated: {path.name} is cut off: {cut}")
        return problems
    promised = video.frames if video else 0
    if pictures is not None and promised > pictures.count + max(2, promised // 100):
        problems.append(f"truncated: {path.name} promises {promised} frames and holds {pictures.count}")
        return problems
    if not container.duration or not container.format.name.startswith(("mov", "matroska", "avi", "wav", "flv")):
        return problems
    end = max((s.end for s in (pictures, sounds) if s and s.end is not None), default=Fraction(0))
    declared = Fraction(container.duration + max(container.start_time or 0, 0), _ONE_SECOND_PARTS)
    if end < declared - Fraction(1, 4):
        problems.append(f"truncated: {path.name} promises {float(declared):.3f} s and ends at {float(end):.3f} s")
    return problems
