"""The suite's own sampler of MOVA: released checkpoints on a GPU, and nano with made-up weights on any machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import UserError
from mova_eval.generators import checkpoint, devices
from mova_eval.generators.asking import basic_request, picture_of
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
from mova_eval.generators.sizes import Grid, kept_share, oriented, size_of
from reference_model.presets import PRESETS, Preset

if TYPE_CHECKING:
    from mova_eval.benchmarks import Item
    from reference_model.sampler import MovaSampler

_PACKAGES = ("torch", "transformers", "diffusers", "safetensors", "ftfy", "PIL")
_SAMPLED = ("guidance_text", "guidance_bridge", "negative_prompt", "video_shift", "audio_shift", "loudness_lufs")
PROMPT_CUT = "prompt-cut"
NOISE = (
    "the clips are noise: {title} has no trained weights, so the numbers show that the path works and say nothing "
    "about a model"
)


class ReferenceGenerator(Generator):
    """`reference_model.MovaSampler` in worker processes, one per GPU."""

    name: ClassVar[str] = "reference"
    settings: ClassVar[Mapping[str, Setting]] = {
        "preset": Setting("nano", "360p, 720p or nano", choices=tuple(PRESETS)),
        "checkpoint": Setting(None, "folder of the checkpoint, or its repository on the model hub", machine=True),
        "steps": Setting(None, "steps of the sampler; default: 50, nano 4", int, low=1),
        "guidance_text": Setting(5.0, "scale of the text guidance; 1 for none", float),
        "guidance_bridge": Setting(1.0, "scale of the Bridge guidance; 1 for none, 3.5 in the paper's dual CFG", float),
        "negative_prompt": Setting(None, "negative prompt; default: the sampler's own list"),
        "size": Setting(None, "WIDTHxHEIGHT or 360p, 720p; default: the preset's, turned the way of the first frame"),
        "frames": Setting(None, "frames of a clip, 4 k + 1; default: those nearest to the duration", int, low=1),
        "fps": Setting(None, "frames per second; default: 24", float, low=1),
        "video_shift": Setting(None, "sigma shift of the video schedule; default: the checkpoint's", float),
        "audio_shift": Setting(None, "sigma shift of the audio schedule; default: the checkpoint's", float),
        "loudness_lufs": Setting(None, "normalise the sound to this loudness; default: leave it", float),
        "noise_device": Setting("cpu", "where noise is drawn; cuda gives upstream's stream", choices=("cpu", "cuda")),
        "precision": Setting("auto", "auto, float32, bfloat16 or upstream"),
        "tile_vae": Setting(False, "decode the video in tiles, with less memory", bool),
        "offload": Setting("none", "none, component or layer", machine=True, choices=("none", "component", "layer")),
        "device": Setting("auto", "auto, cpu or cuda", machine=True, choices=("auto", "cpu", "cuda")),
        "compile": Setting(False, "use torch.compile", bool, machine=True),
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._sampler: MovaSampler | None = None

    @property
    def preset(self) -> Preset:
        return PRESETS[self.options["preset"]]

    @property
    def seeded(self) -> bool:
        """Whether the weights are made up."""
        return self.preset.hub is None and self.options["checkpoint"] is None

    def describe(self) -> GeneratorCard:
        sizes = tuple(f"{p.width}x{p.height}" for p in PRESETS.values())
        return GeneratorCard(
            name=self.name,
            title="MOVA by the suite's own sampler: 360p, 720p; nano runs anywhere and makes noise",
            version=self.version,
            modes=("i2va", "t2va"),
            sizes=sizes,
            fps=24.0,
            frames="4 k + 1, 193 for 8 s (nano 17)",
            sample_rate="48 kHz mono",
            needs="; ".join(f"{p.name}: {needs(p)}" for p in PRESETS.values()),
            code_licence="Apache-2.0",
            weights_licence="Apache-2.0 (by the model card)",
            settings=self.settings,
        )

    def label(self) -> str:
        return self.preset.title

    def output_settings(self) -> dict[str, Any]:
        # The preset is the model, which the manifest names elsewhere; the steps are its own where nobody chose others.
        settings = {name: value for name, value in super().output_settings().items() if name != "preset"}
        return {"steps": self.preset.steps, **settings}

    def probe(self, level: Level = "files") -> list[Check]:
        checks = self._check_files()
        if level != "files":
            checks += [self._check_package(name) for name in _PACKAGES if find_spec(name) is None]
        if level in {"device", "server"}:
            checks += self._check_device()
        return checks

    def _check_files(self) -> list[Check]:
        if self.seeded:
            return [Check("weights", "ok", "made up from a formula; nothing to get")]
        folder = self._folder()
        if folder is not None:
            return checkpoint.check(folder)
        given, preset = self.options["checkpoint"], self.preset
        name = given or preset.hub
        get = f"get it with `hf download {preset.hub}` or name its folder with --checkpoint"
        return [Check("checkpoint", "missing", f"{name} ({preset.disk_gb:.0f} GB on disk) is not on this machine", get)]

    def _folder(self) -> Path | None:
        return checkpoint.find(self.preset.hub, self.options["checkpoint"])

    def _check_package(self, name: str) -> Check:
        return Check(
            name, "missing", f"the package {name} is not installed", "install it with: pip install 'mova-eval[models]'"
        )

    def _check_device(self) -> list[Check]:
        if self.preset.hub is None or self.options["device"] == "cpu":
            return []
        found = devices.gpus()
        need = self.preset.vram_gb[self.options["offload"]]
        if not found:
            return [Check("GPU", "missing", f"there is no CUDA GPU here, and it needs {gpu_memory(self.preset)}")]
        small = [gpu for gpu in found if gpu.total_gb < need]
        if small:
            mode = self.options["offload"]
            text = f"{small[0].title} has {small[0].total_gb:.0f} GB, and --offload {mode} needs {need:.0f}"
            return [Check("GPU", "wrong", text, f"it needs {gpu_memory(self.preset)}")]
        return [Check("GPU", "ok", f"{len(found)} x {found[0].title}")]

    def refusal(self, failing: list[Check]) -> str:
        missing = "; ".join(check.detail + (f" ({check.remedy})" if check.remedy else "") for check in failing)
        return (
            f"--model {self.preset.name} cannot run here: {missing}; run --model nano to try the whole path on this "
            f"machine, or --model sglang --server URL to use a server that has the model"
        )

    def identity(self) -> Identity:
        if self.seeded:
            return Identity(self.preset.title, {}, [NOISE.format(title=self.preset.title)])
        folder = self._folder()
        if folder is None:
            raise UserError(self.refusal([check for check in self._check_files() if check.fails]))
        found = checkpoint.revision(folder)
        name = self.preset.hub if self.preset.hub and self.options["checkpoint"] is None else folder.name
        return Identity(f"{name}@{found}" if found else str(name), checkpoint.digests(folder))

    def lanes(self, workers: int | None) -> list[Lane]:
        """One per GPU; on a CPU one that has all cores, or as many as asked for."""
        found = devices.gpus() if self.options["device"] != "cpu" else []
        if not found:
            return [Lane({"device": "cpu"})] * (workers or 1)
        lanes = [Lane(environment={"CUDA_VISIBLE_DEVICES": gpu.name}) for gpu in found]
        return lanes[:workers] if workers else lanes

    def plan(self, item: Item, options: PlanOptions) -> ClipRequest:
        request = basic_request(item, options)
        if not request.prompt.strip():
            raise NotRunnable("empty_prompt", f"item {item.id} has an empty prompt")
        preset, picture = self.preset, picture_of(item, options)
        size = size_of(self.options["size"]) if self.options["size"] else (preset.width, preset.height)
        grid = Grid(fps=self.options["fps"] or preset.fps)
        width, height = grid.check_size(*oriented(size, picture))
        frames = self.options["frames"]
        if frames is None:
            frames = preset.frames if options.duration is None else grid.frames_for(options.duration)
        parameters = {name: self.options[name] for name in (*_SAMPLED, "noise_device", "precision", "tile_vae")}
        parameters |= {"preset": preset.name, "steps": self.options["steps"] or preset.steps}
        return replace(
            request,
            width=width,
            height=height,
            frames=grid.check_frames(frames),
            fps=grid.fps,
            parameters={name: value for name, value in parameters.items() if value is not None},
            kept=kept_share(picture, (width, height)) if picture else None,
        )

    @contextmanager
    def open(self) -> Iterator[None]:
        from reference_model import errors
        from reference_model.sampler import MovaSampler

        options = self.options
        settings: dict[str, Any] = {
            "device": None if options["device"] == "auto" else options["device"],
            "precision": options["precision"],
            "offload": options["offload"],
            "tile_vae": options["tile_vae"],
            "compile": options["compile"],
        }
        try:
            if self.seeded:
                self._sampler = MovaSampler.seeded(self.preset.name, **settings)
            else:
                folder = self._folder() or Path(options["checkpoint"] or "")
                self._sampler = MovaSampler.from_pretrained(folder, preset=self.preset, **settings)
        except errors.UserError as error:
            raise UserError(str(error)) from error
        try:
            yield
        finally:
            self._sampler = None

    @property
    def sampler(self) -> MovaSampler:
        """The loaded model, inside of `open`."""
        if self._sampler is None:
            raise RuntimeError("the model is loaded inside of `open` only")
        return self._sampler

    def generate(self, request: ClipRequest, out: Path, bench: Bench) -> MadeClip:
        import torch

        from reference_model import errors

        try:
            return self._sample(request, out, bench)
        except errors.NotFinite as error:
            raise GenerationError("not_finite", str(error), retry=False) from error
        except errors.UserError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno is not None:
                raise error.__cause__ from error  # the disk refuses: no clip can be written before it is mended
            raise GenerationError("refused", str(error), retry=False) from error
        except torch.OutOfMemoryError as error:
            raise UserError(
                f"the GPU ran out of memory at item {request.item}; use --offload component or layer, --set "
                f"tile_vae=true or a smaller size"
            ) from error

    def _sample(self, request: ClipRequest, out: Path, bench: Bench) -> MadeClip:
        from reference_model.denoise import Progress

        def tell(progress: Progress) -> None:
            bench.step(progress.done, progress.total, "step" if progress.stage == "denoise" else progress.stage)

        values = {name: request.parameters[name] for name in _SAMPLED if name in request.parameters}
        sample = self.sampler.sample(
            request.prompt,
            request.first_frame,
            seed=request.seed,
            steps=request.parameters["steps"],
            frames=request.frames,
            height=request.height,
            width=request.width,
            fps=request.fps,
            noise_device=request.parameters["noise_device"],
            progress=tell,
            checkpoint=bench.scratch / "latents.safetensors",
            **values,
        )
        sample.save(out)
        facts = sample.facts
        peak = facts.get("peak_memory_gb")
        kept = (
            "evaluations",
            "prompt_tokens",
            "prompt_tokens_cut",
            "precision",
            "offload",
            "device",
            "loudness",
            "seconds",
        )
        return MadeClip(
            details={
                **{name: facts[name] for name in kept if name in facts},
                "negative_prompt_sha256": facts.get("negative_prompt_sha256"),
            },
            flags=[PROMPT_CUT] if facts.get("prompt_tokens_cut") else [],
            peak_memory_bytes=int(peak * 1e9) if peak is not None else None,
        )


def needs(preset: Preset) -> str:
    """What a preset needs of a machine, as a phrase."""
    if preset.hub is None:
        return "no GPU, no download"
    return f"{preset.disk_gb:.0f} GB on disk, {gpu_memory(preset)}"


def gpu_memory(preset: Preset) -> str:
    """GPU memory by way of offloading, as a phrase."""
    less = [f"{gb:.0f} GB with --offload {mode}" for mode, gb in preset.vram_gb.items() if mode != "none"]
    return f"a GPU with {preset.vram_gb['none']:.0f} GB ({', '.join(less)})"
