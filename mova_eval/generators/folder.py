"""Ready clips from a folder, matched to items by name: the way to score anything, cloud services included."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from metrics.errors import UserError
from mova_eval.generators.contract import (
    Bench,
    Check,
    ClipRequest,
    Generator,
    GeneratorCard,
    Lane,
    Level,
    MadeClip,
    NotRunnable,
    PlanOptions,
)
from mova_eval.generators.settings import Setting

if TYPE_CHECKING:
    from mova_eval.benchmarks import Benchmark, Item, Matching


class FolderGenerator(Generator):
    """Links the clips of a folder into the run, as they are."""

    name: ClassVar[str] = "folder"
    settings: ClassVar[Mapping[str, Setting]] = {
        "clips": Setting(None, "folder of ready clips, named by item", machine=True),
        "label": Setting(None, "name of the model that made them"),
    }

    _matching: Matching | None = None

    def describe(self) -> GeneratorCard:
        return GeneratorCard(
            name=self.name,
            title="a folder of ready clips",
            version=self.version,
            modes=("i2va", "t2va"),
            settings=self.settings,
        )

    def probe(self, level: Level = "files") -> list[Check]:
        folder = self._folder
        state = Check("clips", "ok", str(folder))
        return [
            state if folder.is_dir() else Check("clips", "missing", f"{folder} is no folder", "give --clips FOLDER")
        ]

    @property
    def _folder(self) -> Path:
        if not self.options["clips"]:
            raise UserError("generator folder needs the folder of the clips: give --clips FOLDER")
        return Path(self.options["clips"]).expanduser()

    def attach(self, benchmark: Benchmark) -> None:
        from mova_eval.benchmarks import match_clips

        self._matching = match_clips(self._folder, benchmark)

    def plan(self, item: Item, options: PlanOptions) -> ClipRequest:
        file = self._matching.clips.get(item.id) if self._matching is not None else None
        if file is None:
            raise NotRunnable("no_file", f"no clip in {self._folder} belongs to item {item.id}")
        return ClipRequest(
            item=item.id,
            set=item.set,
            seed=0,
            parameters={"file": file.name},
            as_it_is=True,
            source=str(file.absolute()),
            suffix=file.suffix,
        )

    def generate(self, request: ClipRequest, out: Path, bench: Bench) -> MadeClip:
        out.unlink(missing_ok=True)
        os.symlink(request.source or "", out)
        return MadeClip()

    def label(self) -> str:
        return self.options["label"] or self._folder.resolve().name

    def lanes(self, workers: int | None) -> list[Lane]:
        return []  # links need no process of their own
