"""Word and character error rates of the speech that a clip was asked for.

English lines have both, Chinese lines a character error rate only, since word boundaries of Chinese are a matter of
opinion. Lines in mixed script (Chinese with Latin words) count as Chinese; their Latin words are scored by letters.
"""

from __future__ import annotations

from typing import Any

from metrics.asr.base import Transcript
from metrics.asr.speech_metric import SpeechMetric
from metrics.edit_distance import Edits, edits
from metrics.errors import NotApplicable
from metrics.text import (
    cer_characters,
    english_words,
    strip_speaker_label,
    verse_bench_hypothesis,
    verse_bench_reference,
)
from metrics.types import Measurement, Protocol, Ratio, Request, ScoreSpec

NORMALISATION = (
    "wer: NFKC and quotes folded, speaker label stripped, Whisper English normaliser (numbers in digits); "
    "cer: NFKC, letters and numbers only, lower case; zh also simplified (OpenCC t2s), numbers as Chinese numerals"
)
VERSE_BENCH_NORMALISATION = "wer: stripped, lower-cased, punctuation kept, words at blanks, also for Chinese"


class ErrorRates(SpeechMetric):
    """`wer` and `cer` of clips with speech.

    Protocols "official" and "direct" (the same; the MOVA toolkit has no word error rate) give `wer` for English items
    and `cer` for all, after normalisation (`NORMALISATION`); of many clips each is all errors over all reference words
    or characters. Protocol "verse-bench" gives `wer` only, as that tool computes it from a transcript: no
    normalisation beyond lower case, a Chinese sentence is one word; `details["compat"]` holds the clip's rate, of which
    the tool takes the mean over clips. Its own recogniser is SenseVoiceSmall, so numbers agree only for equal
    transcripts. Options: see `metrics.asr.speech_metric.SPEECH_OPTIONS`.
    """

    name = "wer"
    title = "Word and character error rate of speech"
    version = "1"
    scores = (
        ScoreSpec(
            "wer", "WER", "lower", "fraction", (0.0, None), "word error rate; verse-bench: Verse-Bench WER",
            aggregation="ratio",
        ),
        ScoreSpec("cer", "CER", "lower", "fraction", (0.0, None), "character error rate", aggregation="ratio"),
    )  # fmt: skip
    protocols = (Protocol.OFFICIAL.value, Protocol.DIRECT.value, Protocol.VERSE_BENCH.value)
    packages = ("rapidfuzz", "jiwer", "whisper_normalizer", "opencc", "cn2an")
    licence = "that of the recogniser (Whisper: MIT)"

    def parameters(self) -> dict[str, Any]:
        verse_bench = self.protocol == Protocol.VERSE_BENCH
        return {**super().parameters(), "text": VERSE_BENCH_NORMALISATION if verse_bench else NORMALISATION}

    def score(self, request: Request, language: str | None, transcript: Transcript) -> Measurement:
        if self.protocol == Protocol.VERSE_BENCH:
            return self._verse_bench(request, language, transcript)
        reference = " ".join(strip_speaker_label(turn.text).strip() for turn in request.speech)
        counts: dict[str, Edits] = {}
        left_out: dict[str, str] = {}
        if language == "en":
            counts["wer"] = edits(english_words(reference), english_words(transcript.plain))
        else:
            left_out["wer"] = f"no word normalisation for language '{language}'; see cer"
        counts["cer"] = edits(cer_characters(reference, language), cer_characters(transcript.plain, language))
        for name in [name for name, count in counts.items() if not count.length]:
            left_out[name] = "nothing of the reference is left after normalisation"
            del counts[name]
        if not counts:
            raise NotApplicable("empty_reference", "nothing of the reference is left after normalisation")
        details = self.details(transcript, reference, language)
        details["edits"] = {name: count.as_details() for name, count in counts.items()}
        if left_out:
            details["left_out"] = left_out
        return self._measurement(counts, details, transcript)

    def _verse_bench(self, request: Request, language: str | None, transcript: Transcript) -> Measurement:
        import jiwer

        reference = verse_bench_reference(request.text)
        words = jiwer.process_words(reference, verse_bench_hypothesis(transcript.plain))
        length = words.hits + words.substitutions + words.deletions
        counts = {"wer": Edits(words.substitutions, words.deletions, words.insertions, length)}
        details = self.details(transcript, reference, language)
        details["edits"] = {"wer": counts["wer"].as_details()}
        details["compat"] = {"wer": float(words.wer)}
        details["left_out"] = {"cer": "the Verse-Bench tool has no character error rate"}
        return self._measurement(counts, details, transcript)

    def _measurement(self, counts: dict[str, Edits], details: dict[str, Any], transcript: Transcript) -> Measurement:
        ratios = {name: Ratio(count.errors, count.length) for name, count in counts.items()}
        return Measurement.scored(
            self.name,
            {name: ratio.value for name, ratio in ratios.items()},
            counts=ratios,
            details=details,
            flags=self.flags(transcript),
        )
