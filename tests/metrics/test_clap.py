"""The CLAP score: what the network hears, how the official file is read, what odd input gives."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_states import clap_state, fingerprint, official_clap, roberta_folder
from support import chirps, make_clip

import metrics
from metrics import Clip, UserError
from metrics.clap.metric import Clap
from metrics.clap.network import clap_config, clap_model
from metrics.clap.sound import SAMPLES, normalised, spectra_of

PUBLISHED_LAYOUT = "3159d9c7b23b5eef"
"""Of laion_clap's own network (HTSAT-tiny, aff_2d, RoBERTa-base), without what takes no part in an embedding."""
PROMPT = "A kettle boils on the stove while rain falls on the roof."


def small_config() -> Any:
    text = {
        "vocab_size": 270,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    audio = {
        "patch_embeds_hidden_size": 16,
        "hidden_size": 128,
        "depths": [1, 2, 1, 1],
        "num_attention_heads": [2, 2, 4, 4],
    }
    return clap_config(text_config={**text, "max_position_embeddings": 90}, audio_config=audio)


class Small(Clap):
    """The metric with a network that fits a test."""

    def load(self) -> None:
        self._network = clap_model(clap_state(small_config()), small_config())
        self._tokenizer = self._read_tokenizer()
        self._texts = {}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return roberta_folder(tmp_path_factory.mktemp("roberta"))


@pytest.fixture(scope="module")
def small(tokenizer: Path) -> Small:
    return Small(roberta=str(tokenizer))


@lru_cache
def sound(seconds: float) -> np.ndarray:
    return chirps(seconds, rate=48000)[0] / np.float32(32768)


def test_state_dict_keys_are_those_of_the_official_file() -> None:
    from transformers import ClapModel

    with torch.device("meta"):
        ours = ClapModel(clap_config()).state_dict()
    assert fingerprint({key: tuple(value.shape) for key, value in official_clap(ours)}) == PUBLISHED_LAYOUT


def test_both_layouts_give_one_network() -> None:
    official = clap_state(small_config())
    network = clap_model(official, small_config())
    again = clap_model(network.state_dict(), small_config())
    for key, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=0, atol=0)
    clap_model(official | {"audio_branch.tscam_conv.bias": torch.zeros(5)}, small_config())


@pytest.mark.parametrize("change", ["unknown", "missing", "shape"])
def test_weights_that_do_not_fit_are_refused(change: str) -> None:
    state = clap_state(small_config())
    if change == "unknown":
        state["visual.weight"] = torch.zeros(3)
    elif change == "missing":
        del state["audio_branch.layers.1.blocks.0.attn.qkv.bias"]
    else:
        state["text_projection.0.weight"] = torch.zeros(3, 3)
    with pytest.raises(UserError, match=r"CLAP weights: key '.*' .*another network"):
        clap_model(state, small_config())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 2000), st.floats(1e-5, 4.0), st.integers(0, 99))
def test_the_peak_is_minus_one_decibel(length: int, level: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = (level * rng.uniform(-1, 1, length)).astype(np.float32)
    scaled = normalised(samples)
    assert np.abs(scaled).max() == pytest.approx(10 ** (-1 / 20), abs=1.1 / 32767)
    assert np.abs(scaled * np.abs(samples).max() / 10 ** (-1 / 20) - samples).max() < 1.1 / 32767 * 1.2 * level


def test_silence_stays_silence() -> None:
    assert not normalised(np.zeros(100, np.float32)).any()


@pytest.mark.parametrize(("samples", "copies"), [(14_400, 33), (240_000, 2), (257_360, 1), (SAMPLES, 1)])
def test_a_short_sound_is_repeated_whole_and_filled_up(samples: int, copies: int) -> None:
    given_sound = sound(12.0)[:samples]
    repeated = np.zeros(SAMPLES, np.float32)
    repeated[: copies * samples] = np.tile(given_sound, copies)
    heard, expected = spectra_of(given_sound, 0), spectra_of(repeated, 0)
    assert not heard.longer
    assert heard.mel.shape == (4, 1001, 64)
    assert torch.equal(heard.mel, expected.mel)


def test_a_long_sound_is_heard_in_three_chunks_that_a_seed_decides() -> None:
    first, again, other = (spectra_of(sound(12.0), seed) for seed in (1, 1, 2))
    assert first.longer
    assert torch.equal(first.mel, again.mel)
    assert first.starts == again.starts != other.starts
    assert list(first.starts) == sorted(first.starts)
    whole = spectra_of(sound(10.004), 1)  # its spectrum is no longer than that of 10 s
    assert not whole.longer


def test_from_a_file_to_a_frozen_score(small: Small, sound_clip: Path) -> None:
    """Values of this code where, with the network at its full size, it equals the official tool's."""
    with Clip(sound_clip) as clip:
        result = small.measure(clip, {"prompt": PROMPT})
        assert (result.status, list(result.scores)) == ("scored", ["clap"])
        assert result.scores["clap"] == pytest.approx(GOLDEN, abs=2e-5)
        direct = Small(roberta=small.options["roberta"], protocol="direct").measure(clip, {"prompt": PROMPT})
    assert direct.scores == {"clap_48k": pytest.approx(GOLDEN_48K, abs=2e-5)}


GOLDEN, GOLDEN_48K = 0.0111201, -0.0111411


def test_neighbours_and_batches_do_not_matter(small: Small) -> None:
    heard = [spectra_of(sound(seconds), 3) for seconds in (0.3, 5.0, 12.0)]
    alone = np.concatenate([small.embed_sounds([one]) for one in heard])
    together = Small(roberta=small.options["roberta"], batch=2).embed_sounds(heard)
    np.testing.assert_allclose(together, alone, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("prompt", ["word " * 10_000, "🎬🔊 雨の音", "x", "\n\t '\"<s></s>"])
def test_any_text_has_an_embedding(small: Small, prompt: str) -> None:
    vector = small.embed_text(prompt)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert vector is small.embed_text(prompt)


def test_text_is_cut_after_77_tokens(small: Small) -> None:
    long = small.embed_text("z" * 75 + "!")
    assert np.array_equal(long, small.embed_text("z" * 75 + "?" * 200))
    assert not np.array_equal(long, small.embed_text("z" * 74 + "!"))


def test_silence_short_and_mute_clips(small: Small, silent_clip: Path, mute_clip: Path, tmp_path: Path) -> None:
    short = make_clip(tmp_path / "short.mkv", seconds=0.3, audio_codec="pcm_s16le")
    item = {"prompt": PROMPT}
    with Clip(silent_clip) as silent, Clip(short) as brief, Clip(mute_clip) as mute:
        assert small.measure(silent, item).flags == ("silent_audio",)
        assert small.measure(brief, item).status == "scored"
        assert small.measure(mute, item).code == "no_audio_stream"
        assert small.measure(brief, {"prompt": "  "}).code == "no_prompt"
        batch = small.measure_batch([brief, mute, silent], [item] * 3)
        assert [m.status for m in batch] == ["scored", "failed", "scored"]
        assert batch[0].scores == small.measure(brief, item).scores


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the tokenizer of CLAP in .* knows 5 tokens, not 270"):
        Small(roberta=str(tmp_path)).ensure_loaded()
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"the tokenizer of CLAP in .* cannot be read"):
        Small(roberta=str(tmp_path)).ensure_loaded()
    file = tmp_path / "x.pt"
    file.write_text("<html>Not found</html>")
    with pytest.raises(UserError, match="not a readable PyTorch file"):
        metrics.get("clap", clap=str(file), roberta=str(tmp_path)).ensure_loaded()
