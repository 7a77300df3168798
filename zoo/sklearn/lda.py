"""Linear discriminant analysis as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from zoo import engine
from zoo.sklearn.equal_rows import joined_weights, row_digests, stratified_folds

_FOLDS = 5


class LDAHead(ClassifierMixin, BaseEstimator):
    """Gaussian classes of one covariance, shrunk towards a multiple of the identity.

    scikit-learn's LinearDiscriminantAnalysis with ``solver="lsqr"``, with weights, and with a
    shrinkage chosen by cross-validation at the cost of about two fits.

    Args:
        shrinkage: "cv", of least log loss over five stratified folds, which neither the order of
            the rows nor their copies change; "ledoit-wolf", the estimate of 2004; a number from 0
            to 1; None is 0.
        priors: k positive numbers in the order of the sorted labels; None is the classes' shares.
        n_jobs: threads; None is 1, -1 all.

    Attributes:
        classes_: the k labels, sorted.
        coef_: (k, d) float64, or (1, d) for two classes; scikit-learn's less their mean by priors.
        intercept_: (k,) float64, or (1,).
        means_: (k, d) float64.
        priors_: (k,) float64.
        shrinkage_: what was fitted at.
        n_features_in_: d.
    """

    def __init__(
        self,
        shrinkage: float | str | None = "cv",
        *,
        priors: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.shrinkage = shrinkage
        self.priors = priors
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to (n, d) rows and n labels.

        Raises:
            ValueError: a value is not finite, shapes differ, there is one class, a shrinkage lies
                outside [0, 1].
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], ensure_min_samples=2)
        check_classification_targets(y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        self.classes_, codes = np.unique(y, return_inverse=True)
        k, threads = len(self.classes_), effective_n_jobs(self.n_jobs)
        strength: float | None
        if isinstance(self.shrinkage, str):
            digests = row_digests(X, codes[:, None])
            sample_weight = joined_weights(digests, sample_weight)
            strength = self._chosen(X, codes, digests, sample_weight, threads)
        else:
            strength = 0.0 if self.shrinkage is None else float(self.shrinkage)
        fit = engine.fit_lda(
            X,
            codes,
            k,
            strength=strength,
            priors=self.priors,
            sample_weight=sample_weight,
            threads=threads,
        )
        weights, intercepts = fit.weights, fit.intercepts
        if k == 2:
            weights, intercepts = weights[1:] - weights[:1], intercepts[1:] - intercepts[:1]
        self.coef_, self.intercept_ = weights, intercepts
        self.means_, self.priors_, self.shrinkage_ = fit.means, fit.priors, fit.strength
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """(n, k) log posteriors up to what classes share; for two classes (n,) log odds."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        scores = np.asarray(X @ self.coef_.T + self.intercept_)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """(n, k) logarithms of the posteriors."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            scores = np.column_stack([np.zeros_like(scores), scores])
        return np.asarray(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, k) posteriors."""
        return np.asarray(np.exp(self.predict_log_proba(X)))

    def predict(self, X: Any) -> np.ndarray:
        """The n likeliest labels."""
        likeliest = self.predict_log_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def _chosen(
        self,
        x: np.ndarray,
        codes: np.ndarray,
        digests: list[bytes],
        weight: np.ndarray | None,
        threads: int,
    ) -> float | None:
        """The shrinkage to fit at; None leaves it to Ledoit and Wolf."""
        if self.shrinkage not in ("cv", "ledoit-wolf"):
            raise ValueError(
                f"shrinkage is 'cv', 'ledoit-wolf', a number or None, not '{self.shrinkage}'"
            )
        counted = np.arange(len(x)) if weight is None else np.flatnonzero(weight > 0.0)
        fold = stratified_folds([digests[i] for i in counted], codes[counted], _FOLDS)
        if self.shrinkage == "ledoit-wolf" or fold.max(initial=0) == 0:
            return None  # no class has two rows that differ: there is nothing to judge by
        path = engine.search_lda(
            x,
            codes,
            len(self.classes_),
            folds=[(counted[fold != f], counted[fold == f]) for f in range(fold.max() + 1)],
            priors=self.priors,
            sample_weight=weight,
            threads=threads,
        )
        return engine.SHRINKAGES[int(np.argmin(path.mean))]
