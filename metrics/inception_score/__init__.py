"""Audio Inception Score: how sure a sound classifier is of each clip, and how much the clips differ.

`inception_score(probabilities)` is the score of a set of class probabilities; the network is PANNs' Cnn14.
"""

from __future__ import annotations

from metrics.inception_score.score import inception_score

__all__ = ["inception_score"]
