"""VideoReward beside its authors' code: same file, same seeded checkpoint, same numbers. See `public_networks`.

Besides what the other comparisons need, a folder with transformers 4.45.2 (and tokenizers and huggingface-hub to match)
in MOVA_TEST_PUBLIC_TRANSFORMERS: later releases compute other positions.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import reward_networks as small
from public_networks import CODE, relative, run_public
from support import shared_clip

from metrics import Clip
from metrics.video_reward.metric import VideoReward
from metrics.video_reward.pictures import seen

TRANSFORMERS = "MOVA_TEST_PUBLIC_TRANSFORMERS"

PUBLIC = """
import ast, typing
from torch import nn

root += "/videoalign"
sys.path.insert(0, root)
from transformers import (
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
)
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
import torch.distributed.tensor
import peft
from vision_process import process_vision_info
from prompt_template import build_prompt

tree = ast.parse(open(root + "/trainer.py").read())
scope = {
    "torch": torch,
    "nn": nn,
    "Qwen2VLForConditionalGeneration": Qwen2VLForConditionalGeneration,
    **{n: getattr(typing, n) for n in ("Optional", "List", "Dict", "Union", "Any")},
}
exec(
    compile(
        ast.Module([n for n in tree.body if getattr(n, "name", "") == "Qwen2VLRewardModelBT"], []),
        "trainer",
        "exec",
    ),
    scope,
)
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\\n"
    "You are a helpful assistant.<|im_end|>\\n{% endif %}<|im_start|>{{ message['role'] }}\\n"
    "{% for content in message['content'] %}{% if content['type'] == 'video' or 'video' in content %}"
    "<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\\n{% endif %}"
)
tok = PreTrainedTokenizerFast(
    tokenizer_file=tokenizer + "/tokenizer.json", pad_token="<|endoftext|>", padding_side="right"
)
special = ["<|VQ_reward|>", "<|MQ_reward|>", "<|TA_reward|>"]
processor = Qwen2VLProcessor.__new__(Qwen2VLProcessor)
processor.tokenizer = tok
processor.image_processor = Qwen2VLImageProcessor()
processor.chat_template = TEMPLATE
tok.add_special_tokens({"additional_special_tokens": special})
ids = tok.convert_tokens_to_ids(special)
config = Qwen2VLConfig(**json.load(open(tokenizer + "/config.json")))
config._attn_implementation = "eager"
model = scope["Qwen2VLRewardModelBT"](config, output_dim=1, reward_token="special", special_token_ids=ids)
model.resize_token_embeddings(len(tok))
targets = [
    n
    for n, m in model.named_modules()
    if isinstance(m, nn.Linear) and "visual" not in n and "lm_head" not in n and "rm_head" not in n
]
told = json.load(open(checkpoint + "/model_config.json"))
lc = told["peft_lora_config"]
model = peft.get_peft_model(
    model,
    peft.LoraConfig(
        target_modules=targets,
        r=lc["lora_r"],
        lora_alpha=lc["lora_alpha"],
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
        use_rslora=lc["use_rslora"],
        bias="none",
    ),
)
print(model.load_state_dict(torch.load(checkpoint + "/checkpoint-11352/model.pth")))
model.config.pad_token_id = tok.pad_token_id
model.eval()
rewards = []
with torch.no_grad():
    for i, (path, prompt) in enumerate(zip(clips, prompts)):
        chat = [
            [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "video",
                            "video": path,
                            "max_pixels": told["data_config"]["max_frame_pixels"],
                            "fps": 2.0,
                            "sample_type": "uniform",
                        },
                        {
                            "type": "text",
                            "text": build_prompt(prompt, ["VQ", "MQ", "TA"], "detailed_special"),
                        },
                    ],
                }
            ]
        ]
        images, videos = process_vision_info(chat)
        out[f"v{i}"] = videos[0].numpy()
        text = tok.apply_chat_template(
            chat, chat_template=TEMPLATE, tokenize=False, add_generation_prompt=True
        )
        batch = processor(
            text=text,
            images=images,
            videos=videos,
            padding=True,
            return_tensors="pt",
            videos_kwargs={"do_rescale": True},
        )
        batch.pop("token_type_ids", None)
        r = model(return_dict=True, **batch)["logits"][0].tolist()
        c = told["inference_config"]
        rewards.append([(v - c[n + "_mean"]) / c[n + "_std"] for v, n in zip(r, ("VQ", "MQ", "TA"))])
out["rewards"] = np.array(rewards)
"""


@pytest.mark.slow
def test_video_reward(sound_clip: Path, tmp_path: Path) -> None:
    if CODE not in os.environ or TRANSFORMERS not in os.environ:
        pytest.skip(f"no public code to compare with (set {CODE} and {TRANSFORMERS})")
    question = Path(os.environ[CODE]) / "videoalign" / "prompt_template.py"
    checkpoint, tokenizer = small.write_checkpoint(tmp_path / "weights"), small.write_tokenizer(tmp_path / "tokenizer")
    paths = [str(shared_clip("00000.mp4")), str(shared_clip("419.mp4")), str(sound_clip)]
    prompts = ["A man speaks in the street.", "雨 🎬 {x} rain on a roof", "x " * 500]
    metric = VideoReward(checkpoint=str(checkpoint), tokenizer=str(tokenizer), question=str(question), threads=2)
    rewards, pictures = [], []
    for path, prompt in zip(paths, prompts, strict=True):
        with Clip(path) as clip:
            rewards.append(list(metric.measure(clip, {"prompt": prompt}).scores.values()))
            pictures.append(seen(clip, metric._settings).numpy())
    public = run_public(
        PUBLIC, tmp_path, "videoalign", first=os.environ[TRANSFORMERS], clips=paths, prompts=prompts,
        checkpoint=str(checkpoint), tokenizer=str(tokenizer),
    )  # fmt: skip
    for place, ours in enumerate(pictures):
        np.testing.assert_array_equal(ours, public[f"v{place}"])
    assert relative(rewards, public["rewards"]) < 1e-4
