"""One call of the sampler, stage by stage: what it is given, what it does, and the clip that comes out."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference_model import first_frame, output
from reference_model.denoise import Denoiser, Hooks
from reference_model.errors import Cancelled, UserError
from reference_model.guidance import Guidance
from reference_model.latents import Latents, LatentStore, check_noise, draw_noise
from reference_model.loudness import normalise
from reference_model.schedule import Schedule
from reference_model.shapes import ClipShape
from reference_model.text import DEFAULT_NEGATIVE_PROMPT, check_prompt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reference_model.sampler import MovaSampler


@dataclass(frozen=True)
class SampleOptions:
    """How to sample. None stands for the model's own value.

    steps: Euler steps. guidance_text, guidance_bridge: see `reference_model.guidance`; 1 switches either off.
    frames (4 k + 1), height, width (multiples of 16), fps: of the clip; the default size follows the orientation of the
    first frame. video_shift, audio_shift: dual sigma shift. noise_device: "cpu" draws the same noise on every machine,
    "cuda" upstream's stream. loudness_lufs: target of loudness normalisation, None for none (-23 is the broadcast
    convention; what MOVA was trained with is not published). keep_tail: keep the few milliseconds of sound that the
    audio VAE decodes beyond the last picture.
    """

    steps: int | None = None
    guidance_text: float = 5.0
    guidance_bridge: float = 1.0
    negative_prompt: str = DEFAULT_NEGATIVE_PROMPT
    frames: int | None = None
    height: int | None = None
    width: int | None = None
    fps: float | None = None
    video_shift: float | None = None
    audio_shift: float | None = None
    noise_device: str = "cpu"
    loudness_lufs: float | None = None
    keep_tail: bool = False


@dataclass(frozen=True)
class Sample:
    """A clip.

    frames: uint8 RGB [F, H, W, 3]. audio: float32 [n] in -1..1, mono, exactly as long as the pictures unless the tail
    was kept. latents: of this clip alone, float32 on the CPU. facts: what a manifest should record (JSON values).
    """

    frames: NDArray[np.uint8]
    audio: NDArray[np.float32]
    fps: float
    sample_rate: int
    latents: Latents
    facts: dict[str, Any]

    def save(self, path: str | os.PathLike[str], *, wav: str | os.PathLike[str] | bool = False) -> Path:
        """Write the clip as MP4 (H.264, AAC); with `wav` the sound as float WAV too (True: beside the clip).

        Files appear complete or not at all. Raises UserError when one cannot be written.
        """
        target = Path(path)
        if wav:
            beside = target.with_suffix(".wav") if wav is True else Path(wav)
            output.write_wav(beside, self.audio, self.sample_rate)
        output.write_clip(target, self.frames, self.fps, self.audio, self.sample_rate)
        return target


@dataclass
class Job:
    """One call of the sampler."""

    sampler: MovaSampler
    prompts: list[str]
    images: list[Any]
    seeds: list[int]
    options: SampleOptions
    hooks: Hooks
    last_images: list[Any] = field(default_factory=list)
    noise: Latents | None = None
    checkpoint: str | os.PathLike[str] | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def run(self) -> list[Sample]:
        """All stages. Everything the caller can get wrong is checked before any work."""
        s, device = self.sampler, self.sampler.device
        pictures, lasts = self._check()
        shape, schedule, guidance = self._settings(pictures)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        channels = (s.config.video_dit.out_dim, s.config.audio_dit.out_dim)
        if self.noise is not None:
            start = check_noise(self.noise, len(self.prompts), shape, channels)
        else:
            start = draw_noise(self.seeds, shape, channels, self.options.noise_device)
        condition = self._condition(pictures, lasts, shape)
        contexts = self._contexts(guidance)
        store = self._store(shape, start, condition, schedule)
        latents = self._denoise(start, condition, contexts, schedule, guidance, shape, store)
        return self._decode(latents, shape)

    def _check(self) -> tuple[list[Any], list[Any]]:
        if not len(self.prompts) == len(self.images) == len(self.seeds) == len(self.last_images) > 0:
            raise UserError("give one picture (or None) and one seed for every prompt")
        if "video_dit" not in self.sampler.network.experts:
            raise UserError("the high-noise expert was given back after the first clip: load the model again")
        for prompt in self.prompts:
            check_prompt(prompt)
        read = [
            [None if p is None else first_frame.read_picture(p) for p in row] for row in (self.images, self.last_images)
        ]
        if any(p is None for p in read[1]) != all(p is None for p in read[1]):
            raise UserError("give a last frame for every clip of the batch, or for none")
        return read[0], read[1]

    def _settings(self, pictures: Sequence[Any]) -> tuple[ClipShape, Schedule, Guidance]:
        s, o, preset = self.sampler, self.options, self.sampler.preset
        height, width = o.height, o.width
        if height is None or width is None:
            if preset is None or height is not width:
                raise UserError("give both height and width: this model has no size of its own")
            tall = pictures[0] is not None and pictures[0].height > pictures[0].width
            height, width = preset.portrait if tall else preset.landscape
        vae, schedule = s.config.audio_vae, s.config.scheduler
        frames = o.frames if o.frames is not None else (preset.frames if preset else 193)
        fps = o.fps if o.fps is not None else (preset.fps if preset else 24.0)
        shape = ClipShape(frames, height, width, float(fps), vae.sample_rate, vae.hop)
        if any(p is not None for p in self.last_images):
            first_frame.check_last(shape)
        steps = o.steps if o.steps is not None else (preset.steps if preset else 50)
        shifts = [schedule.shift if x is None else x for x in (o.video_shift, o.audio_shift)]
        try:
            plan = Schedule(schedule, steps, *shifts)
        except ValueError as problem:
            raise UserError(f"no schedule: {problem}") from problem
        guidance = Guidance(o.guidance_text, o.guidance_bridge)
        self.facts = {
            "model": s.name, "weights": s.components.origin, "seeded_weights": s.seeded_weights,
            **{key: value for key, value in asdict(o).items() if key != "negative_prompt"},
            "steps": steps, "frames": frames, "height": height, "width": width, "fps": float(fps),
            "video_shift": shifts[0], "audio_shift": shifts[1],
            "negative_prompt_sha256": hashlib.sha256(o.negative_prompt.encode()).hexdigest(),
            "precision": s.precision, "offload": s.residency.offload, "device": str(s.device),
            "high_noise_steps": plan.high_noise_steps(_boundary(s)),
            "evaluations_per_step": len(guidance.branches),
        }  # fmt: skip
        return shape, plan, guidance

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        if self.hooks.stopping:
            raise Cancelled(0)
        self.hooks.tell(name, 0, 1, 0.0)
        yield
        self.seconds[name] = time.perf_counter() - start
        self.hooks.tell(name, 1, 1, self.seconds[name])

    def _condition(self, pictures: Sequence[Any], lasts: Sequence[Any], shape: ClipShape) -> Tensor:
        s, size = self.sampler, (shape.height, shape.width)
        with self._stage("picture"), torch.inference_mode():
            first = torch.cat([first_frame.white(*size) if p is None else first_frame.fit(p, *size) for p in pictures])
            last = None if lasts[0] is None else torch.cat([first_frame.fit(p, *size) for p in lasts])
            s.residency.bring("video_vae")
            clip = first_frame.conditioning_clip(first, shape.frames, last)
            coded = torch.cat([s.video_vae.encode(one[None].to(s.device)) for one in clip])
            return first_frame.condition(coded, last=last is not None)

    def _contexts(self, guidance: Guidance) -> tuple[Tensor, Tensor | None]:
        s = self.sampler
        with self._stage("text"):
            s.residency.bring("text_encoder")
            found = s.text.encode(self.prompts, s.device)
            self.facts["prompt_tokens"], self.facts["prompt_tokens_cut"] = list(found.tokens), list(found.cut)
            if len(guidance.branches) == 1:
                return found.values, None
            negative = s.text.encode([self.options.negative_prompt], s.device).values
            return found.values, negative.expand(len(self.prompts), -1, -1)

    def _store(self, shape: ClipShape, start: Latents, condition: Tensor, schedule: Schedule) -> LatentStore | None:
        if self.checkpoint is None:
            return None
        keep = ("steps", "guidance_text", "guidance_bridge", "video_shift", "audio_shift", "negative_prompt_sha256")
        return LatentStore(
            self.checkpoint,
            {
                "model": self.facts["weights"],
                "precision": self.facts["precision"],
                "size": [shape.frames, shape.height, shape.width, shape.fps],
                "prompts": self.prompts,
                "noise": _digest(*start),
                "first frame": [_digest_picture(p) for p in (*self.images, *self.last_images)],
                **{key: self.facts[key] for key in keep},
            },
        )

    def _denoise(
        self,
        start: Latents,
        condition: Tensor,
        contexts: tuple[Tensor, Tensor | None],
        schedule: Schedule,
        guidance: Guidance,
        shape: ClipShape,
        store: LatentStore | None,
    ) -> Latents:
        s = self.sampler

        def before_expert(expert: Any, step: int) -> None:
            if expert == "video_dit_2" and s.remove_high_noise_expert:
                s.forget_high_noise_expert()
            s.residency.bring_expert(expert)

        s.residency.bring_expert("video_dit")
        loop = Denoiser(
            s.network, schedule, guidance, s.network.geometry(shape.grid, shape.audio_latents, shape.fps, s.device),
            condition, contexts, _boundary(s), self.hooks, store, before_expert,
        )  # fmt: skip
        begin = time.perf_counter()
        latents = loop.run(Latents(*(part.to(s.device) for part in start)))
        self.seconds["denoise"] = time.perf_counter() - begin
        self.facts["evaluations"] = loop.evaluations
        return latents

    def _decode(self, latents: Latents, shape: ClipShape) -> list[Sample]:
        s, rate = self.sampler, shape.sample_rate
        with self._stage("sound"), torch.inference_mode():
            s.residency.bring("audio_vae")
            waves = s.audio_vae.decode(latents.audio)[:, 0].float().cpu().numpy()
        with self._stage("video"), torch.inference_mode():
            s.residency.bring("video_vae")
            films = [output.to_uint8(s.video_vae.decode(one[None])[0]) for one in latents.video]
        s.residency.bring()
        self.facts["seconds"] = self.seconds
        if s.device.type == "cuda":
            self.facts["peak_memory_gb"] = torch.cuda.max_memory_allocated(s.device) / 1e9
        return [self._finish(i, films[i], waves[i], latents, shape, rate) for i in range(len(films))]

    def _finish(
        self,
        index: int,
        film: NDArray[np.uint8],
        wave: NDArray[np.float32],
        latents: Latents,
        shape: ClipShape,
        rate: int,
    ) -> Sample:
        audio = wave if self.options.keep_tail else wave[: shape.samples]
        facts = {**self.facts, "seed": self.seeds[index]}
        for key in ("prompt_tokens", "prompt_tokens_cut"):
            facts[key] = self.facts[key][index]
        if self.options.loudness_lufs is not None:
            audio, change = normalise(audio, rate, self.options.loudness_lufs)
            facts["loudness"] = asdict(change)
        own = Latents(*(part[index : index + 1].cpu() for part in latents))
        return Sample(film, audio, shape.fps, rate, own, facts)


def _boundary(sampler: MovaSampler) -> float:
    return sampler.config.boundary_ratio * sampler.config.scheduler.num_train_timesteps


def _digest(*tensors: Tensor) -> str:
    total = hashlib.sha256()
    for tensor in tensors:
        total.update(tensor.cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _digest_picture(picture: Any) -> str | None:
    if picture is None:
        return None
    image = first_frame.read_picture(picture)
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
