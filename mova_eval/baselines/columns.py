"""The columns of tables: our own scores, whether their metric is installed or not, and numbers of others' tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

Direction = Literal["higher", "lower", "target"]


@dataclass(frozen=True, slots=True)
class Column:
    """One score as a table shows it.

    range: closed interval of possible values, None for an open end. ours: the suite has (or is meant to have) a metric
    for it; else it is a number that only others print.
    """

    name: str
    title: str
    direction: Direction
    range: tuple[float | None, float | None]
    decimals: int = 3
    unit: str = ""
    ours: bool = True


_OWN = (
    Column("is", "IS", "higher", (1.0, None)),
    Column("dnsmos_p808", "DNSMOS", "higher", (1.0, 5.0)),
    Column("desync", "DeSync", "lower", (0.0, 2.0)),
    Column("ib", "IB", "higher", (-1.0, 1.0)),
    Column("lse_d", "LSE-D", "lower", (0.0, None)),
    Column("lse_c", "LSE-C", "higher", (0.0, None)),
    Column("cpcer", "cpCER", "lower", (0.0, None)),
    Column("av_align", "AV-Align", "higher", (0.0, 1.0)),
    Column("clap", "CLAP", "higher", (-1.0, 1.0)),
    Column("wer", "WER", "lower", (0.0, None)),
    Column("cer", "CER", "lower", (0.0, None)),
    Column("as", "AS", "higher", (0.0, 1.0)),
    Column("id", "ID", "higher", (-1.0, 1.0)),
    Column("fd", "FD", "lower", (0.0, None)),
    Column("kl", "KL", "lower", (0.0, None)),
    Column("cs", "CS", "higher", (-1.0, 1.0)),
    Column("ce", "CE", "higher", (None, None)),
    Column("cu", "CU", "higher", (None, None)),
    Column("pc", "PC", "lower", (None, None)),
    Column("pq", "PQ", "higher", (None, None)),
    Column("av_a", "AV-A", "lower", (None, None)),
)
"""In the order of the published tables."""

_FOREIGN = (
    Column("ms", "MS", "higher", (0.0, None), ours=False),
    Column("snc", "SNC", "higher", (0.0, None), ours=False),
    Column("video_quality", "video quality", "higher", (0.0, 1.0), ours=False),
    Column("aq", "AQ", "higher", (0.0, 1.0), 2, ours=False),
    Column("fvd", "FVD", "lower", (0.0, None), 1, ours=False),
    Column("fad", "FAD", "lower", (0.0, None), 1, ours=False),
    Column("av_ib", "AV-IB", "higher", (-1.0, 1.0), ours=False),
    Column("vs2_visual", "VideoScore2 visual", "higher", (1.0, 5.0), 2, ours=False),
    Column("vs2_text", "VideoScore2 text", "higher", (1.0, 5.0), 2, ours=False),
    Column("vs2_physical", "VideoScore2 physical", "higher", (1.0, 5.0), 2, ours=False),
    Column("prefer_audio", "preferred, sound", "higher", (0.0, 1.0), unit="share", ours=False),
    Column("prefer_video", "preferred, picture", "higher", (0.0, 1.0), unit="share", ours=False),
    Column("prefer_sync", "preferred, sync", "higher", (0.0, 1.0), unit="share", ours=False),
    Column("elo", "Elo", "higher", (0.0, None), 1, ours=False),
    Column("win", "win", "higher", (0.0, 1.0), unit="share", ours=False),
    Column("tie", "tie", "target", (0.0, 1.0), unit="share", ours=False),
    Column("loss", "loss", "lower", (0.0, 1.0), unit="share", ours=False),
)


@cache
def columns() -> dict[str, Column]:
    """Every column of a published table by name, in table order; titles short enough for a table's head."""
    return {column.name: column for column in (*_OWN, *_FOREIGN)}


def own_columns() -> tuple[Column, ...]:
    """Those that the suite measures."""
    return _OWN
