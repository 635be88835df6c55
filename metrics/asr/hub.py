"""Whisper weights on the Hugging Face hub: names of repositories, what is on this machine, and fetching."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from metrics.errors import MissingWeights

_WHISPER = ("tiny", "base", "small", "medium")
REPOSITORIES: dict[str, str] = {
    **{name: f"Systran/faster-whisper-{name}" for size in _WHISPER for name in (size, f"{size}.en")},
    **{name: f"Systran/faster-whisper-{name}" for name in ("large-v1", "large-v2", "large-v3")},
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
"""Size names and the repositories that faster-whisper takes them from."""

_PROBE_SECONDS = 3.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


def repository(name: str) -> str | None:
    """Repository of a size name or of an `owner/name`; None for anything else."""
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else REPOSITORIES.get(name)


def offline() -> bool:
    """Whether the user forbade downloads from the hub, by MOVA_EVAL_OFFLINE or HF_HUB_OFFLINE."""
    return suite_offline() or _truthy(os.environ.get("HF_HUB_OFFLINE"))


def suite_offline() -> bool:
    """Whether the user forbade the network altogether, by MOVA_EVAL_OFFLINE."""
    return _truthy(os.environ.get("MOVA_EVAL_OFFLINE"))


def _truthy(value: str | None) -> bool:
    return (value or "").strip().lower() in {"1", "true", "yes", "on"}


def reachable(url: str) -> bool:
    """Whether a server answers at this address within 3 s, whatever it answers; asked once per process."""
    return _reachable(url)


@lru_cache(maxsize=8)
def _reachable(url: str) -> bool:
    import requests

    try:
        requests.head(url, timeout=_PROBE_SECONDS, allow_redirects=False)
    except requests.RequestException:
        return False
    return True


def cached_folder(repo: str) -> Path | None:
    """Folder of the newest complete copy of a model in the hub's cache on this machine, None without one."""
    stored = _in_store(repo)
    if stored is not None:
        return stored
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repo, name) for name in ("model.bin", "config.json", "tokenizer.json")]
    return Path(found[0]).parent if all(isinstance(f, str) for f in found) and isinstance(found[0], str) else None


def _in_store(repo: str) -> Path | None:
    """Folder of a model that `mova-eval weights fetch` has brought, None without one."""
    from metrics.weights import TABLE, locate, missing

    known = next((entry.name for entry in TABLE.values() if entry.repo == repo and entry.is_folder), None)
    return None if known is None or missing(known) is not None else locate(known)


def _fetching(repo: str) -> str:
    """The command that gets a model."""
    from metrics.weights import TABLE

    known = next((entry.name for entry in TABLE.values() if entry.repo == repo), None)
    return f"mova-eval weights fetch {known}" if known else f"hf download {repo}"


def why_not_here(repo: str) -> str | None:
    """None if the model is on this machine or can be fetched when needed, else one sentence with what to do."""
    if cached_folder(repo) is not None:
        return None
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    if offline():
        why = "downloads are switched off (MOVA_EVAL_OFFLINE or HF_HUB_OFFLINE)"
    elif reachable(address):
        return None
    else:
        why = f"{address} does not answer"
    return (
        f"weights {repo} are not on this machine and {why}; fetch them where there is a network with: "
        f"{_fetching(repo)}, or name a local folder with asr=faster-whisper:FOLDER"
    )


def fetch(repo: str) -> Path:
    """Folder of the model, downloaded into the hub's cache if it is not there. Raises MissingWeights."""
    folder = cached_folder(repo)
    if folder is not None:
        return folder
    if offline():
        raise MissingWeights(why_not_here(repo) or repo)
    from faster_whisper.utils import download_model

    try:
        return Path(download_model(repo))
    except Exception as error:  # the hub raises many kinds; all mean that the weights did not come
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingWeights(f"weights {repo} could not be downloaded: {first}; try: hf download {repo}") from error


def digest(model_file: Path) -> str:
    """sha256 of a weights file, read off the name under which the hub's cache keeps large files where it can be."""
    real = model_file.resolve()
    if real.parent.name == "blobs" and _SHA256.fullmatch(real.name):
        return real.name
    from metrics.weights import sha256_of

    return sha256_of(real)
