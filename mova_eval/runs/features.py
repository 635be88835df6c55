"""Corpus-level scores of a finished run: the metric as the run made it, and the arrays it kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metrics import registry
from metrics.errors import UserError
from metrics.types import Feature
from mova_eval.aggregation import ClipScore
from mova_eval.records import MetricRef
from mova_eval.runs.outcomes import decode_features
from mova_eval.runs.paths import RunPaths

if TYPE_CHECKING:
    from metrics.metric import Metric


def metric_as_run(ref: MetricRef) -> Metric:
    """The metric with the options of the run; its networks are not loaded. Raises UserError if it is not installed."""
    cls = registry.metric_class(ref.name)
    options = {name: value for name, value in ref.parameters.items() if name in cls.defaults}
    return cls(protocol=ref.parameters["protocol"], **options)


class StoredFeatures:
    """Features of one metric of a run, each file read once."""

    def __init__(self, ref: MetricRef, paths: RunPaths) -> None:
        self.ref = ref
        self.paths = paths
        self._metric: Metric | None = None
        self._features: dict[str, Feature] = {}

    @property
    def metric(self) -> Metric:
        """The metric, made when asked for. Raises UserError if it is not installed."""
        if self._metric is None:
            self._metric = metric_as_run(self.ref)
        return self._metric

    def of(self, score: ClipScore) -> Feature:
        """The features behind a scored measurement. Raises UserError when the file is missing or damaged."""
        record = score.record
        if record is None or record.features is None:
            raise UserError(f"{self.paths.root}: item {score.item.item} has no features of metric {self.ref.name}")
        if record.item not in self._features:
            path = self.paths.features / record.features
            try:
                arrays = decode_features(path.read_bytes())
            except Exception as error:
                raise UserError(
                    f"{path} cannot be read ({error}); remove it and start the run again with its own command"
                ) from error
            self._features[record.item] = Feature(record.item, record.set, arrays)
        return self._features[record.item]
