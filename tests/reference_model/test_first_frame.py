"""First frames: cropping, scaling, and pictures of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reference_model import UserError
from reference_model.first_frame import condition, conditioning_clip, crop_box, fit, read_picture, white


def gradient(mode: str = "RGB", size: tuple[int, int] = (192, 108)) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).astype(np.uint8)).convert(mode)


def test_crop_boxes() -> None:
    assert crop_box((1920, 1080), 352, 640) == (0, 12, 1920, 1068)
    assert crop_box((640, 352), 352, 640) == (0, 0, 640, 352)
    assert crop_box((1080, 1920), 352, 640) == (0, 663, 1080, 1257)
    assert crop_box((2000, 500), 352, 640) == (545, 0, 1454, 500)


def test_fit_is_crop_then_bicubic() -> None:
    found = fit(gradient(), 32, 64)
    assert found.shape == (1, 3, 32, 64)
    expected = gradient().crop((0, 6, 192, 102)).resize((64, 32), Image.Resampling.BICUBIC)
    assert np.array_equal(((found[0].permute(1, 2, 0) + 1) * 127.5).round().byte().numpy(), np.asarray(expected))
    assert float(found.min()) >= -1
    assert float(found.max()) <= 1


@pytest.mark.parametrize(
    ("mode", "suffix"), [("RGB", "png"), ("L", "png"), ("CMYK", "jpg"), ("P", "gif"), ("1", "png")]
)
def test_picture_files_become_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"frame.{suffix}"
    gradient(mode).save(path)
    found = read_picture(path)
    assert (found.mode, found.size) == ("RGB", (192, 108))
    if mode == "CMYK":
        assert np.abs(np.asarray(found, int) - np.asarray(gradient(), int)).mean() < 6


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(16, 0)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    found = np.asarray(read_picture(tmp_path / "deep.png"))
    assert found[0, :, 0].tolist() == list(range(256))
    assert (found[..., 0] == found[..., 2]).all()


def test_transparent_parts_become_white(tmp_path: Path) -> None:
    layer = gradient("RGBA")
    layer.putalpha(0)
    layer.save(tmp_path / "clear.png")
    assert (np.asarray(read_picture(tmp_path / "clear.png")) == 255).all()
    assert np.array_equal(np.asarray(read_picture(gradient("RGBA"))), np.asarray(gradient()))


def test_arrays() -> None:
    pixels = np.asarray(gradient())
    assert np.array_equal(np.asarray(read_picture(pixels)), pixels)
    with pytest.raises(UserError, match=r"float64 \[108, 192, 3\]"):
        read_picture(pixels / 255.0)


def test_what_is_no_picture(tmp_path: Path) -> None:
    gradient().save(tmp_path / "whole.png")
    broken = tmp_path / "broken.png"
    broken.write_bytes((tmp_path / "whole.png").read_bytes()[:300])
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    for path in (broken, text, tmp_path, tmp_path / "absent.png"):
        with pytest.raises(UserError, match=f"{path}") as refused:
            read_picture(path)
        assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match="too narrow"):
        fit(gradient(size=(1, 1000)), 32, 640)


def test_the_condition() -> None:
    clip = conditioning_clip(white(32, 48), 9)
    assert clip.shape == (1, 3, 9, 32, 48)
    assert (clip[:, :, 0] == 1).all()
    assert (clip[:, :, 1:] == 0).all(), "mid-grey, not black"
    latents = torch.ones(2, 16, 3, 4, 6)
    found = condition(latents)
    assert found.shape == (2, 20, 3, 4, 6)
    assert (found[:, :4, 0] == 1).all()
    assert (found[:, :4, 1:] == 0).all()
    assert (found[:, 4:] == 1).all()
    last = condition(latents, last=True)
    assert last[0, :4, 2, 0, 0].tolist() == [0, 0, 0, 1]
    both = conditioning_clip(white(32, 48), 9, -white(32, 48))
    assert (both[:, :, -1] == -1).all()
