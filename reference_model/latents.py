"""Latents of a sample: drawing the noise, and the file that lets an interrupted sample go on at its step."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from reference_model.errors import UserError
from reference_model.shapes import ClipShape

FORMAT = "mova-latents-1"


class Latents(NamedTuple):
    """float32 latents of video [B, 16, T, h, w] and sound [B, C, length]."""

    video: Tensor
    audio: Tensor


def draw_noise(
    seeds: Sequence[int], shape: ClipShape, channels: tuple[int, int], device: torch.device | str = "cpu"
) -> Latents:
    """Unit noise for every seed: one generator each, video first, then sound.

    On the CPU (default) the numbers are the same for every machine. On a CUDA device they are the stream that
    upstream's script draws from.
    """
    video: list[Tensor] = []
    audio: list[Tensor] = []
    for seed in seeds:
        generator = torch.Generator(device).manual_seed(seed)
        sizes = ((1, channels[0], *shape.latent_size), (1, channels[1], shape.audio_latents))
        for size, into in zip(sizes, (video, audio), strict=True):
            into.append(torch.randn(size, generator=generator, device=device, dtype=torch.float32))
    return Latents(torch.cat(video), torch.cat(audio))


def check_noise(noise: Latents, batch: int, shape: ClipShape, channels: tuple[int, int]) -> Latents:
    """Noise that the caller brings, as float32. Raises UserError for other shapes."""
    wanted = ((batch, channels[0], *shape.latent_size), (batch, channels[1], shape.audio_latents))
    given = (tuple(noise[0].shape), tuple(noise[1].shape))
    if given != wanted:
        raise UserError(
            f"the noise given is {given[0]} and {given[1]}, and this clip needs {wanted[0]} and {wanted[1]}"
        )
    return Latents(noise[0].float(), noise[1].float())


class LatentStore:
    """The file in which a sample keeps its latents between steps.

    request: everything that decides the result, as JSON values. A file made by another request is refused, so that a
    clip is never half of one thing and half of another. The caller removes the file when the clip is safe.
    """

    def __init__(self, path: str | os.PathLike[str], request: Mapping[str, object]) -> None:
        self.path = Path(path)
        self.request: dict[str, object] = json.loads(json.dumps(request))

    def load(self) -> tuple[int, Latents] | None:
        """(steps done, latents on the CPU), or None where there is no file. Raises UserError."""
        from safetensors import SafetensorError, safe_open

        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                facts = file.metadata() or {}
                if facts.get("format") != FORMAT:
                    raise UserError(f"{self.path} is no file of kept latents: name another file")
                self._compare(json.loads(facts["request"]))
                return int(facts["step"]), Latents(file.get_tensor("video"), file.get_tensor("audio"))
        except (OSError, SafetensorError, KeyError, ValueError) as problem:
            raise UserError(f"{self.path} is damaged ({problem}): delete it, the sample starts afresh") from problem

    def save(self, step: int, latents: Latents) -> None:
        """Keep the latents after `step` steps; the file changes at once or not at all. Raises UserError."""
        from safetensors.torch import save_file

        facts = {"format": FORMAT, "step": str(step), "request": json.dumps(self.request)}
        tensors = {name: value.detach().cpu().contiguous() for name, value in latents._asdict().items()}
        part = self.path.with_name(self.path.name + ".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, part, facts)
            part.replace(self.path)
        except Exception as problem:  # safetensors reports a full disk as its own error type
            part.unlink(missing_ok=True)
            raise UserError(
                f"the latents cannot be kept in {self.path} ({problem}): make room or name another file"
            ) from problem

    def _compare(self, other: Mapping[str, object]) -> None:
        different = [key for key in {**self.request, **other} if self.request.get(key) != other.get(key)]
        if different:
            raise UserError(
                f"{self.path} holds latents of another sample (other {', '.join(sorted(different))}): "
                "delete it or name another file"
            )
