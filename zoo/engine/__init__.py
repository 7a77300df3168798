"""The native core's Python face: numpy in, numpy out, nothing else imported."""

from zoo._core import build_info
from zoo.engine.digests import FileDigests, sample_digest
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
from zoo.engine.keys import row_keys
from zoo.engine.rotation import (
    Rotation,
    principal_axes,
    require_rows,
    strength_grid,
    total_variance,
)
from zoo.engine.rows import Ragged, Scaled
from zoo.engine.store import FeatureStore, list_stores
from zoo.engine.store_reports import CompactReport, ShardView, StoreInfo, VerifyReport

__all__ = [
    "CompactReport",
    "FeatureStore",
    "FileDigests",
    "LogisticFit",
    "LogisticPath",
    "Ragged",
    "RidgeFit",
    "Rotation",
    "Scaled",
    "ShardView",
    "StoreInfo",
    "VerifyReport",
    "build_info",
    "class_means",
    "fit_logistic",
    "fit_temperature",
    "knn_search",
    "list_stores",
    "principal_axes",
    "require_rows",
    "ridge_path",
    "row_keys",
    "sample_digest",
    "search_logistic",
    "squared_distances",
    "strength_grid",
    "total_variance",
]
