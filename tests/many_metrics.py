"""Nineteen metrics of one score each, for measuring what many scores cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metrics import Measurement, Metric, Request, ScoreSpec

if TYPE_CHECKING:
    from metrics.clip import Clip


class _Many(Metric):
    def compute(self, clip: Clip, request: Request) -> Measurement:
        return Measurement.scored(self.name, {self.name: 0.5})


NAMES = tuple(f"many_{place:02d}" for place in range(19))
for _name in NAMES:
    _spec = ScoreSpec(
        _name, f"Score {_name[-2:]}", "higher" if int(_name[-2:]) % 2 else "lower", "", (None, None), "test"
    )
    globals()[_name] = type(_name, (_Many,), {"name": _name, "title": _name, "scores": (_spec,)})
ENTRY_POINTS = {name: f"many_metrics:{name}" for name in NAMES}
