"""Solvers of the heads: logistic regression, neighbours, class means, temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo import _core
from zoo.engine.labels import as_codes as _codes
from zoo.engine.labels import as_weights as _weights
from zoo.engine.labels import require_classes as _require_classes
from zoo.engine.rotation import Rotation, principal_axes


@dataclass(frozen=True)
class LogisticFit:
    """A logistic regression at a measured distance from its optimum.

    Attributes:
        weights: (k, d) float64; (1, d) for two classes, scoring class 1 over class 0.
        intercepts: (k,) float64, or (1,).
        objective: mean loss plus strength / 2 times the squared norm of the weights.
        suboptimality: half the squared Newton decrement over the objective.
        converged: whether suboptimality is within the tolerance.
        iterations: Newton steps.
        products: Hessian products.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    objective: float
    suboptimality: float
    converged: bool
    iterations: int
    products: int


@dataclass(frozen=True)
class LogisticPath:
    """Held-out losses of a search.

    Attributes:
        losses: (folds, strengths) sums of the held rows' log losses.
        held: (folds,) numbers of held rows.
        products: Hessian products over all fits.
    """

    losses: np.ndarray
    held: np.ndarray
    products: int

    @property
    def mean(self) -> np.ndarray:
        """(strengths,) mean log loss over all judged rows of all folds."""
        mean: np.ndarray = self.losses.sum(axis=0) / max(1, int(self.held.sum()))
        return mean


def fit_logistic(
    x: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    *,
    strength: float,
    sample_weight: np.ndarray | None = None,
    warm_start: LogisticFit | None = None,
    tolerance: float = 1e-6,
    max_iterations: int = 300,
    threads: int = 1,
    rotation: Rotation | None = None,
) -> LogisticFit:
    """Fit an L2-penalised logistic regression to (n, d) rows, in float64.

    scikit-learn's LogisticRegression with ``C = 1 / (strength * sum(sample_weight))``. `rotation`
    saves the work of `principal_axes` where the caller has it of the same rows and weights.

    Raises:
        ValueError: a value is not finite, a code is out of range, fewer than two classes.
    """
    _require_classes(codes, n_classes, sample_weight)
    if rotation is None:
        rotation = principal_axes(x, sample_weight=sample_weight, threads=threads)
    start = None
    if warm_start is not None:
        start = rotation.into(warm_start.weights, warm_start.intercepts)
    w, b, objective, suboptimality, converged, iterations, products = _core.logistic_fit(
        rotation.z,
        _codes(codes),
        n_classes,
        strength=rotation.strength(strength),
        weights=_weights(sample_weight),
        start=start,
        tolerance=tolerance,
        max_iterations=max_iterations,
        threads=threads,
    )
    w, b = rotation.out(w, b)
    return LogisticFit(w, b, objective, suboptimality, converged, iterations, products)


def search_logistic(
    x: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    *,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    strengths: Sequence[float],
    tolerance: float = 1e-5,
    threads: int = 1,
    rotation: Rotation | None = None,
) -> LogisticPath:
    """Held-out log losses of every fold at every strength, strengths from strong to weak.

    All folds share one rotation and work on its float32 copy, which the losses can't tell from
    float64: each coordinate keeps its own 24 bits.

    Raises:
        ValueError: a value is not finite, a code or a fold's row is out of range.
    """
    if rotation is None:
        rotation = principal_axes(x, threads=threads)
    losses, products = _core.logistic_search(
        rotation.z.astype(np.float32),
        _codes(codes),
        n_classes,
        folds=[(_codes(fit), _codes(held)) for fit, held in folds],
        strengths=[rotation.strength(s) for s in strengths],
        tolerance=tolerance,
        threads=threads,
    )
    return LogisticPath(losses, np.array([len(held) for _, held in folds]), products)


def knn_search(
    train: np.ndarray, queries: np.ndarray, neighbours: int, *, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest rows of train for each query: (m, k) row numbers and squared distances.

    Exact in float64; of equal distances the lower row comes first; k = min(neighbours, n).

    Raises:
        ValueError: a value is not finite, shapes differ, or train is empty.
    """
    a, b = _same_type(train, queries)
    return _core.nearest_neighbours(a, b, wanted=neighbours, threads=threads)


def class_means(
    x: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    *,
    sample_weight: np.ndarray | None = None,
    threads: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted class means (k, d) and the classes' masses (k,), in float64.

    Raises:
        ValueError: a value is not finite, or a code is out of range.
    """
    weights = _weights(sample_weight)
    return _core.class_means(_rows(x), _codes(codes), n_classes, weights=weights, threads=threads)


def squared_distances(x: np.ndarray, means: np.ndarray, *, threads: int = 1) -> np.ndarray:
    """Squared Euclidean distances (n, k) of rows (n, d) from points (k, d), in float64."""
    points = np.ascontiguousarray(means, np.float64)
    return _core.squared_distances(_rows(x), points, threads=threads)


def fit_temperature(
    scores: np.ndarray,
    codes: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    threads: int = 1,
) -> tuple[float, float]:
    """The factor on (n, k) scores whose softmax has the least log loss, and that loss."""
    values = np.ascontiguousarray(scores, np.float64)
    weights = _weights(sample_weight)
    return _core.fit_temperature(values, _codes(codes), weights=weights, threads=threads)


def _rows(x: np.ndarray) -> np.ndarray:
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    return np.ascontiguousarray(x, dtype)


def _same_type(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dtype = np.float64 if np.float64 in (a.dtype, b.dtype) else np.float32
    return np.ascontiguousarray(a, dtype), np.ascontiguousarray(b, dtype)


__all__ = [
    "LogisticFit",
    "LogisticPath",
    "class_means",
    "fit_logistic",
    "fit_temperature",
    "knn_search",
    "search_logistic",
    "squared_distances",
]
