"""Ratings from pairwise judgements, with intervals that know that votes hang together.

Everything here takes arrays; nothing knows of databases or pages. `bradley_terry(votes)` takes a table of votes.
"""

from __future__ import annotations

from arena.ratings.table import Ratings, bradley_terry

__all__ = ["Ratings", "bradley_terry"]
