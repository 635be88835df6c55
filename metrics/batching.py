"""Running networks in batches, and going on with smaller ones where the memory does not suffice.

Numbers must not depend on how clips were grouped, or a run that was interrupted would differ from one that was not.
With passes of one row (the default on a CPU) they do not, to the bit. Matrix products of one shape give each row the
same bits whatever the other rows are, products of another shape may not: so `Batches` can call a network with exactly
`size` rows, the last call filled up with copies. What is left then is the last bit of element-wise functions, which may
round by the place of a row (6e-7 of the value, seen with a Cnn14 of two rows).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_SAYINGS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "failed to allocate memory",
    "cublas_status_alloc_failed",
    "bad_alloc",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, torch, CUDA or onnxruntime means that memory did not suffice."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(saying in str(error).lower() for saying in _SAYINGS)


def release_memory() -> None:
    """Give cached memory of networks back, after an error; imports nothing that is not there already."""
    import gc

    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


class Batches:
    """Batches of at most `size` items; the size is halved, for good, when one does not fit into memory."""

    def __init__(self, size: int) -> None:
        """Raises ValueError for a size below 1."""
        if size < 1:
            raise ValueError(f"a batch of {size}")
        self.size = size

    def run(self, work: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T], *, fill: bool = False) -> list[R]:
        """The results of `work` for all items, in order.

        work: from a batch to as many results. fill: the last batch is filled up with copies of its last item, whose
        results are dropped, so that every call has the same shape. An error of memory halves the size and the batch is
        done again; with a single item it propagates, as every other error does.
        """
        results: list[R] = []
        while len(results) < len(items):
            batch = list(items[len(results) : len(results) + self.size])
            count = len(batch)
            if fill:
                batch += batch[-1:] * (self.size - count)
            try:
                found = work(batch)
            except Exception as error:
                if not is_out_of_memory(error) or self.size == 1:
                    raise
                self.size = max(1, min(self.size, len(batch)) // 2)
            else:
                results.extend(found[:count])
                continue
            release_memory()  # outside the handler, whose traceback keeps the batch's arrays alive
        return results
