"""k nearest neighbours by Euclidean distance: votes for classes, means of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zoo import engine
from zoo.heads import arrays
from zoo.plugin.head import (
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

_NEIGHBOURS = (50, 20, 10, 5, 3, 1)  # more neighbours smooth more: strongest first


class KnnHead(Head):
    """Votes of the nearest training rows; `strength` is the number of neighbours.

    A class of `votes` among `k` neighbours has probability (votes + 1 / classes) / (k + 1): one
    vote is spread over all classes, so that none is impossible. Numbers are the neighbours' mean.
    """

    name = "knn"
    tasks: ClassVar[frozenset[str]] = frozenset({"class", "regression"})

    def __init__(self) -> None:
        super().__init__()
        self._rows = np.empty((0, 0), np.float32)
        self._codes = np.empty(0, np.int64)
        self._classes = 0
        self._numbers: np.ndarray | None = None  # (n, t), of a regression target

    def fit(
        self,
        rows: Rows,
        target: Target,
        *,
        sample_weight: np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        """Keep the rows that have weight, all as equals; by default at most 5 neighbours."""
        del seed  # nothing here is random
        arrays.require_task(self.name, self.tasks, target.task)
        x = rows.array()
        kept = np.arange(len(x)) if sample_weight is None else np.flatnonzero(sample_weight > 0)
        x = x if sample_weight is None else x[kept]
        with arrays.data_errors(self.name):
            engine.require_rows(x)
        self._rows = x
        if target.task == "regression":
            self._numbers = arrays.numbers(target, rows, self.name)[kept]
            self.strength = float(min(5, len(x))) if self.strength is None else self.strength
            return
        codes, self._classes = arrays.class_codes(target, rows, self.name)
        codes = codes[kept]
        self._codes, self._numbers = codes, None
        if self.strength is None:
            # More neighbours than the smallest class has rows would outvote it wherever it is.
            self.strength = float(min(5, np.unique(codes, return_counts=True)[1].min()))

    def strengths(self, rows: Rows, target: Target) -> tuple[float, ...]:
        """Those of 50, 20, 10, 5, 3 and 1 neighbours that the rows can give."""
        del target
        return tuple(float(k) for k in _NEIGHBOURS if k <= rows.shape[0])

    def search(
        self,
        rows: Rows,
        target: Target,
        folds: Sequence[Fold],
        strengths: Sequence[float] = (),
    ) -> SearchResult:
        """The most neighbours are found once a fold and serve every smaller number."""
        judged = arrays.require_folds(folds, self.name)
        grid = tuple(sorted(strengths, reverse=True)) or self.strengths(rows, target)
        if target.task == "regression":
            return self._search_numbers(rows, target, folds, grid, judged)
        codes, k = arrays.class_codes(target, rows, self.name)
        x = rows.array()
        sums, neighbours = np.zeros((len(folds), len(grid))), []
        with arrays.data_errors(self.name):
            for f, (fit_on, held) in enumerate(folds):
                near, _ = engine.knn_search(x[fit_on], x[held], int(grid[0]), threads=self.threads)
                labels = codes[fit_on][near]
                sums[f] = [log_loss_sum(_scores(labels[:, : int(s)], k), codes[held]) for s in grid]
                neighbours.append(labels)
        losses = sums.sum(axis=0) / judged
        self.strength = grid[int(np.argmin(losses))]
        held_scores = np.full((len(x), k), np.nan)
        for (_, held), labels in zip(folds, neighbours, strict=True):
            held_scores[held] = _scores(labels[:, : int(self.strength)], k)
        means = fold_means(sums, folds)
        return SearchResult(grid, losses, self.strength, held_scores, means)

    def _search_numbers(
        self, rows: Rows, target: Target, folds: Sequence[Fold], grid: Sequence[float], judged: int
    ) -> SearchResult:
        y, x = arrays.numbers(target, rows, self.name), rows.array()
        sums, share = np.zeros((len(folds), len(grid))), 1.0 / spread(y)
        with arrays.data_errors(self.name):
            for f, (fit_on, held) in enumerate(folds):
                near, _ = engine.knn_search(x[fit_on], x[held], int(grid[0]), threads=self.threads)
                values = y[fit_on][near]  # (m, neighbours, t)
                for s, neighbours in enumerate(grid):
                    means = values[:, : int(neighbours)].mean(axis=1)
                    sums[f, s] = squared_error_sums(means, y[held]) @ share
        losses = sums.sum(axis=0) / judged
        self.strength = grid[int(np.argmin(losses))]
        return SearchResult(tuple(grid), losses, self.strength, None, fold_means(sums, folds))

    def scores(self, rows: Rows) -> np.ndarray:
        """(n, k) float64 log probabilities; (n, t) predictions of numbers."""
        arrays.require_width(rows, self._rows.shape[1], self.name)
        width = self._classes if self._numbers is None else self._numbers.shape[1]
        parts = [np.empty((0, width))]
        with arrays.data_errors(self.name):
            for block in rows.blocks():
                near, _ = engine.knn_search(
                    self._rows, block, int(self.strength or 1), threads=self.threads
                )
                if self._numbers is None:
                    parts.append(_scores(self._codes[near], self._classes))
                else:
                    parts.append(self._numbers[near].mean(axis=1))
        return np.concatenate(parts)

    def state(self) -> dict[str, np.ndarray]:
        """The training rows, their codes or numbers, the number of classes and of neighbours."""
        state = {"rows": self._rows, "strength": np.array(self.strength or 0.0)}
        if self._numbers is not None:
            return {**state, "numbers": self._numbers}
        return {**state, "codes": self._codes, "classes": np.array(self._classes, np.int64)}

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> KnnHead:
        """The head that `state` describes."""
        head = cls()
        rows = arrays.take(state, "rows", 2, cls.name)
        narrow = np.asarray(state["rows"]).dtype == np.float32
        head._rows = rows.astype(np.float32) if narrow else rows
        head.strength = arrays.take_scalar(state, "strength", cls.name)
        if "numbers" in state:
            head._numbers = arrays.take(state, "numbers", 2, cls.name)
            arrays.require_fit(
                cls.name,
                fits=len(rows) == len(head._numbers) >= 1
                and head.strength >= 1
                and head._numbers.shape[1] >= 1,
                what=f"rows {rows.shape}, numbers {head._numbers.shape}, "
                f"{head.strength:g} neighbours",
            )
            return head
        head._codes = arrays.take(state, "codes", 1, cls.name).astype(np.int64)
        head._classes = int(arrays.take_scalar(state, "classes", cls.name))
        arrays.require_fit(
            cls.name,
            fits=len(rows) == len(head._codes) >= 1 and head.strength >= 1,
            what=f"rows {rows.shape}, codes {head._codes.shape}, {head.strength:g} neighbours",
        )
        arrays.require_fit(
            cls.name,
            fits=bool(head._codes.min() >= 0 and head._codes.max() < head._classes),
            what=f"codes outside [0, {head._classes})",
        )
        return head


def _scores(labels: np.ndarray, classes: int) -> np.ndarray:
    """(m, k) labels of neighbours as (m, classes) log probabilities."""
    m, k = labels.shape
    votes = np.zeros((m, classes))
    np.add.at(votes, (np.arange(m)[:, None], labels), 1.0)
    scores: np.ndarray = np.log((votes + 1.0 / classes) / (k + 1.0))
    return scores
