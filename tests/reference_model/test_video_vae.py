"""The video VAE in one pass over the whole clip, written from its description, against the chunked one that is used."""

from __future__ import annotations

import torch
from model_support import VIDEO, inputs, nano_module
from torch import Tensor
from torch.nn import functional as nnf

from reference_model import fill
from reference_model.components import skeleton
from reference_model.presets import NANO
from reference_model.video_vae import VideoVae


class Whole:
    """Encoder and decoder over all frames at once: zero padding on the left of time, no caches."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.w = weights

    def causal(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.w[f"{name}.weight"], self.w[f"{name}.bias"]
        time, space = weight.shape[2] - 1, weight.shape[3] // 2
        return nnf.conv3d(nnf.pad(x, (space, space, space, space, time, 0)), weight, bias)

    def norm(self, x: Tensor, name: str) -> Tensor:
        gamma = self.w[f"{name}.gamma"].view(-1, 1, 1, 1)
        return x / x.norm(dim=1, keepdim=True).clamp_min(1e-12) * x.shape[1] ** 0.5 * gamma

    def residual(self, x: Tensor, name: str) -> Tensor:
        y = self.causal(nnf.silu(self.norm(x, f"{name}.norm1")), f"{name}.conv1")
        y = self.causal(nnf.silu(self.norm(y, f"{name}.norm2")), f"{name}.conv2")
        return y + (self.causal(x, f"{name}.conv_shortcut") if f"{name}.conv_shortcut.weight" in self.w else x)

    def flat(self, x: Tensor, name: str, **options: int) -> Tensor:
        """A two-dimensional convolution of every frame."""
        y = nnf.conv2d(x.transpose(1, 2).flatten(0, 1), self.w[f"{name}.weight"], self.w[f"{name}.bias"], **options)
        return y.unflatten(0, (len(x), -1)).transpose(1, 2)

    def attention(self, x: Tensor, name: str) -> Tensor:
        qkv = self.flat(self.norm(x, f"{name}.norm"), f"{name}.to_qkv")
        q, k, v = qkv.permute(0, 2, 3, 4, 1).flatten(2, 3).chunk(3, dim=-1)
        out = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1) @ v
        out = out.unflatten(2, x.shape[-2:]).permute(0, 4, 1, 2, 3)
        return x + self.flat(out, f"{name}.proj")

    def middle(self, x: Tensor, side: str) -> Tensor:
        x = self.attention(self.residual(x, f"{side}.mid_block.resnets.0"), f"{side}.mid_block.attentions.0")
        return self.residual(x, f"{side}.mid_block.resnets.1")

    def end(self, x: Tensor, side: str) -> Tensor:
        return self.causal(nnf.silu(self.norm(x, f"{side}.norm_out")), f"{side}.conv_out")

    def encode(self, x: Tensor) -> Tensor:
        x = self.causal(x, "encoder.conv_in")
        for index in range(11):
            name = f"encoder.down_blocks.{index}"
            if index not in (2, 5, 8):
                x = self.residual(x, name)
                continue
            x = self.flat(nnf.pad(x, (0, 1, 0, 1)), f"{name}.resample.1", stride=2)
            if index > 2:
                weight, bias = (self.w[f"{name}.time_conv.{kind}"] for kind in ("weight", "bias"))
                x = torch.cat([x[:, :, :1], nnf.conv3d(x, weight, bias, stride=(2, 1, 1))], dim=2)
        moments = self.causal(self.end(self.middle(x, "encoder"), "encoder"), "quant_conv")
        return moments.chunk(2, dim=1)[0]

    def decode(self, z: Tensor) -> Tensor:
        x = self.middle(self.causal(self.causal(z, "post_quant_conv"), "decoder.conv_in"), "decoder")
        for stage in range(4):
            name = f"decoder.up_blocks.{stage}"
            for index in range(3):
                x = self.residual(x, f"{name}.resnets.{index}")
            if stage < 2:
                pairs = self.causal(x[:, :, 1:], f"{name}.upsamplers.0.time_conv").chunk(2, dim=1)
                x = torch.cat([x[:, :, :1], torch.stack(pairs, dim=3).flatten(2, 3)], dim=2)
            if stage < 3:
                x = x.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
                x = self.flat(x, f"{name}.upsamplers.0.resample.1", padding=1)
        return self.end(x, "decoder").clamp(-1, 1)


@torch.inference_mode()
def test_chunks_equal_the_whole_clip() -> None:
    network = nano_module("video_vae")
    whole = Whole(network.state_dict())
    clip = fill.values("vae/clip", (1, 3, 17, 64, 96)).clamp(-1, 1)
    coded = network.encode(clip).latent_dist.mode()
    torch.testing.assert_close(coded, whole.encode(clip), atol=2e-4, rtol=0)
    torch.testing.assert_close(network.decode(inputs().video).sample, whole.decode(inputs().video), atol=2e-4, rtol=0)
    assert coded.shape == VIDEO


@torch.inference_mode()
def test_the_last_layers_in_float32_change_nothing_in_float32_and_help_in_bfloat16() -> None:
    def built(dtype: torch.dtype, exact: bool) -> VideoVae:
        module = skeleton("video_vae", NANO).to_empty(device="cpu")
        module.load_state_dict(nano_module("video_vae").state_dict())
        return VideoVae(module.to(dtype), exact_output=exact)

    z = inputs().video[:, :, :2]
    best = built(torch.float32, exact=False).decode(z)
    assert torch.equal(built(torch.float32, exact=True).decode(z), best)
    rough, fine = (built(torch.bfloat16, exact=e).decode(z) for e in (False, True))
    assert (rough.dtype, fine.dtype) == (torch.bfloat16, torch.float32)
    inside = best.abs() < 0.99
    steps = torch.unique(fine[inside] * 255).numel() / torch.unique(rough[inside] * 255).numel()
    assert steps > 10, "values between those of bfloat16"
    errors = [float((x.float() - best).norm()) for x in (fine, rough)]
    assert errors[0] < errors[1]
