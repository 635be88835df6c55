"""First frames and recorded references of a benchmark, found in a folder by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from metrics.errors import UserError
from metrics.weights import sha256_of
from mova_eval.benchmarks.resolving import Resolver
from mova_eval.benchmarks.schema import FirstFrame, Item, Reference

FRAMES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
AUDIO = frozenset({".wav", ".flac"})
VIDEO = frozenset({".mp4", ".mkv", ".mov", ".webm"})
_KINDS = {suffix: kind for kind, group in (("frame", FRAMES), ("audio", AUDIO), ("video", VIDEO)) for suffix in group}


@dataclass(frozen=True)
class MediaIndex:
    """Files of a media folder by item id."""

    frames: dict[str, Path]
    audio: dict[str, Path]
    video: dict[str, Path]


def index_media(folder: Path, items: Sequence[Item]) -> MediaIndex:
    """Find the media of items in `folder/<set>/<id>.<suffix>` or `folder/<id>.<suffix>`.

    Decimal ids count by value, so `00023.jpg`, `23.jpg` and `00000023.jpg` are the same frame. Other files are let be.
    Raises UserError for a missing folder, and for two files of one kind for one item.
    """
    if not folder.is_dir():
        raise UserError(f"the media folder {folder} does not exist; give a folder with first frames, or leave it out")
    resolver = Resolver(items)
    found: dict[str, dict[str, Path]] = {"frame": {}, "audio": {}, "video": {}}
    for path, within in _files(folder, dict.fromkeys(item.set for item in items)):
        kind = _KINDS.get(path.suffix.lower())
        names = resolver.exactly(path.stem, within) if kind else []
        if kind is None or len(names) != 1:
            continue
        other = found[kind].setdefault(names[0], path)
        if other != path:
            raise UserError(f"two {kind} files for item {names[0]}: {other} and {path}; remove one of them")
    return MediaIndex(found["frame"], found["audio"], found["video"])


def _files(folder: Path, sets: Iterable[str]) -> Iterator[tuple[Path, str | None]]:
    for place, within in ((folder, None), *((folder / name, name) for name in sets)):
        if place.is_dir():
            for path in sorted(place.iterdir()):
                if path.is_file() and not path.name.startswith("."):
                    yield path, within


def with_media(item: Item, media: MediaIndex | None) -> Item:
    """The item with its files from the index, if there is one, and with digest and size of its first frame."""
    updates: dict[str, object] = {}
    frame = item.first_frame.path if item.first_frame else None
    if media is not None:
        found = media.frames.get(item.id)
        frame = str(found.absolute()) if found else frame
        audio, video = media.audio.get(item.id), media.video.get(item.id)
        if audio or video:
            updates["reference"] = Reference(
                audio=str(audio.absolute()) if audio else None, video=str(video.absolute()) if video else None
            )
    stated = item.first_frame
    if frame is not None and (stated is None or stated.path != frame or stated.sha256 is None or stated.width is None):
        read = read_frame(frame)
        stated_digest = stated.sha256 if stated is not None and stated.path == frame else None
        updates["first_frame"] = read.model_copy(update={"sha256": stated_digest or read.sha256})
    return item.model_copy(update=updates) if updates else item


def read_frame(path: str) -> FirstFrame:
    """Digest and size of a picture. A file that is no picture keeps width and height None; `verify` tells of it."""
    size = picture_size(path)
    width, height = size if size else (None, None)
    return FirstFrame(path=path, sha256=sha256_of(path), width=width, height=height)


def picture_size(path: str) -> tuple[int, int] | None:
    """(width, height) in pixels as stored, read from the file's head; None if it is no picture."""
    import av

    try:
        with av.open(path) as container:
            if not container.streams.video:
                return None
            stream = container.streams.video[0]
            return (stream.width, stream.height) if stream.width and stream.height else None
    except (av.error.FFmpegError, OSError):
        return None
