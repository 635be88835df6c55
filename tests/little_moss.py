"""A little MOSS Transcribe Diarize with seeded weights, saved as a folder that its loading code reads like a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|audio_pad|>", "<|audio_start|>", "<|audio_end|>"]


def tokenizer_file(folder: Path) -> Path:
    """A byte-level tokenizer (256 bytes, no merges) with the special tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


def save_little_moss(folder: Path, *, seed: int = 0) -> Path:
    """config.json, model.safetensors, tokenizer and processor files of a network with 2 + 2 layers of width 32."""
    import torch
    from transformers import (
        MossTranscribeDiarizeConfig,
        MossTranscribeDiarizeFeatureExtractor,
        MossTranscribeDiarizeForConditionalGeneration,
        MossTranscribeDiarizeProcessor,
        PreTrainedTokenizerFast,
    )

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer: Any = PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer_file(folder)), eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    extractor = MossTranscribeDiarizeFeatureExtractor(feature_size=80)
    MossTranscribeDiarizeProcessor(extractor, tokenizer, chat_template=TEMPLATE).save_pretrained(folder)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = MossTranscribeDiarizeConfig(
        audio_config={**sizes, "num_mel_bins": 80},
        text_config={
            "model_type": "qwen3", **sizes, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": len(tokenizer),
            "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
        },
        audio_token_id=tokenizer.convert_tokens_to_ids("<|audio_pad|>"),
    )  # fmt: skip
    torch.manual_seed(seed)
    model: Any = MossTranscribeDiarizeForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.2)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "moss_transcribe_diarize"
    return folder
