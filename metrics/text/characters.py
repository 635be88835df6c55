"""Normalisation for character error rates."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from metrics.text.folding import fold

CPCER_BLANKS = " \t\r\n"
CPCER_PUNCTUATION = frozenset(
    chr(point)
    for point in (
        0x0021, 0x002C, 0x003F, 0x3001, 0x3002, 0xFF01, 0xFF0C, 0xFF1B, 0xFF1F, 0xFF1A, 0x300C, 0x300D,
        0xFE30, 0x300E, 0x300F, 0x300A, 0x300B, 0x002E, 0x002D, 0x007C, 0x0028, 0x0029, 0x005B, 0x005D,
        0x007B, 0x007D, 0x0022, 0x0027, 0x2026, 0x00B7, 0x2014, 0xFF5E, 0x3010, 0x3011, 0x3014, 0x3015,
        0x3008, 0x3009, 0xFE43, 0xFE44, 0xFE41, 0xFE42, 0x2018, 0x2019, 0x201C, 0x201D,
    )
)  # fmt: skip
"""The 46 code points that the MOVA evaluation toolkit deletes; no others, not even ASCII `:` or `;`."""

_DELETED = dict.fromkeys(map(ord, (*CPCER_PUNCTUATION, *CPCER_BLANKS)))

_NOT_IN_A_WORD = r"(?<![A-Za-z\d.])", r"(?![A-Za-z\d])"
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_YEAR = re.compile(r"(?<!\d)(\d{4})(?=年)")
_PERCENT = re.compile(_NOT_IN_A_WORD[0] + r"(\d+(?:\.\d+)?)%")
_NUMBER = re.compile(_NOT_IN_A_WORD[0] + r"\d+(?:\.\d+)?" + _NOT_IN_A_WORD[1])
_LONGEST_QUANTITY = 8
"""Digits before the point up to which a number is read as a quantity; longer ones are read digit by digit."""


def cpcer_characters(text: str) -> str:
    """Characters as cpCER counts them: 4 blanks and 46 punctuation marks deleted, lower case, nothing else.

    No NFKC, no number and no script conversion. Source: cpCER of the MOVA evaluation toolkit.
    """
    return text.translate(_DELETED).lower()


def cer_characters(text: str, language: str | None) -> str:
    """Characters for `cer`: folded, lower-cased, letters, marks and numbers only.

    language: with "zh", traditional characters become simplified ones (OpenCC t2s) and numbers written in digits
    become Chinese numerals, so that spelling conventions of an ASR do not count as errors. Latin words inside stay
    letters; digits that are part of a Latin word ("MP3") stay digits.
    """
    folded = fold(text)
    if language == "zh":
        folded = to_numerals(str(_simplifier().convert(folded)))
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LMN").lower()


def to_numerals(text: str) -> str:
    """Numbers in digits as Chinese numerals: quantities as such, years and long or zero-led numbers digit by digit."""
    text = _THOUSANDS.sub("", text)
    text = _YEAR.sub(lambda found: _numeral(found[1], "direct"), text)
    text = _PERCENT.sub(lambda found: "百分之" + _numeral(found[1], "low"), text)
    return _NUMBER.sub(lambda found: _numeral(found[0], "low"), text)


def _numeral(digits: str, mode: str) -> str:
    from cn2an import an2cn

    whole = digits.partition(".")[0]
    if len(whole) > _LONGEST_QUANTITY or (len(whole) > 1 and whole[0] == "0"):
        mode = "direct"
    return str(an2cn(digits, mode))


@lru_cache(maxsize=1)
def _simplifier() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")
