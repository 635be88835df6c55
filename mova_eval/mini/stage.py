"""Which scene belongs to which item, and the first frames drawn from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mova_eval.mini.content import ENTRIES, Entry
from mova_eval.mini.faces import Mouth, Talk, people
from mova_eval.mini.scene import Scene
from mova_eval.mini.scenes_events import Ball, Glass, Hammer, Lightning
from mova_eval.mini.scenes_music import Drum, Metronome, Piano
from mova_eval.mini.scenes_places import Campfire, Chess, RainWindow, Sea, Snow, Street

Events = tuple[float, ...]
PIANO_EVENTS: Events = (0.4, 1.2, 2.0, 2.8, 3.6, 4.4)
PIANO_KEYS = (4, 6, 8, 7, 5, 4)
PIANO_MIDI = (60, 64, 67, 65, 62, 60)
DRUM_EVENTS: Events = tuple(0.36 + 0.48 * k for k in range(10))
JPEG_QUALITY = 92
MAX_FRAME_BYTES = 120_000

_GREY = ((186, 196, 196), (132, 142, 146))
_WARM = ((206, 194, 176), (150, 134, 118))
_COOL = ((170, 182, 200), (116, 124, 144))
_TALKS: dict[str, dict[str, Any]] = {
    "m01": {"count": 1, "look": 0, "wall": _GREY},
    "m02": {"count": 1, "look": 1, "wall": _WARM},
    "m03": {"count": 1, "look": 2, "wall": _COOL, "window": True},
    "m04": {"count": 1, "look": 3, "wall": _GREY, "far": True},
    "m05": {"count": 1, "look": 4, "wall": _WARM},
    "m06": {"count": 1, "look": 5, "wall": _COOL},
    "m07": {"count": 1, "look": 0, "wall": _WARM},
    "m09": {"count": 2, "look": 4, "wall": _GREY},
    "m10": {"count": 2, "look": 2, "wall": _WARM},
    "m11": {"count": 2, "look": 0, "wall": _COOL},
    "m12": {"count": 3, "look": 0, "wall": _WARM},
}
_PLACES: dict[str, Callable[[int, int], Scene]] = {
    "m08": Sea,
    "m20": RainWindow,
    "m21": Campfire,
    "m22": Street,
    "m23": Chess,
    "m24": Snow,
}
_HAPPENINGS: dict[str, Callable[[int, int, Events], Scene]] = {
    "m13": Ball,
    "m14": Hammer,
    "m15": Glass,
    "m16": Lightning,
    "m18": Metronome,
    "m19": Drum,
    "m17": lambda width, height, events: Piano(width, height, events, PIANO_KEYS),
}


def entry_of(item: str) -> Entry:
    """The entry of an item id. Raises KeyError for an unknown one."""
    return {entry.id: entry for entry in ENTRIES}[item]


def faces_in(item: str) -> int:
    """How many faces the picture of an item shows."""
    return int(_TALKS[item]["count"]) if item in _TALKS else 0


def events_of(item: str) -> Events:
    """When something visibly happens in the truth clip of an item, in seconds; empty where nothing does."""
    if item == "m17":
        return PIANO_EVENTS
    return DRUM_EVENTS if item == "m19" else entry_of(item).onsets or ()


def scene_of(item: str, width: int, height: int, mouths: tuple[Mouth, ...] | None = None) -> Scene:
    """The scene of an item at a picture size; mouths: one per face, for items with faces."""
    if item in _TALKS:
        how = dict(_TALKS[item])
        persons = people(how.pop("count"), how.pop("look"), far=how.pop("far", False))
        return Talk(width, height, persons, mouths, seed=10 + int(item[1:]), **how)
    if item in _PLACES:
        return _PLACES[item](width, height)
    return _HAPPENINGS[item](width, height, events_of(item))


def first_frame_jpeg(item: str) -> bytes:
    """The first frame of an item as a JPEG file, drawn anew; the same bytes each time on one machine."""
    import cv2

    width, height = entry_of(item).frame
    picture = scene_of(item, width, height).frame(0.0)
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not done:
        raise RuntimeError(f"OpenCV could not write the first frame of {item} as a JPEG")
    return bytes(data.tobytes())


def write_first_frames(folder: Path) -> dict[str, Any]:
    """Draw all first frames into a folder with their `provenance.json`; returns what that file holds."""
    import cv2
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    frames = {}
    for entry in ENTRIES:
        data = first_frame_jpeg(entry.id)
        (folder / f"{entry.id}.jpg").write_bytes(data)
        frames[entry.id] = {
            "file": f"{entry.id}.jpg",
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "width": entry.frame[0],
            "height": entry.frame[1],
            "faces": faces_in(entry.id),
        }
    facts = {
        "made_by": "drawn by mova_eval.mini.stage.write_first_frames; no photographs, no generative model",
        "licence": "CC0-1.0",
        "jpeg_quality": JPEG_QUALITY,
        "versions": {"opencv": cv2.__version__, "numpy": np.__version__},
        "frames": frames,
    }
    (folder / "provenance.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    return facts
