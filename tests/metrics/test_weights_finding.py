"""The table of weights, and finding them: order of places, folders, what is wrong with a file."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from metrics import weights
from metrics.errors import MissingWeights, UserError
from metrics.weights import digests, table

DATA = b"layers and layers" * 100
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, an empty hub cache, and no paths of one's own."""
    monkeypatch.setenv("MOVA_EVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("MOVA_EVAL_WEIGHTS", "MOVA_EVAL_WEIGHTS_PATHS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "weights"


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file in place of SyncNet's."""
    entry = replace(table.TABLE["syncnet-v2"], sha256=DIGEST, size=len(DATA))
    monkeypatch.setitem(table.TABLE, "syncnet-v2", entry)


def put(path: Path, data: bytes = DATA) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_table_is_whole() -> None:
    files = [entry.file for entry in weights.TABLE.values()]
    assert len(set(files)) == len(files)
    for name, entry in weights.TABLE.items():
        assert name == entry.name
        assert entry.needed_by, name
        assert entry.fetchable or entry.package, name
        assert entry.sha256 or entry.repo, f"{name}: neither a digest nor a hub that announces one"
        for digest in filter(None, (entry.sha256, *dict(entry.digests).values())):
            assert len(digest) == 64
            int(digest, 16)
        assert entry.licence
        assert not (entry.commercial and ("NC" in entry.licence or "research" in entry.licence)), name


def test_the_table_and_the_metrics_agree() -> None:
    from metrics.registry import available, metric_class, score_specs

    known = {score for entry in weights.TABLE.values() for score in entry.needed_by}
    for name in available():
        cls = metric_class(name)
        assert set(cls.weights) <= set(weights.TABLE), name
        for used in cls.weights:
            own = {spec.name.removesuffix("_48k") for spec in cls.scores}
            assert own & set(weights.TABLE[used].needed_by), f"{used} is not declared for {name}"
    assert known & set(score_specs())


def test_packaged_weights_are_what_the_table_says() -> None:
    found = [name for name, entry in weights.TABLE.items() if entry.package and weights.missing(name) is None]
    assert "dnsmos-p808" in found
    for name in found:
        assert weights.digest(name) == weights.TABLE[name].sha256
        assert weights.locate(name).stat().st_size == weights.TABLE[name].size


def test_a_missing_file_says_how_to_get_it(cache: Path) -> None:
    assert weights.missing("syncnet-v2") == (
        "weights syncnet-v2 missing, get them with: mova-eval weights fetch syncnet-v2"
    )
    with pytest.raises(MissingWeights, match="weights fetch imagebind-huge"):
        weights.locate("imagebind-huge")
    with pytest.raises(UserError, match="did you mean syncnet-v2"):
        weights.locate("syncnet_v2")


@pytest.mark.usefixtures("little")
def test_the_order_of_places(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_cache = put(cache / "syncnet_v2.model")
    assert weights.verified("syncnet-v2") == in_cache
    mine = put(tmp_path / "mine" / "syncnet_v2.model")
    monkeypatch.setenv("MOVA_EVAL_WEIGHTS", str(tmp_path / "mine"))
    assert weights.verified("syncnet-v2") == mine
    own = put(tmp_path / "trained.pth", b"another network")
    monkeypatch.setenv("MOVA_EVAL_WEIGHTS_PATHS", f"syncnet-v2={own}")
    assert weights.verified("syncnet-v2") == own  # as it is, and its digest says so
    assert weights.digest("syncnet-v2") == hashlib.sha256(b"another network").hexdigest()
    own.unlink()
    with pytest.raises(MissingWeights, match=r"nothing at .*trained\.pth, which MOVA_EVAL_WEIGHTS_PATHS names"):
        weights.locate("syncnet-v2")  # never silently the other file


@pytest.mark.parametrize("entry", ["syncnet-v2", "=x", "syncnet-v2="])
def test_paths_of_another_shape_are_refused(entry: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVA_EVAL_WEIGHTS_PATHS", entry)
    with pytest.raises(UserError, match=r"NAME=PATH|no weights are called"):
        weights.places("syncnet-v2")


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (DATA[:-1], r"cut short: 1,699 bytes, expected 1,700"),
        (DATA + b"x", r"another file: 1,701 bytes"),
        (DATA[::-1], r"has sha256 \w{12}\.\.\., expected \w{12}"),
        (b"<!doctype html>", "cut short"),
    ],
)
def test_a_wrong_file_is_named_with_the_remedy(cache: Path, content: bytes, complaint: str) -> None:
    put(cache / "syncnet_v2.model", content)
    with pytest.raises(UserError, match=complaint) as caught:
        weights.verified("syncnet-v2")
    assert "mova-eval weights fetch syncnet-v2" in str(caught.value)


def folder_of(root: Path, names: list[str]) -> Path:
    for name in names:
        put(root / name, name.encode())
    return root


def test_a_folder_is_here_when_its_networks_are(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = replace(table.TABLE["qwen2-vl-2b"], digests=(), size=None)
    monkeypatch.setitem(table.TABLE, "qwen2-vl-2b", entry)
    folder = folder_of(cache / entry.file, ["config.json", "tokenizer.json", "model-00001-of-00002.safetensors"])
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert weights.missing("qwen2-vl-2b") is not None  # a shard is not there yet
    put(folder / "model-00002-of-00002.safetensors")
    assert weights.missing("qwen2-vl-2b") is None
    first = weights.digest("qwen2-vl-2b")
    put(folder / "README.md")  # not of the weights
    assert weights.digest("qwen2-vl-2b") == first
    put(folder / "config.json", b"{}")
    assert weights.digest("qwen2-vl-2b") != first


def test_a_tokenizer_folder_needs_no_network(cache: Path) -> None:
    folder_of(cache / "roberta-base", ["config.json"])
    assert weights.missing("roberta-base") is not None
    folder_of(cache / "roberta-base", ["vocab.json"])
    assert weights.missing("roberta-base") is None


def test_the_hub_s_own_cache_is_used(cache: Path, tmp_path: Path) -> None:
    repo = tmp_path / "hub" / "models--hf-audio--MOSS-Transcribe-Diarize-HF"
    put(repo / "refs" / "main", b"abc123\n")
    folder = folder_of(repo / "snapshots" / "abc123", ["config.json", "model.safetensors", "tokenizer.json"])
    assert weights.locate("moss-transcribe-diarize") == folder
    pinned = tmp_path / "hub" / "models--laion--clap-htsat-fused" / "snapshots"
    folder_of(pinned / "another", ["config.json", "model.safetensors"])
    assert weights.missing("clap-htsat-fused") is not None  # not the pinned revision
    folder_of(pinned / table.TABLE["clap-htsat-fused"].revision, ["config.json", "model.safetensors"])
    assert weights.missing("clap-htsat-fused") is None


def test_a_large_file_is_hashed_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_WORTH_KEEPING", 10)
    path, hashed = put(tmp_path / "large.pth"), []
    real = digests._computed

    def counted(name: str) -> str:
        hashed.append(name)
        return real(name)

    monkeypatch.setattr(digests, "_computed", counted)
    for _ in range(2):
        digests._sha256.cache_clear()  # as in another process
        assert weights.sha256_of(path) == DIGEST
    assert len(hashed) == 1
    put(path, DATA[::-1])
    os.utime(path, ns=(1, 1))
    assert weights.sha256_of(path) == hashlib.sha256(DATA[::-1]).hexdigest()
    assert len(hashed) == 2


def test_no_place_is_opened_for_a_listing(cache: Path) -> None:
    assert all(weights.places(name) for name in weights.TABLE)
    assert not cache.exists()
