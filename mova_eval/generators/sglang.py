"""Clips from an SGLang server (`/v1/videos`): MOVA, or another model that it serves."""

from __future__ import annotations

import json
import mimetypes
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import UserError
from mova_eval.generators.asking import NO_FIRST_FRAME, basic_request, picture_of
from mova_eval.generators.contract import (
    Bench,
    Check,
    ClipRequest,
    GenerationError,
    Generator,
    GeneratorCard,
    Identity,
    Lane,
    Level,
    MadeClip,
    NotRunnable,
    PlanOptions,
)
from mova_eval.generators.settings import Setting
from mova_eval.generators.sizes import CLASSES, Grid, kept_share, oriented, size_of
from mova_eval.generators.video_server import (
    COMPLETED,
    FAILED,
    Broken,
    Job,
    NotThere,
    Refused,
    VideoServer,
)
from mova_eval.runs.paths import write_atomically

if TYPE_CHECKING:
    from mova_eval.benchmarks import Item

DEFAULT_SECONDS = 8.0
MOVA_SIZES = (CLASSES["360p"], CLASSES["720p"])
"""Landscape sizes that a server with MOVA accepts; their portraits, too."""
RESUBMISSIONS = 2
DOWNLOADS = 4
SLOWEST_POLL_S = 10.0
_REPORTED = ("inference_time_s", "peak_memory_mb", "size", "seconds", "model", "created_at", "completed_at")
_SENT = {"steps": "num_inference_steps", "guidance_text": "guidance_scale", "flow_shift": "flow_shift"}


class SglangGenerator(Generator):
    """One job in flight per server; a job that was running when the suite was killed is taken up again."""

    name: ClassVar[str] = "sglang"
    settings: ClassVar[Mapping[str, Setting]] = {
        "server": Setting((), "addresses of servers, such as http://localhost:30000", list, machine=True),
        "model": Setting("MOVA", "what the id of the served model must contain"),
        "size": Setting("360p", "360p, 720p, or for other models WIDTHxHEIGHT; turned the way of the first frame"),
        "frames": Setting(None, "frames of a clip; default: those nearest to the duration, 193 for 8 s", int, low=1),
        "fps": Setting(24.0, "frames per second", float, low=1),
        "steps": Setting(50, "steps of the sampler", int, low=1),
        "guidance_text": Setting(5.0, "scale of the text guidance", float, low=0),
        "flow_shift": Setting(None, "shift of the schedule; default: the server's", float),
        "negative_prompt": Setting(None, "negative prompt; default: the server's"),
        "job_limit": Setting(1800.0, "seconds after which a job is given up", float, machine=True, low=1),
        "patience": Setting(600.0, "seconds for which an absent server is waited for", float, machine=True, low=0),
        "poll": Setting(
            2.0, "seconds before the second look at a job; later looks are farther apart", float, machine=True
        ),
        "keep_remote": Setting(False, "leave finished clips on the server", bool, machine=True),
        "key_variable": Setting("SGLANG_API_KEY", "environment variable with the server's key, if any", machine=True),
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._served: dict[str, tuple[str, str]] = {}
        """Address -> (model id, version), once asked."""

    def describe(self) -> GeneratorCard:
        return GeneratorCard(
            name=self.name,
            title="a server with SGLang's /v1/videos: MOVA, or another model",
            version=self.version,
            modes=("i2va", "t2va"),
            sizes=tuple(f"{w}x{h}" for w, h in MOVA_SIZES),
            fps=24.0,
            frames="4 k + 1, 193 for 8 s",
            sample_rate="48 kHz mono (MOVA)",
            needs="a running server",
            code_licence="Apache-2.0",
            weights_licence="of the served model (MOVA: Apache-2.0)",
            settings=self.settings,
        )

    def _servers(self) -> list[VideoServer]:
        if not self.options["server"]:
            raise UserError("generator sglang needs a server: give --server http://HOST:30000 (may be repeated)")
        key, patience = os.environ.get(self.options["key_variable"]), self.options["patience"]
        pause = min(1.0, max(patience / 8, 0.01))
        return [VideoServer(address, key=key, patience=patience, pause=pause) for address in self.options["server"]]

    def probe(self, level: Level = "files") -> list[Check]:
        servers = self._servers()
        checks = [Check("server", "ok", ", ".join(server.address for server in servers))]
        if level == "server":
            checks += [self._check(server) for server in servers]
            served = {self._served[s.address] for s in servers if s.address in self._served}
            if len(served) > 1:
                names = " and ".join(sorted(" ".join(pair).strip() for pair in served))
                checks.append(Check("servers", "wrong", f"they serve different models: {names}", "use equal servers"))
        return checks

    def _check(self, server: VideoServer) -> Check:
        where = f"server {server.address}"
        ill = server.health()
        if ill is not None:
            return Check(where, "missing", ill, "start it with `sglang serve --model-path MODEL --port 30000`")
        try:
            models, info = server.models(), server.info()
        except (Refused, NotThere) as error:
            return Check(where, "wrong", f"/v1/models: {error}", "it must be a server with SGLang's video service")
        ids = [str(model.get("id", "")) for model in models]
        wanted = self.options["model"]
        found = next((name for name in ids if wanted.lower() in name.lower()), None)
        if found is None:
            names = ", ".join(ids) or "no model"
            return Check(where, "wrong", f"it serves {names}, not {wanted}", "name the model with --set model=...")
        size = oriented(size_of(self.options["size"]), None)
        told = found.lower() if "mova" in found.lower() else ""
        other = next((s for name, s in CLASSES.items() if name in told and s != size), None)
        if other is not None:
            return Check(where, "wrong", f"it serves {found}, which makes {other[0]}x{other[1]}", "give that --size")
        version = next((str(info[k]) for k in ("version", "sglang_version", "server_version") if info.get(k)), "")
        self._served[server.address] = (found, version)
        return Check(where, "ok", f"{found} {version}".strip())

    def identity(self) -> Identity:
        if not self._served:
            failing = [check for check in self.probe("server") if check.fails]
            if failing:
                raise UserError(f"{failing[0].name}: {failing[0].detail}; {failing[0].remedy}")
        model, version = next(iter(self._served.values()))
        return Identity(f"{model} (sglang {version})" if version else model)

    def label(self) -> str:
        return f"{self.options['model']} {self.options['size']} (sglang)"

    def lanes(self, workers: int | None) -> list[Lane]:
        addresses = [server.address for server in self._servers()]
        return [Lane({"server": [address]}) for address in addresses[: workers or None]]

    def plan(self, item: Item, options: PlanOptions) -> ClipRequest:
        request = basic_request(item, options)
        if not request.prompt.strip():
            raise NotRunnable("empty_prompt", f"item {item.id} has an empty prompt")
        picture = picture_of(item, options)
        width, height = oriented(self._size(), picture)
        grid = Grid(fps=self.options["fps"])
        frames = self.options["frames"]
        parameters = {
            name: self.options[name] for name in (*_SENT, "negative_prompt") if self.options[name] is not None
        }
        return replace(
            request,
            width=width,
            height=height,
            frames=grid.check_frames(frames) if frames else grid.frames_for(options.duration or DEFAULT_SECONDS),
            fps=grid.fps,
            parameters=parameters,
            kept=kept_share(picture, (width, height)) if picture else None,
        )

    def _size(self) -> tuple[int, int]:
        size = size_of(self.options["size"])
        landscape = oriented(size, None)
        if "mova" in self.options["model"].lower() and landscape not in MOVA_SIZES:
            known = " and ".join(f"{w}x{h}" for w, h in MOVA_SIZES)
            near = min(MOVA_SIZES, key=lambda s: abs(s[0] - landscape[0]) + abs(s[1] - landscape[1]))
            raise UserError(
                f"size {size[0]}x{size[1]}: MOVA takes {known} and their portraits; the nearest is {near[0]}x{near[1]}"
            )
        return Grid().check_size(*size)

    def generate(self, request: ClipRequest, out: Path, bench: Bench) -> MadeClip:
        work = _Clip(self._servers()[0], request, bench, self.options)
        try:
            job = work.finished_job()
        except Refused as refusal:
            raise UserError(
                f"server {work.server.address} refuses the request of item {request.item}: {refusal}"
            ) from None
        os.replace(work.part, out)
        work.job_file.unlink(missing_ok=True)
        reported = {name: job.answer[name] for name in _REPORTED if job.answer.get(name) is not None}
        if not self.options["keep_remote"]:
            # The clip is here: a server that cannot forget its copy is no reason to lose it.
            with suppress(Refused, NotThere, UserError):
                work.server.delete(job.id)
        memory = reported.get("peak_memory_mb")
        return MadeClip(
            details={"job": job.id, "server": work.server.address, "resubmitted": work.resubmitted, **reported},
            peak_memory_bytes=int(memory * 2**20) if isinstance(memory, int | float) else None,
        )


class _Clip:
    """One clip on its way: created or found again, polled, downloaded."""

    def __init__(self, server: VideoServer, request: ClipRequest, bench: Bench, options: Mapping[str, Any]) -> None:
        self.server = server
        self.request = request
        self.bench = bench
        self.options = options
        self.job_file = bench.scratch / "job.json"
        self.part = bench.scratch / "download"
        self.resubmitted = 0

    def finished_job(self) -> Job:
        """A job whose clip lies at `part`. Raises GenerationError, Refused, UserError."""
        job = self._found_again() or self._create()
        started, pause, broken = time.monotonic(), self.options["poll"], 0
        while True:
            try:
                job = self.server.job(job.id)
                self.bench.step(job.progress, 100, "job")
                if job.state == FAILED:
                    self._give_up("job_failed", f"the server's job failed: {job.message}")
                if job.state == COMPLETED:
                    with suppress(NotThere):  # completed, and yet its clip not there: look again
                        self.server.download(job, self.part)
                        return job
            except NotThere:
                job, started, pause = self._create_again(), time.monotonic(), self.options["poll"]
                continue
            except Broken as error:
                broken += 1
                if broken >= DOWNLOADS:
                    self._give_up("download", f"the clip could not be downloaded: {error}", forget=False)
            if time.monotonic() - started > self.options["job_limit"]:
                with suppress(Refused, NotThere):
                    self.server.cancel(job.id)
                self._give_up("job_limit", f"the server's job took longer than {self.options['job_limit']:g} s")
            time.sleep(pause)
            pause = min(pause * 1.25, max(SLOWEST_POLL_S, self.options["poll"]))

    def _give_up(self, code: str, reason: str, *, forget: bool = True) -> None:
        if forget:
            self.job_file.unlink(missing_ok=True)
        raise GenerationError(code, reason)

    def _found_again(self) -> Job | None:
        """The job that was running when the suite ended, if its server still knows it."""
        try:
            known = json.loads(self.job_file.read_bytes())
            if known["server"] != self.server.address:
                return None
            return self.server.job(str(known["id"]))
        except (OSError, ValueError, KeyError, NotThere):
            return None

    def _create_again(self) -> Job:
        if self.resubmitted >= RESUBMISSIONS:
            self._give_up("job_lost", f"the server lost the job {RESUBMISSIONS + 1} times; it seems to restart")
        self.resubmitted += 1
        return self._create()

    def _create(self) -> Job:
        request = self.request
        fields = {
            "prompt": request.prompt,
            "size": request.size or "",
            "num_frames": str(request.frames),
            "fps": f"{request.fps:g}",
            "seed": str(request.seed),
            "n": "1",
        }
        for name, sent in _SENT.items():
            if name in request.parameters:
                fields[sent] = str(request.parameters[name])
        if "negative_prompt" in request.parameters:
            fields["negative_prompt"] = request.parameters["negative_prompt"]
        job = self.server.create(fields, self._picture())
        write_atomically(self.job_file, json.dumps({"server": self.server.address, "id": job.id}).encode())
        return job

    def _picture(self) -> tuple[str, bytes, str]:
        """The first frame; white where clips are made from the text alone, as MOVA's text mode wants it."""
        path = self.request.first_frame
        if path is None:
            return "white.png", white_picture(self.request.width or 16, self.request.height or 16), "image/png"
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise GenerationError(
                NO_FIRST_FRAME, f"first frame {path} cannot be read: {error.strerror}", retry=False
            ) from error
        return Path(path).name, content, mimetypes.guess_type(path)[0] or "image/jpeg"


def white_picture(width: int, height: int) -> bytes:
    """A white PNG."""
    import cv2
    import numpy as np

    return bytes(cv2.imencode(".png", np.full((height, width, 3), 255, np.uint8))[1])
