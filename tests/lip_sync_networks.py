"""Networks with seeded weights for the lip-sync tests.

Random weights say nothing about faces or sync. Their first layers are taken as they are, and the last ones fitted by
ridge regression: S3FD's heads so that it returns boxes at a chosen place, SyncNet's so that lips and sound of one
moment lie close. Offsets and scores then behave like a trained network's.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from metrics.lip_sync.mfcc import mfcc
from metrics.lip_sync.s3fd import S3fdNet
from metrics.lip_sync.syncnet import LipSyncNet, SyncNet

State = dict[str, Tensor]
Box = tuple[float, float, float, float]


def syncnet_state(
    pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.int16]]], seed: int = 0, ridge: float = 1.0
) -> State:
    """A SyncNet for which the given (crops [T, 224, 224, 3], sound [N]) are in sync."""
    torch.manual_seed(seed)
    network = SyncNet()
    with torch.no_grad():
        _kaiming(network)
        _calibrate(network, [_windows(crops, samples) for crops, samples in pairs])
        network.eval()
        hidden = LipSyncNet(network.state_dict())
        hidden.lips, hidden.audio = hidden.lips[:-1], hidden.audio[:-1]
        counts = [min(len(crops), len(samples) // 640) - 5 for crops, samples in pairs]
        both = list(zip(pairs, counts, strict=True))
        lips = torch.cat([torch.from_numpy(hidden.embed_lips(crops[: n + 4])) for (crops, _), n in both])
        sound = torch.cat([torch.from_numpy(hidden.embed_audio(mfcc(samples), n)) for (_, samples), n in both])
        shared = torch.randn(512, 1024) / 512**0.5 * 0.5
        target = (sound - sound.mean(0)) / sound.std() @ shared
        # silence beyond the ends of a track is a zero vector: keep it as far from a window as the wrong window is
        centre = nn.functional.normalize(torch.randn(1024), dim=0) * target.norm(dim=1).mean()
        target = target + centre
        _fit(network.netfcaud[3], sound, target, ridge)
        _fit(network.netfclip[3], lips, target, ridge)
    return {name: value.clone() for name, value in network.state_dict().items()}


def s3fd_state(frames: Sequence[NDArray[np.uint8]], boxes: Sequence[Sequence[Box]], seed: int = 0) -> State:
    """An S3FD that finds a face near each of a frame's boxes (left, top, right, bottom, pixels) and nowhere else.

    frames: [H, W, 3] BGR. Boxes of one frame should have centres 64 pixels apart or more.
    """
    torch.manual_seed(seed)
    network = S3fdNet().eval()
    mean = torch.tensor((123.0, 117.0, 104.0))
    with torch.no_grad():
        _kaiming(network)
        for norm, scale in ((network.L2Norm3_3, 10.0), (network.L2Norm4_3, 8.0), (network.L2Norm5_3, 5.0)):
            norm.weight.fill_(scale)
        for level, (box, face) in enumerate(zip(network.loc, network.conf, strict=True)):
            box.weight.zero_()
            box.bias.zero_()
            face.weight.zero_()
            face.bias.copy_(torch.tensor([10.0, 10.0, 10.0, -10.0] if level == 0 else [10.0, -10.0]))
        sources = []
        for frame in frames:
            small = cv2.resize(frame, (0, 0), fx=0.25, fy=0.25)
            sources.append(network.sources((torch.from_numpy(small).flip(-1).float() - mean).permute(2, 0, 1)[None])[2])
        _fit_faces(network, sources, boxes)
    return {name: value.clone() for name, value in network.state_dict().items()}


def _fit_faces(network: S3fdNet, sources: Sequence[Tensor], boxes: Sequence[Sequence[Box]]) -> None:
    """Level 2 (cells of 64 source pixels, boxes of 256) fires at the cell of each box's centre, and nowhere else."""
    targets = []
    for source, wanted in zip(sources, boxes, strict=True):
        target = torch.full(source.shape[2:], -8.0)
        for left, top, right, bottom in wanted:
            row = min(int((top + bottom) / 2 / 64), target.shape[0] - 1)
            column = min(int((left + right) / 2 / 64), target.shape[1] - 1)
            target[row, column] = 8.0
        targets.append(target.flatten())
    target = torch.cat(targets).double()
    patches = torch.cat([nn.functional.unfold(source, 3, padding=1)[0].T for source in sources]).double()
    gram = patches @ patches.T
    gram += torch.eye(len(gram), dtype=torch.double) * gram.diagonal().mean() * 1e-3
    weights = (patches.T @ torch.linalg.solve(gram, target[:, None])).float().reshape(1, -1, 3, 3)
    network.conf[2].weight.copy_(torch.cat([-weights / 2, weights / 2]))
    network.conf[2].bias.zero_()
    network.loc[2].weight.normal_(0, 0.02)


def _windows(crops: NDArray[np.uint8], samples: NDArray[np.int16]) -> tuple[Tensor, Tensor]:
    """Every sixteenth window of lips and of sound."""
    frames = torch.from_numpy(crops).permute(3, 0, 1, 2)
    signal = torch.from_numpy(mfcc(samples).T.copy()).float()
    chosen = range(0, min(len(crops), len(samples) // 640) - 5, 16)
    lips = torch.stack([frames[:, first : first + 5] for first in chosen])
    return lips, torch.stack([signal[None, :, 4 * first : 4 * first + 20] for first in chosen])


def _kaiming(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)


def _calibrate(network: SyncNet, windows: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Batch normalisation statistics of real windows, so that no layer is saturated or blind."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            layer.momentum = 1.0
    network.train()
    lips = torch.cat([part for part, _ in windows])
    network.forward_lip(lips[:: max(1, len(lips) // 16)].float())
    network.forward_audio(torch.cat([part for _, part in windows]))


def _fit(layer: nn.Linear, inputs: Tensor, target: Tensor, ridge: float) -> None:
    mean, wanted = inputs.mean(0), target.mean(0)
    centred = (inputs - mean).double()
    gram = centred.T @ centred
    gram += torch.eye(len(gram), dtype=torch.double) * gram.diagonal().mean() * ridge
    weight = torch.linalg.solve(gram, centred.T @ (target - wanted).double()).T.float()
    layer.weight.copy_(weight)
    layer.bias.copy_(wanted - weight @ mean)
