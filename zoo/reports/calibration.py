"""Bins confidences for a reliability diagram: how sure the head was, and how often it was right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo.engine import confidence_bins
from zoo.errors import UsageError
from zoo.metrics.intervals import wilson


@dataclass(frozen=True, eq=False)
class Reliability:
    """The bins of a reliability diagram (Guo et al. 2017); bins without rows have NaN.

    Attributes:
        edges: (b + 1,) borders; bin i holds confidences in (edges[i], edges[i + 1]].
        counts: (b,) rows.
        confidence: (b,) their mean confidence.
        accuracy: (b,) the share of them that is right.
        low, high: (b,) Wilson's 95 % interval of the accuracy.
        ece: the expected calibration error: mean gap between the two, weighted by rows.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ece: float


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> Reliability:
    """Bins of (n,) confidences and whether each of the n rows is right.

    Of labels, which a sample may have several of, give every pair of sample and label: how likely
    the label is there, and whether it is.

    Raises:
        UsageError: no rows or bins, shapes do not fit, or a confidence is not in [0, 1].
    """
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, np.bool_)
    if confidence.ndim != 1 or confidence.shape != right.shape or not len(right) or bins < 1:
        raise UsageError(f"{confidence.shape} confidences of {right.shape} rows in {bins} bins")
    if not ((confidence >= 0.0) & (confidence <= 1.0)).all():
        raise UsageError("a confidence is not between 0 and 1")
    place = confidence_bins(confidence, bins)
    counts = np.bincount(place, minlength=bins)
    there = counts > 0
    mean, share = (
        np.divide(
            np.bincount(place, values, minlength=bins),
            counts,
            out=np.full(bins, np.nan),
            where=there,
        )
        for values in (confidence, right.astype(np.float64))
    )
    low, high = np.full(bins, np.nan), np.full(bins, np.nan)
    for i in np.flatnonzero(there):
        interval = wilson(float(share[i]), int(counts[i]))
        low[i], high[i] = interval["low"], interval["high"]
    gaps = counts[there] @ np.abs(share[there] - mean[there])
    edges = np.linspace(0.0, 1.0, bins + 1)
    return Reliability(edges, counts, mean, share, low, high, float(gaps / len(right)))
