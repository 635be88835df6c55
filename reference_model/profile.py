"""What a clip costs: parameters, multiply-adds, seconds and memory, per component.

`predict` counts on the meta device: it needs neither weights nor a GPU, and says nothing of seconds. `measure` times
one step and the stages around the loop with a loaded sampler, and predicts whole clips from them.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from reference_model.components import COMPONENTS, skeleton, tensor_shapes
from reference_model.configs import ModelConfig
from reference_model.denoise import Progress
from reference_model.guidance import Guidance
from reference_model.network import Expert, Network
from reference_model.precision import Precision, dtypes
from reference_model.presets import Preset
from reference_model.sampler import MovaSampler
from reference_model.schedule import Schedule
from reference_model.shapes import ClipShape
from reference_model.text import MAX_TOKENS
from reference_model.towers import TextKeys, Tower, VideoTower

LOOP = ("video_dit", "video_dit_2", "audio_dit", "dual_tower_bridge")
MEASURED_STEPS = 3
"""Of these the second is timed: the first warms up, the last may belong to the other expert."""


@dataclass(frozen=True)
class ComponentCost:
    """One component. step_macs: multiply-adds of one guided step in which it works, None outside of the loop.
    clip_macs: of a whole clip. step_seconds, clip_seconds: None where nothing was measured. steps: those in which it
    works."""

    name: str
    parameters: int
    weight_bytes: int
    steps: int
    step_macs: int | None
    clip_macs: int
    step_seconds: float | None = None
    clip_seconds: float | None = None


@dataclass(frozen=True)
class Profile:
    """The cost of a clip. step_seconds: of one guided step, measured. other_seconds: part of it outside of the
    components (Euler step, guidance, patches, heads). peak_bytes: highest memory, of the GPU or else of the process."""

    model: str
    device: str | None
    precision: str
    offload: str
    shape: ClipShape
    steps: int
    evaluations_per_step: int
    rows: tuple[ComponentCost, ...]
    step_seconds: float | None = None
    other_seconds: float | None = None
    peak_bytes: int | None = None

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def weight_bytes(self) -> int:
        return sum(row.weight_bytes for row in self.rows)

    @property
    def clip_macs(self) -> int:
        return sum(row.clip_macs for row in self.rows)

    @property
    def clip_seconds(self) -> float | None:
        """Of a whole clip: the measured step times the steps, and the stages around the loop."""
        if self.step_seconds is None:
            return None
        around = sum(row.clip_seconds or 0.0 for row in self.rows if row.name not in LOOP)
        return self.step_seconds * self.steps + around

    def share(self, row: ComponentCost) -> float:
        """A component's part of a clip, 0..1: of the seconds where measured, else of the multiply-adds."""
        total = self.clip_seconds
        if total is not None:
            return (row.clip_seconds or 0.0) / total
        return row.clip_macs / self.clip_macs

    def device_hours(self, clips: int) -> float | None:
        """Hours of one device for so many clips, without loading the model."""
        return None if self.clip_seconds is None else clips * self.clip_seconds / 3600


def predict(
    preset: Preset,
    *,
    steps: int | None = None,
    guidance: Guidance | None = None,
    shape: ClipShape | None = None,
    precision: Precision = "bf16",
) -> Profile:
    """The cost of a clip of a preset in parameters, bytes and multiply-adds, from shapes alone."""
    config = preset.config
    vae = config.audio_vae
    clip = shape or ClipShape(preset.frames, *preset.landscape, preset.fps, vae.sample_rate, vae.hop)
    guide, count = guidance or Guidance(), steps or preset.steps
    schedule = Schedule(config.scheduler, count, config.scheduler.shift, config.scheduler.shift)
    high = schedule.high_noise_steps(config.boundary_ratio * config.scheduler.num_train_timesteps)
    works = {"video_dit": high, "video_dit_2": count - high, "audio_dit": count, "dual_tower_bridge": count}
    modules = {name: skeleton(name, config) for name in COMPONENTS}
    per_step, once = _count(modules, config, clip, guide)
    types = dtypes(precision, torch.device("cuda" if precision != "float32" else "cpu"))
    rows = []
    for name in COMPONENTS:
        size = sum(torch.Size(shape).numel() for shape in tensor_shapes(name, modules[name]).values())
        each, turns = per_step.get(name), works.get(name, 0)
        total = once.get(name, 0) + (each or 0) * turns
        rows.append(ComponentCost(name, size, size * types[name].itemsize, turns, each, total))
    return Profile(preset.title, None, precision, "none", clip, count, len(guide.branches), tuple(rows))


def measure(
    sampler: MovaSampler,
    preset: Preset,
    *,
    steps: int | None = None,
    guidance: Guidance | None = None,
    shape: ClipShape | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Profile:
    """As `predict`, with seconds: a clip of three steps is made, of which one is timed component by component."""
    guide = guidance or Guidance()
    expected = predict(preset, steps=steps, guidance=guide, shape=shape, precision=sampler.precision)
    clip = expected.shape
    arrivals: list[float] = []

    def note(at: Progress) -> None:
        if at.stage == "denoise":
            watch.on = at.done == 1
            arrivals.append(at.seconds)
        if progress is not None:
            progress(at)

    with _Watch.on_blocks(sampler) as watch:
        made = sampler.sample(
            "a bell rings", frames=clip.frames, height=clip.height, width=clip.width, fps=clip.fps,
            steps=MEASURED_STEPS, guidance_text=guide.text, guidance_bridge=guide.bridge, progress=note,
        )  # fmt: skip
        spent = watch.seconds()
    step, around = arrivals[2] - arrivals[1], made.facts["seconds"]
    stages = {
        "text_encoder": around["text"],
        "video_vae": around["picture"] + around["video"],
        "audio_vae": around["sound"],
    }
    rows = []
    for row in expected.rows:
        each = spent["video_dit" if row.name == "video_dit_2" else row.name] if row.name in LOOP else None
        total = stages[row.name] if each is None else each * row.steps
        rows.append(replace(row, step_seconds=each, clip_seconds=total))
    return replace(
        expected,
        device=_device_name(sampler.device),
        offload=sampler.residency.offload,
        rows=tuple(rows),
        step_seconds=step,
        other_seconds=max(0.0, step - sum(spent.values())),
        peak_bytes=_peak(sampler.device, made.facts.get("peak_memory_gb")),
    )


class _Watch:
    """Seconds of the blocks and conditioners by component, while it is on."""

    def __init__(self, device: torch.device) -> None:
        self.on = False
        self._cuda = device.type == "cuda"
        self._open: dict[int, Any] = {}
        self._spans: list[tuple[str, Any, Any]] = []

    @classmethod
    @contextmanager
    def on_blocks(cls, sampler: MovaSampler) -> Iterator[_Watch]:
        watch, handles = cls(sampler.device), []
        for name, parts in _timed_parts(sampler.network).items():
            for part in parts:
                handles += [part.register_forward_pre_hook(watch._begin), part.register_forward_hook(watch._end(name))]
        try:
            yield watch
        finally:
            for handle in handles:
                handle.remove()

    def _now(self) -> Any:
        if not self._cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _begin(self, module: nn.Module, _inputs: object) -> None:
        if self.on:
            self._open[id(module)] = self._now()

    def _end(self, name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, _inputs: object, _output: object) -> None:
            begun = self._open.pop(id(module), None)
            if begun is not None:
                self._spans.append((name, begun, self._now()))

        return hook

    def seconds(self) -> dict[str, float]:
        """By component; the video experts count as "video_dit"."""
        if self._cuda:
            torch.cuda.synchronize()
        found: dict[str, float] = defaultdict(float, {"video_dit": 0.0, "audio_dit": 0.0, "dual_tower_bridge": 0.0})
        for name, begin, end in self._spans:
            found[name] += begin.elapsed_time(end) / 1000 if self._cuda else end - begin
        return found


def _timed_parts(network: Network) -> dict[str, list[nn.Module]]:
    sides = (network.bridge.audio_to_video_conditioners, network.bridge.video_to_audio_conditioners)
    return {
        "video_dit": [block for tower in network.experts.values() for block in tower.blocks],
        "audio_dit": list(network.audio.blocks),
        "dual_tower_bridge": [part for side in sides for part in side.values()],
    }


def _count(
    modules: Mapping[str, Any], config: ModelConfig, clip: ClipShape, guide: Guidance
) -> tuple[dict[str, int], dict[str, int]]:
    """Multiply-adds of one guided step, and of what happens once per clip, by component."""
    rows = len(guide.branches)
    bridged = sum(branch.bridged for branch in guide.branches)
    expert: Expert = "video_dit"
    network = Network({expert: modules[expert]}, modules["audio_dit"], modules["dual_tower_bridge"])
    meta = torch.device("meta")
    with torch.device(meta):
        x = torch.empty(rows, clip.video_tokens, config.video_dit.dim)
        y = torch.empty(rows, clip.audio_latents, config.audio_dit.dim)
        video = _tower_step(modules["video_dit"], x)
        audio = _tower_step(modules["audio_dit"], y)
        bridge, layers = network.bridge, network.bridge.config.layers
        tables = network.geometry(clip.grid, clip.audio_latents, clip.fps, meta).aligned
        cross = _macs(lambda: bridge.exchange(layers[0], x[:bridged], y[:bridged], tables)) if layers else 0
        keys = {name: _keys_once(modules[name], rows) for name in ("video_dit", "video_dit_2", "audio_dit")}
        once = {**keys, **_around(modules, config, clip, rows)}
    steps = {"video_dit": video, "video_dit_2": video, "audio_dit": audio, "dual_tower_bridge": cross * len(layers)}
    return steps, once


def _tower_step(tower: Tower, tokens: torch.Tensor) -> int:
    config = tower.config
    rows, count, width = tokens.shape
    block: Any = tower.blocks[0]
    keys = TextKeys(*(torch.empty(rows, MAX_TOKENS, config.num_heads, config.head_dim) for _ in range(2)))
    table = torch.empty(count, 1, config.head_dim // 2, 2)
    one = _macs(lambda: block(tokens, keys, torch.empty(1, 6, width), table))
    head = _macs(lambda: tower.head(tokens, torch.empty(1, width)))
    patch = tokens.shape[1] * tower.patch_embedding.weight.numel() if isinstance(tower, VideoTower) else 0
    return one * config.num_layers + head + patch


def _keys_once(tower: Tower, rows: int) -> int:
    block: Any = tower.blocks[0]
    context = torch.empty(rows, MAX_TOKENS, tower.config.text_dim)
    embedded = _macs(lambda: tower.embed_text(context))
    keys = _macs(lambda: block.text_keys(torch.empty(rows, MAX_TOKENS, tower.config.dim)))
    return embedded + keys * tower.config.num_layers


def _around(modules: Mapping[str, Any], config: ModelConfig, clip: ClipShape, rows: int) -> dict[str, int]:
    prompts = min(rows, 2)
    ids = torch.zeros(prompts, MAX_TOKENS, dtype=torch.long)
    film = torch.empty(1, 3, clip.frames, clip.height, clip.width)
    latents = torch.empty(1, config.video_vae.z_dim, *clip.latent_size)
    sound = torch.empty(1, config.audio_vae.latent_dim, clip.audio_latents)
    vae = modules["video_vae"]
    return {
        "text_encoder": _macs(lambda: modules["text_encoder"](ids)),
        "video_vae": _macs(lambda: vae.encode(film)) + _macs(lambda: vae.decode(latents)),
        "audio_vae": _macs(lambda: modules["audio_vae"].decode(sound)),
    }


def _macs(work: Callable[[], object]) -> int:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops()) // 2


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def _peak(device: torch.device, gpu_gb: float | None) -> int | None:
    if device.type == "cuda":
        return None if gpu_gb is None else int(gpu_gb * 1e9)
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
