"""The one judge of all solvers: the objective in float64, its best known value, and accuracy."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo import engine

if TYPE_CHECKING:
    from heads_real import RowSet
    from numpy.typing import NDArray

BLOCK = 4096


@dataclass(frozen=True)
class Problem:
    """What every solver minimises: mean log loss + strength / 2 times |W|^2, intercepts free."""

    rows: RowSet
    strength: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, classes."""
        n, d = self.rows.x_train.shape
        return n, d, self.rows.classes


@dataclass(frozen=True)
class Weights:
    """(k, d) weights and (k,) intercepts; (1, d) and (1,) for two classes, scoring class 1."""

    w: NDArray[np.float64]
    b: NDArray[np.float64]


def objective(problem: Problem, weights: Weights) -> float:
    """The objective in float64, whatever the weights were computed in."""
    x, y = problem.rows.x_train, problem.rows.y_train
    loss = 0.0
    for start in range(0, len(x), BLOCK):
        z = _scores(x[start : start + BLOCK], weights)
        z -= z.max(axis=1, keepdims=True)
        own = z[np.arange(len(z)), y[start : start + BLOCK]]
        loss += float((np.log(np.exp(z).sum(axis=1)) - own).sum())
    return loss / len(x) + problem.strength / 2 * float(
        np.square(weights.w, dtype=np.float64).sum()
    )


def hits(problem: Problem, weights: Weights) -> int:
    """How many of the held-out rows are given their own class."""
    guesses = _scores(problem.rows.x_test, weights).argmax(axis=1)
    return int((guesses == problem.rows.y_test).sum())


def best_known(problem: Problem, threads: int) -> Weights:
    """The lower of zoo's own fit at 1e-10 on float64 rows and scikit-learn's polish of it.

    The objective is convex: if the first is not the optimum, Newton steps from there go lower.
    """
    from sklearn.linear_model import LogisticRegression

    rows = problem.rows
    x = rows.x_train.astype(np.float64)
    fit = engine.fit_logistic(
        *(x, rows.y_train, rows.classes),
        strength=problem.strength,
        tolerance=1e-10,
        max_iterations=3000,
        threads=threads,
    )
    own = Weights(fit.weights, fit.intercepts)
    polish = LogisticRegression(
        C=1 / (problem.strength * len(x)),
        solver="newton-cg",
        tol=1e-12,
        max_iter=20,
        warm_start=True,
    )
    polish.coef_, polish.intercept_ = fit.weights.copy(), fit.intercepts.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it cannot go lower is what is hoped for
        polish.fit(x, rows.y_train)
    polished = Weights(polish.coef_, polish.intercept_)
    return min(own, polished, key=lambda weights: objective(problem, weights))


def _scores(x: NDArray[np.float32], weights: Weights) -> NDArray[np.float64]:
    z: NDArray[np.float64] = x.astype(np.float64) @ weights.w.astype(np.float64).T + weights.b
    return np.concatenate([np.zeros_like(z), z], axis=1) if z.shape[1] == 1 else z
