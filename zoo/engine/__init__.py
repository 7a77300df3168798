"""The native core's Python face: numpy in, numpy out, nothing else imported."""

from zoo._core import build_info
from zoo.engine.digests import FileDigests, sample_digest
from zoo.engine.exchange import Exported, Imported, export_rows, import_rows
from zoo.engine.heads import (
    RidgeFit,
    class_means,
    fit_temperature,
    knn_search,
    ridge_path,
    squared_distances,
)
from zoo.engine.keys import row_keys
from zoo.engine.left_out import logistic_left_out
from zoo.engine.logistic import (
    LogisticFit,
    LogisticPath,
    fit_logistic,
    fit_multilabel,
    search_logistic,
)
from zoo.engine.prune import Pruned, mark_used, prune_stores
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
    "Exported",
    "FeatureStore",
    "FileDigests",
    "Imported",
    "LogisticFit",
    "LogisticPath",
    "Pruned",
    "Ragged",
    "RidgeFit",
    "Rotation",
    "Scaled",
    "ShardView",
    "StoreInfo",
    "VerifyReport",
    "build_info",
    "class_means",
    "export_rows",
    "fit_logistic",
    "fit_multilabel",
    "fit_temperature",
    "import_rows",
    "knn_search",
    "list_stores",
    "logistic_left_out",
    "mark_used",
    "principal_axes",
    "prune_stores",
    "require_rows",
    "ridge_path",
    "row_keys",
    "sample_digest",
    "search_logistic",
    "squared_distances",
    "strength_grid",
    "total_variance",
]
