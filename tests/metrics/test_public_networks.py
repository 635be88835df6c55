"""Metrics with networks beside the public evaluation code: same file, same seeded weights, same numbers.

Skipped without that code; see `public_networks`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from network_states import cnn14_state
from public_networks import relative, run_public
from support import shared_clip

import metrics
from metrics import Clip
from metrics.inception_score import inception_score

CLIPS = ("00000", "00023", "01083", "419", "talking_woman")

INCEPTION_SCORE = """
import io, os, pathlib, shutil
sys.path.insert(0, root + "/mova/evaluation/metrics/audio_is_clap")
empty("matplotlib", "matplotlib.pyplot")
labels = pathlib.Path(os.environ["HOME"]) / "panns_data"
labels.mkdir(exist_ok=True)
shutil.copy(root + "/mova/evaluation/metrics/audio_is_clap/pann_home/class_labels_indices.csv", labels)
import librosa, panns_inference
tagging, load = panns_inference.AudioTagging, torch.load
torch.load = lambda *a, **k: load(*a, **{**k, "weights_only": False})
panns_inference.AudioTagging = lambda checkpoint_path, device: tagging(checkpoint_path=weights, device="cpu")
import IS
model, rows = IS.Cnn14Extractor(), []
for path in clips:
    wav = ffmpeg("-i", path, "-f", "wav", "-acodec", "pcm_s16le", "-ar", "32000", "-ac", "2")
    sound, _ = librosa.load(io.BytesIO(wav), sr=32000, mono=True)
    rows.append(model(torch.tensor(sound, dtype=torch.float32).unsqueeze(0)).squeeze().numpy())
out.update(rows=np.stack(rows), score=IS.calculate_inception_score(np.vstack(rows)))
"""


def clip_paths(*more: Path) -> list[str]:
    return [*(str(shared_clip(f"{name}.mp4")) for name in CLIPS), *map(str, more)]


@pytest.mark.slow
def test_inception_score(sound_clip: Path, tmp_path: Path) -> None:
    weights, paths = tmp_path / "Cnn14.pth", clip_paths(sound_clip)
    torch.save({"model": cnn14_state()}, weights)
    public = run_public(INCEPTION_SCORE, tmp_path, "mova", weights=str(weights), clips=paths)
    metric, rows = metrics.get("inception_score", cnn14=str(weights), threads=2), []
    for path in paths:
        with Clip(path) as clip:
            rows.append(metric.measure(clip).features["probabilities"])
    assert relative(np.stack(rows), public["rows"]) < 1e-4
    assert inception_score(np.stack(rows)) == pytest.approx(float(public["score"]), abs=1e-3)
