"""What a gate says."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["pass", "warn", "fail", "not judged"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Strict):
    """One thing that was looked at.

    kind: a score's loss, its coverage, or the comparison as a whole. loss: positive is worse, in the score's unit; for
    coverage the share of items lost. limit: the tolerance, or the noise floor where that is larger.
    """

    name: str
    kind: Literal["loss", "coverage", "comparison"]
    outcome: Outcome
    message: str
    loss: float | None = None
    interval: tuple[float, float] | None = None
    limit: float | None = None
    noise_floor: float | None = None
    p: float | None = None
    n: int | None = None

    @property
    def title(self) -> str:
        return self.name if self.kind != "coverage" else f"coverage of {self.name}"


class GateResult(_Strict):
    """The outcome of a gate: "fail" where any check failed or nothing was compared, "warn" where any warned."""

    outcome: Literal["pass", "warn", "fail"]
    checks: list[Check]
    n_judged: int
    """Scores whose loss was judged."""
    gate: str
    """The file the rules came from."""
    subject: str
    """What was compared with what."""

    def having(self, outcome: Outcome) -> list[Check]:
        """Checks with an outcome, in order."""
        return [check for check in self.checks if check.outcome == outcome]

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        failed, warned = self.having("fail"), self.having("warn")
        if failed:
            names = ", ".join(check.title for check in failed)
            return f"gate failed: {names}"
        passed = f"gate passed: {self.n_judged} scores judged"
        return f"{passed}, {len(warned)} warnings: {', '.join(c.title for c in warned)}" if warned else passed
