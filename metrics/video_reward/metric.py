"""VideoReward as a metric."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import NotApplicable, UserError
from metrics.networks.metric import NetworkMetric
from metrics.types import Measurement, Need, Request, ScoreSpec
from metrics.video_reward.settings import SCORES, SPECIAL_TOKENS

if TYPE_CHECKING:
    from torch import Tensor

    from metrics.clip import Clip
    from metrics.video_reward.network import RewardNet
    from metrics.video_reward.settings import Settings

_SOURCE = "VideoReward (VideoAlign, Liu et al. 2025)"
_TITLES = ("Visual quality", "Motion quality", "Text alignment")
_POSITIONS = ("trained", "stock")


class VideoReward(NetworkMetric):
    """Visual quality, motion quality and closeness to the prompt by VideoReward: `vq`, `mq`, `ta`, higher is better.

    A Qwen2-VL-2B that was trained on people's preferences reads a fixed question with the prompt and sees two pictures
    per second; each score is in standard deviations of the training set's. `details` has their sum, "overall". Sound
    is not heard.

    Compared with the authors' code (VideoAlign with transformers 4.45.2, PEFT and decord, from the file on, the
    question as published, a small network with seeded weights) on three clips: pictures equal to the bit, scores to
    8e-7 of the largest. The layout equals the published one at its full size.

    Options: positions, "trained" (default: one running number for every token, as VideoReward was trained and as its
    authors run it) or "stock" (three-dimensional ones for the picture, as transformers' own class computes them and the
    MOVA toolkit has it); never compare the two. checkpoint, tokenizer (folders) and question (file), to use instead of
    the published ones; precision; batch has no effect, one clip is read at a time.
    """

    name: ClassVar[str] = "video_reward"
    title: ClassVar[str] = "Picture, motion and prompt (VideoReward)"
    scores: ClassVar[tuple[ScoreSpec, ...]] = tuple(
        ScoreSpec(name, f"VideoReward {title.lower()} ({name.upper()})", "higher", "z-score", (None, None), _SOURCE)
        for name, title in zip(SCORES, _TITLES, strict=True)
    )
    needs: ClassVar[frozenset[Need]] = frozenset({Need.VIDEO, Need.PROMPT})
    reads: ClassVar[frozenset[str]] = frozenset({"prompt"})
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "positions": "trained",
            "checkpoint": None,
            "tokenizer": None,
            "question": None,
            "precision": "float32",
            "batch": 1,
        }
    )
    files: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"checkpoint": "videoreward", "tokenizer": "qwen2-vl-tokenizer", "question": "videoalign-prompt"}
    )
    weights: ClassVar[tuple[str, ...]] = ("videoreward", "qwen2-vl-tokenizer", "videoalign-prompt")
    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    licence: ClassVar[str] = "Apache-2.0 (network), MIT (question)"

    _network: RewardNet
    _settings: Settings
    _tokenizer: Any
    _template: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.options["positions"] not in _POSITIONS:
            known = ", ".join(_POSITIONS)
            raise UserError(f"metric {self.name}: no positions '{self.options['positions']}'; it knows {known}")

    def load(self) -> None:
        from transformers import AutoTokenizer, Qwen2VLConfig

        from metrics.networks.states import read_state
        from metrics.video_reward.network import reward_net
        from metrics.video_reward.settings import read_settings, read_template

        folder, texts = self.file("checkpoint"), self.file("tokenizer")
        self._settings = read_settings(folder)
        self._template = read_template(self.file("question"))
        try:
            config = Qwen2VLConfig.from_pretrained(str(texts), local_files_only=True)
            self._tokenizer = AutoTokenizer.from_pretrained(str(texts), local_files_only=True)
        except Exception as error:  # transformers raises many kinds for files that are not its own
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"VideoReward: the tokenizer in {texts} cannot be read ({reason:.120}); get it again"
            ) from error
        state = read_state(folder / "checkpoint-11352" / "model.pth", "VideoReward")
        self._network = reward_net(state, config, self._settings.lora_scale).to(self.device)
        self._tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL_TOKENS)})
        known, wanted = len(self._tokenizer), self._network.sizes.text_config.vocab_size
        if known != wanted:
            raise UserError(f"VideoReward: the tokenizer in {texts} knows {known} tokens, not {wanted}; get it again")

    def rewards(self, pictures: Tensor, prompt: str) -> list[float]:
        """VQ, MQ and TA, z-scored, of pictures uint8 [n, 3, h, w] (see `pictures.seen`) and a prompt.

        Raises NotApplicable for a prompt that holds the network's own control tokens, or that is too long for it.
        """
        import torch

        from metrics.video_reward.pictures import MERGE, patches_of
        from metrics.video_reward.settings import conversation

        self.ensure_loaded()
        patches, grid = patches_of(pictures)
        expected = len(patches) // MERGE**2
        text = conversation(self._template, prompt, expected)
        tokens = self._tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        config, special = self._network.sizes, self._tokenizer.convert_tokens_to_ids(list(SPECIAL_TOKENS))
        once = [int((tokens == token).sum()) for token in special]
        if int((tokens == config.video_token_id).sum()) != expected or once != [1, 1, 1]:
            raise NotApplicable(
                "control_tokens", "the prompt holds tokens that steer the network, such as <|video_pad|>"
            )
        longest = config.text_config.max_position_embeddings
        if tokens.shape[1] > longest:
            raise NotApplicable("prompt_too_long", f"{tokens.shape[1]} tokens are more than the network's {longest}")
        with self.arithmetic():
            raw = self._network(
                tokens.to(self.device),
                patches.to(self.device),
                grid.to(self.device),
                special,
                stock=self.options["positions"] == "stock",
            )
        values = torch.as_tensor(raw).float().cpu().tolist()
        scale = zip(values, self._settings.means, self._settings.stds, strict=True)
        return [(value - mean) / std for value, mean, std in scale]

    def compute(self, clip: Clip, request: Request) -> Measurement:
        from metrics.video_reward.pictures import seen

        self.ensure_loaded()
        pictures = seen(clip, self._settings)
        found = self.rewards(pictures, request.prompt)
        details = {"overall": round(sum(found), 6), "pictures": len(pictures), "size": list(pictures.shape[-2:])}
        return Measurement.scored(self.name, dict(zip(SCORES, found, strict=True)), details=details)
