"""SyncNet (Chung and Zisserman, "Out of time: automated lip sync in the wild", 2016): lips and sound in one space.

`SyncNet` has the layers and the state-dict keys of the published file `syncnet_v2.model`. `LipSyncNet` computes the
same two embeddings faster: batch normalisation is folded into the convolutions, the lip tower runs once over a whole
track (only its first layer spans time, so T frames give T - 4 embeddings that equal those of the single windows), that
first layer becomes a 2-D convolution over five stacked frames, and every 1 x k x k volume a k x k picture.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from metrics.networks.states import StateDict, check_state, exact_arithmetic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 224
WINDOW = 5
"""Frames that one embedding sees."""
MFCC_PER_FRAME = 4
MFCC_WINDOW = 20
DIMENSIONS = 1024


class SyncNet(nn.Module):
    """The network as published; its state-dict keys equal those of `syncnet_v2.model`."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_unit2d(1, 64, 3, padding=1), nn.MaxPool2d(1, 1),
            *_unit2d(64, 192, 3, padding=1), nn.MaxPool2d(3, (1, 2)),
            *_unit2d(192, 384, 3, padding=1), *_unit2d(384, 256, 3, padding=1), *_unit2d(256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),
            *_unit2d(256, 512, (5, 4)),
        )  # fmt: skip
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_unit3d(3, 96, (5, 7, 7), stride=(1, 2, 2)), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 0, 0)),
            *_unit3d(96, 256, (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_unit3d(256, 256, (1, 3, 3), padding=(0, 1, 1)), *_unit3d(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_unit3d(256, 256, (1, 3, 3), padding=(0, 1, 1)), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 0, 0)),
            *_unit3d(256, 512, (1, 6, 6)),
        )  # fmt: skip

    def forward_lip(self, frames: Tensor) -> Tensor:
        """Windows of frames float [n, 3, 5, 224, 224], BGR 0-255 -> embeddings [n, 1024]."""
        embeddings: Tensor = self.netfclip(self.netcnnlip(frames).flatten(1))
        return embeddings

    def forward_audio(self, coefficients: Tensor) -> Tensor:
        """MFCC windows float [n, 1, 13, 20] -> embeddings [n, 1024]."""
        embeddings: Tensor = self.netfcaud(self.netcnnaud(coefficients).flatten(1))
        return embeddings


def _unit2d(
    inputs: int, outputs: int, kernel: int | tuple[int, int], padding: int = 0
) -> tuple[nn.Conv2d, nn.BatchNorm2d, nn.ReLU]:
    return nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU()


def _unit3d(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int] = (1, 1, 1),
    padding: tuple[int, int, int] = (0, 0, 0),
) -> tuple[nn.Conv3d, nn.BatchNorm3d, nn.ReLU]:
    return nn.Conv3d(inputs, outputs, kernel, stride, padding), nn.BatchNorm3d(outputs), nn.ReLU()


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, DIMENSIONS))


class LipSyncNet(nn.Module):
    """The two towers of SyncNet, arranged for speed; embeddings equal `SyncNet`'s within 1e-4.

    weights: state dict with the published keys. dtype: float32, or bfloat16 / float16 for less exact, faster towers.
    Raises UserError that names the first wrong key if the state dict is another network's.
    """

    def __init__(self, weights: StateDict, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        network = SyncNet()
        check_state(network, weights, "SyncNet")
        network.load_state_dict(weights)
        network.eval()
        with torch.no_grad():
            self.lips = nn.Sequential(*_folded(network.netcnnlip), nn.Flatten(), *_folded(network.netfclip))
            self.audio = nn.Sequential(*_folded(network.netcnnaud), nn.Flatten(), *_folded(network.netfcaud))
        self.device, self.dtype = torch.device(device), dtype
        for parameter in self.parameters():
            parameter.requires_grad_(False)
        self.to(self.device, dtype)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval()

    def embed_lips(self, frames: NDArray[np.uint8], batch: int = 8) -> NDArray[np.float32]:
        """Lip embeddings of one track: frames uint8 [T, 224, 224, 3] BGR -> float32 [T - 4, 1024] (none for T < 5)."""
        count = len(frames) - WINDOW + 1
        if count < 1:
            return _nothing()
        with exact_arithmetic(), torch.inference_mode():
            parts = []
            for start in range(0, count, batch):
                stop = min(start + batch, count)
                pictures = torch.from_numpy(frames[start : stop + WINDOW - 1]).to(self.device)
                windows = _stacked(pictures.to(self.dtype), stop - start)
                parts.append(self.lips(windows).float().cpu())
            return torch.cat(parts).numpy()

    def embed_audio(self, coefficients: NDArray[np.float64], count: int, batch: int = 32) -> NDArray[np.float32]:
        """Sound embeddings of the first `count` windows: MFCC [frames, 13] -> float32 [count, 1024].

        Window i sees coefficients 4i ... 4i + 19. Each window is embedded for itself: the convolutions pad in time, so
        one pass over the whole signal would give other numbers.
        """
        if count < 1:
            return _nothing()
        signal = torch.from_numpy(coefficients.T.copy()).float()
        windows = signal.unfold(1, MFCC_WINDOW, MFCC_PER_FRAME).permute(1, 0, 2)[:count, None]
        with exact_arithmetic(), torch.inference_mode():
            parts = [
                self.audio(part.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)).float().cpu()
                for part in torch.split(windows, batch)
            ]
            return torch.cat(parts).numpy()


def _nothing() -> NDArray[np.float32]:
    return torch.zeros(0, DIMENSIONS).numpy()


def _stacked(pictures: Tensor, count: int) -> Tensor:
    """Pictures [count + 4, H, W, 3] -> windows [count, 16, H, W], channels last: five frames and one empty channel."""
    _, height, width, _ = pictures.shape
    windows = pictures.new_zeros(count, height, width, WINDOW * 3 + 1)
    for step in range(WINDOW):
        windows[..., step * 3 : step * 3 + 3] = pictures[step : step + count]
    return windows.permute(0, 3, 1, 2)


def _folded(layers: nn.Sequential) -> Iterator[nn.Module]:
    """The layers as 2-D ones, each batch normalisation folded into the layer before it."""
    members = [*layers, nn.Identity()]
    for layer, after in itertools.pairwise(members):
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            fused = fuse_conv_bn_eval(layer, after)
            yield fused if isinstance(fused, nn.Conv2d) else _flat_convolution(fused)
        elif isinstance(layer, nn.Linear):
            yield fuse_linear_bn_eval(layer, after) if isinstance(after, nn.BatchNorm1d) else layer
        elif isinstance(layer, nn.ReLU):
            yield nn.ReLU(inplace=True)
        elif isinstance(layer, nn.MaxPool3d):
            yield nn.MaxPool2d(_last_two(layer.kernel_size), _last_two(layer.stride), _last_two(layer.padding))
        elif isinstance(layer, nn.MaxPool2d) and layer.kernel_size != 1:
            yield layer


def _flat_convolution(layer: nn.Conv3d) -> nn.Conv2d:
    """A 3-D convolution that spans all of its input's time, as a 2-D one over (time, channel) planes.

    The 15 planes of the first layer become 16 by an empty one: whole vectors for the CPU's kernels.
    """
    outputs, inputs, depth, height, width = layer.weight.shape
    planes = inputs * depth if depth == 1 else inputs * depth + 1
    flat = nn.Conv2d(planes, outputs, (height, width), _last_two(layer.stride), _last_two(layer.padding))
    flat.weight.zero_()
    flat.weight[:, : inputs * depth] = layer.weight.transpose(1, 2).flatten(1, 2)
    assert flat.bias is not None
    assert layer.bias is not None
    flat.bias.copy_(layer.bias)
    return flat


def _last_two(size: object) -> tuple[int, int]:
    assert isinstance(size, tuple)
    return size[-2], size[-1]
