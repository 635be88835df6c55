"""The sampler: prompt, first frame and seed to a clip with sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference_model import precision as types
from reference_model.components import Components, seeded_components
from reference_model.denoise import Hooks, Progress
from reference_model.errors import UserError
from reference_model.latents import Latents
from reference_model.network import Network
from reference_model.precision import Precision
from reference_model.presets import Preset, get_preset
from reference_model.residency import Offload, Residency
from reference_model.sampling import Job, Sample, SampleOptions
from reference_model.text import DEFAULT_NEGATIVE_PROMPT, TextEncoder
from reference_model.video_vae import VideoVae

if TYPE_CHECKING:
    from PIL.Image import Image

    from reference_model.parallel import SequenceParallel

    Picture = str | os.PathLike[str] | Image | NDArray[np.uint8]


__all__ = ["MovaSampler", "Sample", "SampleOptions", "pick_device"]


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
        job = Job(self, list(prompts), list(images), list(seeds), options or SampleOptions(), Hooks(progress, cancel))
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
