"""S3FD (Zhang et al., "S3FD: single shot scale-invariant face detector", 2017), the face detector of the LSE tools.

`S3fdNet` has the layers and the state-dict keys of the published file `sfd_face.pth`. `FaceDetector` runs it on batches
of pictures, with anchors made once per picture size, and sees only boxes above the threshold: suppression of
overlapping boxes goes from the best score downwards, so the ones below cannot change the ones above.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict

import torch
from torch import Tensor, nn

from metrics.networks.states import StateDict, check_state, exact_arithmetic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RGB_MEAN = (123.0, 117.0, 104.0)
_TAPS = {15: "L2Norm3_3", 22: "L2Norm4_3", 29: "L2Norm5_3"}
_TOP_BOXES = 5000
_MOST_BOXES = 750
_FIRST_OVERLAP = 0.3
_SECOND_OVERLAP = 0.1
_LOWEST_SCORE = 0.05


class Detection(TypedDict):
    """A face in a frame: frame number from 0; bbox left, top, right, bottom in pixels, not clipped; confidence 0-1."""

    frame: int
    bbox: list[float]
    conf: float


class _L2Norm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        norm = x.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10
        return self.weight[None, :, None, None] * (x / norm)


class S3fdNet(nn.Module):
    """The network as published; its state-dict keys equal those of `sfd_face.pth`."""

    def __init__(self) -> None:
        super().__init__()
        self.vgg = nn.ModuleList(_vgg_layers())
        self.L2Norm3_3, self.L2Norm4_3, self.L2Norm5_3 = _L2Norm(256), _L2Norm(512), _L2Norm(512)
        self.extras = nn.ModuleList(
            [
                nn.Conv2d(1024, 256, 1),
                nn.Conv2d(256, 512, 3, 2, 1),
                nn.Conv2d(512, 128, 1),
                nn.Conv2d(128, 256, 3, 2, 1),
            ]
        )
        channels = (256, 512, 512, 1024, 512, 256)
        self.loc = nn.ModuleList([nn.Conv2d(width, 4, 3, padding=1) for width in channels])
        self.conf = nn.ModuleList(
            [nn.Conv2d(width, 2 if level else 4, 3, padding=1) for level, width in enumerate(channels)]
        )

    def sources(self, pictures: Tensor) -> list[Tensor]:
        """Six feature maps, from fine to coarse, of pictures float [n, 3, H, W] (RGB with the mean taken off)."""
        found = []
        x = pictures
        for place, layer in enumerate(self.vgg):
            x = layer(x)
            if place in _TAPS:
                found.append(getattr(self, _TAPS[place])(x))
        found.append(x)
        for place, layer in enumerate(self.extras):
            x = torch.relu(layer(x))
            if place % 2:
                found.append(x)
        return found

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, list[tuple[int, int]]]:
        """Pictures [n, 3, H, W] -> (box offsets [n, anchors, 4], face scores [n, anchors] 0-1, map sizes)."""
        offsets, scores, sizes = [], [], []
        for level, source in enumerate(self.sources(pictures)):
            logits = self.conf[level](source)
            if level == 0:  # three kinds of background: the likeliest counts
                logits = torch.cat([logits[:, :3].amax(dim=1, keepdim=True), logits[:, 3:]], dim=1)
            scores.append(torch.softmax(logits.float(), dim=1)[:, 1].flatten(1))
            offsets.append(self.loc[level](source).float().permute(0, 2, 3, 1).flatten(1, 2))
            sizes.append((source.shape[2], source.shape[3]))
        return torch.cat(offsets, 1), torch.cat(scores, 1), sizes


def _vgg_layers() -> Iterator[nn.Module]:
    before = 3
    for width, repeats, pool in ((64, 2, False), (128, 2, False), (256, 3, True), (512, 3, False), (512, 3, False)):
        for _ in range(repeats):
            yield nn.Conv2d(before, width, 3, padding=1)
            yield nn.ReLU(inplace=True)
            before = width
        yield nn.MaxPool2d(2, 2, ceil_mode=pool)
    yield nn.Conv2d(512, 1024, 3, padding=6, dilation=6)
    yield nn.ReLU(inplace=True)
    yield nn.Conv2d(1024, 1024, 1)
    yield nn.ReLU(inplace=True)


class FaceDetector:
    """Finds faces in pictures.

    weights: state dict with the published keys. scales: the picture is looked at in these sizes (0.25 officially; more
    scales find more sizes of faces and cost time). threshold: boxes must score more. batch: pictures per pass.
    Raises UserError that names the first wrong key if the state dict is another network's.
    """

    def __init__(
        self,
        weights: StateDict,
        *,
        scales: Sequence[float] = (0.25,),
        threshold: float = 0.9,
        batch: int = 4,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        network = S3fdNet()
        check_state(network, weights, "S3FD")
        network.load_state_dict(weights)
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        self.device, self.dtype = torch.device(device), dtype
        self.network = network.eval().to(self.device, dtype)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.scales, self.threshold, self.batch = tuple(scales), max(threshold, _LOWEST_SCORE), batch

    def detect(self, frames: Iterable[NDArray[np.uint8]]) -> list[list[Detection]]:
        """Faces of each frame, best first: frames uint8 [H, W, 3] BGR, all of one size.

        Frames whose scaled pictures are byte-identical to earlier ones are not detected again.
        """
        order: list[bytes] = []
        boxes: dict[bytes, NDArray[np.float64]] = {}
        waiting: dict[bytes, list[NDArray[np.uint8]]] = {}
        size = (0, 0)
        for frame in frames:
            scaled = [_resized(frame, scale) for scale in self.scales]
            key = hashlib.blake2b(b"".join(picture.tobytes() for picture in scaled), digest_size=16).digest()
            order.append(key)
            size = (frame.shape[1], frame.shape[0])
            if key not in boxes and key not in waiting:
                waiting[key] = scaled
            if len(waiting) == self.batch:
                boxes.update(self._boxes(waiting, size))
                waiting = {}
        boxes.update(self._boxes(waiting, size))
        return [
            [Detection(frame=number, bbox=box[:4].tolist(), conf=float(box[4])) for box in boxes[key]]
            for number, key in enumerate(order)
        ]

    def _boxes(
        self, waiting: dict[bytes, list[NDArray[np.uint8]]], size: tuple[int, int]
    ) -> dict[bytes, NDArray[np.float64]]:
        """Boxes float [n, 5] (left, top, right, bottom, score) of each picture."""
        import numpy as np

        if not waiting:
            return {}
        found: list[list[NDArray[np.float64]]] = [[] for _ in waiting]
        for scaled in zip(*waiting.values(), strict=True):
            for place, boxes in enumerate(self._boxes_of_one_scale(np.stack(scaled), size)):
                found[place].append(boxes)
        merged = [np.concatenate(parts) for parts in found]
        return {key: boxes[_suppressed(boxes, _SECOND_OVERLAP)] for key, boxes in zip(waiting, merged, strict=True)}

    def _boxes_of_one_scale(self, pictures: NDArray[np.uint8], size: tuple[int, int]) -> list[NDArray[np.float64]]:
        with exact_arithmetic(), torch.inference_mode():
            x = torch.from_numpy(pictures).to(self.device).flip(-1).float() - torch.tensor(
                _RGB_MEAN, device=self.device
            )
            offsets, scores, maps = self.network(x.to(self.dtype).permute(0, 3, 1, 2))
        anchors = _anchors(pictures.shape[1], pictures.shape[2], tuple(maps))
        return [
            _best_boxes(offset, score, anchors, self.threshold, size)
            for offset, score in zip(offsets.cpu().numpy(), scores.cpu().numpy(), strict=True)
        ]


def _resized(frame: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    return np.asarray(cv2.resize(frame, (0, 0), fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


@lru_cache(maxsize=16)
def _anchors(height: int, width: int, maps: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
    """Anchors [n, 4] (centre x, centre y, width, height) relative to the picture; fine maps first, then row by row."""
    import numpy as np

    levels = []
    for level, (rows, columns) in enumerate(maps):
        cell, side = 4 << level, 16 << level
        x, y = np.meshgrid((np.arange(columns) + 0.5) / (width / cell), (np.arange(rows) + 0.5) / (height / cell))
        sides = np.broadcast_to([side / width, side / height], (rows * columns, 2))
        levels.append(np.column_stack([x.ravel(), y.ravel(), sides]))
    return np.concatenate(levels).astype(np.float32)


def _best_boxes(
    offsets: NDArray[np.float32],
    scores: NDArray[np.float32],
    anchors: NDArray[np.float32],
    threshold: float,
    size: tuple[int, int],
) -> NDArray[np.float64]:
    """Boxes above the threshold that no better one covers, best first, in pixels of a picture of `size`."""
    import numpy as np

    chosen = np.flatnonzero(scores > threshold)
    chosen = chosen[np.argsort(scores[chosen], kind="stable")[-_TOP_BOXES:]]
    offset, anchor = offsets[chosen], anchors[chosen]
    boxes = np.empty((len(chosen), 5), np.float32)
    boxes[:, 2:4] = anchor[:, 2:] * np.exp(offset[:, 2:] * np.float32(0.2))
    boxes[:, :2] = anchor[:, :2] + offset[:, :2] * np.float32(0.1) * anchor[:, 2:] - boxes[:, 2:4] / 2
    boxes[:, 2:4] += boxes[:, :2]
    boxes[:, 4] = scores[chosen]
    boxes = boxes[_suppressed(boxes, _FIRST_OVERLAP)[:_MOST_BOXES]]
    boxes[:, :4] *= np.array([size[0], size[1], size[0], size[1]], np.float32)
    return boxes.astype(np.float64)


def _suppressed(boxes: NDArray[np.floating], overlap: float) -> NDArray[np.int64]:
    """Rows that stay when, from the best score downwards, each box removes those that overlap it by more."""
    import numpy as np

    left, top, right, bottom, scores = boxes.T
    areas = (right - left) * (bottom - top)
    order = np.argsort(scores, kind="stable")[::-1]
    kept = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        width = np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest])
        height = np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        order = rest[shared / (areas[best] + areas[rest] - shared) <= overlap]
    return np.array(kept, dtype=np.int64)
