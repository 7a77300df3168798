"""Metrics of several labels a sample on held-out rows, each with a 95 % interval.

F1 scores and the log loss have percentile intervals of 1,000 bootstrap resamples of rows, subset
accuracy has Wilson's. Mean average precision is no function of means over rows: its resamples are
those of its linearisation, each row standing for its influence on it (the infinitesimal jackknife;
Efron and Tibshirani 1993, chapter 22), so that no row is ranked a thousand times. For repeated
cross-validation a value is the mean over the repeats, and intervals are over rows, as in
`zoo.metrics.classification`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.errors import DataError, UsageError
from zoo.metrics.auroc import auroc_of_labels
from zoo.metrics.intervals import (
    Metrics,
    mean_of,
    percentile,
    resampled_columns,
    resampled_means,
    wilson,
)

# Rows up to which resamples are drawn row by row: a normal distribution of the counts, as beyond,
# does not know that those of rare labels are small and whole.
_DRAWN = 100_000


def evaluate_multilabel(
    scores: np.ndarray, marks: np.ndarray, names: Sequence[str], seed: int = 0
) -> Metrics:
    """How well labels are told, at a probability of one half, by rank, and by their log loss.

    Args:
        scores: (n, l) log odds, or (r, n, l) for r repeats over the same rows; above 0 is told.
        marks: (n, l) of 0 and 1.
        names: the l labels.
        seed: of the resamples.

    Returns:
        ``{metric: {"value", "low", "high"}}``: `macro_f1`, the mean over the labels that some row
        has or is told to have; `micro_f1`, of all rows and labels together;
        `mean_average_precision` over the labels that some row has, as scikit-learn's
        average_precision_score; `auroc` over the labels that some row has and some has not, absent
        where there is none; `subset_accuracy`, the share of rows whose every label is right;
        `log_loss`, the mean over rows and labels. F1 and precision without any label are 0.

    Raises:
        UsageError: no rows or labels, or shapes that do not fit.
        DataError: a score is not finite.
    """
    stack = np.asarray(scores, np.float64)
    stack = stack[None] if stack.ndim == 2 else stack
    if stack.shape[1:] != (len(marks), len(names)) or 0 in stack.shape:
        raise UsageError(
            f"scores {stack.shape} do not fit {len(marks)} rows of {len(names)} labels"
        )
    if not np.isin(marks, (0, 1)).all():
        raise UsageError("marks must be 0 or 1")
    if not np.isfinite(stack).all():
        raise DataError(
            "the head's scores hold values that are not finite",
            hint="features may hold extreme values: look at them with zoo extract",
        )
    rng = np.random.Generator(np.random.PCG64(seed))
    there, told = np.asarray(marks) == 1, stack > 0.0
    out = _f1(told, there, rng)
    out["mean_average_precision"] = _mean_average_precision(stack, there, rng)
    if (area := auroc_of_labels(stack, there)) is not None:
        out["auroc"] = area
    right = (told == there).all(axis=2)
    out["subset_accuracy"] = wilson(float(right.mean()), len(there))
    losses = np.logaddexp(0.0, np.where(there, -stack, stack)).mean(axis=(0, 2))
    out["log_loss"] = mean_of(losses, rng)
    return out


def _f1(told: np.ndarray, there: np.ndarray, rng: np.random.Generator) -> Metrics:
    r, n, labels = told.shape
    hits = (told & there).transpose(1, 0, 2).reshape(n, r * labels)
    both = (told.astype(np.int8) + there).transpose(1, 0, 2).reshape(n, r * labels)
    columns = np.concatenate([hits, both], axis=1).astype(np.float64)
    exact = _f1_of_means(columns.mean(axis=0)[None], r)
    drawn = _f1_of_means(resampled_columns(columns, rng, drawn=_DRAWN), r)
    names = ("macro_f1", "micro_f1")
    return {
        name: percentile(float(value[0]), resampled)
        for name, value, resampled in zip(names, exact, drawn, strict=True)
    }


def _f1_of_means(means: np.ndarray, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Macro and micro F1, each (b,), of (b, 2 r l) mean hits and mean sums of marks and calls."""
    hits, both = (
        np.maximum(half, 0.0).reshape(len(means), repeats, -1)
        for half in np.split(means, 2, axis=1)
    )
    hits = np.minimum(2.0 * hits, both)
    of_labels = np.divide(hits, both, out=np.zeros_like(hits), where=both > 0.0).sum(axis=2)
    macro = of_labels / np.maximum((both > 0.0).sum(axis=2), 1)
    all_hits, all_both = hits.sum(axis=2), both.sum(axis=2)
    micro = np.divide(all_hits, all_both, out=np.zeros_like(all_hits), where=all_both > 0.0)
    return macro.mean(axis=1), micro.mean(axis=1)


def _mean_average_precision(
    stack: np.ndarray, there: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    n = len(there)
    known = np.flatnonzero(there.any(axis=0))
    if not len(known):
        return {"value": 0.0, "low": 0.0, "high": 0.0}
    value, influence = 0.0, np.zeros(n)
    for scores in stack:
        for label in known:
            precision, of_rows = _average_precision(scores[:, label], there[:, label])
            value += precision
            influence += of_rows
    parts = len(known) * len(stack)
    value = min(1.0, value / parts)
    drawn = value + resampled_means(n * influence / parts, rng)
    return percentile(value, np.clip(drawn, 0.0, 1.0))


def _average_precision(scores: np.ndarray, there: np.ndarray) -> tuple[float, np.ndarray]:
    """A label's average precision, and each row's influence: its derivative by the row's weight."""
    order = np.argsort(-scores, kind="stable")
    falling, y = -scores[order], there[order].astype(np.float64)
    first = np.searchsorted(falling, falling, side="left")  # of those with an equal score
    last = np.searchsorted(falling, falling, side="right") - 1
    above, hits = last + 1.0, np.cumsum(y)[last]
    total = float(y.sum())
    precision = float((y * hits / above).sum() / total)
    # What one row more at or above a labelled row does to that row's precision: a hit adds to its
    # numerator, any row to its denominator.
    as_hit = np.cumsum((y / above)[::-1])[::-1][first]
    as_row = np.cumsum((y * hits / above**2)[::-1])[::-1][first]
    influence = np.empty(len(y))
    influence[order] = (y * (hits / above - precision + as_hit) - as_row) / total
    return precision, influence
