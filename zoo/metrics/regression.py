"""Metrics of predicted numbers on held-out rows, each with a 95 % interval.

R2, MAE and RMSE have percentile intervals of 1,000 bootstrap resamples of rows: all three are
functions of a few means over rows. Spearman's rank correlation has that of Fisher's z with the
standard error of Bonett and Wright 2000. For several outputs a metric is its mean over them; the
bounds of Spearman's are then the mean bounds, which is as wide as if the outputs erred together.
For repeated cross-validation a value is the mean over the repeats, and intervals are over rows, as
in `zoo.metrics.classification`.
"""

from __future__ import annotations

import math

import numpy as np

from zoo.errors import DataError, UsageError
from zoo.metrics.intervals import NORMAL_95, Metrics, percentile, resampled_columns

_ROUNDING = 1e-12  # of the mean square: a variance below it is what rounding leaves of equal values


def evaluate_regression(predictions: np.ndarray, values: np.ndarray, seed: int = 0) -> Metrics:
    """How far predictions are from the numbers, and how well they order the rows.

    Args:
        predictions: (n, t), or (r, n, t) for r repeats over the same rows.
        values: (n, t) numbers.
        seed: of the resamples.

    Returns:
        ``{metric: {"value", "low", "high"}}``: `r2`, the share of the values' variance that is
        explained, negative where their mean predicts better, and where values do not vary 1 or 0
        by whether all are met; `mae` and `rmse` in the values' units; `spearman`, with mean ranks
        for ties, and 0 where predictions or values do not vary.

    Raises:
        UsageError: no rows, or shapes that do not fit.
        DataError: a prediction is not finite.
    """
    stack = np.asarray(predictions, np.float64)
    stack = stack[None] if stack.ndim == 2 else stack
    truth = np.asarray(values, np.float64)
    if truth.ndim != 2 or stack.shape[1:] != truth.shape or 0 in stack.shape:
        raise UsageError(f"predictions {stack.shape} do not fit values {truth.shape}")
    if not np.isfinite(stack).all():
        raise DataError(
            "the head's predictions hold values that are not finite",
            hint="features or targets may hold extreme values: look at them with zoo extract",
        )
    rng = np.random.Generator(np.random.PCG64(seed))
    errors = _ErrorMeans.of(stack, truth)
    exact = errors.metrics(errors.columns.mean(axis=0)[None])
    drawn = errors.metrics(resampled_columns(errors.columns, rng))
    out = {name: percentile(float(exact[name][0]), drawn[name]) for name in ("r2", "mae", "rmse")}
    return {**out, "spearman": _spearman(stack, truth)}


class _ErrorMeans:
    """R2, MAE and RMSE as functions of column means.

    Attributes:
        columns: (n, c): for each output its value, centred and in units of its deviation, and that
            squared; then for each repeat and output the absolute error and the squared error.
    """

    def __init__(self, columns: np.ndarray, unit: np.ndarray, repeats: int) -> None:
        self.columns, self._unit, self._repeats = columns, unit, repeats

    @classmethod
    def of(cls, stack: np.ndarray, truth: np.ndarray) -> _ErrorMeans:
        r, n, t = stack.shape
        centred = truth - truth.mean(axis=0)
        deviation = np.sqrt((centred**2).mean(axis=0))
        unit = np.where(deviation > 0.0, deviation, 1.0)
        errors = (np.abs(stack - truth) / unit).transpose(1, 0, 2).reshape(n, r * t)
        z = centred / unit
        return cls(np.concatenate([z, z**2, errors, errors**2], axis=1), unit, r)

    def metrics(self, means: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,) of (b, c) column means."""
        t, r = len(self._unit), self._repeats
        first, second, absolute, squared = np.split(means, [t, 2 * t, 2 * t + r * t], axis=1)
        # Beyond 2,048 rows means are drawn from a normal distribution, which knows no sign.
        variance = second - first**2
        variance = np.where(variance > _ROUNDING * second, variance, 0.0)
        absolute, squared = (
            np.maximum(part, 0.0).reshape(-1, r, t) for part in (absolute, squared)
        )
        lost = squared.mean(axis=1)
        met = np.where(lost > 0.0, 0.0, 1.0)
        explained = np.divide(lost, variance, out=1.0 - met, where=variance > 0.0)
        return {
            "r2": (1.0 - explained).mean(axis=1),
            "mae": (absolute.mean(axis=1) * self._unit).mean(axis=1),
            "rmse": (np.sqrt(squared).mean(axis=1) * self._unit).mean(axis=1),
        }


def _spearman(stack: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The mean over outputs, and of their bounds."""
    n, t = truth.shape
    found = np.empty((t, 3))
    for j in range(t):
        ranks = _ranks(truth[:, j])
        rho = float(np.mean([_correlation(_ranks(part[:, j]), ranks) for part in stack]))
        low, high = -1.0, 1.0
        if n > 3:
            inside = min(max(rho, -1.0 + 1e-15), 1.0 - 1e-15)
            half = NORMAL_95 * math.sqrt((1.0 + rho * rho / 2.0) / (n - 3))
            low, high = math.tanh(math.atanh(inside) - half), math.tanh(math.atanh(inside) + half)
        found[j] = rho, min(low, rho), max(high, rho)
    value, low, high = found.mean(axis=0).tolist()
    return {"value": value, "low": low, "high": high}


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) ranks, equal values sharing their mean rank."""
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, side="left")
    return np.asarray((below + np.searchsorted(ordered, values, side="right") - 1) / 2.0)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float(a @ a) * float(b @ b))
    return min(1.0, max(-1.0, float(a @ b) / norm)) if norm > 0.0 else 0.0
