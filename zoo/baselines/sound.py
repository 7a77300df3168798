"""Log-mel statistics of a recording: what sounds in it, and when, in a few hundred numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.baselines.spectrogram import RATE, WINDOW, mel_power
from zoo.preprocess.audio import OWN_RATE, AudioSpec

if TYPE_CHECKING:
    from zoo.preprocess.audio import Waveform

_SPEC = AudioSpec(rate=RATE, min_samples=RATE // 4, pad="end")
_BANDS, _LOWEST = 40, 20.0  # Hz
_PIECES = 32  # moments of a recording, for its course
_LONGEST = 60 * RATE
_FLOOR = 1e-6  # of a band's power: digital silence has no logarithm


def log_mel_forms(waveform: Waveform) -> dict[str, np.ndarray]:
    """Two forms of a recording's first minute, float32.

    ``log-mel statistics`` is mean and deviation of each of 40 bands, and the deviation of its steps
    from frame to frame, (120,); ``log-mel statistics and course`` has the bands at 32 moments
    besides, free of loudness, (1400,): how long or how loud a word is said is not what it is. A
    recording whose rate nobody states is taken for one at 16 kHz.
    """
    samples = waveform.samples
    if waveform.rate != OWN_RATE:
        samples = samples[: 60 * waveform.rate]
        waveform = type(waveform)(samples, waveform.rate)
    samples = _SPEC.apply(waveform)[:_LONGEST]
    power = mel_power(samples, np.hanning(WINDOW), bands=_BANDS, lowest=_LOWEST)
    bands = np.log(power + _FLOOR)
    steps = np.diff(bands, axis=0)
    parts = [bands.mean(axis=0), bands.std(axis=0), steps.std(axis=0)]
    statistics = np.concatenate(parts).astype(np.float32)
    course = _stretched(bands)
    course = (course - course.mean()) / max(float(course.std()), _FLOOR)
    both = np.concatenate([statistics, course.ravel()]).astype(np.float32)
    return {"log-mel statistics": statistics, "log-mel statistics and course": both}


def _stretched(bands: np.ndarray) -> np.ndarray:
    """(32, 40): frames at evenly spaced times, between two of them in proportion."""
    at = np.linspace(0.0, len(bands) - 1.0, _PIECES)
    before = at.astype(np.int64)
    after = np.minimum(before + 1, len(bands) - 1)
    share = (at - before)[:, None]
    return np.asarray(bands[before] * (1.0 - share) + bands[after] * share)
