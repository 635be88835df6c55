"""Where weights live while a sample is made: all on the device, component by component, or layer by layer.

Weights never change, so moving them to the device is a copy, and moving them back is forgetting the copy. Results are
the same in all modes.
"""

from __future__ import annotations

import mmap
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from reference_model.errors import UserError
from reference_model.network import Expert

Offload = Literal["none", "component", "layer"]
OFFLOADS: tuple[Offload, ...] = ("none", "component", "layer")
_DENOISING = ("audio_dit", "dual_tower_bridge")
_ALIGNMENT = 64


class Ledger:
    """Bytes of weights on the device, now and at most."""

    def __init__(self) -> None:
        self.now = 0
        self.peak = 0

    def add(self, count: int) -> None:
        self.now += count
        self.peak = max(self.peak, self.now)


class Parcel:
    """Tensors that travel together. Their home is host memory, page-locked where there is a GPU."""

    def __init__(self, tensors: Iterable[Tensor], device: torch.device, ledger: Ledger) -> None:
        self.device = device
        self.ledger = ledger
        self.here = False
        self._tensors = list(tensors)
        self._home = [tensor.data for tensor in self._tensors]
        self._bytes = sum(home.nbytes for home in self._home)

    def fetch(self) -> None:
        """Copy to the device; on a GPU in the current stream, without waiting."""
        if self.here:
            return
        with torch.inference_mode(False):
            for tensor, home in zip(self._tensors, self._home, strict=True):
                tensor.data = torch.empty_like(home, device=self.device).copy_(home, non_blocking=True)
        self.here = True
        self.ledger.add(self._bytes)

    def used_by(self, stream: Any) -> None:
        """The copies are read in a stream other than the one that made them: their memory must outlive that."""
        for tensor in self._tensors:
            tensor.data.record_stream(stream)

    def forget(self) -> None:
        """Drop the copies."""
        if self.here:
            for tensor, home in zip(self._tensors, self._home, strict=True):
                tensor.data = home
            self.here = False
            self.ledger.add(-self._bytes)


class LayerStream:
    """Layers that are used one after the other, again and again. While one runs, the next one is copied.

    At most three are on the device: the one that still runs, the one to run next, and the one on its way.
    """

    def __init__(self, layers: Sequence[Parcel], device: torch.device) -> None:
        self.layers = layers
        self._cuda = device.type == "cuda"
        self._copying: Any = torch.cuda.Stream(device) if self._cuda else None
        self._arrived: dict[int, Any] = {}
        self._finished: dict[int, Any] = {}

    def enter(self, index: int) -> None:
        """Call before the work of a layer is put on its way: its weights are there, and the next ones set out."""
        self._fetch(index)
        following, running = (index + 1) % len(self.layers), (index - 1) % len(self.layers)
        if self._cuda:
            now = torch.cuda.current_stream()
            now.wait_event(self._arrived[index])
            self.layers[index].used_by(now)
            self._finished[running] = now.record_event()
        for other, layer in enumerate(self.layers):
            if other not in (index, following):
                layer.forget()
        if self._cuda:  # the copies must not run ahead of the work, or the device fills up with layers
            done = self._finished.pop((index - 2) % len(self.layers), None)
            if done is not None:
                done.synchronize()
        self._fetch(following)

    def _fetch(self, index: int) -> None:
        if self.layers[index].here:
            return
        if not self._cuda:
            self.layers[index].fetch()
            return
        with torch.cuda.stream(self._copying):
            self.layers[index].fetch()
            self._arrived[index] = self._copying.record_event()

    def close(self) -> None:
        """Everything off the device."""
        for layer in self.layers:
            layer.forget()
        self._finished.clear()


class Residency:
    """Keeps on the device what is needed there. modules: the components by name, all of them in host memory (or, in
    mode "none", already on the device)."""

    def __init__(self, modules: Mapping[str, nn.Module], device: torch.device, offload: Offload) -> None:
        self.offload = offload
        self.ledger = Ledger()
        self._whole: dict[str, Parcel] = {}
        self._streams: dict[str, LayerStream] = {}
        if offload == "none":
            self.ledger.add(sum(tensor.nbytes for tensor in _tensors(*modules.values())))
            return
        if device.type == "cuda":
            for module in modules.values():
                _lock_pages(module)
        streamed = _streamed(modules) if offload == "layer" else {}
        for name, groups in streamed.items():
            self._streams[name] = LayerStream([Parcel(_tensors(*g), device, self.ledger) for g in groups], device)
        taken = {id(t) for groups in streamed.values() for group in groups for t in _tensors(*group)}
        for name, module in modules.items():
            rest = [t for t in _tensors(module) if id(t) not in taken]
            self._whole[name] = Parcel(rest, device, self.ledger)
        if "text_encoder" in self._streams:
            for index, block in enumerate(_text_blocks(modules["text_encoder"])):
                block.register_forward_pre_hook(_entering(self._streams["text_encoder"], index))

    def bring(self, *names: str) -> None:
        """These components are needed now, and no others."""
        if self.offload == "none":
            return
        for name, stream in self._streams.items():
            if name not in names:
                stream.close()
        for name, parcel in self._whole.items():
            if name not in names:
                parcel.forget()
        for name in names:
            self._whole[name].fetch()

    def bring_expert(self, expert: Expert) -> None:
        """This expert denoises now, with the audio tower and the Bridge."""
        self.bring(expert, *_DENOISING)

    def before_layer(self, expert: Expert, layer: int) -> None:
        """Hook of the network: in mode "layer" the weights of a layer arrive."""
        if expert in self._streams:
            self._streams[expert].enter(layer)

    def drop(self, name: str) -> None:
        """A component is gone for good."""
        self._streams.pop(name, None)
        self._whole.pop(name, None)


def _streamed(modules: Mapping[str, Any]) -> dict[str, list[list[nn.Module]]]:
    """Groups of modules that layer mode moves one after the other, per stream."""
    audio, bridge = modules["audio_dit"].blocks, modules["dual_tower_bridge"]
    found: dict[str, list[list[nn.Module]]] = {"text_encoder": [[b] for b in _text_blocks(modules["text_encoder"])]}
    for expert in ("video_dit", "video_dit_2"):
        groups = []
        for index, block in enumerate(modules[expert].blocks):
            sides = [bridge.audio_to_video_conditioners, bridge.video_to_audio_conditioners]
            group = [block, *(side[str(index)] for side in sides if str(index) in side)]
            groups.append([*group, audio[index]] if index < len(audio) else group)
        found[expert] = groups
    return found


def _text_blocks(encoder: Any) -> list[nn.Module]:
    return list(encoder.encoder.block)


def _entering(stream: LayerStream, index: int) -> Any:
    def hook(_module: nn.Module, _inputs: object) -> None:
        stream.enter(index)

    return hook


def _tensors(*modules: nn.Module) -> list[Tensor]:
    return [t for module in modules for t in (*module.parameters(), *module.buffers())]


def _lock_pages(module: nn.Module) -> None:
    """Page-lock the weights of a component, for copies that do not wait. Raises UserError where the system refuses."""
    pages = move_into_pages(module)
    runtime = torch.cuda.cudart()
    if int(runtime.cudaHostRegister(pages.data_ptr(), pages.nbytes, 0)) != 0:
        raise UserError(
            f"the system does not allow {pages.nbytes / 1e9:.1f} GB of page-locked memory: allow it (ulimit -l) or use "
            "offload none"
        )
    weakref.finalize(module, runtime.cudaHostUnregister, pages.data_ptr())


def move_into_pages(module: nn.Module) -> Tensor:
    """Move all weights of a module into whole pages of their own; gives those pages (uint8).

    PyTorch's own page-locked memory is rounded up to powers of two, which wastes up to half of it; and single tensors
    cannot be locked where they lie, because small ones share pages. Tensors move one by one: nothing exists twice.
    """
    tensors = _tensors(module)
    offsets = [0]
    for tensor in tensors:
        offsets.append(offsets[-1] + -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT)
    size = max(1, -(-offsets[-1] // mmap.PAGESIZE)) * mmap.PAGESIZE
    pages = torch.frombuffer(mmap.mmap(-1, size), dtype=torch.uint8)
    for tensor, offset in zip(tensors, offsets, strict=False):
        place = pages[offset : offset + tensor.nbytes].view(tensor.dtype).view(tensor.shape)
        tensor.data = place.copy_(tensor.data)
    return pages
