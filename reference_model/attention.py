"""Softmax attention over heads, on one device or over several (see `reference_model.parallel`)."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.nn import functional as nnf


class Attend(Protocol):
    """Exact attention of queries [B, N, H, d] on keys and values [B, M, H, d]; gives [B, N, H * d]."""

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor: ...


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention on one device, scale 1 / sqrt(d), no mask; PyTorch picks the kernel (flash where there is one)."""
    out = nnf.scaled_dot_product_attention(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
    return out.transpose(1, 2).flatten(2)
