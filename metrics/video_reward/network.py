"""VideoReward's network: transformers' Qwen2-VL without its language head, and a linear one in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from metrics.errors import UserError
from metrics.networks.states import StateDict, loaded

_PREFIX = "base_model.model."


class RewardNet(nn.Module):
    """One clip and its question -> raw rewards at the three special tokens.

    config: `transformers.Qwen2VLConfig`. outputs: rows of the head; 1 gives one reward per token, 3 one per token each
    from its own row.
    """

    def __init__(self, config: Any, outputs: int = 1) -> None:
        super().__init__()
        from transformers import Qwen2VLModel

        self.sizes = config
        self.trunk = Qwen2VLModel(config)
        self.rm_head = nn.Linear(config.text_config.hidden_size, outputs, bias=False)

    def forward(self, tokens: Tensor, patches: Tensor, grid: Tensor, special: list[int], *, stock: bool) -> Tensor:
        """tokens [1, n]; patches, grid: of `patches_of`; special: ids of the three tokens -> float [3].

        stock: positions in time, height and width as transformers' own class computes them; else one running number, as
        in training.
        """
        video = tokens == self.sizes.video_token_id
        more = {"mm_token_type_ids": video.int() * 2} if stock else {"position_ids": _running(tokens)}
        hidden = self.trunk(
            input_ids=tokens,
            attention_mask=torch.ones_like(tokens),
            pixel_values_videos=patches,
            video_grid_thw=grid,
            use_cache=False,
            **more,
        ).last_hidden_state[0]
        places = [int((tokens[0] == token).nonzero()[0]) for token in special]
        rewards = self.rm_head(hidden[places])
        single: Tensor = rewards.diagonal() if rewards.shape[1] == len(places) else rewards[:, 0]
        return single


def _running(tokens: Tensor) -> Tensor:
    """0, 1, 2 ... on all three axes: [3, 1, n]."""
    return torch.arange(tokens.shape[1], device=tokens.device)[None, None].expand(3, 1, -1)


def reward_net(state: StateDict, config: Any, lora_scale: float) -> RewardNet:
    """The network with the weights of `checkpoint-11352/model.pth`, low-rank parts added to what they change.

    The vocabulary is as large as the file's. Raises UserError naming a key that does not fit.
    """
    from copy import deepcopy

    weights = dict(_merged(dict(_renamed(state)), lora_scale))
    for key in ("trunk.language_model.embed_tokens.weight", "rm_head.weight"):
        if key not in weights:
            raise UserError(f"VideoReward weights: key '{key}' is missing; is it the file of another network?")
    config = deepcopy(config)
    config.text_config.vocab_size = len(weights["trunk.language_model.embed_tokens.weight"])
    outputs = len(weights["rm_head.weight"])
    network = loaded(lambda: RewardNet(config, outputs), weights, "VideoReward")
    # tables of angles are computed, not stored: the network was built without memory, so they are made now
    for name, module in list(network.named_modules()):
        if any(buffer.is_meta for buffer in module.buffers(recurse=False)):
            network.set_submodule(name, type(module)(module.config))
    return network


def _renamed(state: StateDict) -> Iterator[tuple[str, Tensor]]:
    """PEFT's and transformers 4.45's names -> ours; the language head takes no part."""
    for key, value in state.items():
        name = key.removeprefix(_PREFIX)
        if name.startswith("lm_head."):
            continue
        if name.startswith("rm_head."):
            if "original_module" not in name:  # a copy that training did not touch
                yield "rm_head.weight", value
        elif name.startswith(("model.visual.", "visual.")):
            yield "trunk.visual." + name.split("visual.", 1)[1], value
        elif name.startswith("model.language_model."):
            yield "trunk." + name.removeprefix("model."), value
        elif name.startswith("model."):
            yield "trunk.language_model." + name.removeprefix("model."), value
        else:
            yield key, value  # refused by name when the network is filled


def _merged(state: dict[str, Tensor], scale: float) -> Iterator[tuple[str, Tensor]]:
    """Each `base_layer` with its low-rank part: W + scale * B A."""
    for key, value in state.items():
        if ".lora_A." in key or ".lora_B." in key:
            continue
        name = key.replace(".base_layer.", ".")
        stem = key.removesuffix("base_layer.weight")
        low, high = (state.get(f"{stem}lora_{part}.default.weight") for part in "AB")
        if key.endswith("base_layer.weight") and low is not None and high is not None:
            value = value.float() + scale * (high.float() @ low.float())  # noqa: PLW2901
        yield name, value
