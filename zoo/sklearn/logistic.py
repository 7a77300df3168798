"""Logistic regression with scikit-learn's own objective, solved to a measured optimum."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from zoo import engine
from zoo.sklearn.linear import LinearClassifier
from zoo.sklearn.validation import (
    check_labelled_rows,
    class_codes,
    require_count,
    require_number,
    row_weights,
    thread_count,
)

if TYPE_CHECKING:
    from zoo.engine import LogisticFit


_SMALL = 1_000_000  # rows x columns x classes


class LogisticHead(LinearClassifier):
    """Logistic regression with an L2 penalty: binary for two classes, else multinomial.

    It minimises ``C * sum_i w_i loss_i + 1/2 |coef_|^2``, as scikit-learn's LogisticRegression
    does, in float64 and without a copy of float32 rows in float64 where they are read. A fit ends
    by `tol` on how far the objective itself is from its optimum, not on the gradient.

    Args:
        C: inverse of the penalty's strength, positive and finite.
        fit_intercept: whether there is an intercept; it is not penalised.
        standardize: penalise the weights of columns scaled to variance 1. `coef_` is of the columns
            as given nonetheless.
        class_weight: None, ``balanced`` (each class weighs the same in all), or weights by label;
            they multiply `sample_weight`.
        tol: the suboptimality at which a fit is done, relative to the objective.
        max_iter: the most Newton steps.
        warm_start: begin at the last fit's coefficients where classes and columns are as many.
        n_jobs: threads: None is 1, -1 all that the process may use. Any number gives the same bits.

    Attributes:
        coef_: (k, d) float64, or (1, d) for two classes.
        intercept_: (k,) float64, or (1,).
        classes_: (k,) sorted labels.
        n_iter_: (1,) Newton steps.
        suboptimality_: distance of the objective from its optimum, relative to the objective.
        suboptimality_bound_: a rigorous upper bound of it.
        converged_: whether that is within `tol`; a ConvergenceWarning says where it is not.
        n_features_in_: d.
        feature_names_in_: the columns' names, where `X` has names.
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        fit_intercept: bool = True,
        standardize: bool = False,
        class_weight: Mapping[Any, float] | str | None = None,
        tol: float = 1e-6,
        max_iter: int = 300,
        warm_start: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to (n, d) rows and n labels, each row counted `sample_weight` times (default 1).

        Raises:
            ValueError: fewer than two classes have weight, values are not finite, shapes differ, or
                a parameter has a value that it cannot have.
            TypeError: `X` is a sparse matrix.
        """
        c = require_number("C", self.C, low=0.0, open_end=True)
        rows, labels = check_labelled_rows(self, X, y)
        classes, codes = class_codes(labels, type(self).__name__)
        weights = row_weights(sample_weight, classes, codes, class_weight=self.class_weight)
        total = len(rows) if weights is None else weights.sum()
        start = self._start(classes, rows.shape[1]) if self.warm_start else None
        self._solve(rows, codes, classes, 1.0 / (c * total), weights, start)
        return self

    def _start(self, classes: np.ndarray, columns: int) -> LogisticFit | None:
        """The last fit with the coefficients as they stand now, where they fit this problem."""
        if not hasattr(self, "_fit") or not np.array_equal(self.classes_, classes):
            return None
        if self.coef_.shape[1] != columns:
            return None
        shift = self.intercept_ if self.fit_intercept else np.zeros_like(self.intercept_)
        return replace(self._fit, weights=self.coef_, intercepts=shift)

    def _solve(  # noqa: PLR0917 - the estimator's own last step, shared by the search
        self,
        rows: np.ndarray,
        codes: np.ndarray,
        classes: np.ndarray,
        strength: float,
        weights: np.ndarray | None,
        start: LogisticFit | None = None,
    ) -> None:
        tol = require_number("tol", self.tol, low=0.0, open_end=True)
        # The last steps of a small problem cost nothing, and make it the same for equal data.
        small = rows.size * len(classes) <= _SMALL
        fit = engine.fit_logistic(
            rows,
            codes,
            len(classes),
            strength=strength,
            sample_weight=weights,
            warm_start=start,
            tolerance=min(tol, 1e-14) if small else tol,
            max_iterations=require_count("max_iter", self.max_iter),
            **self._options(),
        )
        self._fit = fit
        self.classes_ = classes
        self.coef_, self.intercept_ = fit.weights, fit.intercepts
        self.n_iter_ = np.array([fit.iterations])
        self.suboptimality_ = fit.suboptimality
        self.converged_ = fit.converged or fit.suboptimality <= tol
        self.suboptimality_bound_ = fit.suboptimality_bound
        if not self.converged_:
            warnings.warn(
                f"{type(self).__name__} did not converge in {fit.iterations} iterations: its "
                f"objective is {fit.suboptimality:.1e} of itself from the optimum (tol={tol:g}); "
                "raise max_iter, or scale the columns",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _options(self) -> dict[str, Any]:
        """What a fit and a search are told alike."""
        return {
            "fit_intercept": bool(self.fit_intercept),
            "standardize": bool(self.standardize),
            "threads": thread_count(self.n_jobs),
        }
