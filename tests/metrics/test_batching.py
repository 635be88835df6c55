"""Batches of clips: the numbers of one clip at a time, whatever goes wrong and however little memory there is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import Clip, ClipError, Measurement, Metric, Need, NotApplicable, Request, ScoreSpec, UserError
from metrics.batching import Batches, is_out_of_memory


class Length(Metric):
    """The number of samples; several clips in one pass."""

    name = "length"
    title = "Length"
    scores = (ScoreSpec("length", "Length", "target", "samples", (0, None), "test"),)
    needs = frozenset({Need.AUDIO})
    clips_per_batch = 4
    calls: ClassVar[list[int]] = []
    room: ClassVar[int] = 99
    """Clips that fit into memory."""
    breaks: ClassVar[bool] = False

    def compute(self, clip: Clip, request: Request) -> Measurement:
        if request.prompt == "none":
            raise NotApplicable("no_meaning", "nothing to measure")
        if request.prompt == "bad":
            raise ClipError("undecodable_audio", "cannot be decoded")
        if request.prompt in {"defect", "huge"}:
            raise MemoryError if request.prompt == "huge" else ZeroDivisionError("division by zero")
        return Measurement.scored(self.name, {"length": len(clip.audio().samples.ravel())})

    def compute_batch(self, clips: Sequence[Clip], requests: Sequence[Request]) -> Sequence[Measurement | Exception]:
        self.calls.append(len(clips))
        if len(clips) > self.room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        if self.breaks:
            raise ValueError("shapes do not match")
        return super().compute_batch(clips, requests)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Length, "calls", [])


def bare(measurements: Sequence[Measurement]) -> list[tuple[Any, ...]]:
    return [(m.status, m.code, dict(m.scores)) for m in measurements]


@pytest.fixture
def clips(tiny_clip: Path, silent_clip: Path, mute_clip: Path) -> list[Clip]:
    return [Clip(path) for path in (tiny_clip, mute_clip, silent_clip, tiny_clip, silent_clip, tiny_clip)]


PROMPTS = ("", "", "none", "bad", "defect", "")


def test_a_batch_gives_what_single_clips_give(clips: list[Clip]) -> None:
    items = [{"prompt": prompt} for prompt in PROMPTS]
    metric = Length()
    together = metric.measure_batch(clips, items)
    assert metric.calls == [3, 2]  # the clip without sound never gets so far
    assert bare(together) == bare([metric.measure(clip, item) for clip, item in zip(clips, items, strict=True)])
    assert [m.code for m in together] == [None, "no_audio_stream", "no_meaning", "undecodable_audio", "error", None]
    assert "ZeroDivisionError" in together[4].details["traceback"]


@pytest.mark.parametrize("room", [1, 2, 3])
def test_a_batch_that_does_not_fit_is_halved(room: int, clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Length, "room", room)
    metric = Length(batch_size=6)
    sounding = [clip for clip in clips if clip.facts.has_audio]
    found = metric.measure_batch(sounding, [None] * 5)
    assert all(m.status == "scored" for m in found)
    assert metric.batches.size <= room  # it is not tried again at the size that failed
    before = len(metric.calls)
    metric.measure_batch(sounding[:1] * 4, [None] * 4)
    assert max(metric.calls[before:]) <= room


def test_a_clip_too_large_for_the_memory_costs_one_row(clips: list[Clip]) -> None:
    found = Length().measure_batch(clips[2:], [{"prompt": p} for p in ("", "huge", "", "")])
    assert [m.code for m in found] == [None, "out_of_memory", None, None]


def test_an_error_of_the_whole_batch_is_looked_for_clip_by_clip(
    clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Length, "breaks", True)
    assert [m.status for m in Length().measure_batch(clips[2:], [None] * 4)] == ["scored"] * 4


def test_a_user_error_still_ends_the_run(clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise UserError("the service refused the key")

    monkeypatch.setattr(Length, "compute", refuse)
    with pytest.raises(UserError, match="refused the key"):
        Length().measure_batch(clips[2:], [None] * 4)


def test_batch_size_is_no_parameter() -> None:
    assert Length(batch_size=7).parameters() == Length().parameters()
    for wrong in (0, -1, "many", 1.5):
        with pytest.raises(UserError, match="batch_size"):
            Length(batch_size=wrong)  # type: ignore[arg-type]


@settings(max_examples=50)
@given(count=st.integers(0, 40), size=st.integers(1, 12), room=st.integers(1, 12), fill=st.booleans())
def test_every_item_has_its_result_whatever_the_room(count: int, size: int, room: int, fill: bool) -> None:
    seen = []

    def work(batch: Sequence[int]) -> list[int]:
        if len(batch) > room:
            raise MemoryError
        seen.append(len(batch))
        return [10 * item for item in batch]

    batches = Batches(size)
    assert batches.run(work, list(range(count)), fill=fill) == [10 * item for item in range(count)]
    if fill:
        assert set(seen) <= {batches.size}
    assert batches.size <= max(room, 1) or not count or size <= room or not fill


def test_filled_batches_make_rows_independent_of_their_company() -> None:
    """The same bits for each row of a network, however the rows were grouped by whom."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LayerNorm(8 * 14 * 14),
        torch.nn.Linear(8 * 14 * 14, 64), torch.nn.GELU(), torch.nn.Linear(64, 5),
    ).eval()  # fmt: skip
    rows = [torch.randn(3, 16, 16) for _ in range(11)]

    def work(batch: Sequence[Any]) -> list[Any]:
        with torch.no_grad():
            return [row.numpy() for row in network(torch.stack(list(batch)))]

    whole = Batches(4).run(work, rows, fill=True)
    for start, end in ((0, 11), (3, 11), (5, 6), (9, 11)):
        part = Batches(4).run(work, rows[start:end], fill=True)
        assert all(np.array_equal(a, b) for a, b in zip(part, whole[start:end], strict=True))


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_counts_as_a_lack_of_memory(error: Exception, is_one: bool) -> None:
    assert is_out_of_memory(error) is is_one


def test_torch_s_own_error_counts() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(Exception, match="memory") as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
