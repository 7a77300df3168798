"""Describes what reaches a backbone: statistics of a few samples, as the contract prepares them.

At most `SAMPLES` of the data, spread evenly, are decoded for it, whether or not their features are
in the store: a run that computes nothing still knows what it was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError, ZooError
from zoo.preprocess import AudioSpec, ImageSpec, Waveform
from zoo.preprocess.decode import decode, quiet_decoding

if TYPE_CHECKING:
    from zoo.plugin import Item

SAMPLES = 64
BANDS_PER_OCTAVE = 8
_OCTAVES = 6  # below half the backbone's rate
_BUDGET = 1 << 27  # pixels or samples that are decoded for it: a second or so
_PIXELS = 1 << 12  # of an image and channel, for quantiles
_ENOUGH = 1 << 20  # pixels of an image for its colours, samples of a recording for its loudness
_QUANTILES = (0.01, 0.05, 0.5, 0.95, 0.99)
_WINDOW = 512  # samples of a spectrum's window


@dataclass
class Seen:
    """What a few samples are like, one entry a sample; those that can't be decoded are left out.

    Attributes:
        modality: ``image`` or ``audio``; nothing is looked at of other kinds.
        items: the samples' names.
        arrays: whether a caller holds the sample as an array, whose meaning no file states.
        pixels: (k, c) values as they reach the backbone, of images.
        means: (c,) of each image as it reaches the backbone.
        ends: (c, 2) least and greatest of each image.
        shares: (256,) of the decoded grey levels of each image.
        warmth: (3,) red minus blue in the upper, middle and lower third of each decoded image.
        peaks, rms: of each decoded recording.
        levels: how many different values the start of each recording holds.
        spectra: mean log power in bands of an eighth of an octave, highest last, of each recording
            at the backbone's rate.
    """

    modality: str
    items: list[str] = field(default_factory=list)
    arrays: list[bool] = field(default_factory=list)
    pixels: list[np.ndarray] = field(default_factory=list)
    means: list[np.ndarray] = field(default_factory=list)
    ends: list[np.ndarray] = field(default_factory=list)
    shares: list[np.ndarray] = field(default_factory=list)
    warmth: list[np.ndarray] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    rms: list[float] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    spectra: list[np.ndarray] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Statistics in plain JSON values, for run.json; empty where nothing was looked at."""
        if not self.items:
            return {}
        out: dict[str, Any] = {"modality": self.modality, "samples": len(self.items)}
        if self.modality == "image":
            pixels, ends = np.concatenate(self.pixels), np.stack(self.ends)
            quantiles = np.quantile(pixels, _QUANTILES, axis=0)
            out |= {
                "mean": _plain(np.mean(self.means, axis=0)),
                "between": _plain(np.std(self.means, axis=0)),
                "std": _plain(pixels.std(axis=0)),
                "min": _plain(ends[:, :, 0].min(axis=0)),
                "max": _plain(ends[:, :, 1].max(axis=0)),
                "quantiles": {
                    str(q): _plain(row) for q, row in zip(_QUANTILES, quantiles, strict=True)
                },
                "warmth": _plain(np.mean(self.warmth, axis=0)),
                "warmth_covariance": _plain(np.cov(np.stack(self.warmth), rowvar=False, ddof=0)),
            }
        else:
            decibels = 20 * np.log10(np.maximum(self.rms, 1e-12))
            out |= {
                "peak": _plain(np.median(self.peaks)),
                "decibels": _plain(decibels.mean()),
                "between": _plain(decibels.std()),
                "spectrum": _plain(np.mean(self.spectra, axis=0)),
            }
        return out


def see(items: Iterable[Item], modality: str, preprocess: Mapping[str, Any]) -> Seen:
    """Decode a few of the items and describe them; (n,) items of a modality under a contract."""
    items = list(items)
    seen = Seen(modality)
    if modality not in {"image", "audio"} or not items:
        return seen
    chosen = np.unique(np.linspace(0, len(items) - 1, SAMPLES).round().astype(np.int64))
    look: Any = _see_image if modality == "image" else _see_recording
    spec = spec_of(preprocess)
    spent = 0
    for number in chosen.tolist():
        item = items[number]
        try:
            with quiet_decoding():
                spent += look(seen, decode(item, modality), spec)
        except ZooError:  # told of, with its name, by who computes the features
            continue
        seen.items.append(item.name)
        seen.arrays.append(isinstance(item.value, np.ndarray))
        if spent > _BUDGET:
            break
    return seen


def spec_of(preprocess: Mapping[str, Any]) -> ImageSpec | AudioSpec | None:
    """The contract's preprocessing as what applies it; None where it is a plugin's own."""
    kind: Any = {"image": ImageSpec, "audio": AudioSpec}.get(str(preprocess.get("input")))
    names = {one.name for one in fields(kind)} if kind is not None else set()
    if kind is None or not names <= preprocess.keys():
        return None
    values = {name: preprocess[name] for name in names}
    spec: ImageSpec | AudioSpec = kind(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    )
    return spec


def _see_image(seen: Seen, image: Any, spec: Any) -> int:
    levels = np.asarray(image)
    step = max(1, int((levels.size / 3 / _ENOUGH) ** 0.5))
    levels = levels[::step, ::step]  # a photo of many megapixels would take gigabytes as float64
    given = spec.apply(image) if isinstance(spec, ImageSpec) else levels
    first = isinstance(spec, ImageSpec) and spec.layout == "nchw"
    values = (given.transpose(1, 2, 0) if first else given).reshape(-1, 3).astype(np.float64)
    if not len(values):
        raise DataError("an image without pixels")
    seen.pixels.append(values[:: max(1, len(values) // _PIXELS)])
    seen.means.append(values.mean(axis=0))
    seen.ends.append(np.stack([values.min(axis=0), values.max(axis=0)], axis=1))
    counts = np.array(image.histogram(), np.float64).reshape(3, 256).sum(axis=0)
    seen.shares.append(counts / counts.sum())
    warmth = levels[:, :, 0].astype(np.float64) - levels[:, :, 2]
    thirds = np.array_split(warmth, 3) if len(warmth) >= 3 else [warmth] * 3
    seen.warmth.append(np.array([third.mean() for third in thirds]))
    return int(image.width * image.height)


def _see_recording(seen: Seen, sound: Waveform, spec: Any) -> int:
    samples = sound.samples
    rate = spec.rate if isinstance(spec, AudioSpec) else sound.rate or 1
    same = AudioSpec(rate).apply(Waveform(samples[: 10 * (sound.rate or rate)], sound.rate))
    seen.spectra.append(_spectrum(same))
    seen.peaks.append(float(max(samples.max(), -samples.min())))
    seen.rms.append(float(np.sqrt(np.mean(samples[:_ENOUGH].astype(np.float64) ** 2))))
    seen.levels.append(len(np.unique(samples[: 1 << 14])))
    return len(samples)


def _spectrum(samples: np.ndarray) -> np.ndarray:
    """(48,) mean log10 power by band, from 1/64 of half the rate up to it."""
    padded = np.pad(samples.astype(np.float64), (0, max(0, _WINDOW - len(samples))))
    whole = len(padded) // _WINDOW * _WINDOW
    frames = padded[:whole].reshape(-1, _WINDOW) * np.hanning(_WINDOW)
    power = (np.abs(np.fft.rfft(frames, 4 * _WINDOW)) ** 2).mean(axis=0)
    edges = len(power) * 2.0 ** np.linspace(-_OCTAVES, 0, BANDS_PER_OCTAVE * _OCTAVES + 1)
    sums = np.concatenate([[0.0], np.cumsum(power)])
    at = np.minimum(np.rint(edges).astype(np.int64), len(power))
    width = np.maximum(at[1:] - at[:-1], 1)
    means = (sums[np.minimum(at[:-1] + width, len(power))] - sums[at[:-1]]) / width
    bands: np.ndarray = np.log10(np.maximum(means, 1e-12 * max(float(power.max()), 1e-30)))
    return bands


def _plain(values: Any) -> Any:
    """Floats of seven digits, in lists."""
    return np.vectorize(lambda x: float(f"{x:.7g}"))(np.asarray(values, np.float64)).tolist()
