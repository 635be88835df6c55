"""VideoReward: which pictures are seen, what is read, how the checkpoint is read, what odd input gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reward_networks as small
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_states import fingerprint_of
from support import make_clip

import metrics
from metrics import Clip, NotApplicable, UserError
from metrics.video_reward import settings as published
from metrics.video_reward.metric import VideoReward
from metrics.video_reward.network import RewardNet, reward_net
from metrics.video_reward.pictures import MIN_PIXELS, patches_of, sampled, seen, size_for
from metrics.video_reward.settings import conversation, read_settings, read_template

PUBLISHED_LAYOUT = "53b741e4571a9d8f"
"""Of transformers 4.45.2's Qwen2-VL-2B with a head of one row, in which the published checkpoint was saved."""
PROMPT = "A kettle boils {on} the stove 🎬"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reward")
    small.write_checkpoint(root / "checkpoint")
    small.write_tokenizer(root / "tokenizer")
    small.write_question(root / "question.py")
    return root


def made(folder: Path, **options: Any) -> VideoReward:
    paths = {"checkpoint": "checkpoint", "tokenizer": "tokenizer", "question": "question.py"}
    return VideoReward(**{option: str(folder / name) for option, name in paths.items()}, **options)


@pytest.fixture
def reward(folder: Path, monkeypatch: pytest.MonkeyPatch) -> VideoReward:
    """The metric with a small network and a question of its own."""
    monkeypatch.setattr(published, "checked_template", lambda text, path: text)
    metric = made(folder)
    metric.ensure_loaded()
    return metric


def test_state_dict_keys_are_those_of_the_published_checkpoint() -> None:
    from transformers import Qwen2VLConfig

    vision = {"depth": 32, "embed_dim": 1280, "mlp_ratio": 4, "num_heads": 16, "hidden_size": 1536, "patch_size": 14}
    config = Qwen2VLConfig(
        hidden_size=1536, intermediate_size=8960, num_hidden_layers=28, num_attention_heads=12, num_key_value_heads=2,
        vocab_size=151936, rope_scaling={"type": "mrope", "mrope_section": [16, 24, 24]}, vision_config=vision,
    )  # fmt: skip
    assert fingerprint_of(lambda: RewardNet(config)) == PUBLISHED_LAYOUT


@pytest.mark.parametrize(
    ("total", "fps", "count"),
    [(193, 24, 16), (125, 25, 10), (10, 25, 4), (5, 25, 4), (3, 25, 2), (2, 25, 2), (6000, 24, 500)],
)
def test_how_many_pictures_are_seen(total: int, fps: int, count: int) -> None:
    positions = sampled(total, fps, 2.0)
    assert len(positions) == count
    assert (positions[0], positions[-1]) == (0, total - 1)
    assert positions == sorted(positions)


def test_one_picture_is_too_few() -> None:
    with pytest.raises(NotApplicable, match="two are needed"):
        sampled(1, 25, 2.0)


def test_the_size_of_the_published_example() -> None:
    assert size_for(352, 640, 200_704) == (308, 588)
    with pytest.raises(NotApplicable, match="too narrow"):
        size_for(10, 3000, 200_704)


@settings(max_examples=200, deadline=None)
@given(st.integers(30, 3000), st.integers(30, 3000))
def test_sizes_are_multiples_of_28_within_bounds(height: int, width: int) -> None:
    rows, columns = size_for(height, width, 200_704)
    assert rows % 28 == columns % 28 == 0
    assert rows * columns <= 200_704 or min(rows, columns) == 28
    if max(height, width) < 20 * min(height, width):
        assert rows * columns >= MIN_PIXELS * 0.75
        assert abs(np.log((rows / columns) / (height / width))) < 0.6


def test_patches_that_merge_lie_together() -> None:
    pictures = torch.zeros(2, 3, 56, 84, dtype=torch.uint8)
    pictures[:, :, 14:28, 14:28] = 255  # second row, second column of patches: the fourth of the first four
    pictures[1, :, 0:14, 28:42] = 255  # third column, first row: the first of the second four; second picture alone
    patches, grid = patches_of(pictures)
    assert grid.tolist() == [[1, 4, 6]]
    assert patches.shape == (24, 1176)
    bright = (patches > 0).float().mean(dim=1)
    assert bright.nonzero()[:, 0].tolist() == [3, 4]
    assert bright[[3, 4]].tolist() == [1.0, 0.5]


def test_what_is_read_is_the_chat_format_with_the_question() -> None:
    text = conversation("Q {text_prompt} A", "a {b}", 3)
    assert text == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>"
        "<|video_pad|><|video_pad|><|video_pad|><|vision_end|>Q a {b} A<|im_end|>\n<|im_start|>assistant\n"
    )


def test_from_a_file_to_frozen_rewards(reward: VideoReward, sound_clip: Path) -> None:
    """Values of this code where, with the published question, it equals VideoAlign's own."""
    with Clip(sound_clip) as clip:
        result = reward.measure(clip, {"prompt": PROMPT})
    assert result.status == "scored", result.reason
    assert list(result.scores.values()) == pytest.approx(GOLDEN, abs=2e-4)
    assert result.details["overall"] == pytest.approx(sum(GOLDEN), abs=6e-4)


GOLDEN = [-1.500283, -0.560453, -0.945742]


def test_positions_of_the_stock_class_give_other_numbers(reward: VideoReward, folder: Path, sound_clip: Path) -> None:
    stock = made(folder, positions="stock")
    with Clip(sound_clip) as clip:
        ours, theirs = (metric.measure(clip, {"prompt": PROMPT}).scores for metric in (reward, stock))
    assert max(abs(ours[name] - theirs[name]) for name in ours) > 1e-3
    assert reward.parameters() != stock.parameters()
    with pytest.raises(UserError, match="no positions 'flat'"):
        made(folder, positions="flat")


def test_low_rank_parts_are_added_to_what_they_change(folder: Path) -> None:
    state = small.peft_state()
    from transformers import Qwen2VLConfig

    stem = "base_model.model.model.layers.1.mlp.up_proj."
    network = reward_net(state, Qwen2VLConfig(**small.sizes()), 2.0)
    low, high = (state[f"{stem}lora_{part}.default.weight"] for part in "AB")
    expected = state[f"{stem}base_layer.weight"] + 2.0 * high @ low
    torch.testing.assert_close(network.state_dict()["trunk.language_model.layers.1.mlp.up_proj.weight"], expected)


@pytest.mark.parametrize("change", ["unknown", "missing", "other"])
def test_weights_that_do_not_fit_are_refused(change: str) -> None:
    from transformers import Qwen2VLConfig

    state = small.peft_state()
    if change == "unknown":
        state["base_model.model.model.layers.0.gate.weight"] = torch.zeros(2)
    elif change == "missing":
        del state["base_model.model.visual.blocks.1.norm1.bias"]
    else:
        state = {"conv.weight": torch.zeros(3)}
    with pytest.raises(UserError, match=r"VideoReward weights: key '.*another network"):
        reward_net(state, Qwen2VLConfig(**small.sizes()), 2.0)


def test_prompts_of_any_kind(reward: VideoReward, tiny_clip: Path) -> None:
    with Clip(tiny_clip) as clip:
        assert reward.measure(clip, {"prompt": " "}).code == "no_prompt"
        assert reward.measure(clip, {"prompt": "雨 🎬 \x00 {" * 20}).status == "scored"
        assert reward.measure(clip, {"prompt": "word " * 10_000}).code == "prompt_too_long"
        for control in ("<|video_pad|>", "<|TA_reward|>"):
            assert reward.measure(clip, {"prompt": f"a {control} b"}).code == "control_tokens"


def test_one_frame_black_and_silent_clips(reward: VideoReward, tmp_path: Path, sound_only_clip: Path) -> None:
    item = {"prompt": PROMPT}
    with Clip(make_clip(tmp_path / "one.mp4", frames=1, audio=None)) as clip:
        assert reward.measure(clip, item).code == "one_frame"
    black = np.zeros((48, 64, 3), np.uint8)
    with Clip(make_clip(tmp_path / "black.mp4", seconds=0.3, audio=None, pictures=lambda _: black)) as clip:
        assert reward.measure(clip, item).status == "scored"
        assert seen(clip, reward._settings).shape == (4, 3, 280, 392)
    with Clip(sound_only_clip) as clip:
        assert reward.measure(clip, item).code == "no_video_stream"


def test_files_that_say_something_else_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not the published one; get it again"):
        read_template(folder / "question.py")
    with pytest.raises(UserError, match="holds no DETAILED"):
        read_template(Path(__file__))
    html = tmp_path / "x.py"
    html.write_text("<html>")
    with pytest.raises(UserError, match="cannot be read"):
        read_template(html)
    with pytest.raises(UserError, match="prompt_template_type = 'simple', this metric knows 'detailed_special'"):
        read_settings(small.write_checkpoint(tmp_path / "other", prompt_template_type="simple"))
    with pytest.raises(UserError, match=r"model_config.json cannot be used \(FileNotFoundError"):
        read_settings(tmp_path)


def test_a_tokenizer_of_another_size_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "checked_template", lambda text, path: text)
    monkeypatch.setattr(small, "REWARDS", ("a",))
    small.write_checkpoint(folder / "smaller")
    with pytest.raises(UserError, match="knows 266 tokens, not 264"):
        metrics.get(
            "vq", checkpoint=folder / "smaller", tokenizer=folder / "tokenizer", question=folder / "question.py"
        ).ensure_loaded()
