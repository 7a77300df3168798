"""Log-mel spectrograms: how loud a recording is in each band of pitch, over time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

RATE = 16_000  # samples a second
HOP = 160  # samples between two frames: 10 ms
BANDS = 64
_WINDOW, _FFT = 400, 512  # samples: 25 ms, and padded with zeros
_QUIET = 1e-6  # of a full-scale sine's power; less is silence


def log_mel(samples: np.ndarray) -> np.ndarray:
    """(frames, 64) float32 natural logarithms of power, a frame for every 10 ms begun.

    Args:
        samples: (n,) float at 16 kHz, n at least 1; the ends are padded with silence.
    """
    frames = -(-len(samples) // HOP)
    padded = np.zeros((frames - 1) * HOP + _WINDOW, np.float32)
    before = (_WINDOW - HOP) // 2
    padded[before : before + len(samples)] = samples
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP]
    hann = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    spectrum = np.abs(np.fft.rfft(windows * hann, _FFT)) ** 2 / (hann.sum() / 2) ** 2
    return np.asarray(np.log(np.maximum(spectrum @ _filters().T, _QUIET)), np.float32)


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """(64, 257): triangles of equal height whose corners are even in mel (O'Shaughnessy 1987)."""
    highest = 2595 * np.log10(1 + RATE / 2 / 700)
    corners = 700 * (10 ** (np.linspace(0, highest, BANDS + 2) / 2595) - 1)
    pitches = np.arange(_FFT // 2 + 1) * RATE / _FFT
    rising = (pitches - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - pitches) / (corners[2:] - corners[1:-1])[:, None]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))
