"""Log-mel spectrograms: how loud a recording is in each band of pitch, over time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

RATE = 16_000  # samples a second
HOP = 160  # samples between two frames: 10 ms
WINDOW = 400  # samples of a frame: 25 ms
BANDS = 64
_FFT = 512  # samples of a frame, padded with zeros
_QUIET = 1e-6  # of a full-scale sine's power; less is silence


def log_mel(samples: np.ndarray) -> np.ndarray:
    """(frames, 64) float32 natural logarithms of power, a frame for every 10 ms begun.

    Args:
        samples: (n,) float at 16 kHz, n at least 1; the ends are padded with silence.
    """
    frames = -(-len(samples) // HOP)
    padded = np.zeros((frames - 1) * HOP + WINDOW, np.float32)
    before = (WINDOW - HOP) // 2
    padded[before : before + len(samples)] = samples
    hann = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    power = mel_power(padded, hann, bands=BANDS, full_scale=(hann.sum() / 2) ** 2)
    return np.asarray(np.log(np.maximum(power, _QUIET)), np.float32)


def mel_power(
    samples: np.ndarray,
    window: np.ndarray,
    *,
    bands: int,
    lowest: float = 0.0,
    full_scale: float = 1.0,
) -> np.ndarray:
    """(frames, bands) float64 power in bands of pitch, a frame every 10 ms.

    Args:
        samples: (n,) float at 16 kHz, n at least 400: frames that are not whole are left out.
        window: (400,) weights of a frame's samples.
        bands: how many, even in mel up to 8 kHz.
        lowest: where the first begins, in Hz.
        full_scale: the power that is told as 1.
    """
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    spectrum = np.abs(np.fft.rfft(windows * window, _FFT)) ** 2 / full_scale
    return np.asarray(spectrum @ _filters(bands, lowest).T)


@lru_cache(maxsize=4)
def _filters(bands: int, lowest: float) -> np.ndarray:
    """(bands, 257) triangles of equal height, corners even in mel (O'Shaughnessy 1987)."""
    low, high = (2595 * float(np.log10(1 + pitch / 700)) for pitch in (lowest, RATE / 2))
    corners = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    pitches = np.arange(_FFT // 2 + 1) * RATE / _FFT
    rising = (pitches - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - pitches) / (corners[2:] - corners[1:-1])[:, None]
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))
