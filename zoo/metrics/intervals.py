"""Intervals of 95 % that metrics share: Wilson's, and bootstraps of rows."""

from __future__ import annotations

import math

import numpy as np

RESAMPLES = 1_000
NORMAL_95 = 1.959963984540054  # two-sided 95 % of the normal distribution
_CELLS = 4_000_000  # numbers in memory at once while resampling
_BINS = 512
_DRAWN = 2_048  # rows up to which resamples of several metrics together are drawn row by row

Metrics = dict[str, dict[str, float]]


def wilson(p: float, n: float) -> dict[str, float]:
    """A share p of n rows with Wilson's interval (1927)."""
    z2 = NORMAL_95 * NORMAL_95 / n
    middle = (p + z2 / 2) / (1 + z2)
    half = NORMAL_95 / (1 + z2) * math.sqrt(p * (1 - p) / n + z2 / (4 * n))
    return {
        "value": p,
        "low": min(p, max(0.0, middle - half)),
        "high": max(p, min(1.0, middle + half)),
    }


def percentile(value: float, resampled: np.ndarray, tail: float = 0.025) -> dict[str, float]:
    """A value with the interval that leaves out a share of its resamples on either side."""
    low, high = np.quantile(resampled, (tail, 1.0 - tail)).tolist()
    return {"value": value, "low": min(value, low), "high": max(value, high)}


def mean_of(of_rows: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """The mean of (n,) values with its bootstrap interval."""
    return percentile(float(of_rows.mean()), resampled_means(of_rows, rng))


def resampled_columns(
    values: np.ndarray, rng: np.random.Generator, *, drawn: int = _DRAWN
) -> np.ndarray:
    """(1000, c) column means of resamples of the rows of (n, c) values.

    Beyond `drawn` rows normal draws of the same mean and covariance, from which means of so many
    rows cannot be told.
    """
    n = len(values)
    if n > drawn:
        covariance = np.cov(values, rowvar=False, bias=True) / n
        return rng.multivariate_normal(
            values.mean(axis=0), covariance, RESAMPLES, check_valid="ignore", method="eigh"
        )
    out, size = np.empty((RESAMPLES, values.shape[1])), max(1, _CELLS // n)
    for start in range(0, RESAMPLES, size):
        b = min(size, RESAMPLES - start)
        rows = rng.integers(n, size=(b, n)) + n * np.arange(b)[:, None]
        counts = np.bincount(rows.ravel(), minlength=b * n).reshape(b, n)
        out[start : start + b] = counts.astype(np.float64) @ values / n
    return out


def resampled_means(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(1000,) means of resamples of (n,) values.

    Up to 512 values that is exact. More are first sorted into as many bins of equal count and
    stand for their bin's mean, which leaves out the little variance inside bins of like values.
    """
    bins = np.array_split(np.sort(values), min(len(values), _BINS))
    sizes = np.array([len(part) for part in bins])
    means = np.array([part.mean() for part in bins])
    draws = rng.multinomial(len(values), sizes / len(values), RESAMPLES)
    return np.asarray(draws @ means / len(values))
