"""What the published VideoReward checkpoint says about itself, and the words it was trained with."""

from __future__ import annotations

import ast
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metrics.errors import UserError

SCORES = ("vq", "mq", "ta")
SPECIAL_TOKENS = ("<|VQ_reward|>", "<|MQ_reward|>", "<|TA_reward|>")
_TEMPLATE = "DETAILED_PROMPT_WITH_SPECIAL_TOKEN"
_TEMPLATE_SHA256 = "fdb6309bac618dd0c8b1b589d3a0970a974f7856eecbb355a190b2dce54af700"
_AGAIN = "get it again with: mova-eval weights fetch"


@dataclass(frozen=True, slots=True)
class Settings:
    """means, stds: of the raw rewards, to z-score them, in the order VQ, MQ, TA. lora_scale: of the low-rank parts.

    frames_per_second, max_pixels: of the sampled pictures.
    """

    means: tuple[float, ...]
    stds: tuple[float, ...]
    lora_scale: float
    frames_per_second: float
    max_pixels: int


def read_settings(folder: Path) -> Settings:
    """From `model_config.json` of the checkpoint's folder. Raises UserError for a file that says something else."""
    path = folder / "model_config.json"
    try:
        told = json.loads(path.read_text("utf-8"))
        data, lora, scale = told["data_config"], told["peft_lora_config"], told["inference_config"]
        _check("prompt_template_type", data.get("prompt_template_type"), "detailed_special", path)
        _check("sample_type", data.get("sample_type", "uniform"), "uniform", path)
        _check("num_frames", data.get("num_frames"), None, path)
        rank = float(lora["lora_r"])
        return Settings(
            means=tuple(float(scale[f"{name.upper()}_mean"]) for name in SCORES),
            stds=tuple(float(scale[f"{name.upper()}_std"]) for name in SCORES),
            lora_scale=float(lora["lora_alpha"]) / (math.sqrt(rank) if lora.get("use_rslora") else rank),
            frames_per_second=float(data.get("fps", 2.0)),
            max_pixels=int(data["max_frame_pixels"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"VideoReward: {path} cannot be used ({reason:.100}); {_AGAIN} videoreward") from error


def _check(name: str, found: Any, wanted: Any, path: Path) -> None:
    if found != wanted:
        raise UserError(
            f"VideoReward: {path} says {name} = {found!r}, this metric knows {wanted!r}; is it another model?"
        )


def read_template(path: Path) -> str:
    """The published question with one slot `{text_prompt}`, read from VideoAlign's `prompt_template.py` as data.

    Raises UserError for a file without it, or with other bytes: every one of them moves the numbers.
    """
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"VideoReward: {path} cannot be read ({error!s:.100}); {_AGAIN} videoalign-prompt") from error
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if names == [_TEMPLATE] and isinstance(node.value.value, str):
                return checked_template(node.value.value, path)
    raise UserError(f"VideoReward: {path} holds no {_TEMPLATE}; {_AGAIN} videoalign-prompt")


def checked_template(text: str, path: Path) -> str:
    """`text` if its bytes are those of the published question, else UserError."""
    if hashlib.sha256(text.encode()).hexdigest() != _TEMPLATE_SHA256:
        raise UserError(f"VideoReward: the question in {path} is not the published one; {_AGAIN} videoalign-prompt")
    return text


def conversation(template: str, prompt: str, video_tokens: int) -> str:
    """What the model reads: the chat format of Qwen2-VL with one video and the question, an answer to follow."""
    video = "<|vision_start|>" + "<|video_pad|>" * video_tokens + "<|vision_end|>"
    question = template.format(text_prompt=prompt)
    return (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n{video}{question}<|im_end|>\n<|im_start|>assistant\n"
    )
