"""The bidirectional Bridge: cross-attention between the towers, on positions that share one time axis."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from reference_model.attention import Attend, attend
from reference_model.configs import BridgeConfig
from reference_model.rotary import rotate_halves
from reference_model.towers import Projections


class Aligned(NamedTuple):
    """Rotary tables of both streams in units of audio latents; None where the model does not rotate."""

    video: Tensor | None
    audio: Tensor | None


class Conditioner(nn.Module):
    """One direction: what `query` hears of `source`. Only the source is normalised."""

    def __init__(self, dim: int, source_dim: int, head_dim: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.y_norm = nn.LayerNorm(source_dim, eps=eps)
        self.inner = Projections(dim, source_dim, dim // head_dim, eps)

    def forward(
        self,
        query: Tensor,
        source: Tensor,
        query_table: Tensor | None,
        source_table: Tensor | None,
        attention: Attend = attend,
    ) -> Tensor:
        """query [B, N, dim], source [B, M, source_dim] -> what is added to query, [B, N, dim]."""
        source = self.y_norm(source)
        q, k = self.inner.queries(query), self.inner.keys(source)
        if query_table is not None:
            q = rotate_halves(q, query_table)
        if source_table is not None:
            k = rotate_halves(k, source_table)
        return self.inner.o(attention(q, k, self.inner.values(source)))  # type: ignore[no-any-return]


class Bridge(nn.Module):
    """Both directions for every layer that exchanges; they read the states from before either update."""

    def __init__(self, config: BridgeConfig) -> None:
        super().__init__()
        self.config = config
        video, audio, head = config.visual_hidden_dim, config.audio_hidden_dim, config.head_dim
        self.audio_to_video_conditioners = nn.ModuleDict(
            {str(i): Conditioner(video, audio, head) for i in config.layers}
        )
        self.video_to_audio_conditioners = nn.ModuleDict(
            {str(i): Conditioner(audio, video, head) for i in config.layers}
        )

    def exchange(
        self,
        layer: int,
        video: Tensor,
        audio: Tensor,
        aligned: Aligned,
        to_video: Attend = attend,
        to_audio: Attend = attend,
    ) -> tuple[Tensor, Tensor]:
        """What layer `layer` adds to the streams video [B, N, dim] and audio [B, M, dim]."""
        name = str(layer)
        a2v, v2a = self.audio_to_video_conditioners[name], self.video_to_audio_conditioners[name]
        return (
            a2v(video, audio, aligned.video, aligned.audio, to_video),
            v2a(audio, video, aligned.audio, aligned.video, to_audio),
        )
