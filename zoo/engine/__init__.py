"""The native core's Python face: arrays in, arrays out, and nothing but NumPy needed."""

from __future__ import annotations

from zoo.engine.heads import (
    LogisticFit,
    LogisticPath,
    RidgeFit,
    class_means,
    fit_logistic,
    fit_temperature,
    knn_search,
    ridge_path,
    search_logistic,
    squared_distances,
)
from zoo.engine.rotation import (
    Rotation,
    principal_axes,
    require_rows,
    strength_grid,
    total_variance,
)

__all__ = [
    "LogisticFit",
    "LogisticPath",
    "RidgeFit",
    "Rotation",
    "class_means",
    "fit_logistic",
    "fit_temperature",
    "knn_search",
    "principal_axes",
    "require_rows",
    "ridge_path",
    "search_logistic",
    "squared_distances",
    "strength_grid",
    "total_variance",
]
