"""Serving renditions of real little files: what is kept, what is gone, how loud they are."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support import make_clip, shared_clip, tone

from arena.media import CommonShape, MediaError, Recipe, make_rendition, probe, rendition_path
from arena.media.levels import Level, matching_gain, measure_level


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]


def first_times(path: Path) -> tuple[float, float]:
    """Presentation times of the first picture and the first sample that are to be played."""
    with av.open(str(path)) as container:
        video = next(container.decode(video=0)).time
    with av.open(str(path)) as container:
        audio = next(container.decode(audio=0)).time
    assert video is not None
    assert audio is not None
    return video, audio


def named_clip(path: Path) -> Path:
    """A clip whose container, streams and picture data all name their maker."""
    plain = make_clip(path.with_name("plain.mp4"), seconds=2)
    with av.open(str(plain)) as given, av.open(str(path), "w", format="mp4") as out:
        out.metadata.update({"comment": "made by secret-model-7b", "title": "secret-model-7b"})
        copies = {s.index: out.add_stream_from_template(s) for s in given.streams}
        for copy in copies.values():
            copy.metadata["handler_name"] = "secret-model-7b"
        for packet in given.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]  # type: ignore[assignment]
                out.mux(packet)
    return path


def test_the_picture_is_copied_and_every_name_is_gone(tmp_path: Path) -> None:
    source = named_clip(tmp_path / "named.mp4")
    raw = source.read_bytes()
    assert b"secret-model-7b" in raw
    assert b"x264" in raw  # what the encoder wrote into the stream about itself

    made = make_rendition(source, tmp_path / "media")
    served = tmp_path / "media" / made.serve_path

    content = served.read_bytes()
    assert not any(word in content for word in (b"secret", b"x264", b"Lavf", b"Lavc"))
    with av.open(str(served)) as container:
        assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands"}
        assert [s.type for s in container.streams] == ["video", "audio"]
        assert {s.metadata.get("handler_name") for s in container.streams} <= {"VideoHandler", "SoundHandler"}
    assert np.array_equal(pictures(source), pictures(served))
    assert made.recipe.endswith("-copy")
    assert content.index(b"moov") < content.index(b"mdat")  # plays before it is whole


def test_the_name_is_the_content_and_nothing_is_overwritten(tmp_path: Path, tiny_clip: Path) -> None:
    first = make_rendition(tiny_clip, tmp_path)
    assert re.fullmatch(r"([0-9a-f]{2})/\1[0-9a-f]{62}\.mp4", first.serve_path)
    before = (tmp_path / first.serve_path).stat()
    again = make_rendition(tiny_clip, tmp_path)
    assert again == first
    assert (tmp_path / first.serve_path).stat().st_ino == before.st_ino
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / first.serve_path]


@pytest.mark.parametrize("level", [0.005, 0.03, 0.25, 0.9])
def test_served_level_is_the_target_or_at_a_stated_limit(tmp_path: Path, level: float) -> None:
    sound = tone(2.0, rate=48_000, level=level, channels=2)
    made = make_rendition(make_clip(tmp_path / "c.mp4", seconds=2, audio=sound, audio_rate=48_000), tmp_path / "m")
    assert made.loudness_lufs is not None
    assert made.served_lufs is not None
    if made.gain_db == pytest.approx(12):
        assert made.loudness_lufs < -35
        assert made.served_lufs == pytest.approx(made.loudness_lufs + 12, abs=0.5)
    else:
        assert made.served_lufs == pytest.approx(-23, abs=0.5)


@pytest.mark.parametrize("name", ["00000.mp4", "00023.mp4", "01083.mp4", "419.mp4", "talking_woman.mp4"])
def test_real_clips_are_served_at_one_level_with_their_picture(tmp_path: Path, name: str) -> None:
    source = shared_clip(name)
    made = make_rendition(source, tmp_path)
    assert made.served_lufs == pytest.approx(-23, abs=0.5)
    given, served = first_times(source), first_times(tmp_path / made.serve_path)
    assert served[1] - served[0] == pytest.approx(given[1] - given[0], abs=0.002)  # sound stays with the picture


@pytest.mark.parametrize("late", [0.0, 0.31])
def test_sound_keeps_its_time(tmp_path: Path, late: float) -> None:
    """A click one second into the sound is found at the same time, to a millisecond, in the served file."""
    sound = np.zeros(96_000, np.float32)
    sound[48_000:48_480] = 0.5
    source = make_clip(tmp_path / "c.mkv", seconds=2, audio=sound, audio_rate=48_000, audio_start=late)
    made = make_rendition(source, tmp_path / "m", Recipe(level=False))

    def click(path: Path) -> float:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                loud = np.abs(frame.to_ndarray()[0]) > 0.2
                if loud.any():
                    assert frame.time is not None
                    return frame.time + float(np.argmax(loud)) / frame.sample_rate
        raise AssertionError("no click")

    assert click(tmp_path / "m" / made.serve_path) == pytest.approx(click(source), abs=0.001)


def test_gain_laws() -> None:
    assert matching_gain(Level(None, None)) == 0.0
    assert matching_gain(Level(-60.0, -40.0)) == 12.0
    assert matching_gain(Level(-30.0, -3.0)) == pytest.approx(2.0)  # the peak forbids the wanted 7
    assert matching_gain(Level(20.0, 20.0)) == -30.0


@given(st.floats(-69, 10), st.floats(-60, 12))
def test_gain_never_leaves_its_limits(lufs: float, peak: float) -> None:
    gain = matching_gain(Level(lufs, peak))
    assert -30 <= gain <= 12
    assert gain <= max(-30.0, -1 - peak) + 1e-9


def test_level_of_a_known_tone() -> None:
    """A 997 Hz sine of full scale in both channels has 0.0 LUFS and 0 dBTP by the definition of the scale."""
    time = np.arange(48_000 * 3) / 48_000
    sine = np.sin(2 * np.pi * 997 * time).astype(np.float32)
    level = measure_level(np.stack([sine, sine]))
    assert level.lufs == pytest.approx(0.0, abs=0.1)
    assert level.peak_dbtp == pytest.approx(0.0, abs=0.05)


def test_a_clip_without_sound_gets_a_silent_track(tmp_path: Path, mute_clip: Path, silent_clip: Path) -> None:
    for source in (mute_clip, silent_clip):
        made = make_rendition(source, tmp_path)
        assert (made.loudness_lufs, made.gain_db, made.served_lufs) == (None, 0.0, None)
        assert made.audio_codec == "aac"  # the same shape as every other clip: no greyed-out loudspeaker


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"), [(".webm", "libvpx-vp9", "yuv420p"), (".mp4", "libx264", "yuv444p")]
)
def test_what_browsers_cannot_show_is_transcoded(tmp_path: Path, suffix: str, codec: str, pixels: str) -> None:
    sound = {".webm": "libopus"}.get(suffix, "aac")
    source = make_clip(
        tmp_path / f"c{suffix}", video_codec=codec, pixel_format=pixels, audio_codec=sound, audio_rate=48_000
    )
    made = make_rendition(source, tmp_path / "m")
    assert made.recipe.endswith("-x264")
    assert probe(tmp_path / "m" / made.serve_path).plays_everywhere
    assert (made.width, made.height) == (64, 48)
    shown, source_pictures = pictures(tmp_path / "m" / made.serve_path), pictures(source)
    assert len(shown) == len(source_pictures)
    assert np.mean(np.abs(np.subtract(shown, source_pictures, dtype=np.int16))) < 2.0
    assert b"x264" not in (tmp_path / "m" / made.serve_path).read_bytes()


def test_common_shape(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "c.mp4", seconds=2, size=(64, 96), rotation=90)
    assert (probe(source).width, probe(source).height) == (96, 64)
    shape = CommonShape(80, 48, Fraction(10), 1500)
    made = make_rendition(source, tmp_path / "m", Recipe(shape=shape))
    assert (made.width, made.height, made.fps_num, made.fps_den) == (80, 48, 10, 1)
    assert made.duration_ms == pytest.approx(1500, abs=50)
    assert made.recipe == "v1-level-80x48-10-1500"


def test_what_is_no_clip_is_refused_in_one_sentence(tmp_path: Path, sound_only_clip: Path) -> None:
    text = tmp_path / "t.mp4"
    text.write_text("<script>alert(1)</script>")
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(make_clip(tmp_path / "whole.mp4").read_bytes()[:700])
    for path, code in [
        (tmp_path / "none.mp4", "unreadable"),
        (text, "not_media"),
        (cut, "not_media"),
        (sound_only_clip, "no_video_stream"),
    ]:
        with pytest.raises(MediaError) as caught:
            make_rendition(path, tmp_path / "m")
        assert caught.value.code == code
        assert path.name in caught.value.reason
    assert not list((tmp_path / "m").rglob("*.part"))


@pytest.mark.parametrize("stored", ["../secret.mp4", "/etc/passwd", "aa/../../secret.mp4", "", "."])
def test_a_stored_path_never_leads_out_of_the_media_root(tmp_path: Path, stored: str) -> None:
    assert rendition_path(tmp_path / "media", stored) is None


def test_a_link_out_of_the_media_root_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "media" / "link.mp4").symlink_to(tmp_path / "secret")
    assert rendition_path(tmp_path / "media", "link.mp4") is None
