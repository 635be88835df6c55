"""Sequence parallelism: the tokens of one clip over several devices, through torch.distributed.

Each rank keeps a contiguous run of the tokens of both streams. Attention is Ulysses: two all-to-all exchanges turn
"some tokens of all heads" into "all tokens of some heads" and back. Runs may differ in length by one token and no
padding token exists, so the result is that of one device up to the order of float sums. Where the heads do not divide
by the ranks, empty heads fill up and are cut off again.

Every rank must be given the same noise, prompt and picture; every rank then holds the same clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as nnf

from reference_model.attention import Attend, attend
from reference_model.errors import UserError


class SequenceParallel:
    """The ranks that share a clip. group: a process group, None for all processes."""

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        if not dist.is_initialized():
            raise UserError("sequence parallelism needs torch.distributed: start the program with torchrun")
        self.group = group
        self.size = dist.get_world_size(group)
        self.rank = dist.get_rank(group)

    def runs(self, length: int) -> list[int]:
        """Tokens of each rank. Raises UserError where there are fewer tokens than ranks."""
        if length < self.size:
            raise UserError(f"{length} tokens cannot be shared by {self.size} devices: use fewer")
        return [length // self.size + (rank < length % self.size) for rank in range(self.size)]

    def mine(self, x: Tensor, dim: int) -> Tensor:
        """This rank's run of a whole tensor."""
        runs = self.runs(x.shape[dim])
        return x.narrow(dim, sum(runs[: self.rank]), runs[self.rank])

    def gather(self, x: Tensor, length: int) -> Tensor:
        """The whole stream [B, length, dim] from every rank's run [B, n, dim]."""
        runs = self.runs(length)
        padded = nnf.pad(x, (0, 0, 0, runs[0] - x.shape[1])).contiguous()
        parts = [torch.empty_like(padded) for _ in runs]
        dist.all_gather(parts, padded, group=self.group)
        return torch.cat([part[:, :n] for part, n in zip(parts, runs, strict=True)], dim=1)

    def attention(self, queries: int, keys: int) -> Attend:
        """Attention between two streams of that many tokens, of which every rank holds its run."""
        query_runs, key_runs = self.runs(queries), self.runs(keys)

        def distributed(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            heads = query.shape[2]
            q = self._tokens_together(query, query_runs)
            k, v = self._tokens_together(key, key_runs), self._tokens_together(value, key_runs)
            out = attend(q, k, v).unflatten(-1, (q.shape[2], -1))
            return self._heads_together(out, query_runs)[:, :, :heads].flatten(2)

        return distributed

    def _tokens_together(self, x: Tensor, runs: Sequence[int]) -> Tensor:
        """[B, n, H, d] of this rank's tokens -> [B, N, H / ranks, d] of all tokens."""
        x = nnf.pad(x, (0, 0, 0, -x.shape[2] % self.size))
        send = x.unflatten(2, (self.size, -1)).permute(2, 1, 0, 3, 4).flatten(0, 1).contiguous()
        received: Tensor = send.new_empty(sum(runs), *send.shape[1:])
        mine = [runs[self.rank]] * self.size
        dist.all_to_all_single(received, send, list(runs), mine, group=self.group)
        return received.transpose(0, 1)

    def _heads_together(self, x: Tensor, runs: Sequence[int]) -> Tensor:
        """[B, N, H / ranks, d] of all tokens -> [B, n, H, d] of this rank's tokens."""
        send = x.transpose(0, 1).contiguous()
        mine = runs[self.rank]
        received: Tensor = send.new_empty(self.size * mine, *send.shape[1:])
        dist.all_to_all_single(received, send, [mine] * self.size, list(runs), group=self.group)
        return received.view(self.size, mine, *send.shape[1:]).permute(2, 1, 0, 3, 4).flatten(2, 3)
