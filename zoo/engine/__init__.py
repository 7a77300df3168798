"""The native core's Python face: numpy in, numpy out, nothing else imported."""

from zoo._core import build_info
from zoo.engine.digests import FileDigests, sample_digest
from zoo.engine.keys import row_keys
from zoo.engine.store import FeatureStore, StoreInfo, VerifyReport, list_stores

__all__ = [
    "FeatureStore",
    "FileDigests",
    "StoreInfo",
    "VerifyReport",
    "build_info",
    "list_stores",
    "row_keys",
    "sample_digest",
]
