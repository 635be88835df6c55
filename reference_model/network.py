"""One evaluation of the network: both towers, layer by layer, with the Bridge before each layer.

Rows of a batch may be clips, or branches of guidance for the same clips: branches share latents, timesteps and tables,
and differ in prompt and in whether they cross the Bridge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from reference_model import rotary
from reference_model.attention import Attend, attend
from reference_model.bridge import Aligned, Bridge
from reference_model.parallel import SequenceParallel
from reference_model.towers import AudioTower, TextKeys, TimeSignal, Tower, VideoTower

Expert = Literal["video_dit", "video_dit_2"]
LayerHook = Callable[[Expert, int], None]
"""Called before a layer's weights are used: where they may be fetched to the device."""


@dataclass(frozen=True)
class Geometry:
    """Everything that follows from the shape of a clip: grid, rotary tables, and how attention is shared."""

    grid: tuple[int, int, int]
    audio_length: int
    video_rotary: Tensor
    audio_rotary: Tensor
    aligned: Aligned
    parallel: SequenceParallel | None = None
    video_attention: Attend = attend
    audio_attention: Attend = attend
    to_video: Attend = attend
    to_audio: Attend = attend

    @property
    def video_tokens(self) -> int:
        return self.grid[0] * self.grid[1] * self.grid[2]


class Prompt:
    """The contexts of the rows, [rows, tokens, text_dim], with what each block makes of them, computed once."""

    def __init__(self, context: Tensor) -> None:
        self.context = context
        self._embedded: dict[str, Tensor] = {}
        self._keys: dict[tuple[str, int], TextKeys] = {}

    def keys(self, name: str, tower: Tower, layer: int) -> TextKeys:
        """Keys and values for a block of the tower called `name`."""
        found = self._keys.get((name, layer))
        if found is None:
            if name not in self._embedded:
                self._embedded[name] = tower.embed_text(self.context)
            found = self._keys[name, layer] = tower.blocks[layer].text_keys(self._embedded[name])  # type: ignore[operator]
        return found

    def forget(self, name: str) -> None:
        """Drop what a tower made that will not be used again."""
        self._embedded.pop(name, None)
        for key in [key for key in self._keys if key[0] == name]:
            del self._keys[key]


class Network:
    """The four transformers. `experts` holds the video towers by folder name; one may be gone after the switch."""

    def __init__(
        self,
        experts: dict[Expert, VideoTower],
        audio: AudioTower,
        bridge: Bridge,
        parallel: SequenceParallel | None = None,
    ) -> None:
        self.experts = experts
        self.audio = audio
        self.bridge = bridge
        self.parallel = parallel
        self.before_layer: LayerHook | None = None

    def geometry(self, grid: tuple[int, int, int], audio_length: int, fps: float, device: torch.device) -> Geometry:
        """Tables for a grid of (latent frames, patch rows, patch columns) and a number of audio latents."""
        tower = next(iter(self.experts.values())).config
        config, dtype = self.bridge.config, self.audio.dtype
        video = rotary.video_table(grid, tower.head_dim, device)
        audio = rotary.audio_table(audio_length, self.audio.config.head_dim, device)
        aligned = Aligned(None, None)
        if config.apply_cross_rope:
            frames = rotary.video_positions(grid[0], fps, config.audio_fps, config.apply_first_frame_bias_in_rope)
            tokens = frames.repeat_interleave(grid[1] * grid[2])
            aligned = Aligned(
                rotary.aligned_table(tokens, config.head_dim, dtype, device),
                rotary.aligned_table(torch.arange(audio_length), config.head_dim, dtype, device),
            )
        shared = self.parallel
        if shared is None:
            return Geometry(grid, audio_length, video, audio, aligned)
        n = len(video)
        return Geometry(
            grid, audio_length, shared.mine(video, 0), shared.mine(audio, 0),
            Aligned(*(None if table is None else shared.mine(table, 0) for table in aligned)),
            shared, shared.attention(n, n), shared.attention(audio_length, audio_length),
            shared.attention(n, audio_length), shared.attention(audio_length, n),
        )  # fmt: skip

    def evaluate(
        self,
        expert: Expert,
        video: Tensor,
        audio: Tensor,
        condition: Tensor,
        prompt: Prompt,
        time: tuple[TimeSignal, TimeSignal],
        geometry: Geometry,
        bridged: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Velocities of video [R, 16, T, h, w] and sound [R, C, length], in the model's type.

        video [B, 16, T, h, w], audio [B, C, length] and condition [B, 20, T, h, w] are those of the clips; the prompt
        has R rows, a multiple of B, branch after branch. time: of the video and the audio tower. bridged: how many
        leading rows cross the Bridge (default all).
        """
        tower = self.experts[expert]
        rows = len(prompt.context)
        x = tower.patch(torch.cat([video, condition], dim=1))
        y = self.audio.patch(audio)
        if geometry.parallel is not None:
            x, y = geometry.parallel.mine(x, 1), geometry.parallel.mine(y, 1)
        repeats = rows // len(video)
        if repeats > 1:
            x, y = x.repeat(repeats, 1, 1), y.repeat(repeats, 1, 1)
        x, y = self._layers(expert, x, y, prompt, time, geometry, rows if bridged is None else bridged)
        if geometry.parallel is not None:
            x = geometry.parallel.gather(x, geometry.video_tokens)
            y = geometry.parallel.gather(y, geometry.audio_length)
        return (
            tower.unpatch(tower.head(x, time[0].embedding), geometry.grid),
            self.audio.unpatch(self.audio.head(y, time[1].embedding)),
        )

    def _layers(
        self,
        expert: Expert,
        x: Tensor,
        y: Tensor,
        prompt: Prompt,
        time: tuple[TimeSignal, TimeSignal],
        geometry: Geometry,
        bridged: int,
    ) -> tuple[Tensor, Tensor]:
        tower = self.experts[expert]
        exchanging = frozenset(self.bridge.config.layers) if bridged else frozenset[int]()
        for layer, block in enumerate(tower.blocks):
            if self.before_layer is not None:
                self.before_layer(expert, layer)
            if layer in exchanging:
                x, y = self._cross(layer, x, y, geometry, bridged)
            keys = prompt.keys(expert, tower, layer)
            x = block(x, keys, time[0].modulation, geometry.video_rotary, geometry.video_attention)
            if layer < len(self.audio.blocks):
                keys = prompt.keys("audio_dit", self.audio, layer)
                y = self.audio.blocks[layer](
                    y, keys, time[1].modulation, geometry.audio_rotary, geometry.audio_attention
                )
        return x, y

    def _cross(self, layer: int, x: Tensor, y: Tensor, geometry: Geometry, bridged: int) -> tuple[Tensor, Tensor]:
        to_video, to_audio = self.bridge.exchange(
            layer, x[:bridged], y[:bridged], geometry.aligned, geometry.to_video, geometry.to_audio
        )
        if bridged == len(x):
            return x + to_video, y + to_audio
        return torch.cat([x[:bridged] + to_video, x[bridged:]]), torch.cat([y[:bridged] + to_audio, y[bridged:]])

    @torch.inference_mode()
    def predict(
        self,
        expert: Expert,
        video: Tensor,
        audio: Tensor,
        condition: Tensor,
        context: Tensor,
        video_timestep: float,
        audio_timestep: float,
        fps: float,
        *,
        bridge: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """One evaluation from scratch: `evaluate` with everything it needs built here. Timesteps on 0..1000.

        In float32 on the nano configuration it differs from the public modules by at most 2e-6.
        """
        grid = (video.shape[2], video.shape[3] // 2, video.shape[4] // 2)
        device = video.device
        geometry = self.geometry(grid, audio.shape[-1], fps, device)
        signals = (
            self.experts[expert].embed_time(torch.tensor([video_timestep], device=device)),
            self.audio.embed_time(torch.tensor([audio_timestep], device=device)),
        )
        rows = None if bridge else 0
        return self.evaluate(expert, video, audio, condition, Prompt(context), signals, geometry, rows)

    def compile(self) -> None:
        """Let torch.compile fuse the work of every block and every direction of the Bridge (compiled at first use)."""
        for tower in (*self.experts.values(), self.audio):
            for block in tower.blocks:
                block.compile()
        for side in (self.bridge.audio_to_video_conditioners, self.bridge.video_to_audio_conditioners):
            for conditioner in side.values():
                conditioner.compile()
