"""Ridge regression as scikit-learn estimators: at an alpha, or at the best by leave-one-out."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from zoo import engine
from zoo.sklearn.equal_rows import joined_weights, row_digests


class _Ridge(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """What both share: the arguments of a fit and the prediction."""

    coef_: np.ndarray
    intercept_: Any

    def predict(self, X: Any) -> np.ndarray:
        """(n,) or (n, q) float64 predictions of (n, d) rows, as the targets of fit were."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def _path(
        self, X: Any, y: Any, sample_weight: Any, alphas: Any, *, leave_one_out: bool
    ) -> tuple[list[engine.RidgeRegression], np.ndarray, bool]:
        """A fit for each of the (s,) alphas, these, and whether the targets had one dimension."""
        X, y = validate_data(
            self,
            X,
            y,
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
            ensure_min_samples=2 if leave_one_out else 1,
        )
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        targets = y.reshape(len(y), -1)
        if leave_one_out:
            sample_weight = joined_weights(row_digests(X, targets), sample_weight)
        total = float(len(X) if sample_weight is None else sample_weight.sum())
        alphas = self._grid(X, sample_weight, total, alphas)
        path = engine.ridge_regression(
            X,
            targets,
            # Weights without a sum are for the engine to refuse.
            strengths=[float(alpha) / (total if total > 0.0 else 1.0) for alpha in alphas],
            sample_weight=sample_weight,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            leave_one_out=leave_one_out,
            threads=effective_n_jobs(self.n_jobs),
        )
        return path, alphas, y.ndim == 1

    def _grid(self, x: np.ndarray, weight: np.ndarray | None, total: float, alphas: Any) -> Any:
        """(s,) alphas, strongest first; a number of them follows the rows' variance."""
        if isinstance(alphas, int | np.integer):
            variance = float(x.shape[1])
            if not self.standardize:
                variance = engine.total_variance(x, sample_weight=weight)
            # From nearly all shrunk to only a millionth of the variance still held.
            alphas = total * (variance or 1.0) * np.logspace(1, -6, alphas)
        alphas = np.sort(np.ravel(np.asarray(alphas, np.float64)))[::-1]
        if not len(alphas) or not (np.isfinite(alphas) & (alphas > 0.0)).all():
            raise ValueError(f"alpha must be positive and finite, not {alphas}")
        return alphas

    def _take(self, fit: engine.RidgeRegression, *, single: bool) -> None:
        self.coef_ = fit.weights[0] if single else fit.weights
        self.intercept_ = float(fit.intercepts[0]) if single else fit.intercepts


class RidgeHead(_Ridge):
    """Least squares with an L2 penalty: sum of w_i |y_i - W x_i - b|^2 + alpha |W|^2.

    Args:
        alpha: of the penalty, positive; as in scikit-learn's Ridge.
        fit_intercept: whether an unpenalised b is fitted.
        standardize: penalise in units of the columns' weighted standard deviations; coefficients
            stay those of the rows as they are, and no copy of the rows is made.
        n_jobs: threads; None is 1, -1 all.

    Attributes:
        coef_: (d,) float64, or (q, d) where fit had (n, q) targets.
        intercept_: a float, or (q,).
        n_features_in_: d.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        standardize: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to (n, d) rows and (n,) or (n, q) targets.

        Raises:
            ValueError: a value is not finite, shapes differ, alpha is not positive.
        """
        path, _, single = self._path(X, y, sample_weight, [self.alpha], leave_one_out=False)
        self._take(path[0], single=single)
        return self


class RidgeHeadCV(_Ridge):
    """RidgeHead at the alpha of least leave-one-out error, the whole path from one factorisation.

    Leaving a row out holds alpha, and with `standardize` the columns' units (Allen 1974). A row
    goes with all of its weight and with all of its copies (equal rows of equal targets), so that a
    weight is a number of copies here too. Ties go to the stronger.

    Args:
        alphas: those to try, or a number of them to lay over seven decades of the rows' variance.
        fit_intercept: whether an unpenalised b is fitted.
        standardize: penalise in units of the columns' weighted standard deviations.
        n_jobs: threads; None is 1, -1 all.

    Attributes:
        alpha_: the best.
        alphas_: (s,) all that were tried, strongest first.
        best_score_: the negative of its mean squared left-out error, over rows and outputs.
        errors_: (s, q) mean squared left-out errors.
        coef_: (d,) float64, or (q, d) where fit had (n, q) targets.
        intercept_: a float, or (q,).
        n_features_in_: d.
    """

    def __init__(
        self,
        alphas: Any = 20,
        *,
        fit_intercept: bool = True,
        standardize: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to (n, d) rows and (n,) or (n, q) targets.

        Raises:
            ValueError: a value is not finite, shapes differ, fewer than two rows have weight, an
                alpha is not positive.
        """
        path, self.alphas_, single = self._path(
            X, y, sample_weight, self.alphas, leave_one_out=True
        )
        self.errors_ = np.stack([np.asarray(fit.errors) for fit in path])
        means = self.errors_.mean(axis=1)
        best = int(np.argmin(means))
        self.alpha_, self.best_score_ = float(self.alphas_[best]), -float(means[best])
        self._take(path[best], single=single)
        return self
