"""What every metric with a torch network does alike: weights by name or by path, precision, threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.batching import Batches
from metrics.errors import UserError
from metrics.metric import Metric

if TYPE_CHECKING:
    from torch import Tensor

GPU_ROWS = 8
"""How many times as many inputs a pass has on a GPU, where nobody says otherwise."""

PRECISIONS = ("float32", "bfloat16", "float16")


class NetworkMetric(Metric):
    """A metric with networks in torch.

    files: option that names a file or folder of one's own -> name of the weights that it stands for.
    Options of every such metric: precision, "float32" (default: no TensorFloat-32, deterministic kernels) or
    "bfloat16" / "float16" (automatic mixed precision: matrix products and convolutions in that type); batch, the
    number of network inputs per pass (on a GPU eight times the default), which changes no number beyond rounding.
    """

    files: ClassVar[Mapping[str, str]] = MappingProxyType({})
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    machine_options: ClassVar[frozenset[str]] = frozenset({"batch"})

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        precision, batch = self.options["precision"], self.options["batch"]
        if precision not in PRECISIONS:
            raise UserError(f"metric {self.name}: no precision '{precision}'; it knows {', '.join(PRECISIONS)}")
        if not isinstance(batch, int) or batch < 1:
            raise UserError(f"metric {self.name}: batch is {batch!r}, give a number from 1 on")
        given = "batch" in options or self.device == "cpu"
        self._passes = Batches(batch if given else batch * GPU_ROWS)

    def weights_used(self) -> tuple[str, ...]:
        own = {weights for option, weights in self.files.items() if self.options[option] is not None}
        return tuple(name for name in self.weights if name not in own)

    def identity(self) -> Mapping[str, str]:
        """The digests of weights of one's own."""
        from metrics.weights import declared, digest_of

        chosen = {option: name for option, name in self.files.items() if self.options[option] is not None}
        return {f"{option}_sha256": digest_of(declared(name), self.file(option)) for option, name in chosen.items()}

    def parameters(self) -> dict[str, Any]:
        return {name: value for name, value in super().parameters().items() if name not in self.files}

    def file(self, option: str) -> Path:
        """The file or folder an option names, else the verified one of the weights table.

        Raises UserError for a path where nothing is, MissingWeights.
        """
        from metrics.weights import verified

        given = self.options[option]
        if given is None:
            return verified(self.files[option])
        path = Path(given).expanduser()
        if not path.exists():
            raise UserError(f"metric {self.name}: option {option} names {path}, where nothing is; check the path")
        return path

    def in_passes(self, run: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """The results of a network for rows [n, ...], n > 0, as float32 on the CPU.

        Each pass has exactly `batch` rows, the last one filled up with copies, so that a row's result does not depend
        on its neighbours; a pass that does not fit into memory is halved. Call it inside `arithmetic`.
        """
        import torch

        def one_pass(part: Sequence[Tensor]) -> Sequence[Tensor]:
            return list(run(torch.stack(list(part)).to(self.device)).float().cpu())

        return torch.stack(self._passes.run(one_pass, list(rows), fill=True))

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """A block in which networks run: threads and precision as asked, nothing recorded for gradients."""
        import torch

        from metrics.networks.states import exact_arithmetic

        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        half = self.options["precision"] != "float32"
        kind = torch.device(self.device).type
        mixed = torch.autocast(kind, getattr(torch, self.options["precision"]) if half else torch.bfloat16, half)
        try:
            with torch.inference_mode(), exact_arithmetic(), mixed:
                yield
        finally:
            torch.set_num_threads(before)
