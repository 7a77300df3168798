"""Small solvers of the heads: neighbours, class means, distances, temperature."""

from __future__ import annotations

import numpy as np

from zoo import _core
from zoo.engine.labels import as_codes, as_rows, as_weights


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
    weights = as_weights(sample_weight)
    return _core.class_means(
        as_rows(x), as_codes(codes), n_classes, weights=weights, threads=threads
    )


def squared_distances(x: np.ndarray, means: np.ndarray, *, threads: int = 1) -> np.ndarray:
    """Squared Euclidean distances (n, k) of rows (n, d) from points (k, d), in float64."""
    points = np.ascontiguousarray(means, np.float64)
    return _core.squared_distances(as_rows(x), points, threads=threads)


def fit_temperature(
    scores: np.ndarray,
    codes: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    threads: int = 1,
) -> tuple[float, float]:
    """The factor on (n, k) scores whose softmax has the least log loss, and that loss."""
    values = np.ascontiguousarray(scores, np.float64)
    weights = as_weights(sample_weight)
    return _core.fit_temperature(values, as_codes(codes), weights=weights, threads=threads)


def _same_type(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dtype = np.float64 if np.float64 in (a.dtype, b.dtype) else np.float32
    return np.ascontiguousarray(a, dtype), np.ascontiguousarray(b, dtype)


__all__ = [
    "class_means",
    "fit_temperature",
    "knn_search",
    "squared_distances",
]
