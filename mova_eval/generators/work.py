"""What a worker does where clips are made: hold the model, make a clip, judge it, try again."""

from __future__ import annotations

import errno
import shutil
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metrics.errors import UserError
from metrics.weights import sha256_of
from mova_eval.generators import checking, registry
from mova_eval.generators.contract import Bench, ClipRequest, GenerationError, Generator, Lane, tail_of
from mova_eval.records import ClipFacts
from mova_eval.runs.outcomes import ERROR
from mova_eval.runs.paths import write_atomically
from mova_eval.runs.worker import Begun, Done, Message, Noted, Send, Stopped

PART = "clip"
REJECTED = "rejected"
_REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


class Attempt(BaseModel):
    """What became of one attempt at a clip. digest: of the request."""

    model_config = ConfigDict(frozen=True)

    digest: str
    number: int
    seconds: float
    clip_sha256: str | None = None
    facts: ClipFacts | None = None
    flags: list[str] = Field(default_factory=list)
    details: dict[str, Any] = Field(default_factory=dict)
    peak_memory_bytes: int | None = None
    code: str | None = None
    reason: str | None = None
    tail: str = ""
    retry: bool = True

    @property
    def ok(self) -> bool:
        return self.clip_sha256 is not None


@dataclass(frozen=True, slots=True)
class Step:
    """Progress inside a clip."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class ClipTask:
    """One clip to make. scratch, rejected: a folder of its own and where a rejected clip goes. first: number of the
    first attempt, last: of the last one."""

    index: int
    request: ClipRequest
    scratch: str
    rejected: str
    first: int = 1
    last: int = 1
    parts: tuple[str, ...] = (PART,)

    @property
    def clip(self) -> Path:
        """The clip before it goes to its place."""
        return Path(self.scratch) / f"clip{self.request.suffix}"

    def without(self, part: str) -> ClipTask:
        return replace(self, parts=tuple(name for name in self.parts if name != part))


@dataclass(frozen=True, slots=True)
class MakingSetup:
    """How a worker makes its generator."""

    generator: str
    options: dict[str, Any]
    lanes: tuple[Lane, ...]
    threads: int
    lane: Lane = field(default_factory=Lane)

    def for_worker(self, slot: int) -> MakingSetup:
        return replace(self, lane=self.lanes[slot % len(self.lanes)])

    def environment(self) -> Mapping[str, str]:
        return self.lane.environment

    def start(self, send: Send) -> ClipMaker:
        return ClipMaker(registry.make(self.generator, {**self.options, **self.lane.options}), send)

    def failed(self, part: str, code: str, reason: str) -> Attempt:
        return Attempt(digest="", number=0, seconds=0.0, code=code, reason=reason)

    def advice(self, part: str | None) -> str:
        return "try fewer workers, a smaller size or, where the generator has it, --offload"


class ClipMaker:
    """The generator of one worker process, opened when first needed."""

    def __init__(self, generator: Generator, send: Send) -> None:
        self._generator = generator
        self._send = send
        self._stack: ExitStack | None = None

    def work(self, task: ClipTask) -> Iterator[Message]:
        """A `Begun` for each attempt, a `Noted` for each that failed and is tried again, one `Done`; or `Stopped`."""
        try:
            if self._stack is None:
                yield Begun(task.index, PART, loading=True)
                stack = ExitStack()
                stack.enter_context(self._generator.open())
                self._stack = stack
            for number in range(task.first, task.last + 1):
                yield Begun(task.index, PART)
                attempt = self._attempt(task, number)
                if attempt.ok or not attempt.retry or number == task.last:
                    break
                yield Noted(task.index, PART, attempt)
            yield Done(task.index, PART, attempt)
        except UserError as error:
            yield Stopped(str(error))
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            yield Stopped(
                f"cannot write {error.filename or task.scratch}: {error.strerror}; free space or mend permissions and "
                f"start the same command again, every clip made so far is kept"
            )

    def _attempt(self, task: ClipTask, number: int) -> Attempt:
        started = time.monotonic()
        base = {"digest": task.request.sha256(), "number": number}
        prepare_scratch(Path(task.scratch), task.request)
        try:
            made = self._generator.generate(task.request, task.clip, self._bench(task))
            facts, sha256 = self._judge(task)
        except GenerationError as error:
            seconds = time.monotonic() - started
            why = {"code": error.code, "reason": error.reason, "tail": tail_of(error.tail), "retry": error.retry}
            return Attempt(**base, seconds=seconds, **why)
        except UserError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _REFUSALS:
                raise
            reason, tail = f"{type(error).__name__}: {error}", tail_of(traceback.format_exc())
            return Attempt(**base, seconds=time.monotonic() - started, code=ERROR, reason=reason, tail=tail)
        attempt = Attempt(
            **base,
            seconds=time.monotonic() - started,
            clip_sha256=sha256,
            facts=facts,
            flags=[*made.flags, *(checking.flags(facts, task.request) if facts is not None else [])],
            details=dict(made.details),
            peak_memory_bytes=made.peak_memory_bytes,
        )
        write_atomically(result_file(Path(task.scratch)), attempt.model_dump_json().encode())
        return attempt

    def _bench(self, task: ClipTask) -> Bench:
        def step(done: int, total: int, what: str = "") -> None:
            self._send(Noted(task.index, PART, Step(done, total, what)))

        return Bench(Path(task.scratch), step)

    def _judge(self, task: ClipTask) -> tuple[ClipFacts | None, str]:
        """Facts and digest of the clip just made. Raises GenerationError, with the clip put aside, if it is wrong."""
        clip, request = task.clip, task.request
        if not clip.exists():
            raise GenerationError("no_file", "the generator ended well but wrote no clip")
        if request.as_it_is:
            return None, sha256_of(clip)
        try:
            facts = checking.read_facts(clip)
            wrong = checking.problems(facts, request)
            if wrong:
                raise GenerationError(REJECTED, f"the clip is not what was asked for: {'; '.join(wrong)}")
        except GenerationError as error:
            rejected = Path(task.rejected)
            rejected.parent.mkdir(parents=True, exist_ok=True)
            clip.replace(rejected)
            raise GenerationError(error.code, f"{error.reason} (kept as {'/'.join(rejected.parts[-3:])})") from error
        return facts, sha256_of(clip)


def result_file(scratch: Path) -> Path:
    """Where a worker leaves what it knows of a finished clip, for the case that nobody listens any more."""
    return scratch / "result.json"


def prepare_scratch(scratch: Path, request: ClipRequest) -> None:
    """Make the folder, emptied of what belongs to another request. Raises OSError."""
    mark = scratch / "request"
    digest = request.sha256().encode()
    if scratch.exists() and not (mark.exists() and mark.read_bytes() == digest):
        shutil.rmtree(scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    if not mark.exists():
        write_atomically(mark, digest, durable=False)


def left_behind(scratch: Path, request: ClipRequest) -> Attempt | None:
    """A clip of this very request that was finished when the run ended, but not written down."""
    try:
        attempt = Attempt.model_validate_json(result_file(scratch).read_bytes())
    except (OSError, ValidationError):
        return None  # nothing there, or torn by a crash: the clip is made again
    return attempt if attempt.ok and attempt.digest == request.sha256() else None
