"""Several columns of a store side by side, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from zoo.engine.exchange.columns import Block, Column
from zoo.engine.keys import KEY_BYTES
from zoo.engine.rows import Ragged
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.engine.store import FeatureStore

_BLOCK_BYTES = 32 << 20
_BLOCK_ROWS = 4096


def columns_of(store: FeatureStore) -> dict[str, Column]:
    """The columns of a store, by name."""
    none = np.empty((0, KEY_BYTES), np.uint8)
    return {
        name: Column(dtype, dim, isinstance(store.rows(none, name), Ragged))
        for name, (dtype, dim, _) in store.columns().items()
    }


def blocks(store: FeatureStore, columns: Mapping[str, Column], *, threads: int) -> Iterator[Block]:
    """The rows of columns that have the same keys, in blocks of some 32 MiB.

    The first column is read as it lies, of the others the rows of the same keys. Raises UsageError
    where one of them lacks a row.
    """
    first, *others = columns
    dtype = {name: column.dtype for name, column in columns.items()}
    # Of ragged rows nobody knows the size beforehand. The mean over all that is stored is above it,
    # as far as it lies in shards.
    info = store.info()
    mean = info.bytes // info.rows or _BLOCK_BYTES // 64
    size = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // mean))
    for keys, rows in store.stream(first, block_rows=size, dtype=dtype[first], threads=threads):
        for other in others:
            if not store.contains(keys, other).all():
                raise other_rows(f"'{other}' lacks rows of '{first}'")
        beside = {n: store.rows(keys, n, dtype=dtype[n], threads=threads) for n in others}
        yield keys, {first: rows, **beside}


def other_rows(told: str) -> UsageError:
    """The error for columns that do not go into one file."""
    return UsageError(
        f"the columns do not have the same rows: {told}", hint="--column NAME, a file for each"
    )
