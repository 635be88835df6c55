"""Sequence parallelism: two processes with gloo give what one gives, whole steps of dual guidance included."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from model_support import condition, contexts, inputs, nano_network

from reference_model import UserError, fill
from reference_model.denoise import Denoiser
from reference_model.guidance import Guidance
from reference_model.latents import Latents
from reference_model.parallel import SequenceParallel
from reference_model.presets import NANO
from reference_model.schedule import Schedule

GRID = (3, 3, 3)
LENGTH = 11
"""27 video tokens and 11 audio tokens: the runs differ in length, and three audio heads do not divide by two."""


def two_guided_steps(parallel: SequenceParallel | None) -> Latents:
    """With all three branches of dual guidance, from noise."""
    network = nano_network()
    network.parallel = parallel
    video = fill.values("odd/video", (1, 16, 3, 6, 6))
    cond = fill.values("odd/condition", (1, 20, 3, 6, 6))
    geometry = network.geometry(GRID, LENGTH, 24.0, torch.device("cpu"))
    plan = Schedule(NANO.scheduler, 2, 5.0, 5.0)
    loop = Denoiser(network, plan, Guidance(5.0, 3.5), geometry, cond, contexts(), 900.0)
    return loop.run(Latents(video, fill.values("odd/audio", (1, 16, LENGTH))))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def work(rank: int, port: int, folder: str) -> None:
    """One of two processes: an evaluation and two steps, stored for the test to compare."""
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    network = nano_network()
    network.parallel = SequenceParallel()
    one = network.predict("video_dit", *inputs(), condition(), contexts()[0], 900.0, 700.0, 24.0)
    latents = two_guided_steps(SequenceParallel())
    torch.save({"one": one, "latents": tuple(latents)}, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    import torch.multiprocessing as processes

    processes.spawn(work, args=(free_port(), str(tmp_path)), nprocs=2)  # type: ignore[no-untyped-call]
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    one = nano_network().predict("video_dit", *inputs(), condition(), contexts()[0], 900.0, 700.0, 24.0)
    alone = two_guided_steps(None)
    for result in found:
        for a, b in zip(result["one"], one, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
        for a, b in zip(result["latents"], alone, strict=True):
            torch.testing.assert_close(a, b, atol=2e-5, rtol=0)
    for a, b in zip(found[0]["latents"], found[1]["latents"], strict=True):
        assert torch.equal(a, b), "every rank holds the same clip"


def test_without_a_process_group_it_says_what_to_do() -> None:
    with pytest.raises(UserError, match="torchrun"):
        SequenceParallel()


class Ranks(SequenceParallel):
    """The arithmetic of runs, without processes."""

    def __init__(self, size: int, rank: int = 0) -> None:
        self.size, self.rank = size, rank


@pytest.mark.parametrize(("length", "size"), [(36, 2), (403, 8), (176_400, 16), (5, 5), (7, 3)])
def test_runs_cover_every_token_once(length: int, size: int) -> None:
    runs = Ranks(size).runs(length)
    assert sum(runs) == length
    assert max(runs) - min(runs) <= 1
    whole = torch.arange(length)[None, :, None]
    assert torch.equal(torch.cat([Ranks(size, rank).mine(whole, 1) for rank in range(size)], dim=1), whole)


def test_more_devices_than_tokens() -> None:
    with pytest.raises(UserError, match="4 tokens cannot be shared by 8"):
        Ranks(8).runs(4)
