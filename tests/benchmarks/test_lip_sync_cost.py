"""What lip sync costs: CPU seconds beside the public code on one thread and beside the floor that the networks set, the
worth of a second worker, memory. Run with `pytest -m benchmark -s` on a quiet machine."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lip_sync_real
import numpy as np
import public_lip_sync
import pytest
import torch
from support import make_clip, shared_clip
from torch import nn

from metrics.clip import Clip
from metrics.lip_sync.conversion import ALL_DETOURS, FrameView, convert_audio, convert_crops, convert_video
from metrics.lip_sync.crops import crop_track
from metrics.lip_sync.metric import LipSync
from metrics.lip_sync.mfcc import mfcc
from metrics.lip_sync.pipeline import Settings, detect_faces, follow_shots, sound_of
from metrics.lip_sync.s3fd import FaceDetector, S3fdNet
from metrics.lip_sync.scoring import score_embeddings
from metrics.lip_sync.shots import find_shots
from metrics.lip_sync.syncnet import LipSyncNet, SyncNet
from metrics.networks.states import read_state

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    given = os.environ.get("MOVA_TEST_LIP_SYNC_NETWORKS")  # a folder to keep the fitted networks in
    return lip_sync_real.fitted(Path(given) if given else tmp_path_factory.getbasetemp() / "lip_sync_real")


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def least(work: Callable[[], Any], times: int = 5) -> float:
    """CPU seconds of the quickest of some calls."""
    work()
    spent = []
    for _ in range(times):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return min(spent)


def multiply_adds(network: nn.Module, given: torch.Tensor) -> int:
    """Multiply-adds of convolutions and linear layers for one input."""
    counts = []

    def count(layer: Any, inputs: Any, output: torch.Tensor) -> None:
        size = layer.weight[0].numel()
        if size == 16 * 49:  # the empty sixteenth plane of the first lip layer is not part of the network
            size = 15 * 49
        counts.append(output.numel() * size)

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.inference_mode():
        network(given)
    for hook in hooks:
        hook.remove()
    return sum(counts)


def convolution_rate() -> float:
    """Multiply-adds per second that this CPU reaches on a large convolution, the best of three shapes."""
    rates = []
    for batch, width, side in ((4, 256, 64), (8, 512, 32), (8, 256, 48)):
        layer = nn.Conv2d(width, width, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        given = torch.randn(batch, width, side, side).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            seconds = least(lambda layer=layer, given=given: layer(given))  # type: ignore[misc]
        rates.append(batch * side * side * width * width * 9 / seconds)
    return max(rates)


class Stages:
    """CPU seconds of each stage on one clip; the quickest of the repetitions counts."""

    networks = ("detect", "lips", "audio")
    scoring = ("crop JPEGs", "lips", "mfcc", "audio", "distances")

    def __init__(self, options: dict[str, str]) -> None:
        self.detector = FaceDetector(read_state(options["s3fd"], "S3FD"))
        self.network = LipSyncNet(read_state(options["syncnet"], "SyncNet"))
        self.seconds: dict[str, float] = {}
        self._now: dict[str, float] = {}
        self.frames = self.windows = 0

    def _do(self, stage: str, work: Callable[..., Any], *given: Any) -> Any:
        before = time.process_time()
        result = work(*given)
        self._now[stage] = self._now.get(stage, 0.0) + time.process_time() - before
        return result

    def run(self, path: Path) -> None:
        self._now, self.windows = {}, 0
        with Clip(path) as clip:
            sound = self._do("sound", convert_audio, clip)
            video = self._do("pictures", convert_video, clip)
        faces = self._do("detect", detect_faces, video, self.detector)
        shots = self._do("shots", find_shots, [video.pictures[n] for n in range(video.seen_by_shot_detector)])
        self.frames = len(video.pictures)
        for track in self._do("tracks", follow_shots, faces, shots, Settings()).kept:
            crops = self._do("crops", crop_track, FrameView(video), track)
            crops = self._do("crop MPEG-4", convert_crops, crops, ALL_DETOURS.without("crop_jpeg"))
            crops = self._do("crop JPEGs", convert_crops, crops, ALL_DETOURS.without("crop_mpeg4"))
            said = sound_of(track, sound)
            count = min(len(crops), len(said) // 640) - 5
            lips = self._do("lips", self.network.embed_lips, crops[: count + 4])
            heard = self._do("audio", self.network.embed_audio, self._do("mfcc", mfcc, said), count)
            self._do("distances", score_embeddings, lips, heard)
            self.windows += count
        self.seconds = {k: min(v, self.seconds.get(k, v)) for k, v in self._now.items()}

    def of(self, *stages: str) -> float:
        return sum(self.seconds[stage] for stage in stages)


def test_seconds_beside_the_public_code_and_the_floor(networks: dict[str, str], tmp_path: Path) -> None:
    path = shared_clip("00000.mp4")
    stages = Stages(networks)
    with one_thread():
        rate = convolution_rate()
        for _ in range(3):
            stages.run(path)
        rate = max(rate, convolution_rate())
    frame = multiply_adds(S3fdNet().eval(), torch.zeros(1, 3, 120, 192))
    fast = LipSyncNet(SyncNet().state_dict())
    window = (
        multiply_adds(fast.lips, torch.zeros(1, 16, 224, 224)),
        multiply_adds(fast.audio, torch.zeros(1, 1, 13, 20)),
    )
    floor = (stages.frames * frame + stages.windows * sum(window)) / rate
    total = sum(stages.seconds.values())
    rest = total - stages.of(*stages.networks)
    print(f"\nS3FD {frame / 1e9:.2f}, lips {window[0] / 1e9:.3f}, sound {window[1] / 1e9:.3f} G multiply-adds")
    print(
        f"{rate / 1e9:.0f} G multiply-adds a second: floor {floor:.2f} s for {stages.frames} frames, {stages.windows} windows"
    )
    print("ours:", {name: round(seconds, 3) for name, seconds in stages.seconds.items()})
    print(f"ours {total:.2f} s = {total / floor:.2f} of the floor, {rest:.2f} s of it outside of the networks")

    code = public_lip_sync.patched(public_lip_sync.checkout(), tmp_path / "code", Path(networks["s3fd"]))
    public = public_lip_sync.run_public(code, path, Path(networks["syncnet"]), tmp_path / "work")
    print("public:", public.detecting, public.scoring)
    whole = public.detecting.total + public.scoring.total
    start = public.detecting.start + public.scoring.start
    other = whole - public.detecting.network - public.scoring.network
    scoring = public.scoring.total - public.scoring.start
    print(
        f"whole chain {whole / total:.2f} times, without the start of its programs {(whole - start) / total:.2f} times"
    )
    print(
        f"outside of the networks {other:.2f} s, {other / rest:.1f} times; without start {(other - start) / rest:.1f} times"
    )
    print(f"SyncNet part {scoring:.2f} s, {scoring / stages.of(*stages.scoring):.1f} times")
    assert whole > 1.6 * total
    assert scoring > 3 * stages.of(*stages.scoring)
    assert total < 1.25 * floor  # last: the other figures are worth seeing where this one is missed


def test_two_workers_are_worth_two(networks: dict[str, str], tmp_path: Path) -> None:
    """Clips per second of two processes over those of one, their start left out."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    rates = []
    path = str(shared_clip("00000.mp4"))
    context = multiprocessing.get_context("spawn")
    for workers in (1, 2):
        queues = [context.Queue() for _ in range(workers)]
        ready = [context.Queue() for _ in range(workers)]
        processes = [
            context.Process(target=_wait_and_score, args=(networks, path, 2, ready[n], queues[n]))
            for n in range(workers)
        ]
        for process in processes:
            process.start()
        for queue in ready:
            queue.get()
        began = time.perf_counter()
        for queue in queues:
            queue.put(None)
        for process in processes:
            process.join()
        rates.append(2 * workers / (time.perf_counter() - began))
    print(f"\n{rates[0]:.3f} clips a second with one worker, {rates[1]:.3f} with two: {rates[1] / rates[0]:.2f} times")
    assert rates[1] > 1.7 * rates[0]


def _wait_and_score(options: dict[str, str], path: str, count: int, ready: Any, go: Any) -> None:
    torch.set_num_threads(1)
    metric = LipSync(threads=1, **options)
    metric.ensure_loaded()
    ready.put(None)
    go.get()
    for _ in range(count):
        with Clip(path) as clip:
            metric.analyse(clip)


def test_eight_seconds_of_720p_stay_under_two_gigabytes(networks: dict[str, str], tmp_path: Path) -> None:
    ground = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    path = make_clip(
        tmp_path / "clip.mp4", frames=193, fps=24, size=(1280, 720), pictures=lambda n: np.roll(ground, 3 * n, axis=1),
        audio=np.random.default_rng(1).normal(0, 0.1, 8 * 48000).astype(np.float32), audio_rate=48000,
    )  # fmt: skip
    code = (
        "import resource, sys; from metrics.clip import Clip; from metrics.lip_sync.metric import LipSync;"
        f"m = LipSync(**{networks!r}, min_face_size=0, threshold=0.05);"
        f"a = m.analyse(Clip({str(path)!r}));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, a.frames, len(a.people))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    peak, frames, people = done.stdout.split()
    print(f"\npeak {float(peak):.2f} GiB for {frames} frames, {people} people")
    assert int(frames) >= 193
    assert float(peak) < 2e9 / 2**30


@pytest.mark.gpu
def test_frames_a_second_on_a_gpu(networks: dict[str, str]) -> None:
    """Batches of frames and windows on a CUDA device: frames a second of each batch size, scores equal to the CPU's."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    path = shared_clip("00000.mp4")
    with Clip(path) as clip:
        cpu = LipSync(**networks).analyse(clip).chosen
    assert cpu is not None
    assert cpu.score is not None
    for batch in (4, 16, 64):
        metric = LipSync(device="cuda", detector_batch=batch, batch=batch, **networks)
        metric.ensure_loaded()
        for _ in range(2):
            began = time.perf_counter()
            with Clip(path) as clip:
                analysis = metric.analyse(clip)
            seconds = time.perf_counter() - began
        assert analysis.chosen is not None
        assert analysis.chosen.score is not None
        print(
            f"\nbatch {batch}: {analysis.frames / seconds:.0f} frames a second, LSE-D {analysis.chosen.score.lse_d:.5f}"
        )
        assert analysis.chosen.score.lse_d == pytest.approx(cpu.score.lse_d, abs=1e-3)
        assert analysis.chosen.score.offset == cpu.score.offset
