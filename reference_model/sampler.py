"""The sampler: prompt, first frame and seed to a clip with sound."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference_model import first_frame, output
from reference_model import precision as types
from reference_model.components import Components, seeded_components
from reference_model.denoise import Denoiser, Hooks, Progress
from reference_model.errors import Cancelled, UserError
from reference_model.guidance import Guidance
from reference_model.latents import Latents, LatentStore, check_noise, draw_noise
from reference_model.loudness import normalise
from reference_model.network import Network
from reference_model.precision import Precision
from reference_model.presets import Preset, get_preset
from reference_model.residency import Offload, Residency
from reference_model.schedule import Schedule
from reference_model.shapes import ClipShape
from reference_model.text import DEFAULT_NEGATIVE_PROMPT, TextEncoder, check_prompt
from reference_model.video_vae import VideoVae

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from reference_model.parallel import SequenceParallel

    Picture = str | os.PathLike[str] | Image | NDArray[np.uint8]


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


class MovaSampler:
    """A loaded model. Use `from_pretrained` or `seeded`; one sampler makes any number of clips, one call at a time."""

    def __init__(
        self,
        components: Components,
        *,
        device: str | torch.device | None = None,
        precision: Precision = "auto",
        offload: Offload = "none",
        preset: Preset | None = None,
        parallel: SequenceParallel | None = None,
        remove_high_noise_expert: bool = False,
        tile_vae: bool = False,
        compile: bool = False,
    ) -> None:
        self.device = pick_device(device)
        self.precision = types.resolve(precision, self.device)
        self.components = components
        self.config = components.config
        self.preset = preset
        self.remove_high_noise_expert = remove_high_noise_expert
        modules: dict[str, Any] = dict(components.modules)
        self.text = TextEncoder(components.tokenizer, modules["text_encoder"])
        self.video_vae = VideoVae(modules["video_vae"], exact_output=self.precision != "upstream")
        if tile_vae:
            self.video_vae.tile()
        self.audio_vae = modules["audio_vae"]
        self.network = Network(
            {"video_dit": modules["video_dit"], "video_dit_2": modules["video_dit_2"]},
            modules["audio_dit"],
            modules["dual_tower_bridge"],
            parallel,
        )
        if compile:
            self.network.compile()
        self.residency = Residency(components.modules, self.device, offload)
        self.network.before_layer = self.residency.before_layer

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        *,
        device: str | torch.device | None = None,
        precision: Precision = "auto",
        offload: Offload = "none",
        revision: str | None = None,
        loading: Callable[[str, int, int], None] | None = None,
        **settings: Any,
    ) -> MovaSampler:
        """Load a checkpoint: a folder, the name of a preset ("360p", "720p") or of a repository on the model hub.

        The folder's layout is that of the released checkpoints; loading is strict. loading: called with the name of a
        component, bytes read and bytes in all. settings: as for the constructor.

        Raises MissingCheckpoint, UnsupportedCheckpoint (both UserError) in one sentence.
        """
        from reference_model.loading import find_checkpoint, load_components, preset_of

        folder = find_checkpoint(source, revision)
        where = pick_device(device)
        resolved = types.resolve(precision, where)
        home = where if offload == "none" else torch.device("cpu")
        components = load_components(folder, types.dtypes(resolved, where), home, loading)
        settings.setdefault("preset", preset_of(source, folder))
        return cls(components, device=where, precision=resolved, offload=offload, **settings)

    @classmethod
    def seeded(
        cls,
        preset: str = "nano",
        *,
        device: str | torch.device | None = None,
        precision: Precision = "auto",
        **settings: Any,
    ) -> MovaSampler:
        """A model with deterministic made-up weights: it runs the whole path, and its clips are noise."""
        known = get_preset(preset)
        if known.hub is not None:
            raise UserError(f"{preset} has real weights and is too large to make up: load it, or use nano")
        where = pick_device(device)
        resolved = types.resolve(precision, where)
        components = seeded_components(known.config, types.dtypes(resolved, where), f"seeded {preset}")
        if settings.get("offload", "none") == "none":
            for module in components.modules.values():
                module.to(where)
        return cls(components, device=where, precision=resolved, preset=known, **settings)

    @property
    def name(self) -> str:
        """The model's name for reports."""
        return self.preset.title if self.preset is not None else "MOVA"

    @property
    def seeded_weights(self) -> bool:
        """Whether the weights are made up, so that clips are noise."""
        return self.components.seeded

    def sample(
        self,
        prompt: str,
        image: Picture | None = None,
        *,
        seed: int = 42,
        steps: int | None = None,
        guidance_text: float = 5.0,
        guidance_bridge: float = 1.0,
        negative_prompt: str = DEFAULT_NEGATIVE_PROMPT,
        frames: int | None = None,
        height: int | None = None,
        width: int | None = None,
        fps: float | None = None,
        video_shift: float | None = None,
        audio_shift: float | None = None,
        noise: tuple[Tensor, Tensor] | None = None,
        noise_device: str = "cpu",
        last_image: Picture | None = None,
        loudness_lufs: float | None = None,
        keep_tail: bool = False,
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Sample:
        """One clip. image: the first frame, None for text only (a white frame). Other options: `SampleOptions`.

        noise: latents to start from instead of drawn ones. progress: told after every step. cancel: asked between
        steps; True raises Cancelled. checkpoint: a file in which the latents are kept after every step, and from which
        the same call goes on after an interruption; remove it when the clip is safe.

        Raises UserError for what the caller can mend, NotFinite for NaN in the latents, Cancelled.
        """
        options = SampleOptions(
            steps, guidance_text, guidance_bridge, negative_prompt, frames, height, width, fps, video_shift,
            audio_shift, noise_device, loudness_lufs, keep_tail,
        )  # fmt: skip
        found = self.sample_batch(
            [prompt], [image], [seed], options, last_images=[last_image], noise=noise, progress=progress,
            cancel=cancel, checkpoint=checkpoint,
        )  # fmt: skip
        return found[0]

    def sample_batch(
        self,
        prompts: Sequence[str],
        images: Sequence[Picture | None],
        seeds: Sequence[int],
        options: SampleOptions | None = None,
        *,
        last_images: Sequence[Picture | None] | None = None,
        noise: tuple[Tensor, Tensor] | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancel: Callable[[], bool] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> list[Sample]:
        """Several clips of one size at once; each is what it would be alone, up to the order of float sums."""
        job = _Job(self, list(prompts), list(images), list(seeds), options or SampleOptions(), Hooks(progress, cancel))
        job.last_images = list(last_images) if last_images is not None else [None] * len(prompts)
        job.noise = Latents(*noise) if noise is not None else None
        job.checkpoint = checkpoint
        return job.run()

    def forget_high_noise_expert(self) -> None:
        """Give back the memory of the expert that no further step needs; the sampler makes no other clip after this."""
        self.residency.drop("video_dit")
        self.network.experts.pop("video_dit", None)
        self.components.modules.pop("video_dit", None)


def pick_device(device: str | torch.device | None) -> torch.device:
    """A device by name; by default a GPU where there is one. Raises UserError for a GPU that is not there."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    found = torch.device(device)
    if found.type == "cuda" and not torch.cuda.is_available():
        raise UserError("there is no CUDA device here: use device cpu, or a machine with a GPU")
    return found


@dataclass
class _Job:
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
