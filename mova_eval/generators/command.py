"""A command of the user's, run once per clip: a template with placeholders, split without a shell."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import UserError
from mova_eval.generators.asking import NO_FIRST_FRAME, basic_request, picture_of
from mova_eval.generators.contract import (
    TAIL_BYTES,
    Bench,
    Check,
    ClipRequest,
    GenerationError,
    Generator,
    GeneratorCard,
    Level,
    MadeClip,
    PlanOptions,
)
from mova_eval.generators.settings import Setting
from mova_eval.generators.sizes import kept_share, oriented, size_of

if TYPE_CHECKING:
    from mova_eval.benchmarks import Item

PLACEHOLDERS = (
    "prompt", "video_prompt", "audio_prompt", "speech_text", "first_frame", "out", "seed", "width", "height", "frames",
    "fps", "id", "set",
)  # fmt: skip
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_SIZE = frozenset({"width", "height"})


class CommandGenerator(Generator):
    """Runs a program for every clip and takes the file that it writes to `{out}`."""

    name: ClassVar[str] = "command"
    settings: ClassVar[Mapping[str, Setting]] = {
        "command": Setting(None, "the command with placeholders, such as: gen --text {prompt} --out {out}"),
        "label": Setting(None, "name of the model for reports; default: the program's name"),
        "size": Setting(None, "WIDTHxHEIGHT or 360p, 480p, 720p, turned the way of the first frame"),
        "frames": Setting(None, "frames of a clip; default: duration x fps", int, low=1),
        "fps": Setting(None, "frames per second of a clip", float, low=1),
        "sound": Setting(True, "whether a clip must have an audio stream", bool),
        "folder": Setting(None, "working directory of the command", machine=True),
    }

    def describe(self) -> GeneratorCard:
        return GeneratorCard(
            name=self.name,
            title="a command of yours, once per clip",
            version=self.version,
            modes=("i2va", "t2va"),
            settings=self.settings,
        )

    @cached_property
    def _words(self) -> list[str]:
        """The template as arguments. Raises UserError for one that cannot work."""
        template = self.options["command"]
        if not template:
            raise UserError("generator command needs a command: give --command 'gen --text {prompt} --out {out}'")
        try:
            words = shlex.split(template)
        except ValueError as error:
            raise UserError(f"the command cannot be split into arguments ({error}): {template}") from None
        used = [name for word in words for name in _PLACEHOLDER.findall(word)]
        for name in used:
            if name not in PLACEHOLDERS:
                raise UserError(f"the command has a placeholder {{{name}}}; known: {', '.join(PLACEHOLDERS)}")
        if "out" not in used:
            raise UserError("the command has no {out}, so nobody knows where it writes the clip; add it")
        return words

    def _uses(self, *names: str) -> bool:
        return any(name in names for word in self._words for name in _PLACEHOLDER.findall(word))

    def probe(self, level: Level = "files") -> list[Check]:
        program, folder = self._words[0], self.options["folder"]
        found = shutil.which(program) or (folder and shutil.which(str(Path(folder) / program)))
        checks = [
            Check("program", "ok", str(found))
            if found
            else Check("program", "missing", f"there is no program {program}", "install it or give its whole path")
        ]
        if folder and not Path(folder).is_dir():
            checks.append(Check("folder", "missing", f"{folder} is no folder"))
        return checks

    def plan(self, item: Item, options: PlanOptions) -> ClipRequest:
        needs_frame = self._uses("first_frame")
        if needs_frame and options.text_only:
            raise UserError("--text-only: the command asks for {first_frame}; take it out of the command")
        request = basic_request(item, options, needs_frame=needs_frame)
        if not needs_frame:
            request = replace(request, first_frame=None, first_frame_sha256=None)
        picture = picture_of(item, options) if needs_frame else None
        width, height = self._size(picture)
        frames, fps = self._length(options)
        return replace(
            request,
            width=width,
            height=height,
            frames=frames,
            fps=fps,
            parameters={"command": self.options["command"]},
            has_sound=self.options["sound"],
            kept=kept_share(picture, (width, height)) if picture and width and height else None,
        )

    def _size(self, picture: tuple[int, int] | None) -> tuple[int | None, int | None]:
        if self.options["size"] is None:
            if self._uses(*_SIZE):
                raise UserError("the command asks for {width} and {height}; give --size WIDTHxHEIGHT")
            return None, None
        size = size_of(self.options["size"])
        return oriented(size, picture) if picture is not None else size

    def _length(self, options: PlanOptions) -> tuple[int | None, float | None]:
        fps, frames = self.options["fps"], self.options["frames"]
        if fps is None and self._uses("fps"):
            raise UserError("the command asks for {fps}; give --fps")
        if frames is None and fps is not None and options.duration is not None:
            frames = max(round(options.duration * fps), 1)
        if frames is None and self._uses("frames"):
            raise UserError("the command asks for {frames}; give --frames, or --duration and --fps")
        return frames, fps

    def generate(self, request: ClipRequest, out: Path, bench: Bench) -> MadeClip:
        if request.first_frame is not None and not Path(request.first_frame).is_file():
            raise GenerationError(NO_FIRST_FRAME, f"first frame {request.first_frame} is not there", retry=False)
        part = bench.scratch / f"part{out.suffix}"
        part.unlink(missing_ok=True)
        words = self._arguments(request, part)
        log = bench.scratch / "command.log"
        with open(log, "wb") as file:
            try:
                # In the worker's process group: who ends the worker ends the command, too.
                code = subprocess.call(
                    words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=self.options["folder"]
                )
            except (FileNotFoundError, PermissionError) as error:
                raise UserError(f"the command cannot be started: {error.strerror}: {words[0]}") from error
            except OSError as error:
                raise GenerationError("command_failed", f"the command cannot be started: {error.strerror}") from error
        tail = _tail(log)
        if code != 0:
            last = next((line for line in reversed(tail.splitlines()) if line.strip()), "it printed nothing")
            raise GenerationError(
                "command_failed", f"the command ended with {_ending(code)}: {last.strip()}", tail=tail
            )
        if not part.is_file():
            raise GenerationError("no_file", "the command ended well but wrote no file to {out}", tail=tail)
        os.replace(part, out)
        return MadeClip()

    def _arguments(self, request: ClipRequest, out: Path) -> list[str]:
        values: dict[str, Any] = {
            **{name: getattr(request, name, None) for name in PLACEHOLDERS},
            "id": request.item,
            "out": out,
            "fps": f"{request.fps:g}" if request.fps else None,
        }

        def fill(match: re.Match[str]) -> str:
            value = values[match[1]]
            return "" if value is None else str(value)

        return [_PLACEHOLDER.sub(fill, word) for word in self._words]

    def label(self) -> str:
        return self.options["label"] or Path(self._words[0]).stem


def _tail(log: Path) -> str:
    with open(log, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - TAIL_BYTES, 0))
        return file.read().decode(errors="replace")


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


__all__ = ["PLACEHOLDERS", "CommandGenerator"]
