"""Finds the features of a run's judged rows in the store again: no backbone, no weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo import settings
from zoo.engine import FeatureStore
from zoo.errors import DataError

if TYPE_CHECKING:
    from zoo.reports.judged import Judged
    from zoo.runs import Run


def stored_rows(run: Run, judged: Judged) -> np.ndarray:
    """(m, d) float32 features of the judged rows.

    Raises:
        ZooError: the run does not tell where they are, or they are no longer there.
    """
    key, column = run.plan.get("key"), run.plan.get("column")
    if not isinstance(key, dict) or not isinstance(column, str):
        raise DataError("the run does not tell where its features are stored")
    if not len(judged.keys):
        raise DataError("the run does not tell which of its samples judged")
    store = FeatureStore.find(settings.store_root(), key, read_only=True)
    if store is None:
        raise DataError("its features are no longer in this store")
    with store:
        columns = [column] if column in store.columns() else column.split(",")
        parts = [store.rows(judged.keys, name, dtype="float32") for name in columns]
    rows = np.concatenate([np.asarray(part) for part in parts], axis=1)
    if rows.ndim != 2:
        raise DataError("its features are not one row a sample")
    return rows
