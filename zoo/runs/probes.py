"""Odd samples made in code, the same everywhere: what a backbone's preparation is tried on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import SourceError

_SENTENCE = "The quick brown fox jumps over the lazy dog, and nobody minds."
_SCRIPTS = "naïve café Straße Ελληνικά Русский עברית العربية हिन्दी 日本語 한국어 🦊👩‍🔬 e\u0301 ﬁ"
# As many as no encoder of today takes: whatever is longer is cut.
_LONG_WORDS = 1200
_WORDS = "river stone 17 green unbelievable the of and Paris, re-reading: 3.14 (maybe)".split()


@dataclass(frozen=True)
class Probe:
    """One sample that a backbone is tried on.

    Attributes:
        name: what it is, for people.
        value: a text, or the Path of an image or a recording.
        decoded: what zoo decodes otherwise than the libraries, on purpose; the reference gets the
            decoded image then. Empty where both decode for themselves.
        plain: whether it is an everyday sample, for trying wrong ways on.
    """

    name: str
    value: Any
    decoded: str = ""
    plain: bool = False


def make_probes(modality: str, folder: Path, *, rate: int = 0) -> list[Probe]:
    """The probes of a modality, files in `folder`.

    Args:
        modality: ``image``, ``text`` or ``audio``.
        folder: an empty folder for files.
        rate: of the model's recordings, in Hz.

    Raises:
        SourceError: there are none of that modality.
    """
    if modality == "image":
        return _images(folder)
    if modality == "audio":
        return _recordings(folder, rate)
    if modality == "text":
        return _texts()
    raise SourceError(f"there are no probes of {modality} samples", hint="image, text or audio")


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: slopes, waves, edges and grain, in another colour each."""
    rng = np.random.Generator(np.random.PCG64([seed, height, width]))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    y, x = y / height, x / width
    out = np.empty((height, width, 3))
    for channel, level in enumerate((150.0, 110.0, 70.0)):
        angle, waves = rng.uniform(0, np.pi), rng.uniform(3, 40)
        slope = 60 * (x * np.cos(angle) + y * np.sin(angle))
        wave = 35 * np.sin(waves * np.pi * (x * np.sin(angle) + y * y))
        out[:, :, channel] = level + slope + wave
    for _ in range(12):
        top, left = rng.uniform(0, 0.9, 2)
        inside = (abs(y - top) < rng.uniform(0.03, 0.2)) & (abs(x - left) < rng.uniform(0.03, 0.2))
        out[inside] = rng.uniform(0, 255, 3)
    out += rng.normal(0, 12, out.shape)
    return np.clip(out, 0, 255).round().astype(np.uint8)


def _images(folder: Path) -> list[Probe]:
    from PIL import Image

    probes: list[Probe] = []

    def add(image: Any, name: str, suffix: str, *, decoded: str = "", **how: Any) -> None:
        path = folder / f"{len(probes)}.{suffix}"
        image.save(path, **how)
        plain = not decoded and image.mode == "RGB" and min(image.size) > 100
        probes.append(Probe(name, path, decoded, plain))

    for height, width in ((375, 500), (501, 333), (223, 641)):
        made = Image.fromarray(photo(height, width))
        add(made, f"photo {width}x{height}, JPEG", "jpg", quality=90)
    add(Image.fromarray(photo(17, 31)), "photo 31x17, PNG", "png")
    add(Image.fromarray(photo(640, 47)), "photo 47x640, PNG", "png")
    add(Image.fromarray(photo(149, 201)).convert("L"), "grey 201x149, PNG", "png")
    add(Image.fromarray(photo(150, 151)).convert("P"), "palette 151x150, PNG", "png")
    alpha = np.dstack([photo(131, 180), photo(131, 180, 1)[:, :, 0]])
    add(Image.fromarray(alpha), "alpha 180x131, PNG", "png")
    deep = photo(161, 230)[:, :, 0].astype(np.uint16) * 257
    add(Image.fromarray(deep), "16-bit grey 230x161", "png", decoded="by zoo: the upper 8 bits")
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(photo(180, 241))
    add(turned, "EXIF-turned 241x180", "jpg", decoded="by zoo: turned upright", exif=exif)
    return probes


def _texts() -> list[Probe]:
    rng = np.random.Generator(np.random.PCG64(0))
    long = " ".join(_WORDS[i] for i in rng.integers(0, len(_WORDS), _LONG_WORDS))
    return [
        Probe("a sentence", _SENTENCE, plain=True),
        Probe("empty", ""),
        Probe("one word", "Dog", plain=True),
        Probe(f"long, {_LONG_WORDS} words", long, plain=True),
        Probe("many scripts", _SCRIPTS, plain=True),
        Probe("UPPER CASE", _SENTENCE.upper()),
        Probe("blanks, breaks and controls", " \t a  b\r\n\r\n c\u00a0d\u200b \x07 e "),
        Probe("one endless word", "x" * 2000),
    ]


def _recordings(folder: Path, rate: int) -> list[Probe]:
    import soundfile

    probes: list[Probe] = []

    def add(own: int, seconds: float, code: str, *, channels: int = 1, kind: str = "WAV") -> None:
        path = folder / f"{len(probes)}.{kind.lower()}"
        values = _sound(own, seconds, channels, len(probes))
        soundfile.write(path, values, own, format=kind, subtype=code)
        stereo = ", stereo" if channels > 1 else ""
        name = f"{seconds} s at {own} Hz{stereo}, {kind}"
        probes.append(Probe(name, path, plain=seconds > 1))

    add(rate, 1.6, "PCM_16")
    add(44100, 2.1, "PCM_16", channels=2)
    add(8000, 1.3, "PCM_16")
    add(48000, 1.5, "PCM_24", channels=2, kind="FLAC")
    add(11025, 1.7, "FLOAT")
    add(22050, 0.05, "PCM_16")
    return probes


def _sound(rate: int, seconds: float, channels: int, seed: int) -> np.ndarray:
    """(n, channels) float64: rising harmonics, a beat and grain, another in each channel."""
    rng = np.random.Generator(np.random.PCG64(seed))
    t = np.arange(int(rate * seconds)) / rate
    out = np.empty((len(t), channels))
    for channel in range(channels):
        base = rng.uniform(110, 330)
        tone = sum(
            np.sin(2 * np.pi * base * k * (t + 0.2 * t * t)) / k
            for k in range(1, 9)
            if base * k * 2 < rate / 2
        )
        beat = 0.6 + 0.4 * np.sin(2 * np.pi * 3.1 * t + channel)
        out[:, channel] = 0.18 * beat * tone + 0.01 * rng.normal(size=len(t))
    return np.clip(out, -0.95, 0.95)
