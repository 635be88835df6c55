"""Serving renditions: what voters get instead of the file a model wrote.

The picture is copied bit by bit (or transcoded with one fixed recipe where browsers could not show it), the sound is
encoded once for all models alike after one constant gain, and everything that could name the maker goes: container and
stream metadata, chapters, other streams, and the encoder's own remarks inside the H.264 stream. The gain lives in the
file because iOS ignores the volume of a media element, and because equal treatment can then be checked on the file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.media.levels import RATE, matching_gain, measure_level
from arena.media.probing import MediaError, MediaFacts, opened, probe, video_stream
from arena.service.types import Rendition

RECIPE_VERSION = 1
AUDIO_BITS_PER_SECOND = 192_000
_AUDIO_FRAME = 1024
_SEI = "filter_units=remove_types=6"
"""Drops the supplemental messages, where encoders write their name and settings; no picture depends on them."""


@dataclass(frozen=True, slots=True)
class CommonShape:
    """One size, rate and length for all clips of a campaign, at the price of altering what is judged.

    width, height: even numbers of pixels; the picture is fitted in, with grey bars. max_ms: longer clips are cut.
    """

    width: int
    height: int
    fps: Fraction
    max_ms: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """How renditions are made. level: bring the sound to the common level. shape: transcode all to one shape."""

    level: bool = True
    shape: CommonShape | None = None

    @property
    def name(self) -> str:
        """Stable short name with the version, stored beside every clip."""
        level = "level" if self.level else "flat"
        if self.shape is None:
            return f"v{RECIPE_VERSION}-{level}"
        shape = self.shape
        return f"v{RECIPE_VERSION}-{level}-{shape.width}x{shape.height}-{float(shape.fps):.4g}-{shape.max_ms}"


def renderer(media_root: Path, recipe: Recipe = Recipe()) -> Callable[[Path], Rendition]:
    """`make_rendition` for one media root, as the import of clips takes it."""
    return partial(make_rendition, media_root=media_root, recipe=recipe)


def rendition_path(media_root: Path, serve_path: str) -> Path | None:
    """The file of a stored `serve_path`, or None for a path that leads out of the media root."""
    root = media_root.resolve()
    file = (root / serve_path).resolve()
    return file if file.is_relative_to(root) and file != root else None


def make_rendition(source: Path, media_root: Path, recipe: Recipe = Recipe()) -> Rendition:
    """Make the served file of a clip under the media root; a file of the same content is kept as it is.

    Facts of the result are those of the served file. Its recipe ends in "-copy" where the picture is the source's own,
    in "-x264" where it had to be transcoded; a common shape always transcodes.

    Raises MediaError for a file that cannot be shown (see `probe`) and OSError where the media root cannot be written.
    """
    src_sha256 = _sha256(source)
    media_root.mkdir(parents=True, exist_ok=True)
    part = media_root / f".{src_sha256[:16]}.{os.getpid()}.part"
    picture = part.with_suffix(".picture")
    try:
        facts = probe(source)
        sound = _read_sound(source, facts)
        level = measure_level(sound.samples)
        gain = matching_gain(level) if recipe.level else 0.0
        transcoded = recipe.shape is not None or not facts.plays_everywhere
        if transcoded:
            _transcode(source, picture, facts, recipe.shape)
        if recipe.shape:
            sound = _Sound(sound.samples[:, : RATE * recipe.shape.max_ms // 1000], sound.start)
        _write(part, picture if transcoded else source, _video_start(source), sound, gain)
        served = _read_sound(part, probe(part))
        serve_sha256 = _sha256(part)
        serve_path = f"{serve_sha256[:2]}/{serve_sha256}.mp4"
        target = media_root / serve_path
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            os.replace(part, target)
        status = target.stat()
        shown = probe(target)
        return Rendition(
            src_sha256=src_sha256,
            src_bytes=source.stat().st_size,
            duration_ms=shown.duration_ms,
            width=shown.width,
            height=shown.height,
            fps_num=shown.fps.numerator,
            fps_den=shown.fps.denominator,
            video_codec=shown.video_codec,
            audio_codec=shown.audio_codec or "",
            sample_rate=shown.sample_rate,
            channels=shown.channels,
            loudness_lufs=level.lufs,
            true_peak_dbtp=level.peak_dbtp,
            gain_db=gain,
            served_lufs=measure_level(served.samples).lufs,
            serve_path=serve_path,
            serve_sha256=serve_sha256,
            serve_bytes=status.st_size,
            serve_mtime_ms=status.st_mtime_ns // 1_000_000,
            recipe=recipe.name + ("" if recipe.shape else "-x264" if transcoded else "-copy"),
        )
    finally:
        part.unlink(missing_ok=True)
        picture.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Sound:
    """samples: float32 [1 or 2, n] at 48 kHz. start: seconds at which the first sample sounds."""

    samples: NDArray[np.float32]
    start: Fraction = field(default=Fraction(0))


def _read_sound(path: Path, facts: MediaFacts) -> _Sound:
    """The whole sound at 48 kHz; more than two channels are mixed to two. Silence of the clip's length without any."""
    import av
    import av.error

    if facts.audio_codec is None:
        return _Sound(np.zeros((1, RATE * facts.duration_ms // 1000), np.float32))
    resampler = av.AudioResampler(format="fltp", layout="mono" if facts.channels == 1 else "stereo", rate=RATE)
    pieces: list[NDArray[Any]] = []
    start: Fraction | None = None
    with opened(path) as container:
        try:
            for frame in container.decode(container.streams.audio[0]):
                if start is None and frame.pts is not None:
                    start = frame.pts * frame.time_base
                pieces.extend(piece.to_ndarray() for piece in resampler.resample(frame))
            pieces.extend(piece.to_ndarray() for piece in resampler.resample(None))
        except av.error.FFmpegError as error:
            raise MediaError("undecodable", f"the sound of {path.name} cannot be decoded, generate it again") from error
    if not pieces:
        return _Sound(np.zeros((1, RATE * facts.duration_ms // 1000), np.float32))
    samples = np.concatenate(pieces, axis=1).astype(np.float32, copy=False)
    return _Sound(np.nan_to_num(samples, copy=False, posinf=0.0, neginf=0.0), start or Fraction(0))


def _write(part: Path, picture: Path, start: Fraction, sound: _Sound, gain: float) -> None:
    """Mux the picture of one file, shown from `start` on, with a sound."""
    import av
    import av.error

    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    zero = min(start, sound.start)
    samples = sound.samples * np.float32(10 ** (gain / 20))
    with opened(picture) as given, av.open(str(part), "w", format="mp4", container_options=options) as out:
        try:
            pictures = _copied(out, given, video_stream(given), start - _video_start(picture) - zero)
            packets = [*pictures, *_encoded_sound(out, samples, round((sound.start - zero) * RATE))]
        except av.error.FFmpegError as error:
            raise MediaError("undecodable", f"{picture.name} cannot be converted ({error.strerror})") from error
        for packet in sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base):
            out.mux(packet)


def _video_start(path: Path) -> Fraction:
    """Presentation time of the first picture in seconds."""
    with opened(path) as container:
        stream = video_stream(container)
        times = (p.pts * p.time_base for p in container.demux(stream) if p.pts is not None and not p.is_discard)
        return min(times, default=Fraction(0))


def _copied(out: Any, given: Any, stream: Any, shift: Fraction) -> list[Any]:
    """Packets of the picture, `shift` seconds later, without supplemental messages."""
    from av.bitstream import BitStreamFilterContext

    copy = out.add_stream_from_template(stream)
    copy.metadata.clear()
    messages = BitStreamFilterContext(_SEI, stream, copy)
    ticks = round(shift / stream.time_base)
    packets = []
    for packet in given.demux(stream):
        if not packet.size:
            continue
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        packets += messages.filter(packet)
    packets += messages.filter(None)
    for packet in packets:
        packet.stream = copy
    return packets


def _transcode(source: Path, target: Path, facts: MediaFacts, shape: CommonShape | None) -> None:
    """The picture alone as H.264, 8 bits, 4:2:0, upright, from time 0 on, and of the common shape if there is one."""
    import av
    import av.error

    width, height = (shape.width, shape.height) if shape else (facts.width // 2 * 2, facts.height // 2 * 2)
    base = 1 / shape.fps if shape else Fraction(1, 90_000)
    with opened(source) as given, av.open(str(target), "w", format="mp4") as out:
        stream = video_stream(given)
        video: Any = out.add_stream("libx264", rate=shape.fps if shape else facts.fps or Fraction(25))
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"preset": "medium", "crf": "14", "threads": "1"}
        video.codec_context.thread_count = 1
        video.codec_context.time_base = base
        graph = _picture_graph(stream, facts, shape, width, height)
        first: Fraction | None = None
        try:
            for frame in _filtered(graph, given.decode(stream)):
                time = frame.pts * frame.time_base
                first = time if first is None else first
                frame.pts, frame.time_base, frame.pict_type = round((time - first) / base), base, 0
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        except av.error.FFmpegError as error:
            reason = f"the picture of {source.name} cannot be transcoded ({error.strerror}), generate it again"
            raise MediaError("undecodable", reason) from error


_TURNS = {90: ["transpose=clock"], 180: ["hflip", "vflip"], 270: ["transpose=cclock"]}


def _picture_graph(stream: Any, facts: MediaFacts, shape: CommonShape | None, width: int, height: int) -> Any:
    """Filter graph: upright, of the wanted size, rate and length, 8 bit 4:2:0."""
    import av

    steps = list(_TURNS.get(facts.rotation, []))
    if shape is None:
        steps += [f"crop={width}:{height}:0:0"]
    else:
        steps += [
            f"fps={shape.fps}",
            f"trim=duration={shape.max_ms / 1000}",
            f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=lanczos",
            f"pad={width}:{height}:(ow-iw)/2:(oh-ih)/2:color=0x808080",
        ]
    graph = av.filter.Graph()
    last = graph.add_buffer(template=stream)
    for step in [*steps, "setsar=1", "format=yuv420p"]:
        name, _, arguments = step.partition("=")
        node = graph.add(name, arguments) if arguments else graph.add(name)
        last.link_to(node)
        last = node
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _filtered(graph: Any, frames: Iterator[Any]) -> Iterator[Any]:
    import av.error

    def drained() -> Iterator[Any]:
        while True:
            try:
                yield graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    try:
        for frame in frames:
            graph.vpush(frame)
            yield from drained()
        graph.vpush(None)
    except av.error.EOFError:  # the graph has cut the clip and takes no more
        pass
    yield from drained()


def _encoded_sound(out: Any, samples: NDArray[np.float32], first: int) -> list[Any]:
    """Packets of a new AAC stream; `first` is the time of the first sample in samples."""
    import av

    layout = "mono" if samples.shape[0] == 1 else "stereo"
    stream: Any = out.add_stream("aac", rate=RATE, layout=layout, options={"flags": "+bitexact"})
    stream.bit_rate = AUDIO_BITS_PER_SECOND
    packets = []
    for start in range(0, samples.shape[1], _AUDIO_FRAME):
        piece = np.ascontiguousarray(samples[:, start : start + _AUDIO_FRAME])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, first + start, Fraction(1, RATE)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(
            "unreadable", f"{path.name} cannot be read: {error.strerror}, check the path ({path})"
        ) from error
