"""The sampling loop: guided evaluations, Euler steps, the switch of experts, and what happens between steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from reference_model.errors import Cancelled, NotFinite
from reference_model.guidance import Branch, Guidance
from reference_model.latents import Latents, LatentStore
from reference_model.network import Expert, Geometry, Network, Prompt
from reference_model.schedule import Schedule
from reference_model.towers import TimeSignal

BATCHED_TOKENS = 16_384
"""Branches are evaluated in one batch up to this many video tokens in all: beyond, a batch only costs memory."""


@dataclass(frozen=True)
class Progress:
    """Where a sample is. stage: "text", "picture", "denoise", "sound" or "video". done, total: steps of the stage.

    seconds: since the stage began. remaining: estimated seconds to its end, None before the first step is done.
    """

    stage: str
    done: int
    total: int
    seconds: float
    remaining: float | None


@dataclass
class Hooks:
    """What the caller is told and asked between steps."""

    progress: Callable[[Progress], None] | None = None
    cancel: Callable[[], bool] | None = None

    def tell(self, stage: str, done: int, total: int, seconds: float, first: int = 0) -> None:
        """first: the step at which this run took up the stage."""
        if self.progress is not None:
            left = None if done <= first else seconds / (done - first) * (total - done)
            self.progress(Progress(stage, done, total, seconds, left))

    @property
    def stopping(self) -> bool:
        return self.cancel is not None and self.cancel()


@dataclass
class Denoiser:
    """Turns noise into latents.

    contexts: of the prompt and of the negative prompt, [B, rows, width] each (the latter may be missing where guidance
    needs none). before_expert: called when an expert takes over, so that its weights can be where they are needed.
    """

    network: Network
    schedule: Schedule
    guidance: Guidance
    geometry: Geometry
    condition: Tensor
    contexts: tuple[Tensor, Tensor | None]
    boundary: float
    hooks: Hooks = field(default_factory=Hooks)
    store: LatentStore | None = None
    before_expert: Callable[[Expert, int], None] | None = None
    evaluations: int = 0
    _groups: list[tuple[tuple[Branch, ...], Prompt]] = field(default_factory=list)
    _expert: Expert | None = None
    _signals: tuple[TimeSignal, TimeSignal] | None = None

    @torch.inference_mode()
    def run(self, latents: Latents) -> Latents:
        """All steps from the noise, or from where the store left off. Raises Cancelled, NotFinite, UserError."""
        kept = self.store.load() if self.store is not None else None
        first, total = 0, len(self.schedule)
        if kept is not None:
            first, latents = kept[0], Latents(*(part.to(latents.video.device) for part in kept[1]))
        self.start(len(latents.video))
        start = time.perf_counter()
        self.hooks.tell("denoise", first, total, 0.0, first)
        for step in range(first, total):
            if self.hooks.stopping:
                raise Cancelled(step)
            latents = self.step(step, latents)
            for part in latents:
                if not bool(torch.isfinite(part).all()):
                    raise NotFinite(
                        f"the latents are not finite after step {step + 1} of {total}: lower the guidance, or use "
                        "precision float32",
                        step,
                    )
            if self.store is not None:
                self.store.save(step + 1, latents)
            self.hooks.tell("denoise", step + 1, total, time.perf_counter() - start, first)
        return latents

    def start(self, batch: int) -> None:
        """Prepare for steps of a batch of clips; `run` does it by itself."""
        self._groups = self._grouped(batch)

    def step(self, step: int, latents: Latents) -> Latents:
        """One Euler step of both modalities, each from its own noise level to the next."""
        expert = self.expert_at(step)
        velocities = self._velocities(expert, step, latents)
        moved = []
        for index, (x, width) in enumerate(zip(latents, self.schedule.widths(step), strict=True)):
            guided = self.guidance.combine({branch: pair[index] for branch, pair in velocities.items()})
            moved.append(x + guided * width.to(x.device))
        return Latents(*moved)

    def expert_at(self, step: int) -> Expert:
        """The expert of a step; the first call for each lets the caller bring its weights."""
        expert: Expert = "video_dit" if step < self.schedule.high_noise_steps(self.boundary) else "video_dit_2"
        if expert != self._expert:
            if self._expert is not None:
                for _, prompt in self._groups:
                    prompt.forget(self._expert)
            if self.before_expert is not None:
                self.before_expert(expert, step)
            self._expert = expert
            device = self.condition.device
            times = self.schedule.timesteps.to(device)
            self._signals = (
                self.network.experts[expert].embed_time(times[:, 0]),
                self.network.audio.embed_time(times[:, 1]),
            )
        return expert

    def _grouped(self, batch: int) -> list[tuple[tuple[Branch, ...], Prompt]]:
        """The branches of a step, together where the batch is small, else one by one, with their contexts."""
        branches = self.guidance.branches
        together = self.geometry.video_tokens * batch * len(branches) <= BATCHED_TOKENS
        groups = [branches] if together else [(branch,) for branch in branches]
        return [(group, Prompt(torch.cat([self._context(branch) for branch in group]))) for group in groups]

    def _context(self, branch: Branch) -> Tensor:
        found = self.contexts[0 if branch is Branch.FULL else 1]
        if found is None:
            raise ValueError("this guidance needs a context of the negative prompt")
        return found

    def _velocities(self, expert: Expert, step: int, latents: Latents) -> Mapping[Branch, tuple[Tensor, Tensor]]:
        assert self._signals is not None
        now = slice(step, step + 1)
        time_pair = tuple(TimeSignal(s.embedding[now], s.modulation[now]) for s in self._signals)
        batch = len(latents.video)
        found: dict[Branch, tuple[Tensor, Tensor]] = {}
        for group, prompt in self._groups:
            bridged = batch * sum(branch.bridged for branch in group)
            video, audio = self.network.evaluate(
                expert, *latents, self.condition, prompt, (time_pair[0], time_pair[1]), self.geometry, bridged
            )
            self.evaluations += len(group)
            parts = zip(group, video.split(batch), audio.split(batch), strict=True)
            found.update({branch: (v, a) for branch, v, a in parts})
        return found
