"""`mova-eval inspect`: the page of a clip with a face, of one without a score, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from lip_sync_clips import Studio, talking
from typer.testing import CliRunner

from metrics.errors import UserError
from mova_eval.cli import app, commands  # noqa: F401 - registers the commands
from mova_eval.inspection import inspect_clip


def test_a_page_shows_faces_sound_and_curve_and_loads_nothing(lip_sync_studio: Studio, tmp_path: Path) -> None:
    clip = lip_sync_studio.clip("talking")
    weights = [f"syncnet-v2={lip_sync_studio.syncnet}", f"s3fd={lip_sync_studio.s3fd}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOVA_EVAL_WEIGHTS_PATHS", "")
        done = CliRunner().invoke(
            app,
            ["inspect", str(clip), "-o", str(tmp_path / "page.html"), "--weights", weights[0], "--weights", weights[1]],
        )
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") >= 15
    for said in ("LSE-D ↓", "LSE-C ↑", "0 frames", "Person 1", "gives the score"):
        assert said in page
    for kind in ("wave", "line", "thin", "kept", "count", "best"):
        assert f'class="{kind}"' in page
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)


def test_a_clip_without_a_score_says_why(lip_sync_studio: Studio, tmp_path: Path) -> None:
    clip = lip_sync_studio.clip(
        "faceless", seconds=0.4, pictures=lambda n: talking(n, face=False), audio=np.full(6400, 0.1, np.float32)
    )
    page = inspect_clip(clip, tmp_path / "a" / "page.html", options=lip_sync_studio.options()).read_text()
    assert "<code>no_face</code>" in page
    assert "Person 1" not in page


def test_what_cannot_be_inspected_is_refused(lip_sync_studio: Studio, mute_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="it has no audio stream"):
        inspect_clip(mute_clip, tmp_path / "page.html", options=lip_sync_studio.options())
    with pytest.raises(UserError, match="cannot be read"):
        inspect_clip(tmp_path / "absent.mp4", tmp_path / "page.html", options=lip_sync_studio.options())
    with pytest.raises(UserError, match="weights s"):
        inspect_clip(mute_clip, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
