"""A small local server that speaks SGLang's /v1/videos: real HTTP, real clips, and every way to go wrong.

`script` holds one word per created job (or per request of a kind), taken from the front; an empty script is a healthy
server. Jobs live in memory, as they do in the real one.
"""

from __future__ import annotations

import json
import threading
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlparse

from support import make_clip


class VideoService:
    """A server as a context manager. polls: how often a job is looked at before it is completed."""

    def __init__(
        self, folder: Path, *, script: list[str] | None = None, polls: int = 2, model: str = "tiny/video"
    ) -> None:
        self.folder = folder
        self.script = list(script or [])
        self.polls = polls
        self.model = model
        self.jobs: dict[str, dict[str, Any]] = {}
        self.created: list[dict[str, Any]] = []
        self.log: list[str] = []
        self.down = 0
        """So many requests are answered with 503."""
        folder.mkdir(parents=True, exist_ok=True)
        service = self

        class Handler(_Handler):
            pass

        Handler.service = service
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> VideoService:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def create(self, form: dict[str, Any]) -> dict[str, Any]:
        self.created.append(form)
        name = f"video_{len(self.created)}"
        how = self.script.pop(0) if self.script else ""
        self.jobs[name] = {"how": how, "polls": 0, "form": form, "downloads": 0}
        return self.view(name)

    def view(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        done = job["polls"] > self.polls
        status = "completed" if done else "strange_new_state" if job["polls"] else "queued"
        body = {
            "id": name, "object": "video", "model": self.model, "status": status, "progress": 100 if done else 0,
            "size": job["form"]["size"], "seconds": "4", "url": None, "file_path": f"/server/{name}.mp4",
            "inference_time_s": 1.5 if done else None, "peak_memory_mb": 45.5 if done else None, "error": None,
        }  # fmt: skip
        if job["how"] == "fail" and done:
            body |= {"status": "failed", "error": {"message": "CUDA out of memory"}}
        if job["how"] == "cloud" and done:
            body["url"] = f"{self.address}/cloud/{name}.mp4"
        return body

    def clip(self, name: str) -> bytes:
        form = self.jobs[name]["form"]
        width, height = (int(side) for side in form["size"].split("x"))
        path = self.folder / f"{width}x{height}-{form['num_frames']}-{form['seed']}.mp4"
        if not path.exists():
            frames = int(form["num_frames"])
            seconds = frames / float(form["fps"])
            make_clip(path, frames=frames, seconds=seconds, fps=24, size=(width, height), audio_rate=48000)
        return path.read_bytes()


class _Handler(BaseHTTPRequestHandler):
    service: VideoService
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        self.service.log.append(f"{self.command} {self.path}")

    def _json(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self._bytes(status, data, "application/json")

    def _bytes(self, status: int, data: bytes, kind: str, promised: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if promised is None else promised))
        self.end_headers()
        self.wfile.write(data)
        if promised is not None:
            self.close_connection = True

    def _is_down(self) -> bool:
        if self.service.down > 0:
            self.service.down -= 1
            self._json(503, {"detail": "overloaded"})
            return True
        return False

    def do_GET(self) -> None:
        service, path = self.service, urlparse(self.path).path
        if self._is_down():
            return
        if path == "/health":
            return self._json(200, {"status": "ok"})
        if path == "/v1/models":
            entry = {"id": service.model, "object": "model", "task_type": "T2V", "num_gpus": 1, "pipeline_name": "MOVA"}
            return self._json(200, {"object": "list", "data": [entry]})
        if path == "/v1/model_info":
            return self._json(200, {"model_path": service.model, "version": "0.5.9"})
        if path.startswith("/cloud/"):
            assert "Authorization" not in self.headers
            return self._bytes(200, service.clip(path.removeprefix("/cloud/").removesuffix(".mp4")), "video/mp4")
        parts = path.strip("/").split("/")
        if parts[:2] != ["v1", "videos"] or len(parts) < 3:
            return self._json(404, {"detail": "Not Found"})
        name = parts[2]
        if name not in service.jobs:
            return self._json(404, {"detail": "Video not found"})
        if len(parts) == 3:
            return self._poll(name)
        return self._content(name)

    def _poll(self, name: str) -> None:
        job = self.service.jobs[name]
        job["polls"] += 1
        if job["how"] == "lose" and job["polls"] == 2:  # the server was started again
            self.service.jobs.clear()
            return self._json(404, {"detail": "Video not found"})
        body = self.service.view(name)
        if job["how"] == "early" and job["polls"] == 1:
            body["status"] = "completed"
        return self._json(200, [body] if job["how"] == "list" else body)

    def _content(self, name: str) -> None:
        job, service = self.service.jobs[name], self.service
        job["downloads"] += 1
        if job["polls"] <= service.polls:
            return self._json(404, {"detail": "Generation is still in-progress"})
        if job["how"] == "cloud":
            where = f"{service.address}/cloud/{name}.mp4"
            return self._json(
                400, {"detail": f"Video has been uploaded to cloud storage. Please use the cloud URL: {where}"}
            )
        data = service.clip(name)
        if job["how"] == "truncate" or (job["how"] == "truncate-once" and job["downloads"] == 1):
            return self._bytes(200, data[: len(data) // 2], "video/mp4", promised=len(data))
        if job["how"] == "page":
            return self._bytes(200, b"<html>login</html>", "text/html")
        return self._bytes(200, data, "video/mp4")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        service = self.service
        if self._is_down():
            return None
        if self.path.endswith("/cancel"):
            return self._json(404, {"detail": "Not Found"})  # an older build
        if service.script[:1] == ["unauthorised"]:
            return self._json(401, {"detail": "invalid key"})
        form = _form(self.headers["Content-Type"], body)
        if service.script[:1] == ["422"]:
            detail = [{"loc": ["body", "seed"], "msg": "value is not a valid integer", "type": "int_parsing"}]
            return self._json(422, {"detail": detail})
        if not form.get("prompt") or "input_reference" not in form:
            return self._json(400, {"detail": "input_reference is required"})
        if form["size"] not in {"640x352", "352x640", "64x48", "48x64"}:
            return self._json(400, {"detail": f"unsupported size {form['size']}"})
        answer = service.create(form)
        return self._json(200, [answer] if service.jobs[answer["id"]]["how"] == "list" else answer)

    def do_DELETE(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        if self.service.jobs.pop(name, None) is None:
            return self._json(404, {"detail": "Video not found"})
        return self._json(200, {"id": name, "deleted": True})


def _form(kind: str, body: bytes) -> dict[str, Any]:
    """Fields of a multipart form; a file as {"name", "size", "type"}."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    form: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        file = part.get_filename()
        form[name] = {"name": file, "size": len(content), "type": part.get_content_type()} if file else content.decode()
    return form
