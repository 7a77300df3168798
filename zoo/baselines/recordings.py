"""Recordings for a learner from scratch: short log-mel spectrograms, a convolutional network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.baselines.convolutions import Convolutional, convolutional, moved
from zoo.baselines.spectrogram import BANDS, HOP, RATE, log_mel
from zoo.preprocess import AudioSpec, Waveform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.baselines.learner import Configuration

FRAMES = 16, 128  # columns of a spectrogram
_LONGEST = 60.0  # seconds of a recording that are listened to: its middle
_KEPT_APART = 4  # bands of pitch whose maps are not averaged with others
_MASKED = 0.2  # of the height, and of the width


class Recordings(Convolutional):
    """Spectrograms of 64 bands and at most 128 columns, as half floats: 16 kB each at most.

    A column is the mean of as many frames of 10 ms as it takes for most recordings to fit. Longer
    ones give their middle, shorter ones have silence around them.
    """

    # Faster and slower; with parts hidden (Park et al. 2019); higher and lower too.
    _augmentations = ("time", "time and masks", "time, pitch and masks")

    def __init__(self) -> None:
        self._columns = FRAMES[1]
        self._pooled = 1
        self._levels = np.empty((0, 0, 0), np.float16)
        self._mean: Any = None
        self._spread: Any = None

    def settle(self, samples: Sequence[Any]) -> None:
        """Nineteen of twenty recordings fit whole, up to a minute."""
        seconds = [len(one.samples) / (one.rate or RATE) for one in samples]
        frames = float(np.quantile(seconds, 0.95)) if seconds else 1.0
        frames = min(frames, _LONGEST) * RATE / HOP
        self._pooled = max(1, int(np.ceil(frames / FRAMES[1])))
        self._columns = int(np.clip(np.ceil(frames / self._pooled), *FRAMES))

    def prepare(self, sample: Any) -> np.ndarray:
        """(64, columns) float16 of a Waveform; samples of no stated rate are taken for 16 kHz."""
        rate = sample.rate or RATE
        seconds = self._columns * self._pooled * HOP / RATE
        middle = _middle(sample.samples, max(1, round(seconds * rate)))
        samples = AudioSpec(RATE, min_samples=1).apply(Waveform(middle, sample.rate))
        wanted = round(seconds * RATE)
        samples = _middle(samples, wanted)
        missing = wanted - len(samples)
        frames = log_mel(np.pad(samples, (missing // 2, missing - missing // 2)))
        columns = frames.reshape(self._columns, self._pooled, BANDS).mean(axis=1)
        return np.asarray(columns.T, np.float16)

    def hold(self, prepared: list[np.ndarray], fit: np.ndarray) -> None:
        """Mean and deviation of each band are those of the training rows."""
        import torch

        self._levels = np.stack(prepared)
        levels = self._levels[fit].astype(np.float32)
        mean, spread = levels.mean(axis=(0, 2)), levels.std(axis=(0, 2))
        spread = np.maximum(spread, 0.1 * spread.max() + 1e-3)  # bands without sound stay silent
        self._mean = torch.from_numpy(mean)[:, None]
        self._spread = torch.from_numpy(spread)[:, None]

    def describe(self) -> dict[str, Any]:
        """The size of the spectrogram and what a column is."""
        return {
            "learner": "convolutional network",
            "bands": BANDS,
            "columns": self._columns,
            "column_seconds": self._pooled * HOP / RATE,
        }

    def network(self, configuration: Configuration, outputs: int) -> Any:
        """The convolutional network of images, with bands of pitch kept apart."""
        return convolutional(1, configuration["width"], outputs, tall=True, bands=_KEPT_APART)

    def scores(
        self, network: Any, places: np.ndarray, configuration: Configuration, *, augment: bool
    ) -> Any:
        """Spectrograms at a slightly different volume, speed and pitch where `augment` is true."""
        import torch

        levels = torch.from_numpy(self._levels[places].astype(np.float32))
        levels = ((levels - self._mean) / self._spread)[:, None]
        if not augment:
            return network(levels)
        kind = configuration["augmentation"]
        pitch = "pitch" in kind
        levels = moved(levels, scale=(0.87, 1.15), shift=0.08, upright=not pitch)
        levels = levels + torch.empty(len(levels), 1, 1, 1).uniform_(-0.3, 0.3)
        return network(_masked(levels) if "masks" in kind else levels)


def _middle(samples: np.ndarray, count: int) -> np.ndarray:
    start = max(0, (len(samples) - count) // 2)
    return samples[start : start + count]


def _masked(levels: Any) -> Any:
    """A stretch of pitch and one of time put to the mean, of each spectrogram."""
    import torch

    for axis in (2, 3):
        size = levels.shape[axis]
        width = torch.rand(len(levels)) * _MASKED * size
        start = torch.rand(len(levels)) * (size - width)
        at = torch.arange(size)
        hidden = (at >= start[:, None]) & (at < (start + width)[:, None])
        shape = [len(levels), 1, size, 1] if axis == 2 else [len(levels), 1, 1, size]
        levels = levels.masked_fill(hidden.reshape(shape), 0.0)
    return levels
