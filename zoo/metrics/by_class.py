"""What becomes of each class on held-out rows: recall, precision and F1, and the confusions.

Recall and precision are shares of rows and have Wilson's intervals. F1 is 2 J / (1 + J) of the
share J (Jaccard's) that is hit of the rows that are of the class or called so, and its bounds are
those of Wilson's for J. For repeated cross-validation counts are means over the repeats, so that
they add up to the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from zoo.metrics.intervals import wilson

MATRIX = 50  # classes up to which the whole matrix is told
_PAIRS = 20


def confusion_counts(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(k, k) float64 counts of rows by class and by the class of the highest score.

    Args:
        scores: (n, k), or (r, n, k) for r repeats, of which the mean is taken.
        codes: (n,) class codes.
    """
    stack = scores[None] if scores.ndim == 2 else scores
    k = stack.shape[2]
    pairs = codes * k + stack.argmax(axis=2)
    counts = np.bincount(pairs.ravel(), minlength=k * k).reshape(k, k)
    return np.asarray(counts / len(stack))


def class_table(counts: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """One entry a class that some row has or is told to have, by its code.

    Returns:
        ``{"name", "rows", "called", "recall", "precision", "f1"}``; the last three are
        ``{"value", "low", "high"}``, or None where there is nothing to take a share of.
    """
    rows, called, hits = counts.sum(axis=1), counts.sum(axis=0), counts.diagonal()
    return [
        {
            "name": names[code],
            "rows": round(float(rows[code])),
            "called": _plain(float(called[code])),
            "recall": _share(float(hits[code]), float(rows[code])),
            "precision": _share(float(hits[code]), float(called[code])),
            "f1": _f1(_share(float(hits[code]), float(rows[code] + called[code] - hits[code]))),
        }
        for code in np.flatnonzero(rows + called).tolist()
    ]


def confusion_part(counts: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """The matrix up to 50 classes, and in any case the most frequent confusions.

    Returns:
        ``{"names", "counts", "pairs"}``: class names; a row of counts for each class, by the class
        that is told; at most 20 of ``{"true", "predicted", "rows"}``. Beyond 50 classes the first
        two are empty.
    """
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0.0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    places = zip(*(at.tolist() for at in np.unravel_index(order, wrong.shape)), strict=True)
    pairs = [
        {"true": names[a], "predicted": names[b], "rows": _plain(float(wrong[a, b]))}
        for a, b in places
        if wrong[a, b] > 0
    ]
    if len(names) > MATRIX:
        return {"names": [], "counts": [], "pairs": pairs}
    table = [[_plain(value) for value in row] for row in counts.tolist()]
    return {"names": list(names), "counts": table, "pairs": pairs}


def _share(part: float, whole: float) -> dict[str, float] | None:
    """A share with Wilson's interval."""
    return wilson(part / whole, whole) if whole else None


def _f1(overlap: dict[str, float] | None) -> dict[str, float] | None:
    return overlap and {end: 2 * share / (1 + share) for end, share in overlap.items()}


def _plain(count: float) -> float:
    """A count as a whole number where it is one; means over repeats have one digit."""
    return int(count) if count == int(count) else round(count, 4)
