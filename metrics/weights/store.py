"""Fetching weights into the cache: from plain addresses and from a model hub, each file checked, one fetcher at a time.

A hub repository is asked for its list of files first: it names the commit behind a branch, and the digest of every
file. What arrived is written down in a receipt beside the files, so that it can be verified later although no digest is
published.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metrics.errors import MissingWeights, UserError
from metrics.weights.digests import sha256_of
from metrics.weights.download import (
    ATTEMPTS,
    BUSY,
    TIMEOUT_S,
    Expected,
    Progress,
    TryAgain,
    connection_problem,
    download,
    offline,
)
from metrics.weights.finding import (
    cached_place,
    declared,
    is_here,
    locate,
    missing,
    own_path,
    places,
    problems,
    receipt_place,
    wanted,
)
from metrics.weights.table import WeightsFile

HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a hub repository, as the hub announces it. sha256 of large files, git's sha1 (`blob`) of the others."""

    name: str
    size: int | None
    sha256: str | None
    blob: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a hub says about one revision of a repository."""

    repo: str
    commit: str
    files: tuple[HubFile, ...]


def fetch(name: str, *, progress: Progress | None = None, pause_s: float = 1.0) -> Path:
    """Path of weights that are here and right, fetched into the cache if they are not.

    A damaged file in the cache is fetched again; one in a folder of one's own is complained about, never touched.
    progress: called with bytes so far and in all of the file under way. pause_s: seconds before a second attempt.

    Raises UserError for what cannot be fetched (with what to do), refused or wrong answers, and when offline.
    """
    entry = declared(name)
    found = next((place for place in places(name) if is_here(entry, place)), None)
    wrong = problems(entry, found) if found is not None and own_path(name) is None else []
    if found is not None and not wrong:
        return found
    if found is not None and found != cached_place(entry):
        raise UserError(f"weights {name}: {wrong[0]}")
    if not entry.fetchable or own_path(name) is not None:
        raise MissingWeights(missing(name) or f"weights {name}: {wrong[0]}")
    if offline():
        raise MissingWeights(f"weights {name} are not on this machine and MOVA_EVAL_OFFLINE forbids to fetch them")
    if entry.url is not None:
        expected = Expected(entry.sha256, entry.size, entry.md5 if entry.sha256 is None else None)
        place = download(entry.url, cached_place(entry), expected=expected, progress=progress, pause_s=pause_s)
        _write_receipt(entry, place, {"source": entry.url, "sha256": sha256_of(place), "size": place.stat().st_size})
        return place
    _fetch_from_hub(entry, progress, pause_s)
    return locate(name)


def _fetch_from_hub(entry: WeightsFile, progress: Progress | None, pause_s: float) -> None:
    from filelock import FileLock

    listing = hub_listing(entry, pause_s=pause_s)
    chosen = [
        file for file in listing.files if file.name == entry.path or (entry.is_folder and wanted(entry, file.name))
    ]
    if not chosen:
        raise UserError(f"weights {entry.name}: {listing.repo} holds no {entry.path or ' or '.join(entry.patterns)}")
    place = cached_place(entry)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.folder.lock"):
            for file in chosen:
                target = place / file.name if entry.is_folder else place
                download(
                    f"{hub_address()}/{listing.repo}/resolve/{listing.commit}/{file.name}",
                    target,
                    expected=_expected(entry, file),
                    progress=progress,
                    pause_s=pause_s,
                )
            _write_receipt(entry, place, _hub_receipt(entry, listing, chosen, place))
    except OSError as error:
        raise UserError(f"{place} cannot be written ({error.strerror or error}); check the folder") from error


def _expected(entry: WeightsFile, file: HubFile) -> Expected:
    """What a file of the hub must be. Raises UserError where the hub announces another file than the table."""
    published = entry.sha256 if not entry.is_folder else dict(entry.digests).get(file.name)
    if published is not None and file.sha256 is not None and published != file.sha256:
        raise UserError(
            f"weights {entry.name}: the hub announces {file.name} with sha256 {file.sha256[:12]}..., expected "
            f"{published[:12]}...; nothing was fetched, report the change"
        )
    return Expected(published or file.sha256, file.size, blob=None if file.sha256 else file.blob, headers=_token())


def _hub_receipt(entry: WeightsFile, listing: Listing, chosen: list[HubFile], place: Path) -> dict[str, Any]:
    facts: dict[str, Any] = {"source": f"{hub_address()}/{listing.repo}", "commit": listing.commit}
    if not entry.is_folder:
        return {**facts, "sha256": sha256_of(place), "size": place.stat().st_size}
    files = {file.name: place / file.name for file in chosen}
    facts["files"] = {name: {"sha256": sha256_of(p), "size": p.stat().st_size} for name, p in files.items()}
    return facts


def _write_receipt(entry: WeightsFile, place: Path, facts: Mapping[str, Any]) -> None:
    path = receipt_place(entry, place)
    content = {"weights": entry.name, "fetched": datetime.now(UTC).isoformat(timespec="seconds"), **facts}
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    os.replace(temporary, path)


def hub_address() -> str:
    """Address of the model hub: `HF_ENDPOINT` (a mirror), else the public one."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def _token() -> tuple[tuple[str, str], ...]:
    """The header that shows who asks: `HF_TOKEN`, or what `hf auth login` has stored; none without."""
    from huggingface_hub import get_token

    token = get_token()
    return (("Authorization", f"Bearer {token}"),) if token else ()


def hub_listing(entry: WeightsFile, *, pause_s: float = 1.0) -> Listing:
    """The files of a repository at the declared revision, as the hub announces them. Raises UserError."""
    url = f"{hub_address()}/api/models/{entry.repo}/revision/{entry.revision}?blobs=true"
    answer = _ask(url, entry, pause_s)
    try:
        commit, siblings = str(answer["sha"]), list(answer["siblings"])
        files = tuple(_hub_file(sibling) for sibling in siblings)
    except (KeyError, TypeError) as error:
        raise UserError(f"{url}: the answer is no list of files; is HF_ENDPOINT the address of a hub?") from error
    return Listing(entry.repo or "", commit, files)


def _hub_file(sibling: Mapping[str, Any]) -> HubFile:
    large = sibling.get("lfs") or {}
    return HubFile(str(sibling["rfilename"]), sibling.get("size"), large.get("sha256"), sibling.get("blobId"))


def _ask(url: str, entry: WeightsFile, pause_s: float) -> Mapping[str, Any]:
    """A JSON answer of the hub, asked for again while it is busy. Raises UserError."""
    import requests

    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause_s * 2 ** (attempt - 1))
        try:
            answer = requests.get(url, headers=dict(_token()), timeout=TIMEOUT_S)
        except requests.exceptions.RequestException as error:
            problem = connection_problem(url, error)
            if not isinstance(problem, TryAgain):
                raise problem from error
            reason = str(problem)
            continue
        if answer.status_code in BUSY:
            reason = f"the server answered {answer.status_code} {answer.reason}"
            continue
        return _read(answer, url, entry)
    raise UserError(f"{url} could not be asked: {reason}; try again later")


def _read(answer: Any, url: str, entry: WeightsFile) -> Mapping[str, Any]:
    page = f"{hub_address()}/{entry.repo}"
    if answer.status_code in {401, 403}:
        raise UserError(
            f"weights {entry.name}: the hub refuses {entry.repo} ({answer.status_code} {answer.reason}); accept its "
            f"terms at {page}, then set HF_TOKEN to a token of yours"
        )
    if answer.status_code == 404:
        raise UserError(
            f"weights {entry.name}: the hub has no {entry.repo} at revision {entry.revision} (404); see {page}, or get "
            "the files by other means and name their place with --weights NAME=PATH"
        )
    if answer.status_code != 200:
        raise UserError(f"{url}: the server answered {answer.status_code} {answer.reason}; see {page}")
    try:
        content = answer.json()
    except ValueError as error:
        kind = answer.headers.get("Content-Type", "no content type")
        raise UserError(
            f"{url}: the answer is {kind}, not JSON (a login or proxy page?); check the connection"
        ) from error
    if not isinstance(content, dict):
        raise UserError(f"{url}: the answer is no list of files; is HF_ENDPOINT the address of a hub?")
    return content


def download_size(name: str) -> int | None:
    """Bytes to download until the weights are here; 0 if they are, None where it is not known beforehand."""
    return 0 if missing(name) is None else declared(name).size
