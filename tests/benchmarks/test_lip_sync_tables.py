"""The tables of docs/metrics/lip-sync.md, measured: public code, ours and `direct`; what each lossy step and each
precision moves. Run with `pytest -m benchmark -s`; the public code is needed for the first column only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lip_sync_real
import public_lip_sync
import pytest
from support import shared_clip

from metrics.clip import Clip
from metrics.lip_sync.conversion import ALL_DETOURS, NO_DETOURS, Detours, convert_audio, convert_video
from metrics.lip_sync.metric import LipSync
from metrics.lip_sync.pipeline import Person, Settings, detect_faces, follow_shots, score_track
from metrics.lip_sync.shots import find_shots

pytestmark = pytest.mark.benchmark

STEPS = {
    "frame times of the AVI": ALL_DETOURS.without("grid"),
    "MPEG-4 of the whole picture": ALL_DETOURS.without("mpeg4"),
    "JPEG of the whole picture": ALL_DETOURS.without("jpeg"),
    "MP3": ALL_DETOURS.without("mp3"),
    "MPEG-4 of the crops": ALL_DETOURS.without("crop_mpeg4"),
    "JPEG of the crops at 200 kb/s": ALL_DETOURS.without("crop_jpeg"),
    "16 slices per picture (3 instead)": Detours(slices=3),
    "16 slices per picture (1 instead)": Detours(slices=1),
    "all steps (`direct`)": NO_DETOURS,
}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    given = os.environ.get("MOVA_TEST_LIP_SYNC_NETWORKS")  # a folder to keep the fitted networks in
    return lip_sync_real.fitted(Path(given) if given else tmp_path_factory.getbasetemp() / "lip_sync_real")


@dataclass(frozen=True)
class Scored:
    lse_d: float
    lse_c: float
    offset: int
    seconds: float = 0.0

    @classmethod
    def of(cls, person: Person | None, seconds: float = 0.0) -> Scored:
        if person is None:
            raise LookupError("nobody could be scored")
        assert person.score is not None
        return cls(person.score.lse_d, person.score.lse_c, person.score.offset, seconds)

    def __str__(self) -> str:
        return f"{self.lse_d:.4f} / {self.lse_c:.4f} / {self.offset} / {self.seconds:.1f}"


def measured(metric: LipSync, path: Path) -> Scored:
    metric.ensure_loaded()
    before = time.process_time()
    with Clip(path) as clip:
        chosen = metric.analyse(clip).chosen
    return Scored.of(chosen, time.process_time() - before)


def public_score(networks: dict[str, str], path: Path, folder: Path) -> Scored:
    code = public_lip_sync.patched(public_lip_sync.checkout(), folder / "code", Path(networks["s3fd"]))
    found = public_lip_sync.run_public(code, path, Path(networks["syncnet"]), folder / "work")
    offset, lse_c, lse_d, _ = max(found.scores, key=lambda row: row[1] - row[2])
    return Scored(lse_d, lse_c, offset, found.detecting.total + found.scoring.total)


def test_official_ours_and_direct(networks: dict[str, str], tmp_path: Path) -> None:
    public_lip_sync.checkout()
    cores = len(os.sched_getaffinity(0))
    print("\n| clip | official code | ours, `official` | ours, `direct` |\n|---|---|---|---|")
    for name in lip_sync_real.FACES:
        path = shared_clip(f"{name}.mp4")
        public = public_score(networks, path, tmp_path)
        ours = measured(LipSync(slices=cores + 1 if cores > 1 else 1, **networks), path)
        direct = measured(LipSync(protocol="direct", **networks), path)
        print(f"| `{name}` | {public} | {ours} | {direct} |", flush=True)
        assert ours.offset == public.offset
        assert abs(ours.lse_d - public.lse_d) < 0.01
        assert abs(ours.lse_c - public.lse_c) < 0.01


def variants(metric: LipSync, path: Path) -> Iterator[tuple[str, Scored]]:
    """Scores with all steps and with each left out; faces are looked for again only where the pictures change."""
    metric.ensure_loaded()
    faces = {}
    with Clip(path) as clip:
        for name, detours in {"": ALL_DETOURS, **STEPS}.items():
            key = (detours.grid, detours.mpeg4, detours.jpeg, detours.slices if detours.mpeg4 else 0)
            video, sound = convert_video(clip, detours), convert_audio(clip, detours)
            if key not in faces:
                faces[key] = detect_faces(video, metric._detector)
            settings = Settings(detours=detours)
            shots = find_shots(video.pictures[place] for place in range(video.seen_by_shot_detector))
            tracks = follow_shots([list(found) for found in faces[key]], shots, settings).kept
            people = [score_track(video, track, sound, metric._network, settings) for track in tracks]
            best = max(people, key=lambda person: person.score.lse_c - person.score.lse_d if person.score else -1e9)
            yield name, Scored.of(best)


def test_what_each_lossy_step_moves(networks: dict[str, str]) -> None:
    metric = LipSync(threads=len(os.sched_getaffinity(0)), **networks)
    clips = {name: dict(variants(metric, shared_clip(f"{name}.mp4"))) for name in lip_sync_real.FACES}
    print(f"\n| left out | {' | '.join(f'`{name}`' for name in clips)} | largest |\n|---|{'---|' * (len(clips) + 1)}")
    for step in STEPS:
        moved = [(found[step].lse_d - found[""].lse_d, found[step].lse_c - found[""].lse_c) for found in clips.values()]
        offsets = [found[step].offset - found[""].offset for found in clips.values()]
        cells = [f"{d:+.3f} / {c:+.3f} / {o:+d}" for (d, c), o in zip(moved, offsets, strict=True)]
        print(f"| {step} | {' | '.join(cells)} | {max(max(abs(d), abs(c)) for d, c in moved):.3f} |")


def test_what_a_precision_moves(networks: dict[str, str]) -> None:
    print("\n| clip | bfloat16 | float16 |\n|---|---|---|")
    for name in lip_sync_real.FACES:
        path = shared_clip(f"{name}.mp4")
        exact = measured(LipSync(threads=2, **networks), path)
        cells = []
        for precision in ("bfloat16", "float16"):
            try:
                other = measured(LipSync(precision=precision, threads=2, **networks), path)
            except LookupError as nobody:
                cells.append(str(nobody))
                continue
            moved = (other.lse_d - exact.lse_d, other.lse_c - exact.lse_c, other.offset - exact.offset)
            cells.append("{:+.4f} / {:+.4f} / {:+d}".format(*moved))
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)
