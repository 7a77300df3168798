"""Compares two classifiers on the same rows, by the rows that just one of them gets right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

_Z = 1.959963984540054  # two-sided 95 % of the normal distribution
_HALVINGS = 60  # of an interval of length 2: below float64's spacing near 1


@dataclass(frozen=True)
class Paired:
    """How two classifiers differ on n rows.

    Attributes:
        both: rows that both get right.
        first: rows that only the first gets right.
        second: rows that only the second gets right.
        neither: rows that neither gets right.
    """

    both: int
    first: int
    second: int
    neither: int

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray) -> Paired:
        """From two (n,) bool arrays, right or wrong; raises UsageError where they do not fit."""
        if first.shape != second.shape or first.ndim != 1 or not len(first):
            raise UsageError(f"rows to compare have shapes {first.shape} and {second.shape}")
        return cls(
            int((first & second).sum()),
            int((first & ~second).sum()),
            int((~first & second).sum()),
            int((~first & ~second).sum()),
        )

    @property
    def rows(self) -> int:
        """All of them."""
        return self.both + self.first + self.second + self.neither

    @property
    def difference(self) -> float:
        """Accuracy of the second minus that of the first."""
        return (self.second - self.first) / self.rows

    def p_value(self) -> float:
        """McNemar's exact test (1947), two-sided: were the first as often better as the second.

        Under that the rows that differ are fair coin tosses. Twice the smaller tail, at most 1.
        """
        tosses, fewer = self.first + self.second, min(self.first, self.second)
        whole = math.lgamma(tosses + 1) - tosses * math.log(2)
        logs = [whole - math.lgamma(i + 1) - math.lgamma(tosses - i + 1) for i in range(fewer + 1)]
        return min(1.0, 2 * math.fsum(map(math.exp, logs)))

    def interval(self) -> tuple[float, float]:
        """Tango's score interval (1998) of `difference`, 95 %: right for few and for all rows.

        Its ends are the differences that a score test at 5 % just does not reject, with the
        nuisance parameter at its restricted maximum of likelihood.
        """
        return self._end(-1.0), self._end(1.0)

    def _end(self, side: float) -> float:
        inside, outside = self.difference, side
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            if abs(self._score(middle)) <= _Z:
                inside = middle
            else:
                outside = middle
        return inside

    def _score(self, delta: float) -> float:
        """Standard normal where the true difference is `delta`."""
        n, b, c = self.rows, self.second, self.first
        away = b - c - n * delta
        linear = (2 * n - b + c) * delta - b - c
        constant = -c * delta * (1 - delta)
        root = math.sqrt(max(0.0, linear * linear - 8 * n * constant))
        share = (root - linear) / (4 * n)
        variance = n * (2 * share + delta * (1 - delta))
        if variance <= 0:
            return 0.0 if away == 0 else math.copysign(math.inf, away)
        return away / math.sqrt(variance)
