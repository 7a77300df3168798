"""Linear discriminant analysis: Gaussian classes of one shrunk covariance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zoo import engine
from zoo.errors import DataError
from zoo.heads import arrays
from zoo.plugin.head import ArrayRows, Fold, Head, Rows, SearchResult, fold_means

if TYPE_CHECKING:
    from zoo.plugin.dataset import Target


class LdaHead(Head):
    """The posterior under Gaussian classes that share a covariance: no iteration, no temperature.

    `strength` is the shrinkage of the covariance towards a multiple of the identity, from 0 (none)
    to 1 (the nearest class mean).
    """

    name = "lda"
    tasks: ClassVar[frozenset[str]] = frozenset({"class"})

    def __init__(self) -> None:
        super().__init__()
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
        """Fit at `strength`, by default Ledoit and Wolf's (2004) estimate of the best."""
        del seed  # nothing here is random
        codes, k = arrays.class_codes(target, rows, self.name)
        with arrays.data_errors(self.name):
            fit = engine.fit_lda(
                rows.array(),
                codes,
                k,
                strength=self.strength,
                sample_weight=sample_weight,
                threads=self.threads,
            )
        self.strength = fit.strength
        self._weights, self._intercepts = fit.weights, fit.intercepts

    def strengths(self, rows: Rows, target: Target) -> tuple[float, ...]:
        """Twelve shrinkages from 1 to 1e-4, whatever the rows' scale."""
        del rows, target
        return engine.SHRINKAGES

    def search(
        self,
        rows: Rows,
        target: Target,
        folds: Sequence[Fold],
        strengths: Sequence[float] = (),
    ) -> SearchResult:
        """One factorisation a fold, all folds from two passes; ties go to the stronger."""
        codes, k = arrays.class_codes(target, rows, self.name)
        arrays.require_folds(folds, self.name)
        grid = tuple(sorted(strengths, reverse=True)) or self.strengths(rows, target)
        x = rows.array()
        with arrays.data_errors(self.name):
            path = engine.search_lda(x, codes, k, folds=folds, strengths=grid, threads=self.threads)
            self.strength = grid[int(np.argmin(path.mean))]
            held_scores = np.full((len(x), k), np.nan)
            for fit_on, held in folds:
                if len(np.unique(codes[fit_on])) < 2:
                    continue  # nothing to tell apart: such rows stay without scores
                fit = engine.fit_lda(
                    x[fit_on], codes[fit_on], k, strength=self.strength, threads=self.threads
                )
                block = ArrayRows(x[held])
                held_scores[held] = arrays.linear_scores(block, fit.weights, fit.intercepts)
        means = fold_means(path.losses, folds)
        return SearchResult(grid, path.mean, self.strength, held_scores, means)

    def scores(self, rows: Rows) -> np.ndarray:
        """(n, k) float64: log posteriors up to what all classes share."""
        arrays.require_width(rows, self._weights.shape[1], self.name)
        return arrays.linear_scores(rows, self._weights, self._intercepts)

    def state(self) -> dict[str, np.ndarray]:
        """Weights (k, d), intercepts and strength, float64."""
        return {
            "weights": self._weights,
            "intercepts": self._intercepts,
            "strength": np.array(self.strength or 0.0),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> LdaHead:
        """The head that `state` describes."""
        head = cls()
        head._weights = arrays.take(state, "weights", 2, cls.name)
        head._intercepts = arrays.take(state, "intercepts", 1, cls.name)
        head.strength = float(arrays.take(state, "strength", 0, cls.name))
        arrays.require_fit(
            cls.name,
            fits=len(head._weights) == len(head._intercepts) >= 2,
            what=f"weights {head._weights.shape}, intercepts {head._intercepts.shape}",
        )
        if not 0.0 <= head.strength <= 1.0:
            raise DataError(
                f"head '{cls.name}': 'strength' must lie in [0, 1], not {head.strength}"
            )
        return head
