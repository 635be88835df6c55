"""What word and character error rates share: where the transcript of a clip comes from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.asr.base import RATE, AsrFailure, Transcriber, Transcript
from metrics.asr.specs import transcriber
from metrics.asr.stored import StoredTranscripts
from metrics.errors import UserError
from metrics.metric import Metric
from metrics.registry import missing_parts
from metrics.requests import language_of
from metrics.types import Json, Measurement, Need, Request

if TYPE_CHECKING:
    from metrics.clip import Clip

SPEECH_OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "asr": "faster-whisper:large-v3",
        "transcript": None,
        "transcripts": None,
        "dialect": "auto",
        "timeout": 180.0,
        "tries": 3,
        "pause": 5.0,
    }
)
"""Options of every speech metric.

asr: which recogniser (`metrics.asr.specs.FORMS`). transcript: what was said, given as text, for one clip. transcripts:
path of stored transcripts for many items (`metrics.asr.stored`). With either of them nothing is recognised and the clip
needs no audio. dialect, timeout, tries, pause: of an endpoint (`metrics.asr.endpoint.Endpoint`).
"""

MACHINE_OPTIONS = frozenset({"transcripts", "dialect", "timeout", "tries", "pause"})
"""Left out of the parameters: a path and waiting times change no number, and the dialect stands in the identity."""


class SpeechMetric(Metric):
    """A metric of what is heard against what was to be said. Subclasses write `score`.

    Options: see `SPEECH_OPTIONS`.
    """

    needs = frozenset({Need.AUDIO, Need.SPEECH})
    reads = frozenset({"id", "speech", "language"})
    defaults = SPEECH_OPTIONS
    machine_options = MACHINE_OPTIONS
    tells_speakers: ClassVar[bool] = False
    """Whether the metric needs a recogniser that tells speakers apart."""

    def __init__(self, **options: Any) -> None:
        """Raises UserError for an unknown option or recogniser, or for two sources of transcripts at once."""
        super().__init__(**options)
        if self.options["transcript"] is not None and self.options["transcripts"] is not None:
            raise UserError(f"metric {self.name}: give either transcript (one text) or transcripts (a file), not both")
        self.recogniser: Transcriber | None = None
        self._stored: StoredTranscripts | None = None
        if self.options["transcripts"] is not None:
            self._stored = StoredTranscripts(self.options["transcripts"], metric=self.name)
        elif self.options["transcript"] is None:
            names = ("dialect", "timeout", "tries", "pause")
            settings = {name: self.options[name] for name in names}
            self.recogniser = transcriber(self.options["asr"], device=self.device, threads=self.threads, **settings)

    @abstractmethod
    def score(self, request: Request, language: str | None, transcript: Transcript) -> Measurement:
        """Compare a transcript with what was asked for; may raise `NotApplicable`."""

    # -- what the suite asks -----------------------------------------------------------------------------------------

    def needs_used(self) -> frozenset[Need]:
        return self.needs if self.recogniser is not None else self.needs - {Need.AUDIO}

    def weights_used(self) -> tuple[str, ...]:
        return tuple(self.recogniser.weights()) if self.recogniser is not None else ()

    def missing(self) -> Sequence[str]:
        gaps = missing_parts(self)
        if self._stored is not None:
            gap = self._stored.missing()
            gaps.extend([gap] if gap else [])
        elif self.recogniser is not None and self.tells_speakers and self.recogniser.tells_speakers is False:
            gaps.append(self.no_speakers())
        elif self.recogniser is not None:
            gaps.extend(f"{self.name} not run: {gap}" for gap in self.recogniser.missing())
        return list(dict.fromkeys(gaps))  # weights of a package are declared to both

    def identity(self) -> Mapping[str, str]:
        """Where transcripts come from: `asr` is the name for reports."""
        if self._stored is not None:
            return self._stored.identity()
        return self.recogniser.identity() if self.recogniser is not None else {"asr": "given transcript"}

    def load(self) -> None:
        if self.recogniser is not None:
            if self.tells_speakers and self.recogniser.tells_speakers is False:
                raise UserError(self.no_speakers())
            self.recogniser.load()

    def compute(self, clip: Clip, request: Request) -> Measurement:
        language = request.language or language_of(request.text)
        try:
            transcript = self._transcript(clip, request, language)
        except AsrFailure as failure:
            return Measurement.failed(
                self.name, failure.code, failure.reason, details={"asr": self._label(), "reference": request.text}
            )
        return self.score(request, language, transcript)

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def details(self, transcript: Transcript, reference: str, language: str | None) -> dict[str, Json]:
        """What stands beside every score: recogniser, hypothesis, reference, language, what is known of silence."""
        known: dict[str, Json] = {
            "asr": transcript.model or self._label(),
            "hypothesis": transcript.text,
            "reference": reference,
            "language": language,
        }
        if transcript.no_speech_prob is not None:
            known["no_speech_prob"] = transcript.no_speech_prob
        if transcript.speech_seconds is not None:
            known["speech_seconds"] = transcript.speech_seconds
        return known

    @staticmethod
    def flags(transcript: Transcript) -> tuple[str, ...]:
        """`no_speech_detected` for an empty transcript: every word of the reference then counts as left out."""
        return () if transcript.plain else ("no_speech_detected",)

    def no_speakers(self) -> str:
        """The sentence for a recogniser that does not tell speakers apart."""
        return (
            f"{self.name} not run: it needs an ASR that tells speakers apart, and {self._label()} does not; use "
            "asr=moss, asr=endpoint with a diarising service or asr=diarised:..., or give stored transcripts with "
            "[S01] tags by transcripts=FILE"
        )

    # -- inside ------------------------------------------------------------------------------------------------------

    def _label(self) -> str:
        if self._stored is not None:
            return self._stored.label
        return self.recogniser.label if self.recogniser is not None else "given transcript"

    def _transcript(self, clip: Clip, request: Request, language: str | None) -> Transcript:
        if self._stored is not None:
            return Transcript(self._stored.text_of(request.id), language=language, model=self._stored.label)
        asr = self.recogniser
        if asr is None:
            return Transcript(str(self.options["transcript"]), language=language, model=self._label())
        audio = clip.audio(rate=RATE, layout="mono", sample_format="s16")
        key = ("transcript", *sorted(asr.identity().items()), language)
        transcript: Transcript = clip.memo(key, lambda: asr.transcribe(audio.samples, language))
        return transcript
