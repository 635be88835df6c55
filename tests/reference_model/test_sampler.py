"""The sampler: seeds, resuming, cancelling, offloading, and what it says to bad input."""

from __future__ import annotations

import mmap
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model_support import nano_module

from reference_model import Cancelled, MovaSampler, NotFinite, Progress, Sample, SampleOptions, UserError
from reference_model.components import skeleton
from reference_model.latents import Latents, draw_noise
from reference_model.presets import NANO
from reference_model.residency import move_into_pages
from reference_model.shapes import ClipShape

SMALL: dict[str, Any] = {"steps": 3, "frames": 5, "height": 32, "width": 48}
"""The smallest clip with more than one latent frame."""


@cache
def sampler() -> MovaSampler:
    return MovaSampler.seeded(device="cpu")


def small(seed: int = 1, prompt: str = "a bell rings", **changes: Any) -> Sample:
    return sampler().sample(prompt, seed=seed, **{**SMALL, **changes})


def same(a: Sample, b: Sample) -> bool:
    return torch.equal(a.latents.video, b.latents.video) and torch.equal(a.latents.audio, b.latents.audio)


def test_a_clip_is_what_was_asked_for() -> None:
    clip = sampler().sample("a bell rings", seed=1)
    assert clip.frames.shape == (17, 64, 96, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.audio.shape == (34_000,)
    assert clip.audio.dtype == np.float32
    assert (clip.fps, clip.sample_rate) == (24.0, 48_000)
    assert float(clip.frames.std()) > 5
    assert float(np.abs(clip.audio).max()) > 1e-3
    facts = clip.facts
    assert (facts["steps"], facts["evaluations"], facts["high_noise_steps"], facts["seed"]) == (4, 8, 2, 1)
    assert facts["prompt_tokens"] == len("a bell rings") + 1
    assert facts["seeded_weights"] is True
    assert set(facts["seconds"]) == {"picture", "text", "denoise", "sound", "video"}


def test_seeds() -> None:
    assert same(small(1), small(1))
    assert not same(small(1), small(2))
    shape = ClipShape(5, 32, 48, 24.0)
    noise = draw_noise([7], shape, (16, 16))
    generator = torch.Generator().manual_seed(7)
    assert torch.equal(noise.video, torch.randn((1, 16, 2, 4, 6), generator=generator))
    assert torch.equal(noise.audio, torch.randn((1, 16, shape.audio_latents), generator=generator))
    assert same(small(7), small(99, noise=noise))


def test_shifts_steps_and_guidance_change_the_clip() -> None:
    base = small()
    for change in ({"video_shift": 3.0}, {"audio_shift": 1.0}, {"steps": 2}, {"guidance_bridge": 3.5}, {"fps": 16}):
        assert not same(base, small(**change)), change
    assert same(base, small(video_shift=5.0, audio_shift=5.0))


@pytest.mark.parametrize(("text", "bridge", "evaluations"), [(1, 1, 3), (5, 1, 6), (3.5, 3.5, 6), (5, 3.5, 9)])
def test_evaluations_are_counted(text: float, bridge: float, evaluations: int) -> None:
    assert small(guidance_text=text, guidance_bridge=bridge).facts["evaluations"] == evaluations


def test_a_batch_gives_each_clip_what_it_is_alone() -> None:
    red = np.full((32, 48, 3), (200, 30, 30), np.uint8)
    options = SampleOptions(**SMALL)
    pair = sampler().sample_batch(["a bell rings", "two dogs bark"], [None, red], [1, 2], options)
    alone = [small(1), small(2, "two dogs bark", image=red)]
    for a, b in zip(pair, alone, strict=True):
        torch.testing.assert_close(a.latents.video, b.latents.video, atol=2e-4, rtol=0)
        torch.testing.assert_close(a.latents.audio, b.latents.audio, atol=2e-4, rtol=0)
        assert np.abs(a.frames.astype(int) - b.frames).max() <= 1
        assert a.facts["prompt_tokens"] == b.facts["prompt_tokens"]


def test_progress_is_told_with_an_estimate() -> None:
    told: list[Progress] = []
    small(progress=told.append)
    steps = [p for p in told if p.stage == "denoise"]
    assert [(p.done, p.total) for p in steps] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert steps[0].remaining is None
    assert steps[-1].remaining == 0
    assert all(p.remaining is not None and p.remaining > 0 for p in steps[1:-1])
    assert [p.stage for p in told if p.done == p.total] == ["picture", "text", "denoise", "sound", "video"]


def stop_after(step: int) -> dict[str, Any]:
    """Callbacks that ask for a stop once so many steps are done."""
    seen: list[int] = [0]

    def progress(at: Progress) -> None:
        if at.stage == "denoise":
            seen[0] = at.done

    return {"progress": progress, "cancel": lambda: seen[0] >= step}


def test_cancelled_then_resumed_equals_undisturbed(tmp_path: Path) -> None:
    kept = tmp_path / "clip.latents"
    with pytest.raises(Cancelled) as stopped:
        small(checkpoint=kept, **stop_after(2))
    assert stopped.value.step == 2
    told: list[Progress] = []
    resumed = small(checkpoint=kept, progress=told.append)
    assert [p.done for p in told if p.stage == "denoise"] == [2, 3]
    assert same(resumed, small())
    assert resumed.facts["evaluations"] == 2
    assert same(small(checkpoint=kept), resumed), "a finished file needs no step"
    assert [p.name for p in tmp_path.iterdir()] == ["clip.latents"]


def test_kept_latents_of_another_sample_are_refused(tmp_path: Path) -> None:
    kept = tmp_path / "clip.latents"
    small(checkpoint=kept)
    for changes, word in (
        ({"prompt": "another prompt"}, "prompts"),
        ({"guidance_text": 4.0}, "guidance_text"),
        ({"seed": 2}, "noise"),
        ({"image": np.zeros((32, 48, 3), np.uint8)}, "first frame"),
        ({"negative_prompt": "x"}, "negative_prompt"),
    ):
        with pytest.raises(UserError, match=f"another sample .*{word}.*delete it"):
            small(checkpoint=kept, **changes)  # type: ignore[arg-type]
    kept.write_bytes(kept.read_bytes()[:50])
    with pytest.raises(UserError, match="damaged"):
        small(checkpoint=kept)
    kept.unlink()
    kept.mkdir()
    with pytest.raises(UserError):
        small(checkpoint=kept)


@pytest.mark.parametrize("offload", ["component", "layer"])
def test_offloading_changes_nothing_but_memory(offload: Any) -> None:
    other = MovaSampler.seeded(device="cpu", offload=offload)
    everything = sampler().residency.ledger.peak
    for seed in (1, 2):
        found = other.sample("a bell rings", seed=seed, guidance_bridge=3.5, **SMALL)
        expected = small(seed, guidance_bridge=3.5)
        assert same(found, expected)
        assert (found.frames == expected.frames).all()
        assert (found.audio == expected.audio).all()
    ledger = other.residency.ledger
    assert ledger.now == 0
    weights = {name: sum(p.nbytes for p in m.parameters()) for name, m in other.components.modules.items()}
    working = weights["video_dit"] + weights["audio_dit"] + weights["dual_tower_bridge"]
    largest = max(working, weights["audio_vae"], weights["video_vae"], weights["text_encoder"])
    if offload == "component":
        assert ledger.peak == largest < everything
    else:
        assert ledger.peak < 0.9 * working


def test_weights_move_into_pages_of_their_own() -> None:
    module = skeleton("audio_dit", NANO).to_empty(device="cpu")
    module.load_state_dict(nano_module("audio_dit").state_dict())
    pages = move_into_pages(module.bfloat16())
    assert pages.data_ptr() % mmap.PAGESIZE == pages.nbytes % mmap.PAGESIZE == 0
    end = pages.data_ptr() + pages.nbytes
    assert all(pages.data_ptr() <= p.data_ptr() and p.data_ptr() + p.nbytes <= end for p in module.parameters())
    for name, weight in nano_module("audio_dit").state_dict().items():
        assert torch.equal(module.state_dict()[name], weight.bfloat16())


def test_the_high_noise_expert_can_be_given_back() -> None:
    once = MovaSampler.seeded(device="cpu", remove_high_noise_expert=True, offload="layer")
    assert same(once.sample("a bell rings", seed=1, **SMALL), small(1))
    assert "video_dit" not in once.components.modules
    with pytest.raises(UserError, match="given back"):
        once.sample("a bell rings", **SMALL)


def test_not_finite_latents_stop_at_their_step() -> None:
    bad = MovaSampler.seeded(device="cpu")
    with torch.no_grad():
        bad.network.experts["video_dit_2"].head.head.bias[0] = float("nan")
    kept: list[int] = []
    with pytest.raises(NotFinite, match="after step 3 of 4") as stopped:
        bad.sample("a bell rings", **{**SMALL, "steps": 4}, progress=lambda p: kept.append(p.done))
    assert stopped.value.step == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": "  \n "}, "the prompt is empty"),
        ({"height": 360, "width": 640}, "360.*nearest are 640x352 or 640x368"),
        ({"height": 352, "width": 641}, "nearest are 640x352 or 656x352"),
        ({"height": 0}, "not a size"),
        ({"height": 64, "width": None}, "give both height and width"),
        ({"frames": 16}, "nearest are 13 and 17"),
        ({"frames": 0}, "nearest are 1 and 5"),
        ({"frames": 4097 * 4 + 1}, "position tables"),
        ({"fps": 0}, "frames per second"),
        ({"fps": 1e9}, "no sound"),
        ({"steps": 0}, "at least 1"),
        ({"video_shift": -1.0}, "positive"),
        ({"guidance_text": float("nan")}, "guidance"),
        ({"noise": (torch.zeros(1, 16, 2, 4, 5), torch.zeros(1, 16, 11))}, "this clip needs"),
        ({"image": "nowhere.png"}, "missing"),
        ({"frames": 1, "last_image": np.zeros((32, 48, 3), np.uint8)}, "no room for a last frame"),
    ],
)
def test_bad_input_gets_a_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        small(**changes)
    assert "\n" not in str(refused.value)


def test_a_long_prompt_says_how_much_was_cut() -> None:
    clip = small(prompt="word " * 10_000)
    assert clip.facts["prompt_tokens"] == 512
    assert clip.facts["prompt_tokens_cut"] == 10_000 * 5 - 1 + 1 - 512


def test_devices_and_presets() -> None:
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="no CUDA device"):
            MovaSampler.seeded(device="cuda")
    with pytest.raises(UserError, match="choose one of 360p, 720p, nano"):
        MovaSampler.seeded("1080p")
    with pytest.raises(UserError, match="too large to make up"):
        MovaSampler.seeded("720p")


def test_loudness_and_tail() -> None:
    plain, tail = small(), small(keep_tail=True)
    assert len(plain.audio) == 10_000
    assert len(tail.audio) == 10_560
    assert (tail.audio[:10_000] == plain.audio).all()
    assert "loudness" not in plain.facts
    clip = sampler().sample("a bell rings", seed=1, steps=1, height=32, width=48, frames=17, loudness_lufs=-30.0)
    change = clip.facts["loudness"]
    assert change["target"] == -30.0
    assert change["limited"] or change["measured"] + change["gain_db"] == pytest.approx(-30.0, abs=0.01)


def test_latents_unpack() -> None:
    video, audio = small().latents
    assert isinstance(small().latents, Latents)
    assert video.shape == (1, 16, 2, 4, 6)
    assert audio.shape == (1, 16, 11)


@pytest.mark.weights
def test_two_steps_with_the_released_weights() -> None:
    """Loads MOVA-360p where it is present and runs two steps at the smallest valid size."""
    from reference_model.loading import local_checkpoint

    found = local_checkpoint("360p")
    if found is None:
        pytest.skip("MOVA-360p is not on this machine (set MOVA_CHECKPOINTS)")
    loaded = MovaSampler.from_pretrained(found, offload="layer" if torch.cuda.is_available() else "none")
    clip = loaded.sample("a bell rings", steps=2, frames=5, height=64, width=96)
    assert clip.frames.std() > 1
