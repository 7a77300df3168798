"""Logistic regression that chooses its own C by held-out log loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.model_selection import check_cv

from zoo import engine
from zoo.sklearn.logistic import LogisticHead
from zoo.sklearn.validation import (
    check_labelled_rows,
    class_codes,
    require_count,
    require_number,
    row_weights,
)

if TYPE_CHECKING:
    from zoo.engine.logistic import Rule

RULES = ("best", "one_se")


class LogisticHeadCV(LogisticHead):
    """`LogisticHead` at the C of least held-out log loss; all folds and all C in one search.

    A candidate is a strength ``1 / (C * W)`` of the penalty beside the *mean* loss, W being the
    weight of all rows, and it is the same in every fold. So the fit to a fold penalises as the
    final fit to all rows does; LogisticRegressionCV, which keeps C, penalises a fold's fewer rows
    the more. `C_` is the C of the final fit.

    Args:
        Cs: so many values, spread evenly in the logarithm over what can matter for rows of this
            total variance; or the values themselves.
        cv: folds of a stratified split in the rows' order, a splitter, or an iterable of pairs of
            row numbers (to fit on, held out).
        rule: ``best``, the least mean log loss, of equals the smaller C; or ``one_se``, the
            smallest C within one standard error of it.
        fit_intercept: as of `LogisticHead`, like all that follow.
        standardize: so too.
        class_weight: so too; it weighs held-out rows as well, as `sample_weight` does.
        tol: of the final fit; the search's own is 1e-6.
        max_iter: of the final fit.
        n_jobs: threads.

    Attributes:
        C_: the chosen C; `coef_`, `intercept_` and the rest are of the fit to all rows with it.
        Cs_: (m,) all C, ascending.
        losses_: (folds, m) mean log losses of held-out rows; NaN for a fold that holds no weight.
        scores_: (folds, m) their negatives: higher is better.
        best_index_: position of `C_` in `Cs_`.
    """

    def __init__(
        self,
        Cs: int | Iterable[float] = 20,
        *,
        cv: Any = 5,
        rule: Rule = "best",
        fit_intercept: bool = True,
        standardize: bool = False,
        class_weight: Mapping[Any, float] | str | None = None,
        tol: float = 1e-6,
        max_iter: int = 300,
        n_jobs: int | None = None,
    ) -> None:
        self.Cs = Cs
        self.cv = cv
        self.rule = rule
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Search and fit; `groups` are for a splitter that keeps groups together.

        Raises:
            ValueError: as `LogisticHead.fit`; or a splitter that cannot split these rows.
            TypeError: `X` is a sparse matrix.
        """
        if self.rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(RULES)}, not {self.rule!r}")
        rows, labels = check_labelled_rows(self, X, y)
        classes, codes = class_codes(labels, type(self).__name__)
        weights = row_weights(sample_weight, classes, codes, class_weight=self.class_weight)
        total = float(len(rows) if weights is None else weights.sum())
        strengths = self._strengths(rows, weights, total)
        splitter = check_cv(self.cv, labels, classifier=True)
        pairs = splitter.split(rows, labels, groups)
        folds = [(np.asarray(fit), np.asarray(held)) for fit, held in pairs]
        path = engine.search_logistic(
            rows,
            codes,
            len(classes),
            folds=folds,
            strengths=strengths.tolist(),
            sample_weight=weights,
            rule=self.rule,
            **self._options(),
        )
        with np.errstate(invalid="ignore"):
            self.losses_ = path.losses / path.held[:, None]
        self.scores_ = -self.losses_
        self.Cs_ = 1.0 / (strengths * total)
        self.best_index_ = path.chosen
        self.C_ = float(self.Cs_[path.chosen])
        self._solve(rows, codes, classes, float(strengths[path.chosen]), weights)
        return self

    def _strengths(self, rows: np.ndarray, weights: np.ndarray | None, total: float) -> np.ndarray:
        """(m,) strengths, strongest first."""
        if not isinstance(self.Cs, Iterable):
            spread = _spread(rows, weights, standardize=bool(self.standardize))
            grid = engine.strength_grid(spread)
            return np.geomspace(grid[0], grid[-1], require_count("Cs", self.Cs))
        given = [require_number("Cs", c, low=0.0, open_end=True) for c in self.Cs]
        if not given:
            raise ValueError("Cs holds no value")
        return 1.0 / (np.sort(given) * total)


def _spread(rows: np.ndarray, weights: np.ndarray | None, *, standardize: bool) -> float:
    """The weighted total variance of (n, d) rows; standardised, how many columns vary."""
    share = np.full(len(rows), 1.0 / len(rows)) if weights is None else weights / weights.sum()
    blocks = range(0, len(rows), 1024)
    mean = sum(share[i : i + 1024] @ rows[i : i + 1024] for i in blocks)
    variances = sum(share[i : i + 1024] @ np.square(rows[i : i + 1024] - mean) for i in blocks)
    return float(np.count_nonzero(variances) if standardize else np.sum(variances))
