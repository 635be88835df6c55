"""The pictures of one clip: decoded once and kept while they are few, decoded again on each pass where not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import overload

import av.error
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from metrics.errors import ClipError
from metrics.media.clock import Clock
from metrics.media.container import opened
from metrics.media.facts import check_size, clockwise, nominal_rate, video_stream
from metrics.media.pixels import PixelConverter, PixelFormat
from metrics.media.rates import select


@dataclass(slots=True)
class DecodeErrors:
    """What went wrong while decoding one stream."""

    packets: int = 0
    """Packets that the decoder refused."""
    pictures: int = 0
    """Pictures that the decoder marks as damaged."""
    last: str = ""
    stopped: str = ""
    """Why reading ended before the end of the file, empty if it did not."""

    def describe(self, path: Path, what: str) -> list[str]:
        """The problems as sentences."""
        said = []
        if self.packets:
            said.append(f"damaged: {path.name} has {self.packets} {what} packets that cannot be decoded ({self.last})")
        if self.pictures:
            said.append(f"damaged: {path.name} has {self.pictures} {what} frames that the decoder marks as damaged")
        if self.stopped:
            said.append(f"truncated: {path.name} cannot be read to its end ({self.stopped})")
        return said


@dataclass(frozen=True, slots=True)
class VideoIndex:
    """What one pass over all pictures found. times, end in seconds; width, height before rotation."""

    times: tuple[Fraction, ...]
    end: Fraction
    rate: Fraction
    width: int
    height: int
    rotation: int
    errors: DecodeErrors
    problems: tuple[str, ...]


def decode_pictures(path: Path, threads: int, errors: DecodeErrors) -> Iterator[tuple[VideoFrame, Fraction]]:
    """All pictures in presentation order with the clip's nominal rate; damaged packets are counted and passed over.

    Raises ClipError "no_video_stream", "undecodable_video" (no decoder), "too_large" and those of `opened`.
    """
    with opened(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise ClipError("no_video_stream", f"{path.name} has no video stream")
        context = stream.codec_context
        if context is None:
            raise ClipError("undecodable_video", f"{path.name}: no decoder for its video codec, encode it as H.264")
        check_size(path, stream)
        context.thread_count, context.thread_type = threads, "AUTO"
        rate = nominal_rate(stream)
        try:
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.error.EOFError:
                    break
                except av.error.FFmpegError as error:
                    errors.packets, errors.last = errors.packets + 1, error.strerror or str(error)
                    continue
                for frame in frames:
                    errors.pictures += frame.is_corrupt
                    yield frame, rate
        except (av.error.FFmpegError, OSError) as error:
            errors.stopped = error.strerror or str(error)


class VideoReader:
    """The pictures of one file.

    threads: decoding threads. budget: bytes of decoded pictures (in the file's own pixel format) that may be kept in
    memory; above it each pass decodes the file again and holds a few pictures only.
    """

    def __init__(self, path: Path, clock: Clock, *, threads: int, budget: int) -> None:
        self.path, self._clock, self._threads, self._budget = path, clock, threads, budget
        self._index: VideoIndex | None = None
        self._kept: list[VideoFrame] | None = None
        self._converter: PixelConverter | None = None
        self._cursor: _Cursor | None = None
        self.passes = 0
        """How often the file was decoded."""

    @property
    def index(self) -> VideoIndex:
        """Times and size of all pictures; decodes the file on first use.

        Raises ClipError "no_video_stream", "empty_video", "undecodable_video", "too_large" and those of `opened`.
        """
        if self._index is None:
            with self._clock:
                self._index = self._read()
        return self._index

    @property
    def found(self) -> VideoIndex | None:
        """The index if the file was decoded already."""
        return self._index

    @property
    def streaming(self) -> bool:
        """Whether pictures are decoded again on each pass, since they are too many to keep."""
        return self.index is not None and self._kept is None

    def _read(self) -> VideoIndex:
        errors = DecodeErrors()
        times: list[Fraction] = []
        kept: list[VideoFrame] | None = []
        held, rate, end = 0, Fraction(0), Fraction(0)
        first: tuple[int, int, int] | None = None
        resized = False
        self.passes += 1
        for frame, rate in decode_pictures(self.path, self._threads, errors):
            time = self._time(frame, times, rate)
            times.append(time)
            end = max(end, time + (frame.duration or 0) * Fraction(frame.time_base or 0))
            if first is None:
                first = (frame.width, frame.height, clockwise(frame))
            resized |= (frame.width, frame.height) != first[:2]
            if kept is not None:
                held += sum(plane.buffer_size for plane in frame.planes)
                kept.append(frame)
                if held > self._budget:
                    kept = None
        if first is None:
            raise self._nothing(errors)
        self._kept = kept
        self._converter = PixelConverter(*first)
        problems = errors.describe(self.path, "video")
        if resized:
            problems.append(f"resized: {self.path.name} changes its picture size, all are scaled to the first")
        return VideoIndex(tuple(times), end, rate, *first, errors, tuple(problems))

    @staticmethod
    def _time(frame: VideoFrame, times: list[Fraction], rate: Fraction) -> Fraction:
        if frame.pts is not None:
            return frame.pts * Fraction(frame.time_base or 0)
        return times[-1] + (1 / rate if rate else 0) if times else Fraction(0)

    def _nothing(self, errors: DecodeErrors) -> ClipError:
        name = self.path.name
        if errors.packets or errors.stopped:
            why = errors.last or errors.stopped
            return ClipError("undecodable_video", f"{name}: no picture can be decoded ({why}), generate it again")
        return ClipError("empty_video", f"{name} has a video stream without pictures, generate it again")

    def pictures(self, pixel_format: PixelFormat, indices: Sequence[int] | None) -> Iterator[NDArray[np.uint8]]:
        """Pixels of the pictures at `indices` (ascending, repeats allowed; None for all), one at a time."""
        wanted = range(len(self.index.times)) if indices is None else indices
        cursor = _Cursor(self)
        try:
            last, pixels = -1, None
            for position in wanted:
                with self._clock:
                    if pixels is None or position != last:
                        pixels = self._pixels(cursor.frame(position), pixel_format)
                    else:
                        pixels = pixels.copy()  # the consumer owns what it was given
                    last = position
                yield pixels
        finally:
            cursor.close()

    def picture(self, position: int, pixel_format: PixelFormat) -> NDArray[np.uint8]:
        """Pixels of one picture. Ascending positions cost one pass in all, a step back starts a new one."""
        with self._clock:
            if self._cursor is None or self._cursor.position > position:
                self._close_cursor()
                self._cursor = _Cursor(self)
            return self._pixels(self._cursor.frame(position), pixel_format)

    def _pixels(self, frame: VideoFrame, pixel_format: PixelFormat) -> NDArray[np.uint8]:
        assert self._converter is not None  # made with the index
        return self._converter(frame, pixel_format)

    def _close_cursor(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None

    def close(self) -> None:
        """Free pictures and files; the next use decodes again."""
        self._close_cursor()
        self._index = self._kept = self._converter = None


class _Cursor:
    """A walk over a reader's pictures: over the kept ones, or over a decoding pass of its own."""

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader
        self._stack = ExitStack()
        self._source: Iterator[tuple[VideoFrame, Fraction]] | None = None
        self._frame: VideoFrame | None = None
        self.position = -1

    def frame(self, position: int) -> VideoFrame:
        reader = self._reader
        kept = reader.index is not None and reader._kept
        if kept:
            return kept[position]
        if self._source is None:
            source = decode_pictures(reader.path, reader._threads, DecodeErrors())
            self._stack.callback(source.close)  # type: ignore[attr-defined]
            self._source = source
            reader.passes += 1
        while self.position < position:
            step = next(self._source, None)
            if step is None:
                name = reader.path.name
                raise ClipError(
                    "undecodable_video", f"{name}: frame {position} cannot be decoded any more, did the file change?"
                )
            self._frame, self.position = step[0], self.position + 1
        assert self._frame is not None
        return self._frame

    def close(self) -> None:
        self._stack.close()
        self._source = self._frame = None


class Frames(Sequence[NDArray[np.uint8]]):
    """Pictures of a clip in one pixel format, converted when they are asked for.

    Items are uint8 arrays [height, width, 3] ("rgb24", "bgr24") or [height, width] ("gray"), upright.
    times: presentation times in seconds (of the output ticks where a rate was asked for). rate: frames per second.
    """

    def __init__(self, reader: VideoReader, pixel_format: PixelFormat, rate: Fraction | None) -> None:
        index = reader.index
        self._reader, self.pixel_format = reader, pixel_format
        turned = index.rotation in (90, 270)
        self.width, self.height = (index.height, index.width) if turned else (index.width, index.height)
        self.times: list[Fraction]
        self.source: list[int] | None
        """Index of the decoded picture behind each item; None where the items are the decoded pictures."""
        if rate is None:
            self.rate, self.times, self.source = index.rate, list(index.times), None
        else:
            first, self.source = select(index.times, index.end, rate)
            self.rate = rate
            self.times = [(first + k) / rate for k in range(len(self.source))]

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return self._reader.pictures(self.pixel_format, self.source)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.uint8]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.uint8] | list[NDArray[np.uint8]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = range(len(self))[index]  # IndexError and negative positions as for any sequence
        return self._reader.picture(position if self.source is None else self.source[position], self.pixel_format)
