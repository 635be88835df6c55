"""Text rules of benchmarks: folding for comparison, cleaning of prompts, scripts, speaking time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from metrics.requests import CJK_IDEOGRAPH

if TYPE_CHECKING:
    from mova_eval.benchmarks.schema import Item

ENGLISH_WORDS_PER_SECOND = 2.7
HAN_PER_SECOND = 4.5

_STRAIGHT = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "‟": '"', "‘": "'", "’": "'", "‚": "'", "‛": "'", "\u2011": "-", "\u2010": "-"}
)
_LABEL = re.compile(r"^\s*Speaker\s*[0-9]+\s*:\s*", re.IGNORECASE)
_QUOTED_LABEL = re.compile(r"(?<=[\"'“‘])Speaker\s*[0-9]+\s*:\s*", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9]+(?:['’][A-Za-z]+)*")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_NOT_SPECIFIED = re.compile(
    r"\W*no (?:specific |particular )?(?:ambient |background )?(?:sounds?|audio|noises?)"
    r"(?: is| are)? (?:mentioned|provided|specified|described|given)\W*",
    re.IGNORECASE,
)
# A caption model that answered the captioner instead of captioning, quoted as if somebody in the picture said it.
_REFUSAL = (
    r"[^\"]*\b(?:could you please (?:provide|clarify)|please provide more context|as an ai\b|i cannot assist)[^\"]*"
)
_SAYS = r"\b(?:speaking|says?|saying|said)\b(?:,? saying)?\s*[,:]?\s*"
_CLAUSE = r"[,;]?\s*\b(?:while|as|and)\s+(?:(?!\b(?:while|as|and)\b)[^.!?,;\"])*?" + _SAYS
_SENTENCE = r"(?:(?<=[.!?])\s+|^)[^.!?;\"]*?" + _SAYS
_QUOTED = '(?:"' + _REFUSAL + "\"|(?<![A-Za-z])'" + _REFUSAL + r"'(?!\w))[.!?]?"
_REFUSALS = tuple(re.compile(start + _QUOTED, re.IGNORECASE) for start in (_CLAUSE, _SENTENCE))


def fold(text: str) -> str:
    """Text for comparison: NFKC, straight quotes, plain hyphens, three dots for an ellipsis, single blanks."""
    plain = unicodedata.normalize("NFKC", text.translate(_STRAIGHT)).translate(_STRAIGHT)
    return " ".join(plain.split())


def letters(text: str) -> str:
    """Folded text without punctuation, blanks and case: the coarsest comparison of two texts."""
    return re.sub(r"[\W_]+", "", fold(text)).casefold()


def strip_speaker_label(text: str) -> str:
    """A spoken line without a leading `Speaker<digits>:`, which is a label of the transcript and not said."""
    return _LABEL.sub("", text, count=1)


def no_sound_specified(sentence: str) -> bool:
    """Whether an audio prompt only says that no sound was mentioned."""
    return _NOT_SPECIFIED.fullmatch(sentence) is not None


def clean_audio_prompts(prompts: Iterable[str]) -> tuple[str, ...]:
    """Audio prompts without blank ones, repetitions and sentences that say that no sound is specified; order kept."""
    kept = (p for p in prompts if p.strip() and not no_sound_specified(p))
    return tuple(dict.fromkeys(kept))


def clean_prompt(text: str) -> str:
    """The `clean` variant of a prompt: straight quotes, plain hyphens, no speaker labels, no quoted refusal."""
    straight = _QUOTED_LABEL.sub("", text.translate(_STRAIGHT))
    for pattern in _REFUSALS:  # the clause if there is one, else the whole sentence
        without = pattern.sub("", straight).strip()
        if without != straight.strip():
            return without if without.endswith((".", "!", "?")) or not without else without + "."
    return straight


def clean_speech(text: str) -> str:
    """The `clean` variant of a spoken line: straight quotes, plain hyphens, no speaker label."""
    return strip_speaker_label(text.translate(_STRAIGHT))


def mixed_script(text: str) -> bool:
    """Whether a text holds Han ideographs and Latin letters."""
    return CJK_IDEOGRAPH.search(text) is not None and _LATIN.search(text) is not None


def speaking_seconds(text: str) -> float:
    """Estimated time to say a text, in seconds (>= 0): 4.5 Han ideographs or 2.7 words of Latin script a second."""
    return len(CJK_IDEOGRAPH.findall(text)) / HAN_PER_SECOND + len(_WORD.findall(text)) / ENGLISH_WORDS_PER_SECOND


def fits_duration(item: Item, seconds: float) -> bool:
    """Whether all speech of an item can be said within `seconds`, by the estimate of `speaking_seconds`."""
    needed = speaking_seconds(" ".join(turn.text for turn in item.request().speech))
    return needed <= seconds + 1e-9
