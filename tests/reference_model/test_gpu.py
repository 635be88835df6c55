"""On a CUDA device: the same noise and the same clip as elsewhere, and the same in every offload mode."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reference_model import MovaSampler

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]
CLIP: dict[str, Any] = {"steps": 4, "seed": 5, "guidance_bridge": 3.5}


@pytest.mark.parametrize("precision", ["float32", "bf16", "upstream"])
def test_offload_modes_are_identical(precision: Any) -> None:
    clips = [
        MovaSampler.seeded(device="cuda", precision=precision, offload=mode).sample("a bell rings", **CLIP)
        for mode in ("none", "component", "layer")
    ]
    for other in clips[1:]:
        assert torch.equal(other.latents.video, clips[0].latents.video)
        assert torch.equal(other.latents.audio, clips[0].latents.audio)
        assert (other.frames == clips[0].frames).all()


def test_float32_equals_the_cpu() -> None:
    here = MovaSampler.seeded(device="cuda", precision="float32").sample("a bell rings", **CLIP)
    there = MovaSampler.seeded(device="cpu").sample("a bell rings", **CLIP)
    torch.testing.assert_close(here.latents.video, there.latents.video, atol=5e-3, rtol=0)
    torch.testing.assert_close(here.latents.audio, there.latents.audio, atol=5e-3, rtol=0)
    assert here.facts["peak_memory_gb"] > 0


def test_upstreams_noise_stream() -> None:
    generator = torch.Generator("cuda").manual_seed(42)
    expected = torch.randn((1, 16, 5, 8, 12), generator=generator, device="cuda")
    torch.cuda.manual_seed(42)
    assert torch.equal(torch.randn((1, 16, 5, 8, 12), device="cuda"), expected)
    drawn = MovaSampler.seeded(device="cuda").sample("a bell rings", steps=1, noise_device="cuda")
    assert drawn.frames.std() > 1
