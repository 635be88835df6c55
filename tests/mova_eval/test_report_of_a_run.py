"""Reports of a real run: written, self-contained, and safe against what clips' names and errors may hold."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mova_eval import benchmarks
from mova_eval.reports import write_reports
from mova_eval.runs import load_run, score_clips

HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over one real clip and one file that is no clip, with a hostile prompt."""
    import json

    from support import make_clip

    folder = tmp_path_factory.mktemp("report")
    clips = folder / "clips"
    clips.mkdir()
    tone = (0.2 * np.sin(np.arange(16000) * 0.2)).astype(np.float32)
    make_clip(clips / "a.mp4", audio=tone, audio_rate=16000)
    (clips / "b.mp4").write_bytes(b"no clip")
    items = [{"id": name, "set": "all", "prompt": HOSTILE} for name in ("a", "b")]
    (folder / "items.jsonl").write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    loaded = benchmarks.load(str(folder / "items.jsonl"))
    matching = benchmarks.match_clips(clips, loaded)
    return score_clips(loaded, matching, metrics=["loudness"], out=folder / "run", workers=0).run_dir


def test_markdown_names_value_coverage_and_the_failure(run: Path) -> None:
    paths = {path.suffix: path for path in write_reports(run)}
    text = paths[".md"].read_text(encoding="utf-8")
    value = load_run(run).summary.scores[0].overall.value
    assert value is not None
    assert "lufs" in text
    assert "not_media" in text or "b.mp4" in text


def test_page_asks_nothing_of_the_network_and_escapes_what_it_shows(run: Path) -> None:
    paths = {path.suffix: path for path in write_reports(run)}
    page = paths[".html"].read_text(encoding="utf-8")
    assert HOSTILE not in page
    assert not re.findall(r"""(?:src|href)=["']https?://""", page)
    assert page.count("</script>") == len(re.findall(r"<script[ >]", page))
