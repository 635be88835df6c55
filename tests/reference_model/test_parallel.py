"""Sequence parallelism: two processes with gloo give what one gives, whole sampler included."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from model_support import condition, contexts, inputs, nano_network

from reference_model import MovaSampler, UserError
from reference_model.parallel import SequenceParallel

CLIP: dict[str, Any] = {"steps": 2, "frames": 5, "height": 48, "width": 48, "seed": 3, "guidance_bridge": 3.5}
"""2 x 3 x 3 = 18 video tokens and 11 audio tokens: the runs of the second differ in length, its heads do not divide."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def work(rank: int, port: int, folder: str) -> None:
    """One of two processes: an evaluation and a sample, stored for the test to compare."""
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    network = nano_network()
    network.parallel = SequenceParallel()
    one = network.predict("video_dit", *inputs(), condition(), contexts()[0], 900.0, 700.0, 24.0)
    shared = MovaSampler.seeded(device="cpu", parallel=SequenceParallel())
    clip = shared.sample("a bell rings", **CLIP)
    torch.save({"one": one, "latents": tuple(clip.latents)}, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    import torch.multiprocessing as processes

    processes.spawn(work, args=(free_port(), str(tmp_path)), nprocs=2)  # type: ignore[no-untyped-call]
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    one = nano_network().predict("video_dit", *inputs(), condition(), contexts()[0], 900.0, 700.0, 24.0)
    clip = MovaSampler.seeded(device="cpu").sample("a bell rings", **CLIP)
    for result in found:
        for a, b in zip(result["one"], one, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
        for a, b in zip(result["latents"], clip.latents, strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=0)
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
