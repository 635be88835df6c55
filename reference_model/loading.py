"""Loading a checkpoint of the released folder layout: strict, streamed, checked before anything large is touched."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reference_model.components import COMPONENTS, TIED, Components, skeleton
from reference_model.configs import ModelConfig, read_json, read_model_config
from reference_model.errors import MissingCheckpoint, UnsupportedCheckpoint
from reference_model.presets import PRESETS, Preset
from reference_model.safetensors_file import Entry, Reader, read_header

CHECKPOINTS_VARIABLE = "MOVA_CHECKPOINTS"
"""A folder that holds checkpoints under their own names: MOVA-360p, MOVA-720p."""
_STEMS = ("diffusion_pytorch_model", "model")
LoadingProgress = Callable[[str, int, int], None]
"""Called with the name of a component, bytes of the checkpoint read so far, and bytes in all."""


def preset_of(source: str | os.PathLike[str], folder: Path) -> Preset | None:
    """The preset that a checkpoint's name speaks of."""
    if str(source) in PRESETS:
        return PRESETS[str(source)]
    for preset in PRESETS.values():
        repository = (preset.hub or "").rsplit("/", 1)[-1]
        if repository and (str(source) == preset.hub or repository in folder.parts):
            return preset
    return None


def local_checkpoint(source: str | os.PathLike[str], revision: str | None = None) -> Path | None:
    """The folder of a checkpoint on this machine, without a socket: a path, or the name of a preset or repository that
    lies in the folder of MOVA_CHECKPOINTS or in the cache of the model hub. None where there is none."""
    path = Path(source)
    if path.is_dir():
        return path
    repository = _repository(source)
    if repository is None:
        return None
    if root := os.environ.get(CHECKPOINTS_VARIABLE):
        local = Path(root) / repository.rsplit("/", 1)[-1]
        if local.is_dir():
            return local
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError):
        return None


def find_checkpoint(source: str | os.PathLike[str], revision: str | None = None) -> Path:
    """As `local_checkpoint`; what is not on this machine is downloaded (never with HF_HUB_OFFLINE=1).

    Raises MissingCheckpoint for what is neither here nor to be had, and for the nano preset, which has no checkpoint.
    """
    found = local_checkpoint(source, revision)
    if found is not None:
        return found
    preset = PRESETS.get(str(source))
    if preset is not None and preset.hub is None:
        raise MissingCheckpoint(f"{source} has no checkpoint: use MovaSampler.seeded, or name a folder")
    repository = _repository(source)
    if repository is None:
        raise MissingCheckpoint(f"{source} is neither a folder nor the name of a model: give one of them")
    return _download(repository, revision)


def _repository(source: str | os.PathLike[str]) -> str | None:
    """The name on the hub that a source stands for."""
    name = str(source)
    if name in PRESETS:
        return PRESETS[name].hub
    parts = name.split("/")
    return name if len(parts) == 2 and all(parts) and not name.startswith((".", "~")) else None


def _download(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    size = next((f" ({p.disk_gb:.0f} GB)" for p in PRESETS.values() if p.hub == repository), "")
    try:
        return Path(snapshot_download(repository, revision=revision))
    except Exception as problem:  # offline, unknown, refused: each has its own type there
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")
        raise MissingCheckpoint(
            f"{repository}{size} is not on this machine and cannot be downloaded ({reason}): "
            f"put it in a folder and name that, or set {CHECKPOINTS_VARIABLE} to the folder that holds it"
        ) from problem


def weight_files(folder: Path) -> dict[str, Entry]:
    """The tensors of a component: one file, or shards with an index. Reads headers alone.

    Raises MissingCheckpoint for a missing or shortened file, UnsupportedCheckpoint for an index that does not fit.
    """
    for stem in _STEMS:
        index = folder / f"{stem}.safetensors.index.json"
        if index.is_file():
            return _sharded(folder, index)
        if (folder / f"{stem}.safetensors").is_file():
            return read_header(folder / f"{stem}.safetensors")
    raise MissingCheckpoint(f"{folder} holds no weights (*.safetensors): complete the download of the checkpoint")


def _sharded(folder: Path, index: Path) -> dict[str, Entry]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise UnsupportedCheckpoint(f"{index} names no shards: get it again")
    shards = sorted(set(places.values()))
    absent = [name for name in shards if not (folder / name).is_file()]
    if absent:
        raise MissingCheckpoint(f"{folder} lacks {', '.join(absent)}: complete the download of the checkpoint")
    headers = {name: read_header(folder / name) for name in shards}
    lost = [key for key, shard in places.items() if key not in headers[shard]]
    if lost:
        raise UnsupportedCheckpoint(f"{index} places {_listed(lost)} in shards that lack them: get the files again")
    return {key: headers[shard][key] for key, shard in places.items()}


@dataclass(frozen=True)
class _Plan:
    """What to read for a component. folded: weight name -> the two tensors (g, v) that it is made of."""

    module: nn.Module
    entries: Mapping[str, Entry]
    folded: Mapping[str, tuple[Entry, Entry]]

    @property
    def nbytes(self) -> int:
        pairs = [entry for pair in self.folded.values() for entry in pair]
        return sum(entry.nbytes for entry in (*self.entries.values(), *pairs))


def plan_component(folder: Path, component: str, config: ModelConfig) -> _Plan:
    """Check the files of a component against what the configuration asks for. Nothing large is read."""
    module = skeleton(component, config)
    found = {k: e for k, e in weight_files(folder / component).items() if not k.startswith("_")}
    wanted: dict[str, Tensor] = dict(module.state_dict())
    for tied in TIED.get(component, ()):
        wanted.pop(tied, None)
        found.pop(tied, None)
    folded = {}
    for key in [key for key in found if key.endswith(".weight_v")]:
        base = key.removesuffix("_v")
        if base in wanted and f"{base}_g" in found:
            folded[base] = (found.pop(f"{base}_g"), found.pop(key))
    here = {**{k: e.shape for k, e in found.items()}, **{k: pair[1].shape for k, pair in folded.items()}}
    where = folder / component
    for names, what in (
        ([k for k in wanted if k not in here], "lacks"),
        ([k for k in here if k not in wanted], "has unexpected tensors:"),
    ):
        if names:
            raise UnsupportedCheckpoint(f"{where} {what} {_listed(names)}: these are not the files of this model")
    wrong = [f"{k} {list(here[k])} instead of {list(wanted[k].shape)}" for k in wanted if here[k] != wanted[k].shape]
    if wrong:
        raise UnsupportedCheckpoint(
            f"{where} has tensors of other shapes: {_listed(wrong, 2)}: config and files disagree"
        )
    return _Plan(module, found, folded)


def _listed(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def check_checkpoint(folder: Path) -> int:
    """Whether a checkpoint can be loaded, by its configurations and the headers of its files; gives the bytes of its
    tensors. Takes seconds and little memory. Raises MissingCheckpoint, UnsupportedCheckpoint."""
    config = read_model_config(folder)
    if not (folder / "tokenizer").is_dir():
        raise MissingCheckpoint(f"{folder / 'tokenizer'} is missing: complete the download of the checkpoint")
    return sum(plan_component(folder, component, config).nbytes for component in COMPONENTS)


def load_components(
    folder: Path,
    dtypes: Mapping[str, torch.dtype],
    device: torch.device,
    progress: LoadingProgress | None = None,
) -> Components:
    """Load all components onto a device, each tensor read once, into the place where it stays.

    All files are checked before the first weight is read. Raises MissingCheckpoint, UnsupportedCheckpoint.
    """
    config = read_model_config(folder)
    tokenizer = _tokenizer(folder / "tokenizer")
    plans = {component: plan_component(folder, component, config) for component in COMPONENTS}
    total, done = sum(plan.nbytes for plan in plans.values()), 0
    modules = {}
    for component, plan in plans.items():
        if progress is not None:
            progress(component, done, total)
        modules[component] = _load(plan, component, dtypes[component], device)
        done += plan.nbytes
    if progress is not None:
        progress(COMPONENTS[-1], done, total)
    return Components(config, modules, tokenizer, str(folder.resolve()))


def _load(plan: _Plan, component: str, dtype: torch.dtype, device: torch.device) -> nn.Module:
    """Fill a skeleton in the order in which the tensors lie in their files."""
    module = plan.module
    jobs: list[tuple[Path, int, str]] = [(e.file, e.start, name) for name, e in plan.entries.items()]
    jobs += [(v.file, v.start, name) for name, (_, v) in plan.folded.items()]
    with Reader() as reader:
        for _, _, name in sorted(jobs):
            owner_name, _, leaf = name.rpartition(".")
            owner = module.get_submodule(owner_name)
            shape = getattr(owner, leaf).shape
            target = torch.empty(shape, dtype=dtype, device=device)
            if name in plan.folded:
                g, v = (reader.tensor(entry) for entry in plan.folded[name])
                target.copy_(fold_weight_norm(g, v))
            else:
                reader.into(plan.entries[name], target)
            setattr(owner, leaf, nn.Parameter(target, requires_grad=False))
    if component == "text_encoder":
        module.set_input_embeddings(module.shared)  # type: ignore[operator]
    left = [name for name, t in (*module.named_parameters(), *module.named_buffers()) if t.is_meta]
    if left:
        raise UnsupportedCheckpoint(f"{component} has tensors that no file fills: {_listed(left)}")
    return module


def fold_weight_norm(g: Tensor, v: Tensor) -> Tensor:
    """g v / ||v||, the norm over all axes but the first: float32."""
    v = v.float()
    norm: Tensor = v.flatten(1).norm(dim=1).view(-1, *[1] * (v.dim() - 1))
    return v.mul(g.float().view_as(norm) / norm)


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    if not folder.is_dir():
        raise MissingCheckpoint(f"{folder} is missing: complete the download of the checkpoint")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as problem:  # the library raises many types for a damaged folder
        raise UnsupportedCheckpoint(f"{folder} holds no usable tokenizer ({problem}): get it again") from problem
