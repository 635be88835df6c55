"""A client of the OpenAI-style video service (`/v1/videos`) as SGLang speaks it: create, poll, download, delete.

Every call that the server cannot answer at the moment (no connection, 5xx, 429) is repeated after 1, 2, 4 ... 60 s.
What the server refuses for good is raised as one of three errors, so that the caller decides what it means.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from metrics.errors import UserError
from metrics.weights.download import offline

if TYPE_CHECKING:
    import requests

TIMEOUT_S = (10.0, 120.0)
"""To connect, and between two pieces of an answer."""
LONGEST_PAUSE_S = 60.0
RUNNING, COMPLETED, FAILED = "running", "completed", "failed"
_FAILED = frozenset({"failed", "cancelled", "deleted"})
_CHUNK = 1 << 16
_ADDRESS = re.compile(r"https?://[^\s\"'<>\\]+")


class Refused(Exception):
    """The server understands the request and refuses it: 400, 401, 403, 422 and kin. detail: its own words."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class NotThere(Exception):
    """404: the server knows no such job, or its clip is not there yet. The argument is its message."""


class Broken(Exception):
    """A download that ended before its end."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the server says about a job. state: RUNNING, COMPLETED or FAILED. progress: 0 to 100."""

    id: str
    state: str
    progress: int
    message: str
    url: str | None
    answer: Mapping[str, Any]


class VideoServer:
    """One server. address: such as http://localhost:30000. patience: seconds for which a call is repeated."""

    def __init__(self, address: str, *, key: str | None = None, patience: float = 600.0, pause: float = 1.0) -> None:
        if not re.match(r"https?://[^/\s]+", address):
            raise UserError(f"server {address}: expected an address such as http://localhost:30000")
        self.address = address.rstrip("/").removesuffix("/v1")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._patience = patience
        self._pause = pause

    def health(self) -> str | None:
        """None if the server is well, else what is wrong; asked once, without patience."""
        import requests

        refuse_offline()
        try:
            answer = requests.get(f"{self.address}/health", headers=self._headers, timeout=TIMEOUT_S)
        except requests.exceptions.RequestException as error:
            return f"it does not answer ({_reason(error)})"
        return None if answer.status_code < 400 else f"it answers {answer.status_code} {answer.reason}"

    def models(self) -> list[dict[str, Any]]:
        """What `/v1/models` lists. Raises Refused, NotThere."""
        body = self._json("GET", "/v1/models")
        entries = body.get("data", []) if isinstance(body, Mapping) else body
        return [dict(entry) for entry in entries if isinstance(entry, Mapping)]

    def info(self) -> dict[str, Any]:
        """What the server tells about itself; empty where it tells nothing."""
        for path in ("/v1/model_info", "/server_info", "/get_server_info"):
            try:
                body = self._json("GET", path)
            except (NotThere, Refused):
                continue
            if isinstance(body, Mapping):
                return dict(body)
        return {}

    def create(self, fields: Mapping[str, str], picture: tuple[str, bytes, str] | None) -> Job:
        """Start a job. picture: (file name, content, media type). Raises Refused, NotThere."""
        files: dict[str, tuple[str | None, bytes | str] | tuple[str, bytes, str]] = {
            name: (None, value) for name, value in fields.items()
        }
        if picture is not None:
            files["input_reference"] = picture
        return _job(self._json("POST", "/v1/videos", files=files))

    def job(self, job: str) -> Job:
        """The state of a job. Raises NotThere for one that the server does not know (it was started again)."""
        return _job(self._json("GET", f"/v1/videos/{quote(job)}"))

    def cancel(self, job: str) -> None:
        """Ask that a job be given up; older servers cannot, then it is deleted. Raises Refused, NotThere."""
        try:
            self._call("POST", f"/v1/videos/{quote(job)}/cancel")
        except NotThere:
            self.delete(job)

    def delete(self, job: str) -> None:
        """Let the server forget a job and its clip. Raises Refused, NotThere."""
        self._call("DELETE", f"/v1/videos/{quote(job)}")

    def download(self, job: Job, path: Path) -> int:
        """Write the clip of a finished job to `path`; gives its size in bytes.

        A clip that lies elsewhere is followed there, without this server's key. Raises NotThere while the clip is not
        there yet, Broken for a transfer that ended early, Refused, OSError.
        """
        try:
            return self._fetch(f"{self.address}/v1/videos/{quote(job.id)}/content", path, self._headers)
        except Refused as refusal:
            elsewhere = job.url or next(iter(_ADDRESS.findall(refusal.detail)), None)
            if refusal.status != 400 or elsewhere is None or not _ADDRESS.match(elsewhere):
                raise
            return self._fetch(elsewhere, path, {})

    def _fetch(self, url: str, path: Path, headers: Mapping[str, str]) -> int:
        import requests

        size = 0
        with self._answer("GET", url, headers=headers, stream=True) as answer:
            kind = answer.headers.get("Content-Type", "").lower()
            if kind.startswith(("text/", "application/json", "application/xhtml")):
                raise Broken(f"what arrived is {kind.split(';')[0]}, no clip")
            expected = answer.headers.get("Content-Length")
            with open(path, "wb") as file:
                try:
                    for chunk in answer.iter_content(_CHUNK):
                        file.write(chunk)
                        size += len(chunk)
                except requests.exceptions.RequestException as error:
                    raise Broken(f"the connection failed after {size} bytes ({_reason(error)})") from error
                file.flush()
                os.fsync(file.fileno())
        if expected is not None and size != int(expected):
            raise Broken(f"the connection ended after {size} of {expected} bytes")
        if not size:
            raise Broken("the server sent an empty file")
        return size

    def _json(self, method: str, path: str, **more: Any) -> Any:
        answer = self._call(method, path, **more)
        try:
            return answer.json()
        except ValueError:
            raise Refused(answer.status_code, f"its answer to {path} is no JSON: {answer.text[:80]!r}") from None

    def _call(self, method: str, path: str, **more: Any) -> requests.Response:
        return self._answer(method, f"{self.address}{path}", headers=self._headers, **more)

    def _answer(self, method: str, url: str, **more: Any) -> requests.Response:
        """One answer, asked for until there is one. Raises NotThere, Refused, UserError when patience ends."""
        import requests

        refuse_offline()
        started, pause = time.monotonic(), self._pause
        while True:
            try:
                answer = requests.request(method, url, timeout=TIMEOUT_S, **more)
            except requests.exceptions.RequestException as error:
                reason = f"does not answer ({_reason(error)})"
            else:
                if answer.status_code == 404:
                    raise NotThere(_detail(answer))
                if answer.status_code < 400:
                    return answer
                if answer.status_code < 500 and answer.status_code != 429:
                    raise Refused(answer.status_code, _detail(answer))
                reason = f"answers {answer.status_code} {answer.reason}: {_detail(answer)}"
            waited = time.monotonic() - started
            if waited + pause > self._patience:
                raise UserError(
                    f"server {self.address} {reason}, for {waited:.0f} s now; mend it and start the same command "
                    f"again, every clip made so far is kept"
                )
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)


def refuse_offline() -> None:
    """Raises UserError where sockets are forbidden."""
    if offline():
        raise UserError("this generator asks a server, and --offline (MOVA_EVAL_OFFLINE) forbids that; leave it out")


def _job(answer: Any) -> Job:
    """A job from an answer, which some deployments wrap in a list. Unknown states count as running."""
    if isinstance(answer, list):
        answer = answer[0] if answer else {}
    if not isinstance(answer, Mapping) or not isinstance(answer.get("id"), str):
        raise Refused(200, f"its answer names no job: {str(answer)[:80]}")
    status, progress = str(answer.get("status", "")), answer.get("progress")
    state = COMPLETED if status == COMPLETED else FAILED if status in _FAILED else RUNNING
    error = answer.get("error")
    message = error.get("message") if isinstance(error, Mapping) else error
    url = answer.get("url")
    return Job(
        id=answer["id"],
        state=state,
        progress=int(progress) if isinstance(progress, int | float) else 0,
        message=str(message) if message else f"the job is {status}",
        url=url if isinstance(url, str) and url else None,
        answer=dict(answer),
    )


def _detail(answer: requests.Response) -> str:
    """What a refusing answer says: `detail` as a text or a list of {loc, msg}, or `error.message`."""
    try:
        body = answer.json()
    except ValueError:
        return " ".join(answer.text.split())[:200] or answer.reason
    detail = body.get("detail", body.get("error", body)) if isinstance(body, Mapping) else body
    if isinstance(detail, Mapping) and "message" in detail:
        detail = detail["message"]
    if isinstance(detail, list):
        parts = []
        for entry in detail:
            where = ".".join(map(str, entry.get("loc", ()))) if isinstance(entry, Mapping) else ""
            what = entry.get("msg", entry) if isinstance(entry, Mapping) else entry
            parts.append(f"{where}: {what}" if where else str(what))
        detail = "; ".join(parts)
    return str(detail)[:500]


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "connection refused or lost"
    return type(error).__name__
