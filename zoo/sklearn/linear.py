"""What every linear classifier does with its coefficients once it is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from zoo.heads.arrays import linear_scores
from zoo.plugin import ArrayRows
from zoo.sklearn.validation import check_rows


class LinearClassifier(ClassifierMixin, BaseEstimator):
    """Scores, labels and probabilities from `coef_`, `intercept_` and `classes_`.

    Attributes:
        coef_: (k, d) float64, of the columns as they were given; (1, d) for two classes, scoring
            ``classes_[1]`` over ``classes_[0]``.
        intercept_: (k,) float64, or (1,).
        classes_: (k,) sorted labels.
    """

    coef_: np.ndarray
    intercept_: np.ndarray
    classes_: np.ndarray

    def decision_function(self, X: Any) -> np.ndarray:
        """(n, k) float64 scores, (n,) for two classes."""
        check_is_fitted(self)
        scores = linear_scores(ArrayRows(check_rows(self, X)), self.coef_, self.intercept_)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """(n,) labels of the highest score; equal scores go to the lower class."""
        scores = self.decision_function(X)
        best = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(np.int64)
        labels: np.ndarray = self.classes_[best]
        return labels

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, k) float64 probabilities in the order of `classes_`: softmax or logistic."""
        probabilities: np.ndarray = np.exp(self.predict_log_proba(X))
        return probabilities

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Their logarithms, finite where a probability is too small for a float64."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            scores = np.stack([np.zeros_like(scores), scores], axis=1)
        logs: np.ndarray = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
        return logs
