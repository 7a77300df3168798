"""Ridge regression on numbers or class indicators: closed form, with exact leave-one-out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zoo import engine
from zoo.heads import arrays
from zoo.plugin.head import (
    ArrayRows,
    Fold,
    Head,
    Rows,
    SearchResult,
    fold_means,
    log_loss_sum,
    spread,
    squared_error_sums,
)

if TYPE_CHECKING:
    from zoo.plugin.dataset import Target

_KEPT = 1 << 26  # scores of all strengths to remember, 512 MiB; beyond, the chosen is fitted again


class RidgeHead(Head):
    """Least squares on numbers, or on one-hot classes.

    Scores of classes are sharpened by a temperature fitted on left-out scores; of numbers they are
    the predictions, one column each.
    """

    name = "ridge"
    tasks: ClassVar[frozenset[str]] = frozenset({"class", "regression"})

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
        """Fit at `strength`; without one, at that of least leave-one-out loss."""
        del seed  # nothing here is random
        arrays.require_task(self.name, self.tasks, target.task)
        grid = (self.strength,) if self.strength is not None else self.strengths(rows, target)
        if target.task == "regression":
            self._fit_numbers(rows, target, grid, sample_weight)
            return
        codes, k = arrays.class_codes(target, rows, self.name)
        with arrays.data_errors(self.name):
            path = engine.ridge_path(
                rows.array(),
                codes,
                k,
                strengths=grid,
                sample_weight=sample_weight,
                threads=self.threads,
            )
        best = min(path, key=lambda fit: fit.loss)  # the first, hence strongest, of equals
        self.strength = best.strength
        self._weights = best.weights * best.inverse_temperature
        self._intercepts = best.intercepts * best.inverse_temperature

    def _fit_numbers(
        self,
        rows: Rows,
        target: Target,
        grid: Sequence[float],
        sample_weight: np.ndarray | None,
    ) -> None:
        y = arrays.numbers(target, rows, self.name)
        with arrays.data_errors(self.name):
            path = engine.ridge_regression(
                rows.array(),
                y,
                strengths=grid,
                sample_weight=sample_weight,
                leave_one_out=len(grid) > 1,
                threads=self.threads,
            )
        best = path[0] if len(path) == 1 else path[int(np.argmin(_left_out_losses(path, y)))]
        self.strength, self._intercepts = best.strength, best.intercepts
        self._weights = np.ascontiguousarray(best.weights)

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
        """One factorisation a fold; without folds, leave-one-out from one factorisation."""
        grid = tuple(sorted(strengths, reverse=True)) or self.strengths(rows, target)
        if target.task == "regression":
            return self._search_numbers(rows, target, folds, grid)
        codes, k = arrays.class_codes(target, rows, self.name)
        x = rows.array()
        sums, held_scores = np.zeros((len(folds), len(grid))), np.full((len(x), k), np.nan)
        with arrays.data_errors(self.name):
            if folds:
                judged = arrays.require_folds(folds, self.name)
                kept: list[list[np.ndarray]] = []
                for f, (fit_on, held) in enumerate(folds):
                    path = engine.ridge_path(
                        x[fit_on], codes[fit_on], k, strengths=grid, threads=self.threads
                    )
                    scores = [_scores(fit, x[held]) for fit in path]
                    sums[f] = [log_loss_sum(part, codes[held]) for part in scores]
                    kept += [scores] if judged * k * len(grid) <= _KEPT else []
                losses = sums.sum(axis=0) / judged
                best = int(np.argmin(losses))
                for number, (fit_on, held) in enumerate(folds):
                    if kept:
                        held_scores[held] = kept[number][best]
                        continue
                    (fit,) = engine.ridge_path(
                        x[fit_on], codes[fit_on], k, strengths=grid[best:][:1], threads=self.threads
                    )
                    held_scores[held] = _scores(fit, x[held])
            else:
                path = engine.ridge_path(x, codes, k, strengths=grid, threads=self.threads)
                losses = np.array([fit.loss for fit in path])
                best = int(np.argmin(losses))
                if (left_out := path[best].left_out) is not None:
                    held_scores = left_out * path[best].inverse_temperature
        self.strength = grid[best]
        means = fold_means(sums, folds) if folds else None
        return SearchResult(grid, losses, self.strength, held_scores, means)

    def _search_numbers(
        self, rows: Rows, target: Target, folds: Sequence[Fold], grid: Sequence[float]
    ) -> SearchResult:
        """By squared error in units of each output's variance, that none outweighs the others."""
        y = arrays.numbers(target, rows, self.name)
        x, sums = rows.array(), np.zeros((len(folds), len(grid)))
        with arrays.data_errors(self.name):
            if folds:
                judged = arrays.require_folds(folds, self.name)
                for f, (fit_on, held) in enumerate(folds):
                    path = engine.ridge_regression(
                        x[fit_on],
                        y[fit_on],
                        strengths=grid,
                        leave_one_out=False,
                        threads=self.threads,
                    )
                    block = ArrayRows(x[held])
                    for s, fit in enumerate(path):
                        found = arrays.linear_scores(block, fit.weights, fit.intercepts)
                        sums[f, s] = squared_error_sums(found, y[held]) @ (1.0 / spread(y))
                losses = sums.sum(axis=0) / judged
            else:
                path = engine.ridge_regression(x, y, strengths=grid, threads=self.threads)
                losses = _left_out_losses(path, y)
        self.strength = grid[int(np.argmin(losses))]
        means = fold_means(sums, folds) if folds else None
        return SearchResult(tuple(grid), losses, self.strength, None, means)

    def scores(self, rows: Rows) -> np.ndarray:
        """(n, k) float64, temperature included; (n, t) predictions of numbers."""
        arrays.require_width(rows, self._weights.shape[1], self.name)
        return arrays.linear_scores(rows, self._weights, self._intercepts)

    def state(self) -> dict[str, np.ndarray]:
        """Weights (k, d) and intercepts, temperature included, and strength, float64."""
        return {
            "weights": self._weights,
            "intercepts": self._intercepts,
            "strength": np.array(self.strength or 0.0),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> RidgeHead:
        """The head that `state` describes."""
        head = cls()
        head._weights, head._intercepts, head.strength = arrays.linear_state(state, cls.name)
        return head


def _left_out_losses(path: Sequence[engine.RidgeRegression], y: np.ndarray) -> np.ndarray:
    """(s,) left-out squared errors of (n, t) numbers, in units of their variances."""
    errors = np.stack([np.zeros(y.shape[1]) if f.errors is None else f.errors for f in path])
    return np.asarray(errors @ (1.0 / spread(y)))


def _scores(fit: engine.RidgeFit, x: np.ndarray) -> np.ndarray:
    scores = arrays.linear_scores(ArrayRows(x), fit.weights, fit.intercepts)
    return np.asarray(fit.inverse_temperature * scores)
