"""The project's own benchmark: 24 items that need no download, and clips of known truth to check metrics with.

`items()` gives the items, `first_frame` the drawn picture a generator starts from, `mova_eval.mini.render` renders the
truth clips.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from mova_eval.mini.content import CATEGORIES, ENTRIES, SMOKE, Entry

__all__ = ["HEADER", "SMOKE", "first_frame", "items", "references"]

DATA = Path(__file__).parent / "data"

HEADER: dict[str, Any] = {
    "name": "mini",
    "version": "1",
    "title": "mova-eval mini",
    "licence": {"prompts": "CC0-1.0", "media": "CC0-1.0"},
    "sources": [],
    "sets": [
        {"name": name, "title": title, "count": sum(entry.category == name for entry in ENTRIES)}
        for name, title in CATEGORIES
    ],
    "modes": ["i2va", "t2va"],
    "default_duration_s": 5.0,
    "defects": None,
    "redistributable": {"prompts": True, "first_frames": True, "references": True},
    "subsets": {"smoke": list(SMOKE)},
}
"""Header of the benchmark; its sets are the categories. The loader adds `content_sha256`."""


@lru_cache(maxsize=1)
def _provenance() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((DATA / "provenance.json").read_text("utf-8"))
    return facts


def first_frame(item: str) -> Path:
    """The JPEG that a generator starts from. Raises KeyError for an id that is not m01..m24."""
    return DATA / str(_provenance()["frames"][item]["file"])


def references() -> tuple[str, ...]:
    """Tagged reference texts of the dialogues m09..m12, lines 1 to 4: `[S01] text [S02] text`."""
    return tuple(_tagged(entry) for entry in ENTRIES if entry.category == "two-speaker")


def items(reference_folder: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """The 24 items as plain records with the fields of a benchmark item, in benchmark order.

    reference_folder: where `mova_eval.mini.render.render_references` put the sounds of m13..m22; without it, or where a
    file is absent, `reference` is None.
    """
    return [_record(entry, reference_folder) for entry in ENTRIES]


def _tagged(entry: Entry) -> str:
    return " ".join(f"[{speaker}] {text}" for speaker, text in entry.speech)


def _record(entry: Entry, reference_folder: str | os.PathLike[str] | None) -> dict[str, Any]:
    from metrics.requests import language_of

    frame = _provenance()["frames"][entry.id]
    text = " ".join(said for _, said in entry.speech)
    reference = None if reference_folder is None else Path(reference_folder) / f"{entry.id}.wav"
    flags = list(entry.flags)
    if frame["faces"]:
        flags.append("face-undetected")  # drawn faces: detectors trained on photographs may miss them
    raw_speech = {"speaker": "", "text": ""}
    if entry.speech:
        single = len(entry.speech) == 1
        raw_speech = {"speaker": entry.speech[0][0] if single else "", "text": text if single else _tagged(entry)}
    return {
        "id": entry.id,
        "set": entry.category,
        "aliases": [],
        "prompt": entry.prompt,
        "video_prompt": entry.video,
        "audio_prompts": list(entry.audio),
        "speech": [{"speaker": speaker, "text": said} for speaker, said in entry.speech],
        "language": language_of(text),
        "mixed_script": "mixed-script" in entry.flags,
        "first_frame": {
            "path": str(first_frame(entry.id)),
            "sha256": frame["sha256"],
            "width": entry.frame[0],
            "height": entry.frame[1],
        },
        "reference": {"audio": str(reference), "video": None} if reference and reference.is_file() else None,
        "category": entry.category,
        "flags": flags,
        "onsets_s": None if entry.onsets is None else list(entry.onsets),
        "raw": {
            "prompt": entry.prompt,
            "video_prompt": entry.video,
            "audio_prompt": list(entry.audio if entry.raw_audio is None else entry.raw_audio),
            "speech_prompt": raw_speech,
        },
    }
