"""Prompts to contexts: cleaning, tokens, the UMT5 encoder. The same context goes to both towers."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reference_model.configs import TextConfig
from reference_model.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import UMT5EncoderModel

MAX_TOKENS = 512

DEFAULT_NEGATIVE_PROMPT = (
    "oversaturated colours, blown-out highlights, frozen frame, smeared detail, burned-in captions, painting, drawing, "
    "still life, dull grey tones, poor quality, compression blocks, unsightly, malformed body, too many fingers, "
    "distorted sound, clipping, background hiss"
)
"""Ours, in our own words. Numbers comparable with upstream's script need upstream's text (see docs/models/mova.md)."""


@dataclass(frozen=True)
class Contexts:
    """Contexts [B, 512, width], zero after each prompt's last token; how many tokens each prompt has and lost."""

    values: Tensor
    tokens: tuple[int, ...]
    cut: tuple[int, ...]


def clean(prompt: str) -> str:
    """Mended encoding, no HTML entities, single spaces."""
    import ftfy

    text = html.unescape(html.unescape(ftfy.fix_text(prompt))).strip()
    return re.sub(r"\s+", " ", text).strip()


def build(config: TextConfig) -> UMT5EncoderModel:
    """The encoder, with fresh weights."""
    from dataclasses import asdict

    from transformers import UMT5Config, UMT5EncoderModel

    settings: dict[str, Any] = {**asdict(config), "dropout_rate": 0.0, "tie_word_embeddings": True}
    return UMT5EncoderModel(UMT5Config(**settings))


class TextEncoder:
    """A tokenizer and the encoder."""

    def __init__(self, tokenizer: Any, network: UMT5EncoderModel) -> None:
        self.tokenizer = tokenizer
        self.network = network

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str], device: torch.device) -> Contexts:
        """Contexts of prompts, in the encoder's type. What goes beyond 512 tokens is cut off and counted."""
        texts = [clean(prompt) for prompt in prompts]
        whole = [len(self.tokenizer(text, verbose=False).input_ids) for text in texts]
        found = self.tokenizer(
            texts,
            padding="max_length",
            max_length=MAX_TOKENS,
            truncation=True,
            add_special_tokens=True,
            return_attention_mask=True,
            return_tensors="pt",
        )
        mask = found.attention_mask.to(device)
        hidden = self.network(found.input_ids.to(device), mask).last_hidden_state
        return Contexts(
            hidden * mask[..., None].to(hidden.dtype),
            tuple(int(n) for n in mask.sum(dim=1)),
            tuple(max(0, length - MAX_TOKENS) for length in whole),
        )


def check_prompt(prompt: str) -> None:
    """Raises UserError for a prompt without any text."""
    if not clean(prompt):
        raise UserError("the prompt is empty: describe what is seen and heard in the clip")
