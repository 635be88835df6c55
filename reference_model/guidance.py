"""Guidance by text and by the Bridge: which evaluations a step needs, and how their velocities are combined."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor

from reference_model.errors import UserError


class Branch(StrEnum):
    """One evaluation of a guided step."""

    FULL = "prompt, Bridge on"
    NULL = "negative prompt, Bridge on"
    FREE = "negative prompt, Bridge off"

    @property
    def bridged(self) -> bool:
        return self is not Branch.FREE


@dataclass(frozen=True)
class Guidance:
    """Scales of text (s_T) and Bridge (s_B) guidance:

    v = v(0,0) + s_B [v(0,B) - v(0,0)] + s_T [v(T,B) - v(0,B)]

    MOVA's report, equation 6. s_B = 1 is text guidance alone, as upstream's program runs it; the report's tables "with
    dual CFG" use s_B = 3.5. Only branches with a coefficient other than zero are evaluated: one, two or three.
    """

    text: float = 5.0
    bridge: float = 1.0

    def __post_init__(self) -> None:
        for name, value in (("text", self.text), ("bridge", self.bridge)):
            if not math.isfinite(value):
                raise UserError(f"a {name} guidance of {value} is not a number to guide with: 1 switches it off")

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The evaluations of a step, those that cross the Bridge first."""
        wanted = {Branch.FULL: self.text, Branch.NULL: self.bridge - self.text, Branch.FREE: 1.0 - self.bridge}
        return tuple(branch for branch, coefficient in wanted.items() if coefficient != 0)

    def combine(self, velocities: Mapping[Branch, Tensor]) -> Tensor:
        """The guided velocity, float32, from those of `branches`.

        Written in differences, so that s_B = 1 is bit for bit the usual text guidance.
        """
        found = [velocities[branch].float() for branch in self.branches]
        if len(found) == 1:
            return found[0]
        if len(found) == 2:
            scale = self.text if self.branches[0] is Branch.FULL else self.bridge
            return found[1] + scale * (found[0] - found[1])
        full, null, free = found
        return free + self.bridge * (null - free) + self.text * (full - null)
