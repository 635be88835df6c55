"""DeSync beside the official tool's code: same file, same seeded weights, same numbers. See `public_networks`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from network_states import synchformer_state
from public_networks import needs_public_code, relative, run_public
from support import chirps, make_clip, shared_clip

from metrics import Clip
from metrics.desync.metric import Desync, Segments
from metrics.desync.synchformer import Synchformer, SynchformerConfig
from metrics.networks.states import loaded

pytestmark = needs_public_code

DEPTH = 1
"""Layers of either tower: at the published width the full depth of 12 takes minutes; it was compared once."""
SIZES = SynchformerConfig(depth=DEPTH)

PUBLIC = """
sys.path[:0] = [root + "/mova/evaluation/metrics/av_quality"]
import contextlib, io
empty("pytorchvideo", "pytorchvideo.data", "pytorchvideo.data.clip_sampling", "imagebind", "imagebind.models")
empty("imagebind.models.imagebind_model", "colorlog", "dover", "dover.datasets", "dover.models")
import torchaudio, ast
from einops import rearrange
import torchvision.transforms.v2 as v2
from av_bench.synchformer.synchformer import Synchformer, make_class_grid
from av_bench.extract import encode_audio_with_sync
def functions(path, *names):
    tree = ast.parse(open(root + "/mova/evaluation/metrics/av_quality/" + path).read())
    return ast.Module([n for n in tree.body if getattr(n, "name", "") in names], [])
scope = {"torch": torch, "rearrange": rearrange, "imagebind_model": object}
exec(compile(functions("extract_video.py", "encode_video_with_sync"), "toolkit", "exec"), scope)
scope["torchaudio"] = torchaudio
exec(compile(functions("av_bench/data/media_dataset.py", "synchformer_audio_transform"), "toolkit", "exec"), scope)
model = Synchformer()
model.vfeat_extractor.blocks = model.vfeat_extractor.blocks[:depth]
model.afeat_extractor.ast.encoder.layer = model.afeat_extractor.ast.encoder.layer[:depth]
model.load_state_dict(torch.load(weights)); model.eval()
mel = torchaudio.transforms.MelSpectrogram(sample_rate=16000, win_length=400, hop_length=160, n_fft=1024, n_mels=128)
transform = v2.Compose([
    v2.Resize(224, interpolation=v2.InterpolationMode.BICUBIC), v2.CenterCrop(224), v2.ToImage(),
    v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])])
rows, scores, seen, heard = [], [], [], []
grid = make_class_grid(-2, 2, 21)
with torch.inference_mode(), contextlib.redirect_stdout(io.StringIO()):
    for path, duration in zip(clips, durations):
        wave, rate = load_sound(path)
        sound = scope["synchformer_audio_transform"](wave, rate, int(16000 * duration), {})
        frames = load_pictures(path, 25)[: int(25 * duration)]
        if len(frames) < int(25 * duration):
            missing = int(25 * duration) - len(frames)
            frames = torch.cat([frames, frames[-1:].repeat(missing, 1, 1, 1)])
        a = encode_audio_with_sync(model, sound[None], mel)
        v = scope["encode_video_with_sync"](model, transform(frames)[None])
        both = [model.compare_v_a(v[:, part], a[:, part])[0] for part in (slice(None, 14), slice(-14, None))]
        rows.append(torch.stack(both)); seen.append(v[0]); heard.append(a[0])
        scores.append(sum(abs(grid[r.argmax()].item()) for r in both) / 2)
out.update(rows=torch.stack(rows).numpy(), seen=torch.cat(seen).numpy(), heard=torch.cat(heard).numpy())
out.update(scores=np.array(scores))
"""


class Shallow(Desync):
    def load(self) -> None:
        self._network = loaded(lambda: Synchformer(SIZES), synchformer_state(SIZES), "Synchformer")


@pytest.mark.slow
def test_desync(sound_clip: Path, tmp_path: Path) -> None:
    portrait = make_clip(
        tmp_path / "portrait.mp4", frames=193, fps=24, size=(360, 640), audio=chirps(8.04, rate=44100), audio_rate=44100
    )
    paths = [str(shared_clip("419.mp4")), str(sound_clip), str(portrait)]
    weights = tmp_path / "synchformer.pth"
    torch.save(synchformer_state(SIZES), weights)
    metric = Shallow(threads=2)
    metric.ensure_loaded()
    rows, seen, heard, scores, durations = [], [], [], [], []
    for path in paths:
        with Clip(path) as clip:
            segments = metric.prepare(clip)
            assert isinstance(segments, Segments)
            with metric.arithmetic():
                seen.append(metric.in_passes(metric._network.see, segments.pictures))
                heard.append(metric.in_passes(metric._network.hear, segments.sounds))
            rows.append(metric.activations(segments).numpy())
            scores.append(metric.measure(clip).scores["desync"])
            durations.append(segments.seconds)
    public = run_public(PUBLIC, tmp_path, "mova", weights=str(weights), clips=paths, durations=durations, depth=DEPTH)
    assert relative(np.concatenate(seen), public["seen"]) < 1e-4
    assert relative(np.concatenate(heard), public["heard"]) < 1e-4
    assert relative(np.stack(rows), public["rows"]) < 1e-4
    np.testing.assert_allclose(scores, public["scores"], atol=1e-6)
