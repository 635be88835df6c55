"""What a run used: every file of weights with its digest, source and licence, so that a result can be traced.

The lock file of a run can be held against another machine: `check` says which weights differ there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from metrics.errors import MissingWeights, UserError
from metrics.weights.digests import sha256_of
from metrics.weights.finding import declared, digest_of, locate, members, own_path, receipt_of, receipt_place
from metrics.weights.table import WeightsFile

FORMAT = 1


def facts_of(name: str) -> dict[str, Any]:
    """What is known of weights that are here: JSON values. Raises MissingWeights.

    published: whether the content is the declared one; None where no digest is published.
    """
    entry, place = declared(name), locate(name)
    receipt = receipt_of(receipt_place(entry, place)) if own_path(name) is None else {}
    facts: dict[str, Any] = {
        "sha256": digest_of(entry, place),
        "published": _is_published(entry, place),
        "source": entry.source if own_path(name) is None else "a path of the user's own",
        "licence": entry.licence,
        "commercial": entry.commercial,
    }
    if entry.repo is not None:
        facts |= {"repo": entry.repo, "commit": receipt.get("commit", entry.revision)}
    if place.is_dir():
        facts["files"] = {p.relative_to(place).as_posix(): sha256_of(p) for p in members(entry, place)}
    else:
        facts["size"] = place.stat().st_size
    return facts


def _is_published(entry: WeightsFile, place: Path) -> bool | None:
    if entry.is_folder:
        known = dict(entry.digests)
        return all(sha256_of(place / name) == sha256 for name, sha256 in known.items()) if known else None
    return None if entry.sha256 is None else sha256_of(place) == entry.sha256


def lock(uses: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """The content of a lock file. uses: metric -> names of its weights. Raises MissingWeights."""
    names = sorted({name for used in uses.values() for name in used})
    by = {name: sorted(metric for metric, used in uses.items() if name in set(used)) for name in names}
    return {"format": FORMAT, "weights": {name: {**facts_of(name), "used_by": by[name]} for name in names}}


def read_lock(path: Path) -> dict[str, dict[str, Any]]:
    """Weights name -> facts, of a lock file or of the run directory that holds one. Raises UserError."""
    file = path / "weights.lock" if path.is_dir() else path
    try:
        content = json.loads(file.read_text("utf-8"))
        weights = content["weights"]
        if content["format"] != FORMAT or not all(isinstance(facts["sha256"], str) for facts in weights.values()):
            raise ValueError("another format")
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); give a run or its weights.lock") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is no lock file of weights ({error}); score again to make one") from error
    return dict(weights)


def check(locked: Mapping[str, Mapping[str, Any]]) -> dict[str, str | None]:
    """Weights name -> how those on this machine differ from the locked ones, None if they do not."""
    found: dict[str, str | None] = {}
    for name, facts in locked.items():
        try:
            entry, place = declared(name), locate(name)
        except MissingWeights as error:
            found[name] = str(error)
            continue
        except UserError:
            found[name] = f"weights {name}: this version of the suite does not know them"
            continue
        here = digest_of(entry, place)
        same = here == facts["sha256"]
        found[name] = (
            None
            if same
            else f"weights {name}: {place} has sha256 {here[:12]}..., the run used {str(facts['sha256'])[:12]}..."
        )
    return found
