"""The vectors of the public model: one evaluation, four guided steps, both VAEs, with deterministic weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from model_support import condition, contexts, inputs, nano_module, nano_network, statistics
from torch import Tensor

from reference_model import fill
from reference_model.audio_vae import AudioVae
from reference_model.denoise import Denoiser
from reference_model.guidance import Guidance
from reference_model.network import Expert
from reference_model.presets import NANO
from reference_model.schedule import Schedule
from reference_model.video_vae import VideoVae

ONE_EVALUATION: dict[tuple[Expert, bool], tuple[Any, Any]] = {
    ("video_dit", True): (
        (-0.01545795, 0.94719510, 3.867931, (1.1048477, -0.9878469, 0.3294812, 0.1467404, 0.5566128)),
        (0.03609511, 0.99851741, 3.210595, (-0.2753620, -1.1852523, -0.4756922, 0.4463413, -1.6930972)),
    ),
    ("video_dit_2", True): (
        (-0.09003867, 0.92335863, 3.548307, (1.8985348, -0.5850937, 1.3152581, 0.2239541, -0.5078053)),
        (0.02418480, 0.94773533, 3.180767, (0.3325566, -0.8477849, -0.3894422, 0.4943145, -1.8306105)),
    ),
    ("video_dit", False): (
        (-0.05783444, 0.96906005, 3.925093, (1.0279222, -0.1885418, 0.9142278, -0.2119734, 0.9856371)),
        (0.05432374, 0.97865421, 3.108081, (0.8902972, -0.6130320, -0.2387835, 0.6974751, -2.7433784)),
    ),
}
"""(expert, Bridge on) -> mean, deviation, largest magnitude, probes of video and sound."""

FOUR_STEPS: dict[tuple[float, float], tuple[int, Any, Any]] = {
    (5.0, 1.0): (
        8,
        (0.11949392, 1.25599304, (-2.6110420, -0.3115742, 0.3301714, -0.4210757, 0.6369232)),
        (-0.16273826, 1.37873075, (0.3715484, 0.5413186, -0.5538971, -1.2782930, 2.7825546)),
    ),
    (5.0, 3.5): (
        12,
        (0.12997344, 1.86477381, (0.1292324, -1.6060380, 3.0357587, 0.5471714, 2.6965516)),
        (-0.32326203, 1.64955990, (2.5975468, 2.0648985, 0.8344524, -0.8466536, 2.2854290)),
    ),
    (3.5, 3.5): (
        8,
        (0.12207611, 1.86044408, (0.1479628, -1.6314794, 2.9646473, 0.5440183, 2.6943698)),
        (-0.32801120, 1.65287949, (2.6241803, 2.0436683, 0.8794468, -0.8752487, 2.2993965)),
    ),
    (1.0, 1.0): (
        4,
        (0.09989759, 1.24827208, (-2.6541557, -0.3050430, 0.0537548, -0.4948130, 0.5829147)),
        (-0.16120733, 1.38292235, (0.4968383, 0.5316122, -0.5316889, -1.5294266, 2.8696985)),
    ),
}
"""(text, Bridge) -> evaluations, then mean, deviation and probes of the latents of video and sound."""


def assert_like(x: Tensor, mean: float, std: float, probes: tuple[float, ...], tolerance: float) -> None:
    found = statistics(x)
    assert found["mean"] == pytest.approx(mean, abs=tolerance)
    assert found["std"] == pytest.approx(std, abs=tolerance)
    assert found["probes"] == pytest.approx(list(probes), abs=tolerance)


def test_the_fill_is_the_documented_one() -> None:
    found = fill.uniform("video_dit/patch_embedding.weight", 4)
    assert found.tolist() == pytest.approx([-0.0599223743, -0.3398354163, -0.4043875276, -0.1294749191], abs=1e-10)
    first = inputs().video.flatten()[:4].tolist()
    assert first == pytest.approx([-1.264223576, -0.603945971, 1.561036825, 1.555252433], abs=1e-7)


@pytest.mark.parametrize(("expert", "bridge"), ONE_EVALUATION)
def test_one_evaluation(expert: Expert, bridge: bool) -> None:
    found = nano_network().predict(expert, *inputs(), condition(), contexts()[0], 900.0, 700.0, 24.0, bridge=bridge)
    for x, (mean, std, largest, probes) in zip(found, ONE_EVALUATION[expert, bridge], strict=True):
        assert_like(x, mean, std, probes, 2e-5)
        assert statistics(x)["max"] == pytest.approx(largest, abs=2e-5)


def denoiser(guidance: Guidance, steps: int = 4) -> Denoiser:
    network = nano_network()
    geometry = network.geometry((5, 4, 6), 36, 24.0, torch.device("cpu"))
    plan = Schedule(NANO.scheduler, steps, 5.0, 5.0)
    return Denoiser(network, plan, guidance, geometry, condition(), contexts(), 900.0)


@pytest.mark.parametrize(("text", "bridge"), FOUR_STEPS)
def test_four_guided_steps(text: float, bridge: float) -> None:
    loop = denoiser(Guidance(text, bridge))
    latents = loop.run(inputs())
    evaluations, *expected = FOUR_STEPS[text, bridge]
    assert loop.evaluations == evaluations
    for x, (mean, std, probes) in zip(latents, expected, strict=True):
        assert_like(x, mean, std, probes, 2e-4)


@pytest.mark.parametrize(("text", "bridge"), FOUR_STEPS)
def test_branches_one_by_one_give_what_they_give_together(
    text: float, bridge: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = denoiser(Guidance(text, bridge)).run(inputs())
    monkeypatch.setattr("reference_model.denoise.BATCHED_TOKENS", 0)
    alone = denoiser(Guidance(text, bridge)).run(inputs())
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=0)


@torch.inference_mode()
def test_audio_vae() -> None:
    vae: AudioVae = nano_module("audio_vae")
    wave = vae.decode(inputs().audio)
    assert wave.shape == (1, 1, 34560)
    probes = (0.0028521, -0.0423198, -0.0340486, -0.0262674, 0.0062131)
    assert_like(wave, -0.00559800, 0.04188213, probes, 2e-4)
    mean = vae.encode(0.1 * fill.values("input/waveform", (1, 1, 9600)))
    assert mean.shape == (1, 16, 10)
    assert_like(mean, 0.01364369, 0.08270076, (0.0687091, 0.0861977, -0.0548247, 0.1071072, -0.0507011), 2e-4)
    assert vae.encode(torch.zeros(1, 1, 9601)).shape == (1, 16, 11)


@torch.inference_mode()
def test_video_vae() -> None:
    network = nano_module("video_vae")
    clip = torch.zeros(1, 3, 17, 64, 96)
    clip[:, :, :1] = fill.values("input/image", (1, 3, 1, 64, 96)).clamp(-1, 1)
    raw = network.encode(clip).latent_dist.mode()
    assert_like(raw, -0.04471645, 0.20724309, (0.0045781, -0.1660869, -0.2081680, -0.1264047, 0.3994487), 2e-4)
    decoded = network.decode(inputs().video).sample
    assert decoded.shape == (1, 3, 17, 64, 96)
    assert_like(decoded, -0.13224397, 0.35233497, (0.2183654, 0.2613683, 0.0160327, 0.4521114, 0.0133107), 2e-4)
    ours = VideoVae(network)
    mean, std = (
        torch.tensor(v).view(1, -1, 1, 1, 1) for v in (NANO.video_vae.latents_mean, NANO.video_vae.latents_std)
    )
    torch.testing.assert_close(ours.encode(clip), (raw - mean) / std, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.decode((inputs().video - mean) / std), decoded, atol=2e-4, rtol=0)
