"""Metrics with networks beside the public evaluation code: same file, same seeded weights, same numbers.

Skipped without that code; see `public_networks`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from network_states import clap_state, cnn14_state, roberta_folder
from public_networks import needs_public_code, relative, run_public
from support import chirps, make_clip, shared_clip

import metrics
from metrics import Clip
from metrics.inception_score import inception_score

pytestmark = needs_public_code

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

CLAP = """
import io, os
base = root + "/mova/evaluation/models/clap/src"
sys.path[:0] = [base + "/laion_clap", base, root + "/mova/evaluation/metrics/audio_is_clap"]
empty("wget")
import librosa, pyloudnorm, transformers
roberta_config = transformers.RobertaConfig(
    vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5
)
transformers.RobertaModel.from_pretrained = classmethod(lambda cls, *a, **k: cls(roberta_config))
import clap_module.model, laion_clap.hook, laion_clap
clap_module.model.get_snapshot_path = laion_clap.hook.get_snapshot_path = lambda name: roberta
model = laion_clap.CLAP_Module(enable_fusion=True, device="cpu")
state = {k[7:]: v for k, v in torch.load(weights, weights_only=False)["state_dict"].items()}
told = model.model.load_state_dict(state, strict=False)
unused = ("spectrogram_extractor", "logmel_extractor", "tscam_conv", "head", "_transform", "attn_mask")
assert not told.unexpected_keys and all(any(u in k for u in unused) for k in told.missing_keys), told
model.eval()
# the toolkit's own functions, which cannot be imported without its other metric
import ast
source = open(root + "/mova/evaluation/metrics/audio_is_clap/eval_audio_is_clap.py").read()
names = ("int16_to_float32", "float32_to_int16", "clap_single_score")
wanted = [node for node in ast.parse(source).body if getattr(node, "name", "") in names]
scope = {"np": np, "torch": torch, "pyln": pyloudnorm, "device": "cpu"}
exec(compile(ast.Module(wanted, []), "toolkit", "exec"), scope)
audio, text, scores = [], [], []
embed = model.get_audio_embedding_from_data
model.get_audio_embedding_from_data = lambda **k: (audio.append(embed(**k)), audio[-1])[1]
with torch.no_grad():
    for path, prompt, seed in zip(clips, prompts, seeds):
        wav = ffmpeg("-i", path, "-f", "wav", "-acodec", "pcm_s16le", "-ar", "32000", "-ac", "2")
        sound, _ = librosa.load(io.BytesIO(wav), sr=32000, mono=True)
        text.append(model.get_text_embedding([prompt], use_tensor=True)[0])
        np.random.seed(seed)
        scores.append(scope["clap_single_score"](model, text[-1], sound, 32000))
out.update(audio=torch.cat(audio).numpy(), text=torch.stack(text).numpy(), scores=np.array(scores))
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


@pytest.mark.slow
def test_clap(sound_clip: Path, tmp_path: Path) -> None:
    weights, roberta = tmp_path / "clap.pt", roberta_folder(tmp_path / "roberta", 50265)
    torch.save({"epoch": 1, "state_dict": {f"module.{key}": value for key, value in clap_state().items()}}, weights)
    short, long = (
        make_clip(tmp_path / f"{seconds}.mkv", audio=chirps(seconds), audio_codec="pcm_s16le")
        for seconds in (0.3, 20.0)
    )
    paths = clip_paths(sound_clip, short, long)
    prompts = [
        "A man speaks in the street.",
        "rain on a roof, " * 40,
        "你好，世界 🎬",
        "x",
        "A dog.",
        "Wind.",
        "-",
        "Sea",
    ]
    metric = metrics.get("clap", clap=str(weights), roberta=str(roberta), threads=2)
    scores, sounds, seeds = [], [], []
    for path, prompt in zip(paths, prompts, strict=True):
        with Clip(path) as clip:
            scores.append(metric.measure(clip, {"prompt": prompt}).scores["clap"])
            sounds.append(metric.embed_sounds([metric.prepare(clip)])[0])
            seeds.append(int(clip.sha256[:8], 16))
    public = run_public(
        CLAP, tmp_path, "mova", weights=str(weights), clips=paths, prompts=prompts, roberta=str(roberta), seeds=seeds
    )
    assert relative(np.stack(sounds), public["audio"]) < 1e-4
    assert relative(np.stack([metric.embed_text(prompt) for prompt in prompts]), public["text"]) < 1e-4
    assert np.abs(np.array(scores) - public["scores"]).max() < 1e-4
