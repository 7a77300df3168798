"""The columns of a model's taps: what of them a store has, and a batch's rows in each of them.

Rows for a head are those of all columns side by side, in the order of the taps. Tokens, patches and
frames are ragged rows, in a column of their own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.backbones.pooling import pool, positions
from zoo.engine import Ragged
from zoo.features.provenance import distance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.engine import FeatureStore
    from zoo.features.model import Model
    from zoo.plugin import Features

Rows = Any  # (n, d) float32, or a Ragged of n rows
Columns = dict[str, Rows]


def held(store: FeatureStore, keys: np.ndarray, model: Model) -> np.ndarray:
    """Which of the (n, 16) keys have a row in every column, as (n,) bool."""
    every: np.ndarray = np.ones(len(keys), np.bool_)
    for column in model.columns:
        every &= store.contains(keys, column)
    return every


def read(store: FeatureStore, keys: np.ndarray, model: Model) -> np.ndarray:
    """The rows of the (n, 16) keys for a head, (n, d) float32; of tokens (n, 0).

    Raises:
        StoreError: rows are missing or damaged.
    """
    if model.tokens:
        return np.empty((len(keys), 0), np.float32)
    parts = [store.rows(keys, column, dtype="float32") for column in model.columns]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def pooled(outputs: Mapping[str, Features], model: Model) -> Columns:
    """The rows of a batch by column, of what a backbone gave for it.

    Raises:
        SourceError: an output does not fit its pooling, or has no tokens.
    """
    out: Columns = {}
    for number, (column, contract) in enumerate(zip(model.columns, model.contracts, strict=True)):
        name = f"{contract.tap}/{contract.pooling}" if number else contract.tap
        values, mask = outputs[name].numpy()
        layout, tap = contract.layout, contract.tap
        if model.tokens:
            out[column] = Ragged(*positions(values, mask, layout=layout, tap=tap))
        else:
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
    return {
        name: Ragged.from_rows([row for batch in batches for row in batch[name]])
        if isinstance(rows, Ragged)
        else np.concatenate([batch[name] for batch in batches])
        for name, rows in batches[0].items()
    }


def vectors(rows: Rows) -> np.ndarray:
    """(n, d) of rows, or (sum t, d) of ragged ones."""
    return np.asarray(rows.values if isinstance(rows, Ragged) else rows)


def apart(store: FeatureStore, keys: np.ndarray, again: Columns) -> float:
    """The greatest distance of a row that was made again from the stored one, over its norm."""
    return max(
        _distance(store.rows(keys, column, dtype="float32"), rows) for column, rows in again.items()
    )


def _distance(stored: Rows, again: Rows) -> float:
    """Of ragged rows all vectors of a sample count as one row."""
    if not isinstance(again, Ragged):
        return distance(stored, again)
    if not np.array_equal(stored.offsets, again.offsets):
        return math.inf
    pairs = zip(stored, again, strict=True)
    return max(distance(old.reshape(1, -1), new.reshape(1, -1)) for old, new in pairs)
