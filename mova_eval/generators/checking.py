"""Is a clip what was asked for? Facts from the file itself, and what they say against the request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mova_eval.generators.contract import ClipRequest, GenerationError
from mova_eval.generators.sizes import KEPT_WARNING
from mova_eval.records import ClipFacts

DURATION_TOLERANCE_S = 0.25
FRAMES_TOLERANCE = 2
SILENT_AUDIO = "silent-audio"
CROPPED = "cropped-first-frame"


def read_facts(path: Path) -> ClipFacts:
    """Streams, sizes and lengths of a clip; frames are counted and the sound is decoded to see whether it is silent.

    Raises GenerationError of code "unreadable" for a file that is no clip or breaks off.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if len(container.streams.video) != 1 or len(container.streams.audio) > 1:
                found = f"{len(container.streams.video)} video and {len(container.streams.audio)} audio streams"
                raise GenerationError("streams", f"the clip has {found}, expected one of each")
            return _facts(container)
    except (av.error.FFmpegError, OSError, EOFError) as error:
        raise GenerationError(
            "unreadable", f"the clip cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error


def _facts(container: Any) -> ClipFacts:
    video, audio = container.streams.video[0], next(iter(container.streams.audio), None)
    streams = [stream for stream in (video, audio) if stream is not None]
    frames, silent, samples = 0, None if audio is None else True, 0
    for packet in container.demux(streams):
        if packet.stream is video:
            frames += packet.size > 0
            continue
        for frame in packet.decode():
            samples += frame.samples
            silent = silent and not frame.to_ndarray().any()
    fps = float(video.average_rate) if video.average_rate else None
    video_seconds = frames / fps if fps else 0.0
    audio_seconds = samples / audio.rate if audio is not None else None
    return ClipFacts(
        seconds=round(max(video_seconds, audio_seconds or 0.0), 6),
        width=video.width,
        height=video.height,
        frames=frames,
        fps=fps,
        video_codec=video.codec_context.name,
        audio_codec=audio.codec_context.name if audio is not None else None,
        sample_rate=audio.rate if audio is not None else None,
        channels=audio.channels if audio is not None else None,
        audio_seconds=round(audio_seconds, 6) if audio_seconds is not None else None,
        silent=silent,
    )


def problems(facts: ClipFacts, request: ClipRequest) -> list[str]:
    """What is wrong with a clip, one phrase each; nothing of what the request leaves open."""
    return list(_problems(facts, request))


def _problems(facts: ClipFacts, request: ClipRequest) -> Iterator[str]:
    if request.has_sound and facts.audio_codec is None:
        yield "it has no audio stream"
    if request.has_sound and facts.audio_codec is not None and not facts.audio_seconds:
        yield "its audio stream is empty"
    size = f"{facts.width}x{facts.height}"
    if request.size is not None and size != request.size:
        yield f"its size is {size}, planned {request.size}"
    if request.frames is not None and abs((facts.frames or 0) - request.frames) > FRAMES_TOLERANCE:
        yield f"it has {facts.frames} frames, planned {request.frames}"
    if request.seconds is not None and abs(facts.seconds - request.seconds) > DURATION_TOLERANCE_S:
        yield f"it lasts {facts.seconds:.2f} s, planned {request.seconds:.2f} s"


def flags(facts: ClipFacts, request: ClipRequest) -> list[str]:
    """Short warnings about a clip that is accepted."""
    found = []
    if facts.silent and request.wants_sound:
        found.append(SILENT_AUDIO)
    if request.kept is not None and request.kept < KEPT_WARNING:
        found.append(CROPPED)
    return found
