"""What becomes of each class on held-out rows: recall, precision and F1, and the confusions.

Recall and precision are shares of rows and have Wilson's intervals. F1 is 2 J / (1 + J) of the
share J (Jaccard's) that is hit of the rows that are of the class or called so, and its bounds are
those of Wilson's for J. For repeated cross-validation counts are means over the repeats, so that
they add up to the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.metrics.intervals import wilson

MATRIX = 50  # classes up to which the whole matrix is told
_PAIRS = 20


@dataclass(frozen=True, eq=False)
class Confusions:
    """Counts of rows by class and by the class that is told; no more is kept than there is.

    Attributes:
        names: the k classes.
        true: (p,) int64 class codes, each pair with `told` once, by `true` and then `told`.
        told: (p,) int64 class codes.
        rows: (p,) float64 counts; of repeats their mean.
    """

    names: tuple[str, ...]
    true: np.ndarray
    told: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, codes: np.ndarray, names: Sequence[str]) -> Confusions:
        """From (n, k) or (r, n, k) scores, whose highest is told, and (n,) class codes."""
        stack = scores[None] if scores.ndim == 2 else scores
        k = len(names)
        pairs, counts = np.unique(codes * k + stack.argmax(axis=2), return_counts=True)
        return cls(tuple(names), pairs // k, pairs % k, counts / len(stack))

    def matrix(self) -> np.ndarray:
        """(k, k) float64, a row for each class."""
        out = np.zeros((len(self.names), len(self.names)))
        out[self.true, self.told] = self.rows
        return out

    def classes(self) -> list[dict[str, Any]]:
        """One entry a class that some row has or is told to have, by its code.

        Returns:
            ``{"name", "rows", "called", "recall", "precision", "f1"}``; the last three are
            ``{"value", "low", "high"}``, or None where there is nothing to take a share of.
        """
        k, right = len(self.names), self.true == self.told
        rows, called = (np.bincount(x, self.rows, k) for x in (self.true, self.told))
        hits = np.bincount(self.true[right], self.rows[right], k)
        return [
            {
                "name": self.names[code],
                "rows": round(float(rows[code])),
                "called": _plain(float(called[code])),
                "recall": _share(float(hits[code]), float(rows[code])),
                "precision": _share(float(hits[code]), float(called[code])),
                "f1": _f1(_share(float(hits[code]), float(rows[code] + called[code] - hits[code]))),
            }
            for code in np.flatnonzero(rows + called).tolist()
        ]

    def as_dict(self) -> dict[str, Any]:
        """The matrix up to 50 classes, and in any case the most frequent confusions.

        Returns:
            ``{"names", "counts", "pairs"}``: class names; a row of counts for each class, by the
            class that is told; at most 20 of ``{"true", "predicted", "rows"}``. Beyond 50 classes
            the first two are empty.
        """
        wrong = np.flatnonzero(self.true != self.told)
        most = wrong[np.argsort(-self.rows[wrong], kind="stable")][:_PAIRS]
        pairs = [
            {
                "true": self.names[self.true[i]],
                "predicted": self.names[self.told[i]],
                "rows": _plain(float(self.rows[i])),
            }
            for i in most.tolist()
        ]
        if len(self.names) > MATRIX:
            return {"names": [], "counts": [], "pairs": pairs}
        table = [[_plain(value) for value in row] for row in self.matrix().tolist()]
        return {"names": list(self.names), "counts": table, "pairs": pairs}


def _share(part: float, whole: float) -> dict[str, float] | None:
    """A share with Wilson's interval."""
    return wilson(min(1.0, part / whole), whole) if whole else None


def _f1(overlap: dict[str, float] | None) -> dict[str, float] | None:
    return overlap and {end: 2 * share / (1 + share) for end, share in overlap.items()}


def _plain(count: float) -> float:
    """A count as a whole number where it is one; means over repeats have one digit."""
    return int(count) if count == int(count) else round(count, 4)
