"""The cost of clips of the suite's own sampler, measured where it can run, else counted from shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from metrics.errors import UserError
from mova_eval.generators import registry
from mova_eval.generators.reference import ReferenceGenerator
from mova_eval.generators.sizes import Grid, size_of
from reference_model.presets import PRESETS, Preset

if TYPE_CHECKING:
    from reference_model.profile import Profile
    from reference_model.shapes import ClipShape


def preset_of(model: str) -> Preset:
    """The preset that a model's name means. Raises UserError for models that are not the suite's own."""
    name, settings = registry.resolve(model)
    if name != "reference" or "preset" not in settings:
        raise UserError(f"only the suite's own sampler can be profiled, not {model}; choose {', '.join(PRESETS)}")
    return PRESETS[settings["preset"]]


def clip_shape(
    preset: Preset, size: str | None, frames: int | None, duration: float | None, fps: float | None
) -> ClipShape:
    """The shape of a clip; None stands for the preset's own. Raises UserError naming the nearest valid values."""
    from reference_model.shapes import ClipShape

    grid = Grid(fps=fps or preset.fps)
    width, height = grid.check_size(*(size_of(size) if size else (preset.width, preset.height)))
    if frames is None:
        frames = preset.frames if duration is None else grid.frames_for(duration)
    vae = preset.config.audio_vae
    return ClipShape(grid.check_frames(frames), height, width, grid.fps, vae.sample_rate, vae.hop)


def make_profile(
    preset: Preset,
    shape: ClipShape,
    *,
    steps: int | None,
    guidance: tuple[float, float],
    options: Mapping[str, Any],
    measured: bool | None,
) -> Profile:
    """The cost of a clip. options: settings of the reference generator. measured: True to time a step, None to do so
    where the model can run.

    Raises UserError where a step is to be timed and the model cannot run here.
    """
    generator = ReferenceGenerator(preset=preset.name, **options)
    failing = [check for check in generator.probe("device") if check.fails]
    if measured and failing:
        raise UserError(generator.refusal(failing))
    from reference_model import errors
    from reference_model.guidance import Guidance
    from reference_model.profile import measure, predict

    guide = Guidance(*guidance)
    try:
        if measured is False or failing:
            return predict(preset, steps=steps, guidance=guide, shape=shape)
        with generator.open():
            return measure(generator.sampler, preset, steps=steps, guidance=guide, shape=shape)
    except errors.UserError as error:
        raise UserError(str(error)) from error
