"""Logistic regression on cached rows: certified fits, multi-label fits and searches over folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from zoo import _core
from zoo.engine.labels import as_codes, as_weights
from zoo.engine.row_sources import AnyRows, native_rows, reading

Rule = Literal["best", "one_se"]


@dataclass(frozen=True)
class LogisticFit:
    """A logistic regression at a measured distance from its optimum.

    Attributes:
        weights: (k, d) float64; (1, d) for two classes, scoring class 1 over class 0.
        intercepts: (k,) float64, or (1,).
        objective: mean loss plus strength / 2 times the squared norm of the weights.
        suboptimality: half the squared Newton decrement over the objective: to second order how
            far the objective is above its least value. Both are measured in float64 at a point
            that the last step, whose length it is, has then brought closer.
        suboptimality_bound: a rigorous upper bound of the same, from the dual; far above it where
            the strength is too small for strong convexity to say much.
        converged: whether suboptimality is within the tolerance.
        iterations: Newton steps.
        products: Hessian products.
        narrowed: whether the rows were float32 whose values are all bfloat16's, as a scan found,
            and so were multiplied as those, which is faster here.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    objective: float
    suboptimality: float
    suboptimality_bound: float
    converged: bool
    iterations: int
    products: int
    narrowed: bool = False


@dataclass(frozen=True)
class LogisticPath:
    """What a search found.

    Attributes:
        losses: (folds, strengths) sums of the held rows' weighted log losses.
        held: (folds,) sums of the held rows' weights: their number, without weights.
        chosen: index of the strength that the rule chooses.
        scores: (n, k) float64, (n, 1) for two classes: each row's scores at the chosen strength by
            the fold that held it out; NaN for rows that none did.
        products: Hessian products over all fits.
        narrowed: as in `LogisticFit`.
    """

    losses: np.ndarray
    held: np.ndarray
    chosen: int
    scores: np.ndarray
    products: int
    narrowed: bool = False

    @property
    def mean(self) -> np.ndarray:
        """(strengths,) mean log loss over all judged rows of all folds."""
        judged = float(self.held.sum())
        mean: np.ndarray = self.losses.sum(axis=0) / (judged if judged > 0.0 else 1.0)
        return mean


def fit_logistic(
    x: AnyRows,
    codes: np.ndarray,
    n_classes: int,
    *,
    strength: float,
    sample_weight: np.ndarray | None = None,
    warm_start: LogisticFit | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    tolerance: float = 1e-6,
    max_iterations: int = 300,
    threads: int = 1,
) -> LogisticFit:
    """Fit an L2-penalised logistic regression to (n, d) rows, as they are stored.

    float64 rows are computed on in float64, all others in float32, or on the way in bfloat16 where
    they are that and the processor is faster at it (`AnyRows`).

    scikit-learn's LogisticRegression with ``C = 1 / (strength * sum(sample_weight))``; with
    `standardize` that of standardised columns, the weights for the columns as they are. Class
    weights are sample weights: pass their product.

    Raises:
        ValueError: a value is not finite (the message names the row), a code is out of range,
            fewer than two classes have rows with weight.
    """
    start = None if warm_start is None else (warm_start.weights, warm_start.intercepts)
    with reading(x):
        found = _core.logistic_fit(
            native_rows(x),
            as_codes(codes),
            n_classes,
            strength=strength,
            weights=as_weights(sample_weight),
            start=start,
            intercept=fit_intercept,
            standardize=standardize,
            tolerance=tolerance,
            max_iterations=max_iterations,
            threads=threads,
        )
    return LogisticFit(*found)


def fit_multilabel(
    x: AnyRows,
    marks: np.ndarray,
    *,
    strength: float,
    sample_weight: np.ndarray | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    tolerance: float = 1e-6,
    max_iterations: int = 300,
    threads: int = 1,
) -> list[LogisticFit]:
    """One binary fit a label over the same (n, d) rows, in shared passes.

    Args:
        x: the rows.
        marks: (n, labels) of 0 and 1; -1 where a row says nothing about a label.
        strength: of the penalty, as in `fit_logistic`, relative to the label's known rows.
        sample_weight: (n,).
        fit_intercept: whether there is an intercept a label.
        standardize: as in `fit_logistic`.
        tolerance: of each label's suboptimality.
        max_iterations: Newton steps a label.
        threads: upper bound.

    Raises:
        ValueError: a value is not finite, a mark is none of 0, 1 and -1, or a label's known marks
            are all alike.
    """
    if np.asarray(marks).ndim != 2 or not np.isin(marks, (-1, 0, 1)).all():
        raise ValueError("marks must be an (n, labels) array of 0, 1 and -1")
    with reading(x):
        found = _core.multilabel_fit(
            native_rows(x),
            np.ascontiguousarray(marks, np.int8),
            strength=strength,
            weights=as_weights(sample_weight),
            intercept=fit_intercept,
            standardize=standardize,
            tolerance=tolerance,
            max_iterations=max_iterations,
            threads=threads,
        )
    return [LogisticFit(*one) for one in found]


def search_logistic(
    x: AnyRows,
    codes: np.ndarray,
    n_classes: int,
    *,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    strengths: Sequence[float],
    sample_weight: np.ndarray | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    rule: Rule = "best",
    tolerance: float = 1e-6,
    threads: int = 1,
) -> LogisticPath:
    """Held-out log losses of every fold at every strength, strengths from strong to weak.

    All folds walk along the strengths side by side and share every pass over the rows. `tolerance`
    is the suboptimality of the inner fits, less in proportion below 20,000 rows: 1e-6 leaves mean
    held-out losses right to a few 1e-4. The rule "best" chooses the least mean loss, "one_se"
    the strongest within one standard error (over the folds) of it (Breiman et al. 1984).

    Raises:
        ValueError: a value is not finite, a code or a fold's row is out of range.
    """
    if rule not in {"best", "one_se"}:
        raise ValueError(f"rule must be 'best' or 'one_se', not {rule!r}")
    with reading(x):
        losses, held, chosen, scores, products, narrowed = _core.logistic_search(
            native_rows(x),
            as_codes(codes),
            n_classes,
            folds=[(as_codes(fit), as_codes(judged)) for fit, judged in folds],
            strengths=list(strengths),
            weights=as_weights(sample_weight),
            one_standard=rule == "one_se",
            intercept=fit_intercept,
            standardize=standardize,
            tolerance=tolerance,
            threads=threads,
        )
    return LogisticPath(losses, held, chosen, scores, products, narrowed)
