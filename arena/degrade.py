"""Clips made worse in a known way: gold pairs, whose right answer is plain, and the models of the demo.

The recipes: `audio_swapped` (sound of another item), `audio_noise` (pink noise at 0 dB), `av_offset` (sound 800 ms
late, far beyond what ITU-R BT.1359 finds detectable), `frozen_video` (picture stands still after 1 s),
`heavy_compression` (H.264 at constant rate factor 46), `wrong_item` (the clip of another item), `identical` (the very
clip).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from arena.errors import ArenaError

Kind = Literal[
    "audio_swapped", "audio_noise", "av_offset", "frozen_video", "heavy_compression", "wrong_item", "identical"
]
KINDS: tuple[Kind, ...] = (
    "audio_swapped",
    "audio_noise",
    "av_offset",
    "frozen_video",
    "heavy_compression",
    "wrong_item",
    "identical",
)
RATE = 48_000
OFFSET_S = 0.8
FREEZE_S = 1.0
CRF = 46
_NEEDS_OTHER = {"audio_swapped", "wrong_item"}
Samples = NDArray[np.float32]


def degrade(source: Path, target: Path, kind: Kind, *, other: Path | None = None, seed: int = 0) -> Path:
    """Write `source` made worse as an MP4; other: the clip of another item, for the kinds that need one.

    Raises ArenaError for a file that cannot be read, or a missing `other`.
    """
    import av.error

    if kind in _NEEDS_OTHER and other is None:
        raise ArenaError(f"'{kind}' needs the clip of another item")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    if kind in {"wrong_item", "identical"}:
        shutil.copyfile(other if kind == "wrong_item" and other is not None else source, partial)
    else:
        try:
            sound = _changed(read_sound(source), kind, other, seed)
            _write(source, partial, sound, kind)
        except av.error.FFmpegError as error:
            raise ArenaError(f"{source} cannot be made into a gold clip: {error.strerror}") from None
    partial.rename(target)
    return target


def read_sound(path: Path) -> Samples:
    """[2, n] at 48 kHz; empty for a clip without sound."""
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            return np.zeros((2, 0), np.float32)
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        parts = [f.to_ndarray() for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        parts += [f.to_ndarray() for f in resampler.resample(None)]
    return np.concatenate(parts, axis=1) if parts else np.zeros((2, 0), np.float32)


def _changed(sound: Samples, kind: Kind, other: Path | None, seed: int) -> Samples:
    if kind == "audio_swapped" and other is not None:
        return _fitted(read_sound(other), sound.shape[1] or 5 * RATE)
    if kind == "av_offset":
        late = round(OFFSET_S * RATE)
        return np.concatenate([np.zeros((2, late), np.float32), sound], axis=1)[:, : sound.shape[1]]
    if kind == "audio_noise":
        noise = pink_noise(sound.shape[1], seed)
        level = float(np.sqrt(np.mean(sound**2))) if sound.size else 0.0
        return np.clip(sound + noise[None, :] * max(level, 0.02), -1, 1).astype(np.float32)
    return sound


def _fitted(sound: Samples, length: int) -> Samples:
    """Cut, or repeated, to a length."""
    if not sound.shape[1]:
        return np.zeros((2, length), np.float32)
    return np.asarray(np.tile(sound, (1, -(-length // sound.shape[1])))[:, :length])


def pink_noise(n: int, seed: int) -> NDArray[np.float32]:
    """[n] noise of unit power whose power falls by 3 dB per octave."""
    if not n:
        return np.zeros(0, np.float32)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / RATE)
    shaped = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequency, 20)), n)
    return np.asarray(shaped / (np.sqrt(np.mean(shaped**2)) + 1e-12), dtype=np.float32)


def _write(source: Path, target: Path, sound: Samples, kind: Kind) -> None:
    import av

    with av.open(str(source)) as given, av.open(str(target), "w", format="mp4") as out:
        if not given.streams.video:
            raise ArenaError(f"{source} has no picture")
        stream = given.streams.video[0]
        encode = kind in {"frozen_video", "heavy_compression"}
        packets = list(_encoded(given, out, stream, kind) if encode else _copied(given, out, stream))
        if sound.size:
            packets += list(_sound_packets(out, sound))
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
            out.mux(packet)


def _copied(given: Any, out: Any, stream: Any) -> Iterator[Any]:
    copy = out.add_stream_from_template(stream)
    for packet in given.demux(stream):
        if packet.dts is not None:
            packet.stream = copy
            yield packet


def _encoded(given: Any, out: Any, stream: Any, kind: Kind) -> Iterator[Any]:
    crf = CRF if kind == "heavy_compression" else 20
    rate = Fraction(stream.average_rate or 25)
    made = out.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "veryfast"})
    made.width, made.height, made.pix_fmt = stream.width, stream.height, "yuv420p"
    kept: Any = None
    for index, frame in enumerate(given.decode(stream)):
        if kind == "frozen_video" and index >= FREEZE_S * rate:
            shown = kept
        else:
            shown = kept = frame.reformat(format="yuv420p")
        shown.pts, shown.time_base = index, 1 / rate
        shown.pict_type = 0
        yield from made.encode(shown)
    yield from made.encode(None)


def _sound_packets(out: Any, sound: Samples) -> Iterator[Any]:
    import av

    made = out.add_stream("aac", rate=RATE, layout="stereo")
    made.bit_rate = 192_000
    for first in range(0, sound.shape[1], 1024):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[:, first : first + 1024]), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), first
        yield from made.encode(frame)
    yield from made.encode(None)
