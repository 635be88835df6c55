"""Measurements kept by content: the same clip, metric, parameters and weights need never be measured twice.

One JSON file per measurement (and one .npz where it has features) below `measurements/` of the cache folder. Nothing
here is precious: a damaged entry is reported, ignored and overwritten, a full disk only stops the caching.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metrics import weights
from mova_eval.runs.outcomes import TRANSIENT_CODES, Outcome, decode_features, digest, encode_features
from mova_eval.runs.paths import canonical_json, write_atomically

FORMAT = 1
_STORED = ("metric", "status", "scores", "counts", "reason", "code", "flags", "details")


class MeasurementCache:
    """The cache of one process.

    folder: None for `measurements` in the suite's cache folder. warn: told about damaged entries and refused writes.
    """

    def __init__(self, folder: Path | None = None, *, warn: Callable[[str], None]) -> None:
        self.folder = folder if folder is not None else weights.cache_dir() / "measurements"
        self._warn = warn
        self._writable = True

    def path(self, key: str) -> Path:
        """Where the entry of a key lies, whether it is there or not."""
        return self.folder / key[:2] / f"{key}.json"

    def get(self, key: str, clip_name: str) -> Outcome | None:
        """The measurement stored under a key, None if there is none or it is damaged.

        clip_name: file name of the clip asked about, which replaces the stored clip's name in the reason.
        """
        path = self.path(key)
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn(f"cache entry {path} cannot be read ({error.strerror}); measuring again")
            return None
        try:
            return _outcome(json.loads(text), key, path, clip_name)
        except Exception as error:  # whatever is wrong with the files, the remedy is the same
            self._warn(f"cache entry {path} is damaged ({type(error).__name__}: {error}); measuring again")
            return None

    def put(self, key: str, outcome: Outcome, clip_name: str) -> None:
        """Store a measurement, unless it is a failure that may not come back."""
        if outcome.code in TRANSIENT_CODES or not self._writable:
            return
        path = self.path(key)
        fields = asdict(outcome)
        body: dict[str, Any] = {name: fields[name] for name in _STORED}
        arrays = encode_features(outcome.features) if outcome.features else None
        entry = {"format": FORMAT, "key": key, "clip": clip_name, "outcome": body}
        entry["features"] = digest(arrays) if arrays is not None else None
        entry["check"] = digest(canonical_json(body).encode())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if arrays is not None:
                write_atomically(path.with_suffix(".npz"), arrays, durable=False)
            # Not sorted: scores and details come back in the order in which the metric gave them.
            write_atomically(path, json.dumps(entry, ensure_ascii=False, allow_nan=False).encode(), durable=False)
        except OSError as error:
            self._writable = False
            self._warn(f"measurements are no longer cached: {self.folder}: {error.strerror}")


def _outcome(entry: dict[str, Any], key: str, path: Path, clip_name: str) -> Outcome:
    body = entry["outcome"]
    if entry["format"] != FORMAT or entry["key"] != key or entry["check"] != digest(canonical_json(body).encode()):
        raise ValueError("its content does not match its check sum")
    features = {}
    if entry["features"] is not None:
        arrays = path.with_suffix(".npz").read_bytes()
        if digest(arrays) != entry["features"]:
            raise ValueError("its features do not match their check sum")
        features = decode_features(arrays)
    reason = body["reason"]
    if reason is not None:
        body["reason"] = reason.replace(entry["clip"], clip_name)
    body["counts"] = {name: (pair[0], pair[1]) for name, pair in body["counts"].items()}
    return Outcome(**body, features=features)
