"""A small VideoReward in the files of the published one: checkpoint with low-rank parts, tokenizer, question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from network_states import State, seeded
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

CONTROL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
REWARDS = ("<|VQ_reward|>", "<|MQ_reward|>", "<|TA_reward|>")
QUESTION = """
Rate the video.

1. Picture: is it sharp, is it {{braced}}? <|VQ_reward|>
2. Motion: is it smooth? <|MQ_reward|>
3. Text: does it show this?
{text_prompt}
<|TA_reward|>
"""
TOKENS = 256 + len(CONTROL)
RANK, ALPHA = 4, 8


def sizes() -> dict[str, Any]:
    """The configuration in the layout of the hub's file."""
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "model_type": "qwen2_vl",
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": TOKENS + 20,
        "max_position_embeddings": 8000,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "bos_token_id": 256,
        "eos_token_id": 258,
        "vision_start_token_id": 259,
        "vision_end_token_id": 260,
        "image_token_id": 261,
        "video_token_id": 262,
        "vision_config": {
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 64,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
        },
    }


def write_tokenizer(folder: Path) -> Path:
    """Bytes and control tokens, in the files that transformers reads; with the network's configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={token: place for place, token in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in CONTROL])
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    (folder / "config.json").write_text(json.dumps(sizes()))
    return folder


def write_checkpoint(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """`model_config.json` and `checkpoint-11352/model.pth` under `folder`."""
    (folder / "checkpoint-11352").mkdir(parents=True, exist_ok=True)
    told = {
        "data_config": {"fps": 2.0, "max_frame_pixels": 448 * 448, "num_frames": None, "sample_type": "uniform",
                        "prompt_template_type": "detailed_special", "eval_dim": ["VQ", "MQ", "TA"], **changes},
        "model_config": {"output_dim": 1, "use_special_tokens": True, "reward_token": "special"},
        "peft_lora_config": {"lora_r": RANK, "lora_alpha": ALPHA, "use_rslora": False},
        "inference_config": {"VQ_mean": 3.6757, "VQ_std": 2.2476, "MQ_mean": 1.1646, "MQ_std": 1.3811,
                             "TA_mean": 2.8105, "TA_std": 2.5121},
    }  # fmt: skip
    (folder / "model_config.json").write_text(json.dumps(told))
    torch.save(peft_state(seed), folder / "checkpoint-11352" / "model.pth")
    return folder


def peft_state(seed: int = 0) -> State:
    """The state dict as PEFT and transformers 4.45 name it, with a head for the words as well."""
    from transformers import Qwen2VLConfig

    from metrics.video_reward.network import RewardNet

    config = Qwen2VLConfig(**sizes())
    config.text_config.vocab_size = TOKENS + len(REWARDS)
    state: State = {}
    for key, value in seeded(lambda: RewardNet(config), seed).items():
        name = key.removeprefix("trunk.").replace("language_model.", "model.", 1)
        stem, _, part = name.rpartition(".")
        if ".layers." in name and value.ndim == 2:
            rows, columns = value.shape
            noise = torch.Generator().manual_seed(len(state))
            state[f"{stem}.lora_A.default.weight"] = torch.randn(RANK, columns, generator=noise) / columns**0.5
            state[f"{stem}.lora_B.default.weight"] = torch.randn(rows, RANK, generator=noise) / RANK**0.5
            name = f"{stem}.base_layer.{part}"
        elif ".layers." in name and "_proj" in stem:
            name = f"{stem}.base_layer.{part}"
        state[name] = value
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    return {f"base_model.model.{key}": value for key, value in state.items()}


def write_question(path: Path) -> Path:
    """A small file of the shape of `prompt_template.py`."""
    path.write_text(f"OTHER = 'x'\nDETAILED_PROMPT_WITH_SPECIAL_TOKEN = {QUESTION!r}\n")
    return path
