"""From a clip to pictures at 25 fps and sound at 16 kHz, with or without the official pipeline's lossy detours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from metrics.errors import ClipError
from metrics.lip_sync.grid import FRAME_RATE, avi_slots, constant_rate

if TYPE_CHECKING:
    import av

    from metrics.clip import Clip

_KEEP_DECODED = 500 * 2**20


@dataclass(frozen=True, slots=True)
class Detours:
    """Lossy steps between clip and network.

    grid: frame times of an AVI (`grid.py`) instead of ffmpeg's `fps` filter. mpeg4: the whole picture through MPEG-4.
    jpeg: and through JPEG. mp3: the sound through MP3, late by 1105 samples. crop_mpeg4, crop_jpeg: the face crops
    through OpenCV's MPEG-4 writer, and through JPEG at a bit rate of 200 kb/s. slices: of each MPEG-4 picture. The
    ffmpeg program takes one more than the machine has cores (one on a single core), at most 16 and at most one per 16
    rows, so that the official numbers depend on the machine; 16 are those of a server with 15 cores or more.
    """

    grid: bool = True
    mpeg4: bool = True
    jpeg: bool = True
    mp3: bool = True
    crop_mpeg4: bool = True
    crop_jpeg: bool = True
    slices: int = 16

    def without(self, *names: str) -> Detours:
        """The same with the named steps left out."""
        return replace(self, **dict.fromkeys(names, False))


ALL_DETOURS = Detours()
NO_DETOURS = Detours(False, False, False, False, False, False)
VERSE_BENCH_DETOURS = Detours(grid=False, mpeg4=False, mp3=False, crop_mpeg4=False, crop_jpeg=False)


class Pictures(Sequence[NDArray[np.uint8]]):
    """Distinct pictures of a clip, uint8 [H, W, 3] BGR; kept as JPEGs where they came as such and are many."""

    def __init__(self) -> None:
        self._held: list[NDArray[np.uint8] | bytes] = []
        self._bytes = 0

    def add(self, picture: NDArray[np.uint8], jpeg: bytes | None = None) -> None:
        """Append a picture, with the JPEG it was read from if there is one."""
        self._bytes += picture.nbytes
        self._held.append(jpeg if jpeg is not None and self._bytes > _KEEP_DECODED else picture)

    def __len__(self) -> int:
        return len(self._held)

    @overload
    def __getitem__(self, place: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[NDArray[np.uint8]]: ...
    def __getitem__(self, place: int | slice) -> NDArray[np.uint8] | Sequence[NDArray[np.uint8]]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        held = self._held[place]
        if isinstance(held, bytes):
            from metrics.lip_sync.codecs import read_jpeg

            return read_jpeg(held)
        return held


@dataclass(frozen=True, slots=True)
class Video:
    """A clip's pictures at 25 fps: frame n shows `pictures[shown[n]]`.

    seen_by_shot_detector: pictures that the official shot detector counts. It reads the AVI, in which repeated frames
    do not exist, while faces are counted in repeated ones; what lies behind the last counted frame enters no track.
    """

    pictures: Sequence[NDArray[np.uint8]]
    shown: list[int]
    seen_by_shot_detector: int

    def __len__(self) -> int:
        return len(self.shown)

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Frame `number` at 25 fps, uint8 [H, W, 3] BGR."""
        return self.pictures[self.shown[number]]


class FrameView(Sequence[NDArray[np.uint8]]):
    """The frames of a `Video` as a sequence."""

    def __init__(self, video: Video) -> None:
        self._video = video

    def __len__(self) -> int:
        return len(self._video)

    def __getitem__(self, place: int | slice) -> NDArray[np.uint8]:  # type: ignore[override]
        assert isinstance(place, int)
        return self._video.frame(place)


def convert_video(clip: Clip, detours: Detours = ALL_DETOURS) -> Video:
    """Pictures of a clip at 25 fps. Raises ClipError where the clip has none that can be decoded."""
    if not (detours.grid or detours.mpeg4 or detours.jpeg):
        return _plain_video(clip)
    frames, times, durations, rate = _decoded(clip)
    if detours.grid:
        kept = avi_slots(times, durations, clip.facts.sample_rate if clip.facts.has_audio else None, rate)
        sources, shown = [source for source, _ in kept], constant_rate([slot for _, slot in kept])
    else:
        sources, shown = _filtered(times, times[-1] + (durations[-1] or Fraction(1, FRAME_RATE)))
    pictures = _recoded((_upright(frames.pop(source)) for source in sources), detours)
    return Video(pictures, shown, len(sources))


def _plain_video(clip: Clip) -> Video:
    frames = clip.frames("bgr24", rate=FRAME_RATE)
    count = len(frames)
    return Video(frames, list(range(count)), count)


def _decoded(clip: Clip) -> tuple[dict[int, av.VideoFrame], list[Fraction], list[Fraction], Fraction]:
    """Frames by number, their times since the start of the file and their durations (0 where unknown) in seconds, and
    the rate that FFmpeg guesses, in frames per second (0 where it cannot)."""
    from metrics.media.container import opened
    from metrics.media.video import DecodeErrors, decode_pictures

    frames: dict[int, av.VideoFrame] = {}
    times: list[Fraction] = []
    durations: list[Fraction] = []
    start = _start_of_file(clip)
    for frame, rate in decode_pictures(clip.path, 1, DecodeErrors()):
        tick = Fraction(frame.time_base) if frame.time_base else Fraction(0)
        following = times[-1] + (1 / rate if rate else 0) if times else Fraction(0)
        frames[len(times)] = frame
        times.append(following if frame.pts is None else frame.pts * tick - start)
        durations.append((frame.duration or 0) * tick)
    if not frames:
        raise ClipError("empty_video", f"{clip.path.name} has no picture that can be decoded, generate it again")
    with opened(clip.path) as container:
        guessed = container.streams.video[0].guessed_rate
    return frames, times, durations, Fraction(guessed or 0)


def _start_of_file(clip: Clip) -> Fraction:
    starts = [start for start in (clip.facts.video_start, clip.facts.audio_start) if start is not None]
    return min(starts, default=Fraction(0))


def _filtered(times: Sequence[Fraction], end: Fraction) -> tuple[list[int], list[int]]:
    """Frames as ffmpeg's `fps=25` filter chooses them: (source frames used, for each output the entry it shows)."""
    half = Fraction(1, 2)
    slots = [int(time * FRAME_RATE + half) for time in times]
    last = max(int(end * FRAME_RATE + half), slots[0] + 1)
    sources: list[int] = []
    shown: list[int] = []
    source = 0
    for slot in range(slots[0], last):
        while source + 1 < len(slots) and slots[source + 1] <= slot:
            source += 1
        if not sources or sources[-1] != source:
            sources.append(source)
        shown.append(len(sources) - 1)
    return sources, shown


def _upright(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame as limited-range yuv420p, turned as its file says."""
    from av.video.reformatter import ColorRange

    turned = frame
    if frame.rotation % 360:
        turned = _turned(frame)
    full = turned.color_range == ColorRange.JPEG or turned.format.name.startswith("yuvj")
    if turned.format.name == "yuv420p" and not full:
        return turned
    return turned.reformat(
        format="yuv420p",
        interpolation="BICUBIC",
        src_color_range=ColorRange.JPEG if full else None,
        dst_color_range=ColorRange.MPEG if full else None,
    )


def _turned(frame: av.VideoFrame) -> av.VideoFrame:
    import av

    quarter_turns = (frame.rotation // 90) % 4  # counter-clockwise
    steps: dict[int, list[tuple[str, str | None]]] = {
        1: [("transpose", "cclock")],
        2: [("hflip", None), ("vflip", None)],
        3: [("transpose", "clock")],
    }
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
    )
    nodes = [graph.add(name, argument) for name, argument in steps[quarter_turns]]
    graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
    graph.push(frame)
    turned = graph.pull()
    assert isinstance(turned, av.VideoFrame)
    return turned


def _recoded(frames: Iterable[av.VideoFrame], detours: Detours) -> Pictures:
    from av.video.reformatter import VideoReformatter

    from metrics.lip_sync import codecs

    pictures = Pictures()
    if detours.mpeg4:
        frames = codecs.mpeg4_fixed_quality(frames, detours.slices)
    if detours.jpeg:
        for jpeg in codecs.jpegs_fixed_quality(frames):
            pictures.add(codecs.read_jpeg(jpeg), jpeg)
    else:
        reformat = VideoReformatter().reformat
        for frame in frames:
            pictures.add(np.asarray(reformat(frame, format="bgr24").to_ndarray(), np.uint8))
    return pictures


def convert_audio(clip: Clip, detours: Detours = ALL_DETOURS) -> NDArray[np.int16]:
    """Sound of a clip, int16 [n], mono, 16 kHz. Raises ClipError where the clip has none that can be decoded.

    With the MP3 detour the sound begins at the start of the file, silence first if its stream starts later.
    """
    if not detours.mp3:
        return clip.audio(rate=16_000, layout="mono", sample_format="s16").samples.astype(np.int16, copy=False)
    from metrics.lip_sync import codecs

    native = clip.audio_native()
    samples = np.atleast_2d(np.asarray(native.samples, np.float32))
    late = round((native.start - _start_of_file(clip)) * native.rate)
    samples = np.pad(samples, ((0, 0), (late, 0))) if late > 0 else samples[:, -late if late < 0 else 0 :]
    return codecs.to_16k_mono(*codecs.mp3_round_trip(samples, native.rate))


def convert_crops(crops: NDArray[np.uint8], detours: Detours = ALL_DETOURS) -> NDArray[np.uint8]:
    """Face crops, uint8 [n, 224, 224, 3] BGR, after the files they go through."""
    from av.video.reformatter import VideoReformatter

    from metrics.lip_sync import codecs

    if not (detours.crop_mpeg4 or detours.crop_jpeg):
        return crops
    reformat = VideoReformatter().reformat
    if detours.crop_mpeg4:
        frames: Iterable[av.VideoFrame] = codecs.mpeg4_of_opencv(crops)
    else:
        frames = (reformat(_frame(crop), format="yuv420p") for crop in crops)
    if detours.crop_jpeg:
        return np.stack([codecs.read_jpeg(jpeg) for jpeg in codecs.jpegs_default_quality(frames)])
    return np.stack([reformat(frame, format="bgr24").to_ndarray() for frame in frames])


def _frame(picture: NDArray[np.uint8]) -> av.VideoFrame:
    import av

    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
