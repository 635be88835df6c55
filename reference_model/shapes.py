"""Shape arithmetic: what a clip of F frames, H rows and W columns is in latents, tokens and samples."""

from __future__ import annotations

from dataclasses import dataclass

from reference_model.errors import UserError

TIME_STRIDE = 4
SPACE_STRIDE = 8
SIZE_MULTIPLE = 16
MAX_VIDEO_POSITIONS = 1024
MAX_AUDIO_POSITIONS = 16384


@dataclass(frozen=True)
class ClipShape:
    """A clip. sample_rate and hop are those of the audio VAE: samples per second, samples per audio latent.

    Raises UserError for a size that is no multiple of 16, a frame count that is not 4 k + 1, or a clip beyond the
    position tables (1024 latent frames, 1024 patches per side, 16384 audio latents).
    """

    frames: int
    height: int
    width: int
    fps: float
    sample_rate: int = 48_000
    hop: int = 960

    def __post_init__(self) -> None:
        _check_size(self.height, self.width)
        _check_frames(self.frames)
        if not 0 < self.fps < float("inf"):
            raise UserError(f"{self.fps} frames per second is not a rate: give a positive number, usually 24")
        if self.audio_latents < 1:
            raise UserError(f"{self.frames} frames at {self.fps} fps hold no sound: lower the frame rate")
        longest = max(self.latent_frames, self.height // SIZE_MULTIPLE, self.width // SIZE_MULTIPLE)
        if longest > MAX_VIDEO_POSITIONS or self.audio_latents > MAX_AUDIO_POSITIONS:
            raise UserError(
                f"{self.frames} frames of {self.width}x{self.height} at {self.fps:g} fps go beyond the position "
                f"tables ({MAX_VIDEO_POSITIONS} per video axis, {MAX_AUDIO_POSITIONS} for sound): make the clip smaller"
            )

    @property
    def latent_frames(self) -> int:
        return (self.frames - 1) // TIME_STRIDE + 1

    @property
    def samples(self) -> int:
        """Audio samples of the clip. As floats, multiplied first and truncated, as upstream counts them."""
        return int(self.sample_rate * self.frames / self.fps)

    @property
    def audio_latents(self) -> int:
        return (self.samples - 1) // self.hop + 1

    @property
    def decoded_samples(self) -> int:
        """Samples that the audio VAE gives back, at least `samples`."""
        return self.audio_latents * self.hop

    @property
    def grid(self) -> tuple[int, int, int]:
        """Latent frames, patch rows, patch columns."""
        return self.latent_frames, self.height // SIZE_MULTIPLE, self.width // SIZE_MULTIPLE

    @property
    def video_tokens(self) -> int:
        frames, rows, columns = self.grid
        return frames * rows * columns

    @property
    def latent_size(self) -> tuple[int, int, int]:
        """Latent frames, latent rows, latent columns."""
        return self.latent_frames, self.height // SPACE_STRIDE, self.width // SPACE_STRIDE

    @property
    def seconds(self) -> float:
        return self.frames / self.fps


def nearest_sizes(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Valid (height, width) around a size, the nearest first; at most two."""
    candidates = {(_near(height, up), _near(width, wide)) for up in (0, 1) for wide in (0, 1)}
    ordered = sorted(candidates, key=lambda size: (abs(size[0] - height) + abs(size[1] - width), size))
    return tuple(ordered[:2])


def _near(value: int, up: int) -> int:
    floor = max(value, 0) // SIZE_MULTIPLE * SIZE_MULTIPLE
    exact = floor == value
    return max(SIZE_MULTIPLE, floor + (0 if exact else up * SIZE_MULTIPLE))


def _check_size(height: int, width: int) -> None:
    if height > 0 and width > 0 and height % SIZE_MULTIPLE == 0 == width % SIZE_MULTIPLE:
        return
    names = " or ".join(f"{w}x{h}" for h, w in nearest_sizes(height, width))
    raise UserError(
        f"{width}x{height} (width x height) is not a size of this model, both must be multiples of {SIZE_MULTIPLE}: "
        f"nearest are {names}"
    )


def _check_frames(frames: int) -> None:
    if frames > 0 and frames % TIME_STRIDE == 1:
        return
    below = max(1, (frames - 1) // TIME_STRIDE * TIME_STRIDE + 1)
    raise UserError(
        f"{frames} frames is not a length of this model, which takes 4 k + 1: nearest are {below} and "
        f"{below + TIME_STRIDE}"
    )
