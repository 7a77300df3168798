"""Logistic regression with an L2 penalty: binary, multinomial, or one binary a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zoo import engine
from zoo.heads import arrays
from zoo.plugin.head import FitReport, Fold, Head, Rows, SearchResult, fold_means

if TYPE_CHECKING:
    from zoo.plugin.dataset import Target


class LogisticHead(Head):
    """The head to try first: calibrated by its own loss, solved to a certified optimum.

    Labels, of which a sample may have several, are one problem each, in shared passes and at one
    strength. A label that all training rows have or that none has keeps its odds, each side of them
    with half a row more.
    """

    name = "logistic"
    tasks: ClassVar[frozenset[str]] = frozenset({"class", "multilabel"})
    tolerance = 1e-6

    def __init__(self) -> None:
        super().__init__()
        self._fits: list[engine.LogisticFit] = []
        self._multilabel = False
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
        arrays.require_task(self.name, self.tasks, target.task)
        self._multilabel = target.task == "multilabel"
        x = rows.array()
        if self.strength is None:
            with arrays.data_errors(self.name):
                self.strength = 1e-3 * (engine.total_variance(x) or 1.0)
        if self._multilabel:
            self._fit_labels(x, arrays.marks(target, rows, self.name), sample_weight)
            return
        codes, k = arrays.class_codes(target, rows, self.name)
        with arrays.data_errors(self.name):
            fit = engine.fit_logistic(
                x,
                codes,
                k,
                strength=self.strength,
                sample_weight=sample_weight,
                tolerance=self.tolerance,
                threads=self.threads,
            )
        self._fits = [fit]
        self._weights, self._intercepts = fit.weights, fit.intercepts

    def _fit_labels(
        self, x: np.ndarray, marks: np.ndarray, sample_weight: np.ndarray | None
    ) -> None:
        weight = np.ones(len(x)) if sample_weight is None else sample_weight
        there = ((marks == 1) * weight[:, None]).sum(axis=0)
        not_there = ((marks == 0) * weight[:, None]).sum(axis=0)
        varied = (there > 0.0) & (not_there > 0.0)
        self._weights = np.zeros((marks.shape[1], x.shape[1]))
        self._intercepts = np.log(there + 0.5) - np.log(not_there + 0.5)
        with arrays.data_errors(self.name):
            engine.require_rows(x)
            self._fits = (
                engine.fit_multilabel(
                    x,
                    marks[:, varied],
                    strength=self.strength or 0.0,
                    sample_weight=sample_weight,
                    tolerance=self.tolerance,
                    threads=self.threads,
                )
                if varied.any()
                else []
            )
        for label, fit in zip(np.flatnonzero(varied), self._fits, strict=True):
            self._weights[label], self._intercepts[label] = fit.weights[0], fit.intercepts[0]

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
        """All folds at all strengths in one go, label by label; ties go to the stronger."""
        arrays.require_task(self.name, self.tasks, target.task)
        judged = arrays.require_folds(folds, self.name)
        if target.task == "multilabel":
            return self._search_labels(rows, target, folds, strengths, judged)
        codes, k = arrays.class_codes(target, rows, self.name)
        x = rows.array()
        with arrays.data_errors(self.name):
            grid = tuple(sorted(strengths, reverse=True)) or self.strengths(rows, target)
            path = engine.search_logistic(
                x, codes, k, folds=folds, strengths=grid, threads=self.threads
            )
        self.strength = grid[path.chosen]
        means = fold_means(path.losses, folds)
        return SearchResult(grid, path.mean, self.strength, _two_columns(path.scores), means)

    def _search_labels(
        self,
        rows: Rows,
        target: Target,
        folds: Sequence[Fold],
        strengths: Sequence[float],
        judged: int,
    ) -> SearchResult:
        """One strength for all labels: that of least mean loss over them."""
        marks, x = arrays.marks(target, rows, self.name), rows.array()
        with arrays.data_errors(self.name):
            grid = tuple(sorted(strengths, reverse=True)) or self.strengths(rows, target)
            losses, sums = np.zeros(len(grid)), np.zeros((len(folds), len(grid)))
            for label in marks.T:
                if label.min() < label.max():
                    path = engine.search_logistic(
                        x, label, 2, folds=folds, strengths=grid, threads=self.threads
                    )
                    losses += path.losses.sum(axis=0) / (judged * marks.shape[1])
                    sums += path.losses / marks.shape[1]
        self.strength = grid[int(np.argmin(losses))]
        return SearchResult(grid, losses, self.strength, None, fold_means(sums, folds))

    def scores(self, rows: Rows) -> np.ndarray:
        """(n, k) float64; two classes get the columns 0 and z, labels their log odds."""
        arrays.require_width(rows, self._weights.shape[1], self.name)
        scores = arrays.linear_scores(rows, self._weights, self._intercepts)
        return scores if self._multilabel else _two_columns(scores)

    def state(self) -> dict[str, np.ndarray]:
        """Weights (k or 1 or labels, d), intercepts and strength, float64; ``multilabel`` if so."""
        state = {
            "weights": self._weights,
            "intercepts": self._intercepts,
            "strength": np.array(self.strength or 0.0),
        }
        return {**state, "multilabel": np.array(1, np.int64)} if self._multilabel else state

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> LogisticHead:
        """The head that `state` describes."""
        head = cls()
        head._weights, head._intercepts, head.strength = arrays.linear_state(state, cls.name)
        head._multilabel = "multilabel" in state
        arrays.require_fit(
            cls.name,
            fits=head._multilabel or len(head._weights) != 2,
            what="two classes have one weight vector",
        )
        return head

    def report(self) -> FitReport:
        """The certificate of the last fit; of labels that of the worst."""
        if not self._fits:
            return FitReport()
        worst = max(fit.suboptimality for fit in self._fits)
        return FitReport(all(fit.converged for fit in self._fits), worst)


def _two_columns(z: np.ndarray) -> np.ndarray:
    """(n, 1) scores of class 1 over class 0 as (n, 2); others as they are."""
    return np.concatenate([0.0 * z, z], axis=1) if z.shape[1] == 1 else z
