"""Synthesised sounds: struck bodies as sums of decaying modes, weather and fire as filtered noise, a piano by partials.

Sounds are float64 arrays at `RATE`, mono, of no particular level; `at_loudness` sets the level of a finished track.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
Sound = NDArray[np.float64]


def silence(seconds: float) -> Sound:
    """Digital zeros."""
    return np.zeros(round(seconds * RATE))


def add(track: Sound, sound: Sound, at: float, gain: float = 1.0) -> None:
    """Mix a sound into a track, starting at `at` seconds (cut where it sticks out at either end)."""
    start = round(at * RATE)
    skip = max(-start, 0)
    part = sound[skip : max(len(track) - start, skip)]
    track[start + skip : start + skip + len(part)] += gain * part


def loudness(track: Sound) -> float | None:
    """Integrated loudness in LUFS by ITU-R BS.1770-4; None for a track below its gate (silence)."""
    import pyloudnorm

    value = float(pyloudnorm.Meter(RATE).integrated_loudness(track))
    return value if math.isfinite(value) else None


def at_loudness(track: Sound, lufs: float, peak: float = 0.89) -> Sound:
    """The track at a loudness in LUFS, or at the highest below it that keeps every sample within +-`peak`.

    Raises ValueError for a track without any sound.
    """
    now = loudness(track)
    if now is None:
        raise ValueError("a silent track cannot be brought to a loudness")
    gain = 10 ** ((lufs - now) / 20)
    return track * min(gain, peak / float(np.abs(track).max()))


def noise_band(seconds: float, low: float, high: float, seed: int, *, slope: float = 0.0) -> Sound:
    """Gaussian noise between two frequencies in Hz; `slope` in dB per octave (-3 is pink). Unit RMS."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / RATE)
    safe = np.maximum(frequency, 1.0)
    shape = (safe / 1000) ** (slope / 6.0206)
    shape = shape / np.sqrt(1 + (low / safe) ** 8) / np.sqrt(1 + (safe / high) ** 8)
    sound = np.fft.irfft(spectrum * shape, count)
    unit: Sound = sound / np.sqrt(np.mean(sound**2))
    return unit


def modes(
    frequencies: Sequence[float], decays: Sequence[float], levels: Sequence[float], *, attack: float = 0.001
) -> Sound:
    """A struck body: sinusoids that start together and die away, each with its decay time (s, to 1/e) and level."""
    t = np.arange(round(min(6 * max(decays), 5.0) * RATE)) / RATE
    body: Sound = sum(
        (
            level * np.exp(-t / decay) * np.sin(2 * np.pi * frequency * t)
            for frequency, decay, level in zip(frequencies, decays, levels, strict=True)
        ),
        np.zeros_like(t),
    )
    return body * np.minimum(t / attack, 1)


def click(seconds: float, low: float, high: float, decay: float, seed: int) -> Sound:
    """A short burst of noise that starts at once and dies away."""
    burst = noise_band(seconds, low, high, seed)
    return burst * np.exp(-np.arange(len(burst)) / RATE / decay)


def _wobble(count: int, rate_hz: float, seed: int) -> Sound:
    """Slow random curve around 0 with unit spread."""
    knots = np.random.default_rng(seed).standard_normal(max(int(count / RATE * rate_hz) + 4, 4))
    where = np.arange(count) / RATE * rate_hz
    k = where.astype(int)
    part = where - k
    part = part * part * (3 - 2 * part)
    curve: Sound = knots[k] + (knots[k + 1] - knots[k]) * part
    return curve


def ball_on_wood(seed: int) -> Sound:
    """A rubber ball on a table: a click and a hollow thump."""
    tune = 1 + 0.02 * np.random.default_rng(seed).standard_normal()
    thump = modes([92 * tune, 168 * tune, 291 * tune, 540 * tune], [0.09, 0.06, 0.035, 0.02], [1.0, 0.7, 0.4, 0.25])
    add(thump, click(0.03, 700, 5000, 0.004, seed), 0, 0.35)
    return thump


def hammer_on_nail(seed: int) -> Sound:
    """Steel on steel over a wooden block."""
    tune = 1 + 0.03 * np.random.default_rng(seed).standard_normal()
    ping = modes(
        [1870 * tune, 3140 * tune, 4890 * tune, 6720 * tune, 8350],
        [0.07, 0.05, 0.04, 0.025, 0.02],
        [0.5, 0.6, 0.5, 0.4, 0.25],
        attack=0.0002,
    )
    add(ping, modes([141, 263, 422], [0.05, 0.035, 0.02], [1.0, 0.6, 0.4]), 0)
    add(ping, click(0.02, 1500, 12000, 0.003, seed), 0, 0.6)
    return ping


def glass_shatter(seed: int) -> Sound:
    """A glass that breaks: a crack, and a hundred splinters that ring as they land."""
    dice = np.random.default_rng(seed)
    track = silence(1.8)
    add(track, click(0.12, 1200, 16000, 0.018, seed), 0, 1.4)
    for _ in range(110):
        late = float(dice.exponential(0.17))
        tone = float(dice.uniform(2200, 9500))
        ring = modes([tone, tone * 1.51, tone * 2.07], [0.05, 0.03, 0.02], [1, 0.6, 0.3], attack=0.0003)
        add(track, ring, late, float(0.5 * dice.random() * math.exp(-late / 0.35)))
    return track


def thunderclap(seed: int) -> Sound:
    """A crack that rolls away for three seconds."""
    roll = noise_band(3.2, 25, 420, seed, slope=-4.5)
    t = np.arange(len(roll)) / RATE
    roll *= (
        np.minimum(t / 0.008, 1) * np.exp(-t / 0.9) * (1 + 0.45 * np.clip(_wobble(len(roll), 7, seed + 1), -1.5, 1.5))
    )
    add(roll, click(0.5, 150, 7000, 0.06, seed + 2), 0, 0.9)
    add(roll, click(0.4, 120, 4000, 0.08, seed + 3), 0.13, 0.45)
    return roll


def piano_note(midi: int, seconds: float = 2.4) -> Sound:
    """A piano tone of a MIDI key: stretched partials of two slightly detuned strings, and the thud of the hammer."""
    base = 440 * 2 ** ((midi - 69) / 12)
    stiff = 3.5e-4
    partials = [(k, base * k * math.sqrt(1 + stiff * k * k)) for k in range(1, 14) if base * k < 9000]
    detuned = [(k, f * d) for k, f in partials for d in (1.0, 1.0006)]
    note = modes(
        [f for _, f in detuned], [1.1 / k**0.7 for k, _ in detuned], [0.5 / k**1.25 for k, _ in detuned], attack=0.004
    )
    add(note, click(0.05, 60, 900, 0.012, midi), 0, 0.05)
    return note[: round(seconds * RATE)] * np.linspace(1, 0, min(len(note), round(seconds * RATE))) ** 0.3


def tick(strong: bool) -> Sound:
    """One beat of a metronome."""
    base = 2100 if strong else 1650
    sound = modes([base, base * 1.63, base * 2.71], [0.012, 0.008, 0.005], [1, 0.6, 0.4], attack=0.0002)
    add(sound, click(0.01, 1500, 9000, 0.002, 5), 0, 0.4)
    return sound


def drum_stroke(seed: int) -> Sound:
    """A bare hand on a drum: a falling tone and a slap."""
    t = np.arange(round(0.6 * RATE)) / RATE
    pitch = 96 + 60 * np.exp(-t / 0.03)
    body = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-t / 0.12)
    body += 0.4 * np.sin(2 * np.pi * np.cumsum(pitch * 1.59) / RATE) * np.exp(-t / 0.07)
    add(body, click(0.06, 400, 4500, 0.012, seed), 0, 0.25)
    return body


def rain(seconds: float, seed: int) -> Sound:
    """Steady rain: hiss, and many single drops on glass."""
    dice = np.random.default_rng(seed)
    track = noise_band(seconds, 700, 11000, seed, slope=-2) * 0.5
    drops = [click(0.012, 1500 + 500 * k, 4000 + 900 * k, 0.0025, seed + k) for k in range(8)]
    for at in dice.uniform(0, seconds, round(70 * seconds)):
        add(track, drops[int(dice.integers(8))], float(at), float(0.7 * dice.random() ** 2))
    return track


def fire(seconds: float, seed: int) -> Sound:
    """A campfire: a soft roar and dry crackles at random times."""
    dice = np.random.default_rng(seed)
    roar = noise_band(seconds, 40, 500, seed, slope=-3)
    track = 0.12 * roar * (1 + 0.4 * np.clip(_wobble(len(roar), 5, seed + 1), -2, 2))
    snaps = [click(0.03, 900 + 350 * k, 7000, 0.002 + 0.001 * (k % 4), seed + k) for k in range(8)]
    for at in dice.uniform(0, seconds, round(14 * seconds)):
        add(track, snaps[int(dice.integers(8))], float(at), float(dice.random() ** 3))
    return track


def crickets(seconds: float, seed: int) -> Sound:
    """Two crickets, each chirping in groups of short pulses."""
    t = np.arange(round(seconds * RATE)) / RATE
    track = np.zeros_like(t)
    for k, (tone, every) in enumerate(((4350.0, 0.62), (4680.0, 0.81))):
        phase = (t + 0.37 * k + 0.01 * seed % 1) % every
        pulse = np.where(phase < 0.2, np.sin(np.pi * phase / 0.2), 0) * np.clip(np.sin(2 * np.pi * 30 * phase), 0, 1)
        track += pulse * np.sin(2 * np.pi * tone * t) * (1.0 - 0.4 * k)
    return track


def traffic(seconds: float, seed: int) -> Sound:
    """Distant traffic: a low hum that swells as cars pass."""
    hum = noise_band(seconds, 30, 380, seed, slope=-3)
    hiss = noise_band(seconds, 400, 1800, seed + 1, slope=-6)
    return (hum + 0.25 * hiss) * (1 + 0.3 * np.clip(_wobble(len(hum), 0.8, seed + 2), -2, 2))


def waves(seconds: float, seed: int) -> Sound:
    """Sea waves: noise that swells and falls back."""
    hiss = noise_band(seconds, 120, 6000, seed, slope=-4)
    t = np.arange(len(hiss)) / RATE
    swell: Sound = hiss * (0.35 + 0.65 * (0.5 + 0.5 * np.sin(2 * np.pi * (t - 0.6) / 4.2)) ** 2)
    return swell


def typing(seconds: float, seed: int) -> Sound:
    """Keys of a keyboard, about six a second."""
    dice = np.random.default_rng(seed)
    track = silence(seconds)
    at = 0.15
    while at < seconds:
        key = click(0.05, 900, 6000, 0.006, int(dice.integers(1 << 30)))
        add(key, modes([310, 720], [0.012, 0.008], [0.8, 0.5]), 0)
        add(track, key, at, float(dice.uniform(0.5, 1)))
        at += float(dice.uniform(0.09, 0.26))
    return track


def crowd(seconds: float, seed: int) -> Sound:
    """A murmuring crowd: bands of voice noise, each with the rhythm of syllables."""
    track = silence(seconds)
    for k in range(7):
        centre = 260 * 1.35**k
        band = noise_band(seconds, centre * 0.8, centre * 1.25, seed + k)
        track += band * np.clip(0.6 + 0.5 * _wobble(len(band), 4 + 0.5 * k, seed + 40 + k), 0, None) * 0.8**k
    return track


def room(seconds: float, seed: int) -> Sound:
    """The tone of a quiet room."""
    return noise_band(seconds, 40, 3000, seed, slope=-5)


def pink(seconds: float, seed: int) -> Sound:
    """Pink noise, 20 Hz to 20 kHz."""
    return noise_band(seconds, 20, 20_000, seed, slope=-3)
