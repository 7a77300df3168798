"""Solvers of the heads: ridge regression, neighbours, class means, temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo import _core
from zoo.engine.arrays import as_codes, as_rows, as_weights
from zoo.engine.rotation import principal_axes


@dataclass(frozen=True)
class RidgeFit:
    """One point of a ridge path.

    Attributes:
        strength: of the penalty.
        weights: (k, d) float64.
        intercepts: (k,) float64.
        inverse_temperature: what makes softmax of the scores honest, fitted on left-out scores.
        loss: mean log loss of the left-out scores at that temperature.
        left_out: (n, k) each row's scores from the fit without it, or None where not kept.
    """

    strength: float
    weights: np.ndarray
    intercepts: np.ndarray
    inverse_temperature: float
    loss: float
    left_out: np.ndarray | None


def ridge_path(
    x: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    *,
    strengths: Sequence[float],
    sample_weight: np.ndarray | None = None,
    keep_all: bool = False,
    threads: int = 1,
) -> list[RidgeFit]:
    """Ridge regression on one-hot classes at every strength, with exact leave-one-out scores.

    scikit-learn's Ridge with ``alpha = strength * sum(sample_weight)``. Only the fit of lowest loss
    keeps its left-out scores unless `keep_all`.

    Raises:
        ValueError: a value is not finite, a code is out of range, fewer than two classes.
    """
    _require_classes(codes, n_classes, sample_weight)
    rotation = principal_axes(x, sample_weight=sample_weight, threads=threads)
    path = _core.ridge_path(
        rotation.z,
        as_codes(codes),
        n_classes,
        strengths=[rotation.strength(s) for s in strengths],
        weights=as_weights(sample_weight),
        keep_all=keep_all,
        threads=threads,
    )
    return [
        RidgeFit(strength, *rotation.out(w, b), inverse, loss, left_out)
        for strength, (w, b, inverse, loss, left_out) in zip(strengths, path, strict=True)
    ]


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


def _require_classes(codes: np.ndarray, n_classes: int, weight: np.ndarray | None) -> None:
    """Refuse one class before minutes are spent on a rotation."""
    if len(codes) and (codes.min() < 0 or codes.max() >= n_classes):
        raise ValueError(f"label codes must lie in [0, {n_classes})")
    counted = codes if weight is None or weight.shape != codes.shape else codes[weight > 0]
    if len(np.unique(counted)) < 2:
        raise ValueError("fewer than two classes have labelled rows with weight")


__all__ = [
    "RidgeFit",
    "class_means",
    "fit_temperature",
    "knn_search",
    "ridge_path",
    "squared_distances",
]
