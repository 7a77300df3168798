"""The columns of a model's taps: what of them a store has, and a batch's rows in each of them.

Rows for a head are those of all columns side by side, in the order of the taps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.backbones.pooling import pool
from zoo.features.provenance import distance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.engine import FeatureStore
    from zoo.features.model import Model
    from zoo.plugin import Features

Columns = dict[str, np.ndarray]  # (n, d) float32 rows by column


def held(store: FeatureStore, keys: np.ndarray, model: Model) -> np.ndarray:
    """Which of the (n, 16) keys have a row in every column, as (n,) bool."""
    every: np.ndarray = np.ones(len(keys), np.bool_)
    for column in model.columns:
        every &= store.contains(keys, column)
    return every


def read(store: FeatureStore, keys: np.ndarray, model: Model) -> np.ndarray:
    """The rows of the (n, 16) keys for a head, (n, d) float32.

    Raises:
        StoreError: rows are missing or damaged.
    """
    parts = [store.rows(keys, column, dtype="float32") for column in model.columns]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def pooled(outputs: Mapping[str, Features], model: Model) -> Columns:
    """The rows of a batch by column, of what a backbone gave for it.

    Raises:
        SourceError: an output does not fit its pooling.
    """
    out: Columns = {}
    for number, (column, contract) in enumerate(zip(model.columns, model.contracts, strict=True)):
        name = f"{contract.tap}/{contract.pooling}" if number else contract.tap
        values, mask = outputs[name].numpy()
        layout, tap = contract.layout, contract.tap
        rows = pool(values, mask, pooling=contract.pooling, layout=layout, tap=tap)
        out[column] = np.asarray(rows, np.float32)
    return out


def finite(columns: Columns) -> np.ndarray:
    """Which rows of a batch are finite in every column, as (b,) bool."""
    sound = [[bool(np.isfinite(row).all()) for row in rows] for rows in columns.values()]
    every: np.ndarray = np.all(sound, axis=0)
    return every


def joined(batches: Sequence[Columns]) -> Columns:
    """The rows of several batches, one after the other."""
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def apart(store: FeatureStore, keys: np.ndarray, again: Columns) -> float:
    """The greatest distance of a row that was made again from the stored one, over its norm."""
    return max(
        distance(store.rows(keys, column, dtype="float32"), rows) for column, rows in again.items()
    )
