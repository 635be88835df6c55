"""What a clip says about itself, as far as the arena needs it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from arena.errors import ArenaError

MAX_PIXELS = 1 << 26
"""Largest picture that is accepted (8192 x 8192)."""


class MediaError(ArenaError):
    """A file that cannot be shown in the arena. The message is one sentence: what, where, what to do.

    code: one of "unreadable", "not_media", "no_video_stream", "no_audio_stream", "undecodable", "too_large".
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Facts of one file with picture and sound.

    duration_ms: of the longer stream. width, height: as shown, after rotation. rotation: degrees clockwise, one of
    0, 90, 180, 270. audio_codec is None, sample_rate and channels are 0, for a clip without sound.
    """

    duration_ms: int
    width: int
    height: int
    rotation: int
    fps: Fraction
    video_codec: str
    pixel_format: str
    audio_codec: str | None
    sample_rate: int
    channels: int
    container: str

    @property
    def plays_everywhere(self) -> bool:
        """H.264, 8 bits, 4:2:0, in MP4: what every browser shows without transcoding."""
        formats = {"yuv420p", "yuvj420p"}
        return self.video_codec == "h264" and self.pixel_format in formats and "mp4" in self.container


def probe(path: Path) -> MediaFacts:
    """Facts of a file from its headers and its first picture.

    Raises MediaError "unreadable", "not_media", "no_video_stream", "undecodable" or "too_large". A clip without sound
    is not an error: generators that failed to make any are compared as they are.
    """
    with opened(path) as container:
        return facts_of(container, path)


def opened(path: Path) -> Any:
    """An open PyAV input container. Raises MediaError "unreadable" or "not_media"."""
    import av
    import av.error

    try:
        return av.open(str(path))
    except (OSError, av.error.FFmpegError) as error:
        known = isinstance(error, av.error.InvalidDataError)
        if known or path.is_file():
            raise MediaError("not_media", f"{path.name} is not a media file, generate it again ({path})") from error
        raise MediaError(
            "unreadable", f"{path.name} cannot be read: {error.strerror}, check the path ({path})"
        ) from error


def facts_of(container: Any, path: Path) -> MediaFacts:
    """Facts of an open container, whose reading position moves. Raises as `probe`."""
    video = video_stream(container)
    if video is None:
        raise MediaError("no_video_stream", f"{path.name} has no picture, generate it again ({path})")
    codec = video.codec_context
    if codec.width * codec.height > MAX_PIXELS:
        raise MediaError("too_large", f"{path.name} is {codec.width}x{codec.height}, larger than a player can show")
    rotation = _rotation(container, video, path)
    width, height = codec.width, codec.height
    if rotation in {90, 270}:
        width, height = height, width
    audio = next(iter(container.streams.audio), None)
    return MediaFacts(
        duration_ms=_duration_ms(container, path),
        width=width,
        height=height,
        rotation=rotation,
        fps=Fraction(video.average_rate or video.guessed_rate or 0),
        video_codec=codec.name,
        pixel_format=codec.pix_fmt or "",
        audio_codec=audio.codec_context.name if audio else None,
        sample_rate=audio.codec_context.sample_rate if audio else 0,
        channels=audio.codec_context.channels if audio else 0,
        container=container.format.name,
    )


def video_stream(container: Any) -> Any:
    """The first stream of moving pictures (a cover picture is none), or None."""
    from av.stream import Disposition

    return next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)


def _rotation(container: Any, video: Any, path: Path) -> int:
    """Degrees clockwise by which the picture is shown turned."""
    import av.error

    try:
        frame = next(container.decode(video), None)
    except av.error.FFmpegError as error:
        raise MediaError("undecodable", f"the picture of {path.name} cannot be decoded, generate it again") from error
    if frame is None:
        raise MediaError("undecodable", f"{path.name} has not one picture in it, generate it again")
    container.seek(0)
    turned: int = frame.rotation
    return -round(turned / 90) * 90 % 360


def _duration_ms(container: Any, path: Path) -> int:
    import av

    seconds = [
        float(s.duration * s.time_base) for s in container.streams if s.duration and s.type in {"video", "audio"}
    ]
    if not seconds and container.duration:
        seconds = [container.duration / av.time_base]
    longest = round(1000 * max(seconds, default=0.0))
    if longest <= 0:
        raise MediaError("undecodable", f"{path.name} does not say how long it is, generate it again")
    return longest
