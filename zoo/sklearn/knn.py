"""k nearest neighbours by Euclidean distance, found exactly by the engine."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from zoo import engine
from zoo.sklearn.validation import check_labelled_rows, check_rows, require_count, thread_count


class KNNHead(ClassifierMixin, BaseEstimator):
    """Plain votes of the nearest rows, as KNeighborsClassifier's with uniform weights.

    Distances are exact in float64. Of equal distances the lower row is nearer, of equal votes the
    lower class wins.

    Args:
        n_neighbors: how many rows vote.
        n_jobs: threads: None is 1, -1 all that the process may use. Any number gives the same bits.

    Attributes:
        classes_: (k,) sorted labels.
        n_features_in_: d.
        n_samples_fit_: n.
    """

    def __init__(self, n_neighbors: int = 5, *, n_jobs: int | None = None) -> None:
        self.n_neighbors = n_neighbors
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any) -> Self:
        """Keep (n, d) rows and their n labels.

        Raises:
            ValueError: values are not finite, shapes differ, or a parameter has a value that it
                cannot have.
            TypeError: `X` is a sparse matrix.
        """
        require_count("n_neighbors", self.n_neighbors)
        self._rows, labels = check_labelled_rows(self, X, y)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self._codes = codes.astype(np.int64)
        self.n_samples_fit_ = len(self._rows)
        return self

    def kneighbors(
        self,
        X: Any = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,  # noqa: FBT001, FBT002 - scikit-learn's signature
    ) -> tuple[np.ndarray, np.ndarray] | np.ndarray:
        """The nearest fitted rows of each row, nearest first.

        Args:
            X: (m, d) rows; None for the fitted ones, none of which is its own neighbour.
            n_neighbors: how many; None for the estimator's own number.
            return_distance: whether distances come too.

        Returns:
            (m, n_neighbors) float64 distances, where asked for, and row numbers.

        Raises:
            ValueError: there are fewer rows than neighbours.
        """
        distances, near = self._nearest(X, n_neighbors)
        return (distances, near) if return_distance else near

    def _nearest(self, rows: Any, n_neighbors: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        wanted = self.n_neighbors if n_neighbors is None else n_neighbors
        wanted = require_count("n_neighbors", wanted)
        own = rows is None
        if wanted + own > self.n_samples_fit_:
            raise ValueError(
                f"n_neighbors={wanted} of {self.n_samples_fit_ - own} rows: "
                f"n_samples = {self.n_samples_fit_} were fitted"
            )
        queries = self._rows if own else check_rows(self, rows)
        near, squares = engine.knn_search(
            self._rows, queries, wanted + own, threads=thread_count(self.n_jobs)
        )
        if own:
            others = near != np.arange(len(near))[:, None]
            # Among more twins than neighbours a row may not find itself: then the last one goes.
            others[others.all(axis=1), -1] = False
            near = near[others].reshape(-1, wanted)
            squares = squares[others].reshape(-1, wanted)
        return np.sqrt(squares), near

    def predict_proba(self, X: Any) -> np.ndarray:
        """(m, k) shares of the votes, in the order of `classes_`."""
        _, near = self._nearest(X)
        votes = np.zeros((len(near), len(self.classes_)))
        for column in self._codes[near].T:
            votes[np.arange(len(votes)), column] += 1.0
        shares: np.ndarray = votes / near.shape[1]
        return shares

    def predict(self, X: Any) -> np.ndarray:
        """(m,) labels with the most votes."""
        best = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[best]
        return labels
