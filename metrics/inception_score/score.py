"""From class probabilities to the Inception Score. NumPy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EPSILON = 1e-10


def inception_score(probabilities: NDArray[np.floating[Any]]) -> float:
    """exp of the mean Kullback-Leibler divergence between each row and the mean row.

    probabilities: [clips, classes], >= 0, each row with a positive sum; rows are scaled to sum 1. All rows are taken
    at once: no splits, no shuffling. Between 1 (all rows equal) and the smaller of clips and classes.

    Source: Salimans et al., "Improved techniques for training GANs", 2016; MOVA evaluation toolkit. Raises ValueError
    for an empty array, another shape, a negative or non-finite value, or a row of zeros.
    """
    import numpy as np

    rows = _rows(probabilities)
    mean = rows.mean(axis=0)
    divergence = rows * (np.log(rows + EPSILON) - np.log(mean + EPSILON))
    return float(np.exp(divergence.sum(axis=1).mean()))


def inception_scores_resampled(
    probabilities: NDArray[np.floating[Any]], index: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The score of each resample: index [resamples, n] holds row numbers; equals `inception_score(p[index[b]])`.

    The divergence splits into a sum over rows and a term of the mean row, so a resample is two products with the
    matrix of counts instead of a copy of all its rows. Raises as `inception_score`.
    """
    import numpy as np

    rows = _rows(probabilities)
    counts = np.stack([np.bincount(row, minlength=len(rows)) for row in index]) / index.shape[1]
    means = counts @ rows
    own = counts @ (rows * np.log(rows + EPSILON)).sum(axis=1)
    scores: NDArray[np.float64] = np.exp(own - (means * np.log(means + EPSILON)).sum(axis=1))
    return scores


def _rows(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Checked rows in double precision, each with sum 1."""
    import numpy as np

    rows = np.asarray(probabilities, dtype=np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"probabilities must be [clips, classes] with at least one of each, not {list(rows.shape)}")
    if not np.isfinite(rows).all() or (rows < 0).any():
        raise ValueError("probabilities must be finite and not negative")
    sums = rows.sum(axis=1, keepdims=True)
    if not sums.all():
        raise ValueError(f"row {int(np.argmin(sums))} of the probabilities is all zeros")
    scaled: NDArray[np.float64] = rows / sums
    return scaled
