"""The lip-sync metric: LSE-D, LSE-C and the offset of the best-synchronised person of a clip."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import NotApplicable, UserError
from metrics.metric import Metric
from metrics.types import Measurement, Need, Protocol, Request, ScoreSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from metrics.clip import Clip
    from metrics.lip_sync.conversion import Detours, Video
    from metrics.lip_sync.pipeline import Analysis, Person, Settings
    from metrics.lip_sync.s3fd import FaceDetector
    from metrics.lip_sync.scoring import SyncScore
    from metrics.lip_sync.syncnet import LipSyncNet
    from metrics.lip_sync.tracking import Track

_SOURCE = (
    "SyncNet (ACCVW 2016), named by Wav2Lip (ACM MM 2020); MOVA evaluation toolkit, max_C_inperson, min_D_inperson"
)
_SOURCE_OFFSET = "SyncNet (ACCVW 2016): shift of the smallest mean distance; positive where the sound comes first"
_PRECISIONS = ("float32", "bfloat16", "float16")
_SILENCE = 33
"""-60 dBFS in 16-bit steps."""


class LipSync(Metric):
    """LSE-D (lower is better), LSE-C (higher is better) and the signed audio-video offset.

    Scores are those of the person with the largest LSE-C minus LSE-D; `details` has everyone's, the means over people,
    the distance at each of the 31 shifts, the confidence of each window, and what became of every face. Without a
    score the clip is *not applicable*, with one of the reasons "no_face", "face_too_small", "track_too_short",
    "face_outside_picture", "no_speech", "audio_shorter_than_video", "offset_out_of_range" (verse-bench only).

    Protocols: "official" equals MOVA's evaluation, lossy files included; "direct" leaves those out; "verse-bench" is
    that tool's variant, which gives LSE-C only.

    Options: scales, threshold of the face detector; min_track, num_failed_det (frames), min_face_size (pixels);
    require_speech: not applicable where a voice detector finds no speech (silence never is); precision of the networks;
    slices: of the MPEG-4 detour (see docs/metrics/lip-sync.md); syncnet, s3fd: files of weights to use instead of the
    published ones; batch, detector_batch: lip windows and pictures per pass (None: 8 and 4 on a CPU, where more do not
    help, 64 and 32 on a GPU).
    """

    name: ClassVar[str] = "lip_sync"
    title: ClassVar[str] = "Lip sync (SyncNet LSE)"
    scores: ClassVar[tuple[ScoreSpec, ...]] = (
        ScoreSpec("lse_d", "LSE-D", "lower", "distance", (0.0, None), _SOURCE),
        ScoreSpec("lse_c", "LSE-C", "higher", "confidence", (0.0, None), _SOURCE),
        ScoreSpec("av_offset_frames", "Audio-video offset", "target", "frames of 40 ms", (-15.0, 15.0), _SOURCE_OFFSET),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUDIO, Need.VIDEO})
    protocols: ClassVar[tuple[str, ...]] = tuple(protocol.value for protocol in Protocol)
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "scales": (0.25,),
            "threshold": 0.9,
            "min_track": 20,
            "num_failed_det": 25,
            "min_face_size": 100,
            "require_speech": False,
            "precision": "float32",
            "slices": 16,
            "syncnet": None,
            "s3fd": None,
            "batch": None,
            "detector_batch": None,
        }
    )
    machine_options: ClassVar[frozenset[str]] = frozenset({"batch", "detector_batch", "syncnet", "s3fd"})
    weights: ClassVar[tuple[str, ...]] = ("syncnet-v2", "s3fd")
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    licence: ClassVar[str] = "CC BY (networks), for research"

    _detector: FaceDetector
    _network: LipSyncNet

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.options["precision"] not in _PRECISIONS:
            raise UserError(
                f"metric lip_sync: no precision '{self.options['precision']}'; it knows {', '.join(_PRECISIONS)}"
            )

    def weights_used(self) -> tuple[str, ...]:
        return tuple(name for name, own in (("syncnet-v2", "syncnet"), ("s3fd", "s3fd")) if self.options[own] is None)

    def identity(self) -> Mapping[str, str]:
        """Versions of the codecs, and the digests of weights files of one's own."""
        from importlib.metadata import version

        from metrics.weights import sha256_of

        own = {f"{name}_sha256": sha256_of(self.options[name]) for name in ("syncnet", "s3fd") if self.options[name]}
        return {"av": version("av"), **own}

    def load(self) -> None:
        import torch

        from metrics.lip_sync.s3fd import FaceDetector
        from metrics.lip_sync.syncnet import LipSyncNet
        from metrics.networks.states import read_state
        from metrics.weights import verified

        dtype = getattr(torch, self.options["precision"])
        syncnet = read_state(self.options["syncnet"] or verified("syncnet-v2"), "SyncNet")
        s3fd = read_state(self.options["s3fd"] or verified("s3fd"), "S3FD")
        self._network = LipSyncNet(syncnet, self.device, dtype)
        self._detector = FaceDetector(
            s3fd,
            scales=self.options["scales"],
            threshold=self.options["threshold"],
            batch=self.options["detector_batch"] or (4 if self.device == "cpu" else 32),
            device=self.device,
            dtype=dtype,
        )

    def detours(self) -> Detours:
        """The lossy steps of this protocol."""
        from metrics.lip_sync.conversion import NO_DETOURS, VERSE_BENCH_DETOURS, Detours

        if self.protocol == Protocol.DIRECT:
            return NO_DETOURS
        return VERSE_BENCH_DETOURS if self.protocol == Protocol.VERSE_BENCH else Detours(slices=self.options["slices"])

    def settings(self) -> Settings:
        """The chain's settings under this protocol and these options."""
        from metrics.lip_sync.pipeline import Settings

        names = ("min_track", "num_failed_det", "min_face_size")
        return Settings(detours=self.detours(), batch=self._windows(), **{name: self.options[name] for name in names})

    def _windows(self) -> int:
        return int(self.options["batch"] or (8 if self.device == "cpu" else 64))

    def analyse(self, clip: Clip) -> Analysis:
        """Everything about one clip: faces, tracks, people and their scores."""
        import torch

        from metrics.lip_sync.pipeline import analyse
        from metrics.lip_sync.verse_bench import analyse_verse_bench

        self.ensure_loaded()
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            if self.protocol == Protocol.VERSE_BENCH:
                return analyse_verse_bench(clip, self._detector, self._network, self._windows())
            return analyse(clip, self._detector, self._network, self.settings())
        finally:
            torch.set_num_threads(before)

    def crops(self, video: Video, track: Track) -> NDArray[np.uint8]:
        """Crops of one track as this protocol cuts them, before their lossy files: uint8 [n, 224, 224, 3] BGR."""
        from metrics.lip_sync import verse_bench
        from metrics.lip_sync.conversion import FrameView
        from metrics.lip_sync.crops import crop_track

        if self.protocol == Protocol.VERSE_BENCH:
            return crop_track(FrameView(video), track, verse_bench.CROP_SCALE, smoothing=1)
        return crop_track(FrameView(video), track)

    def compute(self, clip: Clip, request: Request) -> Measurement:
        self.require_sound(clip)
        return self.judged(self.analyse(clip))

    def judged(self, analysis: Analysis) -> Measurement:
        """The measurement that follows from an analysis."""
        chosen = analysis.chosen
        if chosen is None or chosen.score is None:
            code, reason = _why_no_score(analysis, self.options["min_face_size"], self.options["min_track"])
            return Measurement.not_applicable(self.name, code, reason, details=_summary(analysis))
        scores = _scores(chosen.score)
        details = _summary(analysis)
        if self.protocol == Protocol.VERSE_BENCH:
            offsets = [person["offset_frames"] for person in details["people"] if "offset_frames" in person]
            if any(abs(offset) >= 14 for offset in offsets):
                reason = "a run of frames is off by 14 frames or more, where the Verse-Bench tool gives no score"
                return Measurement.not_applicable(self.name, "offset_out_of_range", reason, details=details)
            scores = {"lse_c": details["mean_lse_c"]}
            details["left_out"] = dict.fromkeys(("lse_d", "av_offset_frames"), "not reported by the Verse-Bench tool")
        return Measurement.scored(
            self.name, scores, details={**details, **_of_chosen(chosen.score)}, flags=_flags(analysis)
        )

    def require_sound(self, clip: Clip) -> None:
        """Raise NotApplicable where the sound is silent or, with `require_speech`, holds no speech."""
        import numpy as np

        samples = clip.audio(rate=16_000, layout="mono", sample_format="s16").samples
        if int(np.abs(samples.astype(np.int32)).max(initial=0)) < _SILENCE:
            raise NotApplicable("no_speech", "the sound is silent (no sample above -60 dBFS), so no one speaks")
        if self.options["require_speech"]:
            from faster_whisper.vad import get_speech_timestamps

            if not get_speech_timestamps(samples.astype(np.float32) / 32768):
                raise NotApplicable("no_speech", "a voice detector finds no speech in the sound")


def _scores(score: SyncScore) -> dict[str, float]:
    return {"lse_d": score.lse_d, "lse_c": score.lse_c, "av_offset_frames": float(score.offset)}


def _why_no_score(analysis: Analysis, min_face_size: float, min_track: int) -> tuple[str, str]:
    """The reason that came nearest to a score."""
    if analysis.people:
        return analysis.people[0].code, analysis.people[0].reason
    if analysis.too_small:
        largest = max(track.size for track in analysis.too_small)
        return "face_too_small", f"the largest face is {largest:.0f} pixels, more than {min_face_size:g} are needed"
    if analysis.too_short or any(analysis.faces):
        longest = max(analysis.too_short, default=0)
        return (
            "track_too_short",
            f"no face is seen in more than {max(longest, 1)} frames of one shot, {min_track} are too few",
        )
    return "no_face", f"no face in any of {analysis.frames} frames"


def _flags(analysis: Analysis) -> tuple[str, ...]:
    short = len(analysis.sound) // 640 < analysis.frames - 1
    return ("audio_shorter_than_video",) if short else ()


def _summary(analysis: Analysis) -> dict[str, Any]:
    """What is known about the clip's faces, as JSON values."""
    with_face = sum(bool(found) for found in analysis.faces)
    scored = [person.score for person in analysis.people if person.score is not None]
    lengths = [len(person.track.frames) for person in analysis.people]
    lengths += [len(track.frames) for track in analysis.too_small] + list(analysis.too_short)
    return {
        "frames": analysis.frames,
        "shots": [list(shot) for shot in analysis.shots],
        "share_of_frames_with_face": round(with_face / analysis.frames, 4) if analysis.frames else 0.0,
        "faces": sum(map(len, analysis.faces)),
        "faces_at_once": max(map(len, analysis.faces), default=0),
        "longest_track": max(lengths, default=0),
        "tracks_too_small": [round(track.size, 1) for track in analysis.too_small],
        "tracks_too_short": list(analysis.too_short),
        "people": [_person(person, person is analysis.chosen) for person in analysis.people],
        **(
            {"mean_lse_d": _mean([s.lse_d for s in scored]), "mean_lse_c": _mean([s.lse_c for s in scored])}
            if scored
            else {}
        ),
    }


def _person(person: Person, chosen: bool) -> dict[str, Any]:
    track = person.track
    told: dict[str, Any] = {
        "chosen": chosen,
        "first_frame": int(track.frames[0]),
        "last_frame": int(track.frames[-1]),
        "detections": track.detected,
        "detector_score": round(track.confidence, 4),
        "face_pixels": round(track.size, 1),
        "box": [round(float(side), 1) for side in track.bboxes.mean(axis=0)],
    }
    if person.score is None:
        return {**told, "code": person.code, "reason": person.reason}
    score = person.score
    return {
        **told,
        "lse_d": round(score.lse_d, 6),
        "lse_c": round(score.lse_c, 6),
        "offset_frames": score.offset,
        "curve": [round(float(value), 4) for value in score.curve],
    }


def _of_chosen(score: SyncScore) -> dict[str, Any]:
    """Offset, mean distance per shift (first entry: offset +vshift), smoothed confidence of each window."""
    return {
        "offset_frames": score.offset,
        "offset_ms": score.offset_ms,
        "curve": [round(float(value), 5) for value in score.curve],
        "confidence": [round(float(value), 4) for value in score.smoothed_confidence()],
    }


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 6)
