"""IB-Score beside the official tool's code: same file, same seeded weights, same numbers. See `public_networks`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from network_states import imagebind_state
from public_networks import needs_public_code, relative, run_public
from support import chirps, make_clip, shared_clip

from metrics import Clip
from metrics.imagebind.metric import IbScore, Inputs
from metrics.imagebind.network import ImageBindConfig, Tower, imagebind
from metrics.networks.pictures import official_duration

pytestmark = needs_public_code

DEPTH = 2
"""Layers of either tower, at the published width: all of them take gigabytes."""
SIZES = ImageBindConfig(Tower(1280, DEPTH, 16), Tower(768, DEPTH, 12))

PUBLIC = """
import importlib
base = root + "/mova/evaluation"
sys.path[:0] = [base + "/models/imagebind", root + "/pytorchvideo", base + "/metrics/av_quality"]
empty("pkg_resources", "iopath", "iopath.common", "iopath.common.file_io")
sampling = importlib.util.spec_from_file_location("sampling", root + "/pytorchvideo/pytorchvideo/data/clip_sampling.py")
clip_sampling = importlib.util.module_from_spec(sampling)
sampling.loader.exec_module(clip_sampling)
empty("pytorchvideo", "pytorchvideo.transforms", "pytorchvideo.data", "pytorchvideo.data.encoded_video")
sys.modules["pytorchvideo.data.clip_sampling"] = clip_sampling
import ast, logging, torchaudio
from einops import rearrange
import torchvision.transforms.v2 as v2
from imagebind.models import imagebind_model
from imagebind.models.imagebind_model import ModalityType
sys.modules["av_bench_ib"] = importlib.util.module_from_spec(
    importlib.util.spec_from_file_location("av_bench_ib", base + "/metrics/av_quality/av_bench/data/ib_data.py"))
sys.modules["av_bench_ib"].__spec__.loader.exec_module(sys.modules["av_bench_ib"])
def functions(path, *names):
    tree = ast.parse(open(base + "/metrics/av_quality/" + path).read())
    return ast.Module([n for n in tree.body if getattr(n, "name", "") in names], [])
scope = {"torch": torch, "rearrange": rearrange, "imagebind_model": object, "ModalityType": ModalityType,
         "torchaudio": torchaudio, "v2": v2, "logging": logging,
         "ConstantClipsPerVideoSampler": clip_sampling.ConstantClipsPerVideoSampler}
wanted = ("get_clip_timepoints", "waveform2melspec", "imagebind_audio_transform")
exec(compile(functions("av_bench/data/media_dataset.py", *wanted), "toolkit", "exec"), scope)
exec(compile(functions("extract_video.py", "encode_video_with_imagebind"), "toolkit", "exec"), scope)
model = imagebind_model.ImageBindModel(
    out_embed_dim=1024, vision_embed_dim=1280, vision_num_blocks=depth, vision_num_heads=16, audio_num_blocks=depth,
    text_num_blocks=1, depth_num_blocks=1, thermal_num_blocks=1, imu_num_blocks=1)
told = model.load_state_dict(torch.load(weights), strict=False)
assert not told.unexpected_keys and not [k for k in told.missing_keys if ".vision." in k or ".audio." in k]
model.eval()
transform = v2.Compose([
    v2.Resize(224, interpolation=v2.InterpolationMode.BICUBIC), v2.ToImage(), v2.ToDtype(torch.float32, scale=True),
    v2.Normalize(mean=[0.48145466, 0.4578275, 0.40821073], std=[0.26862954, 0.26130258, 0.27577711])])
crop = sys.modules["av_bench_ib"].SpatialCrop(224, 3)
spectra, seen, heard, scores = [], [], [], []
with torch.inference_mode():
    for path, duration in zip(clips, durations):
        wave, rate = load_sound(path)
        sound = scope["imagebind_audio_transform"](wave.clone(), rate, {})
        frames, count = load_pictures(path, 0.5), int(0.5 * duration)
        if len(frames) < count:
            frames = torch.cat([frames, frames[-1:].repeat(count - len(frames), 1, 1, 1)])
        pictures = torch.stack(crop([transform(frames[:count])]))
        v = scope["encode_video_with_imagebind"](model, pictures[None])
        a = model({ModalityType.AUDIO: sound})[ModalityType.AUDIO]
        spectra.append(sound[0]); seen.append(v[0]); heard.append(a[0])
        scores.append(torch.cosine_similarity(v, a, dim=-1).item())
out.update(spectra=torch.stack(spectra).numpy(), seen=torch.stack(seen).numpy(), heard=torch.stack(heard).numpy())
out.update(scores=np.array(scores))
"""


class Shallow(IbScore):
    def load(self) -> None:
        self._network = imagebind(imagebind_state(SIZES), SIZES)


@pytest.mark.slow
def test_ib(sound_clip: Path, tmp_path: Path) -> None:
    portrait = make_clip(
        tmp_path / "portrait.mp4", frames=193, fps=24, size=(360, 640), audio=chirps(8.04, rate=44100), audio_rate=44100
    )
    paths = [str(shared_clip("419.mp4")), str(sound_clip), str(portrait)]
    weights = tmp_path / "imagebind.pth"
    torch.save(imagebind_state(SIZES), weights)
    metric = Shallow(threads=2)
    seen, heard, scores, spectra, durations = [], [], [], [], []
    for path in paths:
        with Clip(path) as clip:
            inputs = metric.prepare(clip)
            assert isinstance(inputs, Inputs)
            vectors = metric.embed(inputs)
            seen.append(vectors[0].numpy())
            heard.append(vectors[1].numpy())
            spectra.append(inputs.spectra.numpy())
            scores.append(metric.measure(clip).scores["ib"])
            durations.append(official_duration(clip, None))
    public = run_public(
        PUBLIC, tmp_path, "mova", "pytorchvideo", weights=str(weights), clips=paths, durations=durations, depth=DEPTH
    )
    assert relative(spectra[1], public["spectra"][1]) < 1e-4  # of sound that no decoder rounds
    assert relative(np.stack(seen), public["seen"]) < 1e-4
    assert relative(np.stack(heard), public["heard"]) < 1e-4
    np.testing.assert_allclose(scores, public["scores"], atol=1e-5)
