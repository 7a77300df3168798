"""Logistic regression with an L2 penalty: binary for two classes, else multinomial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zoo import engine
from zoo.heads import arrays
from zoo.plugin.head import FitReport, Fold, Head, Rows, SearchResult

if TYPE_CHECKING:
    from zoo.plugin.dataset import Target


class LogisticHead(Head):
    """The head to try first: calibrated by its own loss, solved to a certified optimum."""

    name = "logistic"
    tasks: ClassVar[frozenset[str]] = frozenset({"class"})
    tolerance = 1e-6

    def __init__(self) -> None:
        super().__init__()
        self._fit: engine.LogisticFit | None = None
        self._weights = np.empty((0, 0))
        self._intercepts = np.empty(0)

    def fit(
        self,
        rows: Rows,
        target: Target,
        *,
        sample_weight: np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        """Fit at `strength`, by default a thousandth of the rows' total variance."""
        del seed  # nothing here is random
        codes, k = arrays.class_codes(target, rows, self.name)
        x = rows.array()
        with arrays.data_errors(self.name):
            if self.strength is None:
                self.strength = 1e-3 * (engine.total_variance(x) or 1.0)
            self._fit = engine.fit_logistic(
                x,
                codes,
                k,
                strength=self.strength,
                sample_weight=sample_weight,
                tolerance=self.tolerance,
                threads=self.threads,
            )
        self._weights, self._intercepts = self._fit.weights, self._fit.intercepts

    def strengths(self, rows: Rows, target: Target) -> tuple[float, ...]:
        """Twenty, relative to the rows' total variance."""
        del target
        return engine.strength_grid(engine.total_variance(rows.array()))

    def search(
        self,
        rows: Rows,
        target: Target,
        folds: Sequence[Fold],
        strengths: Sequence[float] = (),
    ) -> SearchResult:
        """All folds at all strengths in one go; ties go to the stronger."""
        codes, k = arrays.class_codes(target, rows, self.name)
        arrays.require_folds(folds, self.name)
        x = rows.array()
        with arrays.data_errors(self.name):
            grid = tuple(sorted(strengths, reverse=True)) or self.strengths(rows, target)
            path = engine.search_logistic(
                x, codes, k, folds=folds, strengths=grid, threads=self.threads
            )
        self.strength = grid[path.chosen]
        return SearchResult(grid, path.mean, self.strength, _two_columns(path.scores))

    def scores(self, rows: Rows) -> np.ndarray:
        """(n, k) float64; two classes get the columns 0 and z."""
        arrays.require_width(rows, self._weights.shape[1], self.name)
        return _two_columns(arrays.linear_scores(rows, self._weights, self._intercepts))

    def state(self) -> dict[str, np.ndarray]:
        """Weights (k or 1, d), intercepts and strength, float64."""
        return {
            "weights": self._weights,
            "intercepts": self._intercepts,
            "strength": np.array(self.strength or 0.0),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> LogisticHead:
        """The head that `state` describes."""
        head = cls()
        head._weights, head._intercepts, head.strength = arrays.linear_state(state, cls.name)
        arrays.require_fit(
            cls.name, fits=len(head._weights) != 2, what="two classes have one weight vector"
        )
        return head

    def report(self) -> FitReport:
        """The certificate of the last fit."""
        if self._fit is None:
            return FitReport()
        return FitReport(self._fit.converged, self._fit.suboptimality)


def _two_columns(z: np.ndarray) -> np.ndarray:
    """(n, 1) scores of class 1 over class 0 as (n, 2); others as they are."""
    return np.concatenate([0.0 * z, z], axis=1) if z.shape[1] == 1 else z
