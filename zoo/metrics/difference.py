"""How much better one set of predictions is than another on the same rows, in points.

A point is a hundredth of the primary metric: of accuracy, of macro F1, of R2 (one percent of the
values' variance explained more). The interval is the paired percentile bootstrap's: rows are drawn
with what both predicted for them, groups and sets of duplicates as wholes where there are enough.
The bootstrap knows nothing of what it did not see: of four rows that differ, all in favour of one,
nearly every resample says so, and a coin would say so one time in eight. So the interval of
accuracies is never narrower than Tango's score interval of the same rows, and holds zero where
McNemar's exact test does not reject at 5 %. Of numbers and labels the percentiles are expanded
where rows are few.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import UsageError
from zoo.metrics.intervals import NORMAL_95, RESAMPLES, percentile, wilson
from zoo.metrics.paired import Paired

if TYPE_CHECKING:
    from zoo.plugin import Target

POINTS = 100.0
_REJECTED = 0.05  # p below which McNemar's test rejects
_ROUNDING = 1e-12  # of the mean square: a variance below it is what rounding leaves of equal values
_FEWEST = 5  # units; resamples of fewer hardly differ, and rows are drawn one by one


def primary_value(scores: np.ndarray, target: Target) -> float:
    """Accuracy, R2 or macro F1, by the task, of (m, k) scores of the m rows of a target."""
    columns = _columns(scores, target)
    return float(_of_means(columns.mean(axis=0)[None], target.task)[0])


def primary_interval(
    scores: np.ndarray, target: Target, *, units: np.ndarray | None = None, seed: int = 0
) -> dict[str, float]:
    """The same as ``value``, ``low``, ``high``: a 95 % interval, Wilson's of accuracies."""
    value = primary_value(scores, target)
    if target.task == "class":
        return wilson(value, len(scores))
    means, drawn = _resampled(_columns(scores, target), units, seed)
    return percentile(value, _of_means(means, target.task), tail_of(drawn))


def difference_in_points(
    first: np.ndarray,
    second: np.ndarray,
    target: Target,
    *,
    units: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """The primary metric of the second minus that of the first, times 100.

    Args:
        first: (m, k) scores, as those of a head.
        second: the same of other heads.
        target: the m rows, of classes, numbers or labels.
        units: (m,) numbers; rows of one number are drawn together.
        seed: of the resamples.

    Returns:
        ``value``, ``low`` and ``high``: a 95 % interval.

    Raises:
        UsageError: no rows, or scores whose shapes do not fit.
    """
    if first.shape != second.shape or len(first) != len(target.values) or not len(first):
        raise UsageError(f"scores {first.shape} and {second.shape} are not of the same rows")
    a, b = _columns(first, target), _columns(second, target)
    width = a.shape[1]
    means, count = _resampled(np.concatenate([a, b], axis=1), units, seed)
    drawn = _of_means(means[:, width:], target.task) - _of_means(means[:, :width], target.task)
    value = primary_value(second, target) - primary_value(first, target)
    found = percentile(value, drawn, 0.025 if target.task == "class" else tail_of(count))
    if target.task == "class":
        paired = Paired.of(a[:, 0] > 0.0, b[:, 0] > 0.0)
        ends = [found["low"], found["high"], *paired.interval()]
        ends += [0.0] if paired.p_value() >= _REJECTED else []
        found = {**found, "low": min(ends), "high": max(ends)}
    return {name: POINTS * part for name, part in found.items()}


def _columns(scores: np.ndarray, target: Target) -> np.ndarray:
    """(m, c) whose means decide the metric: hits; products; or squares and errors."""
    values = np.asarray(target.values)
    if target.task == "class":
        return np.asarray(scores.argmax(axis=1) == values, np.float64)[:, None]
    if target.task == "multilabel":
        told, there = scores > 0.0, values == 1
        return np.concatenate([told & there, told.astype(np.int8) + there], axis=1).astype(float)
    centred = values - values.mean(axis=0)
    return np.concatenate([centred, centred**2, (scores - values) ** 2], axis=1)


def _of_means(means: np.ndarray, task: str) -> np.ndarray:
    """(b,) metrics of (b, c) column means."""
    if task == "class":
        return means[:, 0]
    if task == "multilabel":
        hits, both = np.split(means, 2, axis=1)
        of_labels = np.divide(2.0 * hits, both, out=np.zeros_like(hits), where=both > 0.0)
        return np.asarray(of_labels.sum(axis=1) / np.maximum((both > 0.0).sum(axis=1), 1))
    mean, square, lost = np.split(means, 3, axis=1)
    variance = square - mean**2
    variance = np.where(variance > _ROUNDING * square, variance, 0.0)
    met = np.where(lost > 0.0, 1.0, 0.0)
    missed = np.divide(lost, variance, out=met, where=variance > 0.0)
    return np.asarray((1.0 - missed).mean(axis=1))


def tail_of(n: int) -> float:
    """Which share of resamples of n rows lies beyond each end of a 95 % interval.

    Resamples of few rows spread too little, by sqrt((n - 1) / n) and as if their spread were known:
    the expanded percentile (Hesterberg 2015, section 4.3) asks for the normal's share beyond
    t sqrt(n / (n - 1)), with Student's t by its expansion in 1 / (n - 1) (Fisher and Cornish 1960).
    """
    free = n - 1
    if free < 2:
        return 0.0
    z = NORMAL_95
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    t = sum(term / free**power for power, term in enumerate(terms))
    return 0.5 * math.erfc(t * math.sqrt(n / free) / math.sqrt(2.0))


def _resampled(columns: np.ndarray, units: np.ndarray | None, seed: int) -> tuple[np.ndarray, int]:
    """(1000, c) column means of resamples of the rows, or of units of rows; how many are drawn."""
    rng = np.random.Generator(np.random.PCG64(seed))
    sizes = np.ones(len(columns))
    if units is not None:
        there, of_rows = np.unique(units, return_inverse=True)
        if len(there) >= _FEWEST:
            sums = np.zeros((len(there), columns.shape[1]))
            np.add.at(sums, of_rows, columns)
            columns, sizes = sums, np.bincount(of_rows).astype(np.float64)
    n = len(columns)
    draws = rng.multinomial(n, np.full(n, 1.0 / n), RESAMPLES).astype(np.float64)
    return np.asarray((draws @ columns) / (draws @ sizes)[:, None]), n
