"""The CLAP score as a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from metrics.errors import UserError
from metrics.networks.metric import NetworkMetric
from metrics.types import Measurement, Need, Protocol, Request, ScoreSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from metrics.clap.sound import Spectra
    from metrics.clip import Clip

_SOURCE = "LAION-CLAP (Wu et al. 2023), 630k-audioset-fusion-best; MOVA evaluation toolkit, CLAP"
_SOURCE_48K = "LAION-CLAP (Wu et al. 2023), 630k-audioset-fusion-best, sound at its true rate"
TOKENS = 77


class Clap(NetworkMetric):
    """Cosine of the embeddings of sound and prompt by LAION-CLAP: higher is better, from -1 to 1.

    Protocol "official" gives `clap`, as the published tables have it: that tool hands sound of 32 kHz to a network of
    48 kHz, which so hears everything one and a half times faster and higher. Protocol "direct" gives `clap_48k`, with
    the sound at the rate that the network expects. The two cannot be compared.

    Sounds of more than 10 s of the network's time (15 s of a clip under "official") are heard as a whole and in three
    chunks, whose places the official tool draws at random; here they follow from the clip's sha256. Prompts are cut to
    77 tokens. Silence has an embedding like any sound (flag "silent_audio").

    Compared with the official tool (its code and copy of laion_clap with the ffmpeg program, from the file on, the full
    network with seeded weights, both sides drawing chunks from one seed) on five real clips and on sounds of 0.3 and
    20 s: audio embeddings to 7e-5 of the largest entry, text embeddings to 2e-6, scores to 5e-6.

    Options: clap, roberta: the network's file and the folder of the tokenizer, instead of the published ones;
    precision; batch.
    """

    name: ClassVar[str] = "clap"
    title: ClassVar[str] = "Sound against prompt (LAION-CLAP)"
    scores: ClassVar[tuple[ScoreSpec, ...]] = (
        ScoreSpec("clap", "CLAP score", "higher", "cosine", (-1.0, 1.0), _SOURCE),
        ScoreSpec("clap_48k", "CLAP score at 48 kHz", "higher", "cosine", (-1.0, 1.0), _SOURCE_48K),
    )
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUDIO, Need.PROMPT})
    reads: ClassVar[frozenset[str]] = frozenset({"prompt"})
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"clap": None, "roberta": None, "precision": "float32", "batch": 1}
    )
    files: ClassVar[Mapping[str, str]] = MappingProxyType({"clap": "clap-630k-fusion", "roberta": "roberta-base"})
    weights: ClassVar[tuple[str, ...]] = ("clap-630k-fusion", "roberta-base")
    packages: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    licence: ClassVar[str] = "CC0 1.0 (network), MIT (tokenizer)"

    _network: Any
    _tokenizer: Any
    _texts: dict[str, NDArray[np.float32]]

    def load(self) -> None:
        from metrics.clap.network import clap_model
        from metrics.networks.states import read_state

        state = read_state(self.file("clap"), "CLAP", inside=("state_dict",))
        self._network = clap_model(state).to(self.device)
        self._tokenizer = self._read_tokenizer()
        self._texts = {}

    def _read_tokenizer(self) -> Any:
        from transformers import RobertaTokenizer

        folder = self.file("roberta")
        try:
            tokenizer = RobertaTokenizer.from_pretrained(str(folder), local_files_only=True)
        except Exception as error:  # transformers raises many kinds for files that are not a tokenizer
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"the tokenizer of CLAP in {folder} cannot be read ({reason:.120}); get it again"
            ) from error
        known, wanted = len(tokenizer), self._network.config.text_config.vocab_size
        if known != wanted:  # a folder without the files gives an empty tokenizer, not an error
            raise UserError(f"the tokenizer of CLAP in {folder} knows {known} tokens, not {wanted}; get it again")
        return tokenizer

    def embed_text(self, prompt: str) -> NDArray[np.float32]:
        """Unit vector [512] of a text, cut to 77 tokens; kept for the next clip of the same prompt."""
        self.ensure_loaded()
        if prompt not in self._texts:
            tokens = self._tokenizer(
                prompt, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
            )
            with self.arithmetic():
                found = self._network.get_text_features(
                    input_ids=tokens["input_ids"].to(self.device),
                    attention_mask=tokens["attention_mask"].to(self.device),
                )
            self._texts[prompt] = found.pooler_output.float().cpu().numpy()[0]
        return self._texts[prompt]

    def embed_sounds(self, sounds: Sequence[Spectra]) -> NDArray[np.float32]:
        """Unit vectors [n, 512] of n > 0 sounds."""
        import torch

        self.ensure_loaded()
        longer = torch.tensor([sound.longer for sound in sounds], dtype=torch.float32)
        # one tensor per sound: the flag rides along as a fifth plane
        flags = longer[:, None, None, None].expand(-1, 1, *sounds[0].mel.shape[1:])
        planes = torch.cat([torch.stack([sound.mel for sound in sounds]), flags], dim=1)

        def run(part: Tensor) -> Tensor:
            found = self._network.get_audio_features(input_features=part[:, :4], is_longer=part[:, 4, 0, :1] > 0)
            embedded: Tensor = found.pooler_output
            return embedded

        with self.arithmetic():
            embeddings: NDArray[np.float32] = self.in_passes(run, planes).numpy()
        return embeddings

    def prepare(self, clip: Clip) -> Spectra:
        """What the audio tower sees of a clip."""
        from metrics.clap.sound import normalised, spectra_of
        from metrics.networks.sound import toolkit_sound

        return spectra_of(normalised(toolkit_sound(clip, self._rate())), seed=int(clip.sha256[:8], 16))

    def _rate(self) -> int:
        """Hz at which the sound is taken; the network believes in 48 kHz whatever it is."""
        return 48_000 if self.protocol == Protocol.DIRECT else 32_000

    def compute(self, clip: Clip, request: Request) -> Measurement:
        result = self.compute_batch([clip], [request])[0]
        if isinstance(result, Exception):
            raise result
        return result

    def compute_batch(self, clips: Sequence[Clip], requests: Sequence[Request]) -> Sequence[Measurement | Exception]:
        prepared: list[Spectra | Exception] = []
        for clip in clips:
            try:
                prepared.append(self.prepare(clip))
            except Exception as error:
                prepared.append(error)
        sounds = [sound for sound in prepared if not isinstance(sound, Exception)]
        vectors = iter(self.embed_sounds(sounds) if sounds else ())
        return [
            sound if isinstance(sound, Exception) else self._score(clip, request, sound, next(vectors))
            for clip, request, sound in zip(clips, requests, prepared, strict=True)
        ]

    def _score(self, clip: Clip, request: Request, sound: Spectra, vector: NDArray[np.float32]) -> Measurement:
        from metrics.clap.sound import HOP
        from metrics.networks.sound import toolkit_sound
        from metrics.signals import is_silent

        text = self.embed_text(request.prompt)
        given, other = ("clap_48k", "clap") if self.protocol == Protocol.DIRECT else ("clap", "clap_48k")
        details: dict[str, Any] = {"left_out": {other: "of the other protocol"}}
        if sound.longer:
            details["chunk_starts_seconds"] = [round(start * HOP / self._rate(), 3) for start in sound.starts]
        return Measurement.scored(
            self.name,
            {given: float(vector @ text)},
            details=details,
            flags=("silent_audio",) if is_silent(toolkit_sound(clip, self._rate())) else (),
        )
