"""The network beyond its vectors: keys and shapes, tables, batches, types, the Bridge."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from model_support import condition, contexts, inputs, nano_module, nano_network
from torch import Tensor

from reference_model import fill, rotary
from reference_model.components import COMPONENTS, TRANSFORMERS, fingerprint, skeleton, tensor_shapes
from reference_model.guidance import Branch, Guidance
from reference_model.network import Network, Prompt
from reference_model.presets import NANO, PRESETS
from reference_model.towers import AudioTower, Tower, VideoTower, modulated_norm

RELEASED_KEYS = {
    "video_dit": ("5b013604280dd715f8457c6ed6d6a626", 1095, 14_288_901_184),
    "video_dit_2": ("5b013604280dd715f8457c6ed6d6a626", 1095, 14_288_901_184),
    "audio_dit": ("8c57e12790e2c45a64817e0ce28cde2f", 825, 1_419_193_472),
    "dual_tower_bridge": ("d1139dbbc8b4ab53cf4b4243d57bbceb", 720, 2_659_737_600),
    "audio_vae": ("418517fb2b4e919d2cac8f314fcf82ac", 224, 371_539_137),
    "video_vae": ("ed4ea5824d55ec3107b09815e318123a", 194, 126_892_531),
    "text_encoder": (None, 242, 5_680_910_336),
}
NANO_KEYS = {
    "video_dit": ("8e0bf89e20e9f040d5fb43f63670495b", 123, 2_346_240),
    "video_dit_2": ("8e0bf89e20e9f040d5fb43f63670495b", 123, 2_346_240),
    "audio_dit": ("8c9e796a8a936e684a894bbdd34fe69b", 96, 465_808),
    "dual_tower_bridge": ("770d7bbbdb414226da25a566a5af1029", 72, 504_576),
    "audio_vae": ("40be4e56f8c6f04aacf7bcc6618c761d", 224, 1_247_163),
    "video_vae": ("452fc71655fa9ea5684afb371ad515e0", 194, 924_491),
}


@pytest.mark.parametrize("preset", ["360p", "720p", "nano"])
@pytest.mark.parametrize("component", COMPONENTS)
def test_keys_and_shapes_are_those_of_the_released_files(preset: str, component: str) -> None:
    expected = (NANO_KEYS if preset == "nano" else RELEASED_KEYS).get(component)
    if expected is None:
        pytest.skip("nothing to compare the nano text encoder with")
    shapes = tensor_shapes(component, skeleton(component, PRESETS[preset].config))
    digest, tensors, parameters = expected
    assert len(shapes) == tensors
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == parameters
    if digest is not None:
        assert fingerprint(shapes) == digest


def test_text_encoder_keys_are_those_of_the_released_files() -> None:
    shapes = tensor_shapes("text_encoder", skeleton("text_encoder", PRESETS["720p"].config))
    block = "encoder.block.23.layer"
    assert shapes["shared.weight"] == (256_384, 4096)
    assert shapes[f"{block}.0.SelfAttention.relative_attention_bias.weight"] == (32, 64)
    assert shapes[f"{block}.1.DenseReluDense.wi_1.weight"] == (10_240, 4096)
    assert shapes[f"{block}.1.DenseReluDense.wo.weight"] == (4096, 10_240)
    assert shapes["encoder.final_layer_norm.weight"] == (4096,)
    assert not any(name.endswith("bias") for name in shapes)


def test_aligned_positions() -> None:
    geometry = nano_network().geometry((5, 4, 6), 36, 24.0, torch.device("cpu"))
    video, audio = geometry.aligned
    assert video is not None
    assert audio is not None
    assert video[24, 0, :3, 0].tolist() == pytest.approx([-0.4612038, -0.0262082, -0.8745150], abs=2e-6)
    assert audio[7, 0, :3, 1].tolist() == pytest.approx([0.6569866, -0.7137213, 0.8004216], abs=2e-6)
    frames = rotary.video_positions(49, 24.0, 50.0)
    assert frames[[0, 1, 2, 48]].tolist() == pytest.approx([0, 8.333333, 16.666667, 400.0], abs=1e-4)
    biased = rotary.video_positions(3, 24.0, 50.0, first_frame_bias=True)
    assert biased.tolist() == pytest.approx([0, 50 / 24, 50 * (1 / 24 + 4 / 24)], abs=1e-5)


@pytest.mark.parametrize("head", [24, 32, 96, 128])
def test_rotation_equals_complex_multiplication(head: int) -> None:
    grid = (3, 2, 5)
    x = fill.values("rotation", (2, 30, 4, head))
    space = head // 3
    angles = []
    for frame in range(3):
        for row in range(2):
            for column in range(5):
                parts = ((frame, head - 2 * space), (row, space), (column, space))
                angles.append([p * 10_000 ** (-2 * j / w) for p, w in parts for j in range(w // 2)])
    turn = torch.polar(torch.ones(30, head // 2, dtype=torch.float64), torch.tensor(angles, dtype=torch.float64))
    expected = torch.view_as_real(torch.view_as_complex(x.double().unflatten(-1, (-1, 2))) * turn[:, None]).flatten(-2)
    found = rotary.rotate_pairs(x.clone(), rotary.video_table(grid, head, torch.device("cpu")))
    torch.testing.assert_close(found, expected.float(), atol=1e-6, rtol=0)


def evaluate(network: Network, video: Tensor, audio: Tensor, context: Tensor, cond: Tensor) -> tuple[Tensor, Tensor]:
    return network.predict("video_dit", video, audio, cond, context, 900.0, 700.0, 24.0)


def test_a_batch_gives_what_its_items_give_alone() -> None:
    video, audio = inputs()
    second = (fill.values("other/video", tuple(video.shape)), fill.values("other/audio", tuple(audio.shape)))
    positive, negative = contexts()
    network, cond = nano_network(), condition()
    batch = evaluate(
        network,
        torch.cat([video, second[0]]),
        torch.cat([audio, second[1]]),
        torch.cat([positive, negative]),
        torch.cat([cond, 0.5 * cond]),
    )
    alone = [evaluate(network, video, audio, positive, cond), evaluate(network, *second, negative, 0.5 * cond)]
    for modality in range(2):
        expected = torch.cat([alone[0][modality], alone[1][modality]])
        torch.testing.assert_close(batch[modality], expected, atol=2e-5, rtol=0)


@torch.inference_mode()
def test_items_of_a_batch_may_have_timesteps_of_their_own() -> None:
    tower: VideoTower = nano_module("video_dit")
    x = fill.values("tokens", (2, 120, 192))
    signal = tower.embed_time(torch.tensor([900.0, 300.0]))
    both = tower.head(x, signal.embedding)
    for i in range(2):
        torch.testing.assert_close(
            both[i : i + 1], tower.head(x[i : i + 1], signal.embedding[i : i + 1]), atol=2e-5, rtol=0
        )


def test_modulated_norm_is_norm_then_modulation() -> None:
    x, shift, scale = (
        fill.values(key, shape) for key, shape in (("x", (2, 7, 48)), ("s", (1, 1, 48)), ("c", (1, 1, 48)))
    )
    expected = torch.nn.functional.layer_norm(x.double(), (48,), eps=1e-6) * (1 + scale.double()) + shift.double()
    torch.testing.assert_close(modulated_norm(x, shift, scale, 1e-6), expected.float(), atol=2e-6, rtol=0)
    apart = modulated_norm(x, shift.expand(2, 1, 48), scale.expand(2, 1, 48), 1e-6)
    torch.testing.assert_close(apart, expected.float(), atol=2e-6, rtol=0)
    low = modulated_norm(x.bfloat16(), shift.bfloat16(), scale.bfloat16(), 1e-6).float()
    assert float((low - expected.float()).norm() / expected.norm()) < 5e-3


def test_bridge_off_keeps_the_towers_apart() -> None:
    video, audio = inputs()
    network = nano_network()
    off = [
        network.predict("video_dit", video, a, condition(), contexts()[0], 900.0, 700.0, 24.0, bridge=False)[0]
        for a in (audio, 2 * audio)
    ]
    assert torch.equal(*off)
    on = [evaluate(network, video, a, contexts()[0], condition())[0] for a in (audio, 2 * audio)]
    assert not torch.allclose(*on, atol=1e-3)


@torch.inference_mode()
def test_rows_that_cross_the_bridge_and_rows_that_do_not_share_a_batch() -> None:
    network, positive = nano_network(), contexts()[0]
    geometry = network.geometry((5, 4, 6), 36, 24.0, torch.device("cpu"))
    time = tuple(t.embed_time(torch.tensor([900.0])) for t in (network.experts["video_dit"], network.audio))
    both = network.evaluate(
        "video_dit", *inputs(), condition(), Prompt(positive.repeat(2, 1, 1)), (time[0], time[1]), geometry, bridged=1
    )
    for row, bridge in enumerate((True, False)):
        alone = network.predict("video_dit", *inputs(), condition(), positive, 900.0, 900.0, 24.0, bridge=bridge)
        for a, b in zip(both, alone, strict=True):
            torch.testing.assert_close(a[row : row + 1], b, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("strategy", "layers"),
    [
        ("full", tuple(range(30))),
        ("shallow_focus", tuple(range(10))),
        ("distributed", tuple(range(0, 30, 3))),
        ("progressive", (*range(8), *range(8, 30, 3))),
        ("custom", (0, 2, 4, 6, 8, 12, 16, 20)),
    ],
)
def test_strategies(strategy: str, layers: tuple[int, ...]) -> None:
    config = replace(PRESETS["720p"].config.dual_tower_bridge, interaction_strategy=strategy)
    assert config.layers == layers


def test_bfloat16_stays_close_to_float32() -> None:
    """With the same rounded weights; the public modules give 7.8e-3 for video and 6.7e-3 for sound."""

    def built(dtype: torch.dtype) -> Network:
        modules = []
        for name in TRANSFORMERS:
            module = skeleton(name, NANO).to_empty(device="cpu")
            module.load_state_dict(nano_module(name).state_dict())
            modules.append(module.bfloat16().to(dtype))
        video, second, audio, bridge = modules
        return Network({"video_dit": video, "video_dit_2": second}, audio, bridge)  # type: ignore[dict-item, arg-type]

    low, high = (evaluate(built(t), *inputs(), contexts()[0], condition()) for t in (torch.bfloat16, torch.float32))
    for a, b in zip(low, high, strict=True):
        assert a.dtype == torch.bfloat16
        error = float((a.float() - b).norm() / b.norm())
        assert 1e-4 < error < 1.5e-2


def test_time_is_embedded_in_float32_whatever_the_weights() -> None:
    tower = skeleton("audio_dit", NANO).to_empty(device="cpu")
    tower.load_state_dict(nano_module("audio_dit").state_dict())
    low: Tower = tower.bfloat16()  # type: ignore[assignment]
    exact: Tower = AudioTower(NANO.audio_dit)
    exact.load_state_dict({k: v.float() for k, v in low.state_dict().items()})
    steps = torch.tensor([1000.0, 357.142822])
    for a, b in zip(low.embed_time(steps), exact.embed_time(steps), strict=True):
        assert torch.equal(a, b.bfloat16())


@pytest.mark.parametrize(
    ("text", "bridge", "branches"),
    [
        (5.0, 1.0, (Branch.FULL, Branch.NULL)),
        (1.0, 1.0, (Branch.FULL,)),
        (3.5, 3.5, (Branch.FULL, Branch.FREE)),
        (5.0, 3.5, (Branch.FULL, Branch.NULL, Branch.FREE)),
        (0.0, 1.0, (Branch.NULL,)),
        (0.0, 2.0, (Branch.NULL, Branch.FREE)),
        (0.0, 0.0, (Branch.FREE,)),
    ],
)
def test_guidance_is_the_formula_and_evaluates_what_it_needs(
    text: float, bridge: float, branches: tuple[Branch, ...]
) -> None:
    guidance = Guidance(text, bridge)
    assert guidance.branches == branches
    v = {branch: fill.values(branch.name, (3, 5)) for branch in Branch}
    full, null, free = (v[b].double() for b in (Branch.FULL, Branch.NULL, Branch.FREE))
    expected = free + bridge * (null - free) + text * (full - null)
    found = guidance.combine({b: v[b] for b in branches})
    torch.testing.assert_close(found, expected.float(), atol=1e-5, rtol=0)


def test_bridge_scale_of_one_is_text_guidance_bit_for_bit() -> None:
    v = {branch: fill.values(branch.name, (3, 5)) for branch in Branch}
    expected = v[Branch.NULL] + 5.0 * (v[Branch.FULL] - v[Branch.NULL])
    assert torch.equal(Guidance(5.0, 1.0).combine(v), expected)


@pytest.mark.slow
def test_compiled_blocks_give_the_same() -> None:
    expected = evaluate(nano_network(), *inputs(), contexts()[0], condition())
    modules = []
    for name in TRANSFORMERS:
        module = skeleton(name, NANO).to_empty(device="cpu")
        module.load_state_dict(nano_module(name).state_dict())
        modules.append(module)
    video, second, audio, bridge = modules
    network = Network({"video_dit": video, "video_dit_2": second}, audio, bridge)  # type: ignore[dict-item, arg-type]
    network.compile()
    for a, b in zip(evaluate(network, *inputs(), contexts()[0], condition()), expected, strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=0)
