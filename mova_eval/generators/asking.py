"""What every generator asks of an item in the same way: texts, seed, first frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mova_eval.generators.contract import ClipRequest, NotRunnable, PlanOptions, item_seed

if TYPE_CHECKING:
    from mova_eval.benchmarks import Item

NO_FIRST_FRAME = "no_first_frame"


def basic_request(item: Item, options: PlanOptions, *, needs_frame: bool = True) -> ClipRequest:
    """The request of an item without anything that depends on the model.

    needs_frame: the model starts from a picture. Raises NotRunnable for an item without a first frame, unless the
    clips are made from the text alone on request.
    """
    frame = None if options.text_only else item.first_frame
    if frame is None and needs_frame and not options.text_only:
        raise NotRunnable(
            NO_FIRST_FRAME,
            f"item {item.id} has no first frame here; give the folder of first frames with --media, or make clips from "
            f"the text alone with --text-only",
        )
    turns = item.request().speech
    return ClipRequest(
        item=item.id,
        set=item.set,
        seed=item_seed(item.id, options),
        prompt=item.prompt,
        video_prompt=item.video_prompt,
        audio_prompt="; ".join(item.audio_prompts),
        speech_text=" ".join(turn.text for turn in turns),
        first_frame=frame.path if frame is not None else None,
        first_frame_sha256=frame.sha256 if frame is not None else None,
        wants_sound=bool(turns or item.audio_prompts),
    )


def picture_of(item: Item, options: PlanOptions) -> tuple[int, int] | None:
    """Width and height of the first frame that a clip starts from; None for text alone.

    Raises NotRunnable for a first frame that is no picture.
    """
    frame = item.first_frame
    if options.text_only or frame is None:
        return None
    if frame.width is None or frame.height is None:
        raise NotRunnable("bad_first_frame", f"the first frame of item {item.id}, {frame.path}, is no readable picture")
    return frame.width, frame.height
