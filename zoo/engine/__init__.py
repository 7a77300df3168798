"""The native core's Python face: numpy in, numpy out, nothing else imported."""

from zoo._core import build_info
from zoo.engine.calibration import (
    brier_score,
    centred,
    confidence_bins,
    conformal_sets,
    conformal_threshold,
    expected_calibration_error,
    fit_shrunk_temperature,
    fit_vector_scaling,
    log_softmax,
    sigmoid,
    softmax,
    squared_errors,
)
from zoo.engine.digests import FileDigests, sample_digest
from zoo.engine.exchange import Exported, Imported, export_rows, import_rows
from zoo.engine.heads import class_means, fit_temperature, knn_search, squared_distances
from zoo.engine.keys import row_keys
from zoo.engine.lda import SHRINKAGES, LdaFit, LdaPath, fit_lda, search_lda
from zoo.engine.left_out import logistic_left_out
from zoo.engine.logistic import (
    LogisticFit,
    LogisticPath,
    fit_logistic,
    fit_multilabel,
    search_logistic,
)
from zoo.engine.pixels import FILTERS, Window, prepare_pixels, shared_pixels
from zoo.engine.prune import Pruned, mark_used, prune_stores
from zoo.engine.ridge import RidgeFit, RidgeRegression, ridge_path, ridge_regression
from zoo.engine.rotation import Rotation, principal_axes, strength_grid, total_variance
from zoo.engine.row_sources import AnyRows, Bfloat16, StoredRows, spooled
from zoo.engine.rows import Ragged, Scaled
from zoo.engine.span import require_rows
from zoo.engine.store import FeatureStore, list_stores
from zoo.engine.store_reports import CompactReport, ShardView, StoreInfo, VerifyReport

__all__ = [
    "FILTERS",
    "SHRINKAGES",
    "AnyRows",
    "Bfloat16",
    "CompactReport",
    "Exported",
    "FeatureStore",
    "FileDigests",
    "Imported",
    "LdaFit",
    "LdaPath",
    "LogisticFit",
    "LogisticPath",
    "Pruned",
    "Ragged",
    "RidgeFit",
    "RidgeRegression",
    "Rotation",
    "Scaled",
    "ShardView",
    "StoreInfo",
    "StoredRows",
    "VerifyReport",
    "Window",
    "brier_score",
    "build_info",
    "centred",
    "class_means",
    "confidence_bins",
    "conformal_sets",
    "conformal_threshold",
    "expected_calibration_error",
    "export_rows",
    "fit_lda",
    "fit_logistic",
    "fit_multilabel",
    "fit_shrunk_temperature",
    "fit_temperature",
    "fit_vector_scaling",
    "import_rows",
    "knn_search",
    "list_stores",
    "log_softmax",
    "logistic_left_out",
    "mark_used",
    "prepare_pixels",
    "principal_axes",
    "prune_stores",
    "require_rows",
    "ridge_path",
    "ridge_regression",
    "row_keys",
    "sample_digest",
    "search_lda",
    "search_logistic",
    "shared_pixels",
    "sigmoid",
    "softmax",
    "spooled",
    "squared_distances",
    "squared_errors",
    "strength_grid",
    "total_variance",
]
