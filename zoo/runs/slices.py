"""Metrics apart for each value of a column, and whether one is worse than all other rows.

Of classes a row is right or wrong, and Fisher's exact test (1934) compares a value's rows with all
others; of numbers and labels rows are ranked by their error (squared, in units of each output's
deviation; log loss), and Mann and Whitney's test (1947) does, with ties. Both are one-sided, and
their p-values are adjusted for all values of all columns together (Holm 1979): that any value is
called worse where none is happens once in 20 runs at most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine import log_softmax
from zoo.metrics import evaluate, evaluate_multilabel, evaluate_regression

if TYPE_CHECKING:
    from zoo.metrics import Metrics
    from zoo.plugin import Target

SHOWN = 20  # values of a column, the most frequent
LEVEL = 0.05
_NAMED = 100  # values left out that are named


def slice_metrics(
    scores: np.ndarray,
    calibrated: np.ndarray,
    target: Target,
    columns: Mapping[str, np.ndarray],
    *,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """One entry a column, in their order.

    Args:
        scores: (m, k), or (r, m, k) for r repeats, the heads' own.
        calibrated: of the same shape, scores whose softmax is the belief.
        target: of the m rows.
        columns: m texts by a column's name.
        seed: of the resamples.

    Returns:
        ``{"column", "values", "left_out"}``: of the 20 most frequent values, the rarer of equals by
        code points, ``{"value", "rows", "metrics", "p", "worse"}``, where `p` is adjusted and
        `worse` that it is below 0.05; the other values' names, at most 100.
    """
    wrong = row_errors(scores, target)
    out: list[dict[str, Any]] = []
    raised: list[float] = []
    entries: list[dict[str, Any]] = []
    for column, texts in columns.items():
        names, counts = np.unique(texts, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        values = []
        for name in names[order[:SHOWN]]:
            rows = texts == name
            part = {"value": str(name), "rows": int(rows.sum())}
            some = target.take(np.flatnonzero(rows))
            parts = scores[..., rows, :], calibrated[..., rows, :]
            part["metrics"] = metrics_of_rows(*parts, some, seed)
            values.append(part)
            raised.append(_p_worse(wrong, rows))
        left = [str(name) for name in names[order[SHOWN:]][:_NAMED]]
        out.append({"column": column, "values": values, "left_out": left})
        entries += values
    for entry, p in zip(entries, holm(raised), strict=True):
        entry["p"], entry["worse"] = p, p < LEVEL
    return out


def row_errors(scores: np.ndarray, target: Target) -> np.ndarray:
    """(m,) how wrong each row is: 0 and 1 for classes, by the predictions of predictions.csv."""
    stack = scores[None] if scores.ndim == 2 else scores
    if target.task == "class":
        merged = (log_softmax(stack) if len(stack) > 1 else stack).mean(axis=0)
        return np.asarray(merged.argmax(axis=1) != target.values, np.float64)
    merged = stack.mean(axis=0)
    if target.task == "multilabel":
        return np.asarray(np.logaddexp(0.0, np.where(target.values == 1, -merged, merged)).mean(1))
    deviation = target.values.std(axis=0)
    unit = np.where(deviation > 0.0, deviation, 1.0)
    return np.asarray((((merged - target.values) / unit) ** 2).mean(axis=1))


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p-values in the order given (Holm 1979)."""
    out = [1.0] * len(p_values)
    least = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
        out[i] = least
    return out


def metrics_of_rows(
    scores: np.ndarray, calibrated: np.ndarray, target: Target, seed: int
) -> Metrics:
    """The metrics of some of the rows that judge, as those of all of them."""
    if target.task == "class":
        metrics = evaluate(scores, target.values, target.names, seed, calibrated=calibrated)
        return {name: value for name, value in metrics.items() if name != "log_loss_uncalibrated"}
    if target.task == "multilabel":
        return evaluate_multilabel(scores, target.values, target.names, seed)
    return evaluate_regression(scores, target.values, seed)


def _p_worse(wrong: np.ndarray, rows: np.ndarray) -> float:
    """The chance that so many errors fall on these rows, were they like all others."""
    if rows.all():
        return 1.0
    if np.isin(wrong, (0.0, 1.0)).all():
        return _fisher(int(wrong[rows].sum()), int(rows.sum()), int(wrong.sum()), len(wrong))
    return _mann_whitney(wrong, rows)


def _fisher(hits: int, drawn: int, marked: int, total: int) -> float:
    """The upper tail from `hits` of the hypergeometric distribution."""
    every = _log_choose(total, drawn)
    logs = [
        _log_choose(marked, i) + _log_choose(total - marked, drawn - i) - every
        for i in range(max(hits, drawn - (total - marked)), min(drawn, marked) + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _mann_whitney(wrong: np.ndarray, rows: np.ndarray) -> float:
    """One-sided, by the normal distribution with continuity and ties."""
    ordered, counts = np.unique(wrong, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[np.searchsorted(ordered, wrong)]
    n, m = len(wrong), int(rows.sum())
    larger = float(ranks[rows].sum()) - m * (m + 1) / 2
    tied = float((counts.astype(np.float64) ** 3 - counts).sum()) / (n * (n - 1))
    variance = m * (n - m) / 12 * (n + 1 - tied)
    if variance <= 0.0:
        return 1.0
    z = (larger - m * (n - m) / 2 - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)) / 2
