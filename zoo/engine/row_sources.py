"""Rows for a solver where they lie: arrays of any type, a store's column, blocks past memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import _core
from zoo.engine.native_errors import solver_errors
from zoo.engine.rows import Scaled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.engine.store import FeatureStore


@dataclass(frozen=True)
class Bfloat16:
    """Vectors of bfloat16, which NumPy lacks, as their bits.

    Attributes:
        bits: (n, d) uint16.
    """

    bits: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.bits)


@dataclass(frozen=True)
class StoredRows:
    """A column's rows of some keys, read from the store whenever a solver needs them.

    About 1 MiB a thread lies in memory, however many rows there are. Each pass reads them all, and
    checks each against its checksum: rows in the order in which they were appended read fastest.

    Attributes:
        store: where they are.
        column: of one vector a row.
        keys: (n, 16) uint8.
    """

    store: FeatureStore
    column: str
    keys: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.keys)


# What a solver takes. float64 rows are computed on in float64, all others in float32; bfloat16 rows
# also in bfloat16 on the way to an optimum, where the processor has products of those.
AnyRows = np.ndarray | Scaled | Bfloat16 | StoredRows


def native_rows(x: AnyRows) -> _core.Rows:
    """The core's view of rows; a copy only of arrays of another type, order or byte order.

    Raises:
        StoreError: the column is unknown or ragged, or lacks a key.
        ValueError: not (n, d) with n, d >= 1.
    """
    if isinstance(x, StoredRows):
        rows = x.store.native_rows(x.column, x.keys)
    elif isinstance(x, Scaled):
        values = np.ascontiguousarray(x.values, np.int8)
        rows = _core.Rows(_matrix(values), np.ascontiguousarray(x.scales, np.float32))
    elif isinstance(x, Bfloat16):
        rows = _core.Rows(_matrix(np.ascontiguousarray(x.bits, np.uint16)))
    else:
        kept = x.dtype in (np.float16, np.float32, np.float64)
        array = np.ascontiguousarray(_matrix(x), x.dtype.newbyteorder("=") if kept else np.float32)
        rows = _core.Rows(array)
    if 0 in rows.shape:
        raise ValueError(f"rows must have shape (n, d) with n, d >= 1, not {rows.shape}")
    return rows


def reading(x: AnyRows) -> AbstractContextManager[None]:
    """Inside, failures of the store that `x` is read from are StoreErrors."""
    return solver_errors(x.store.folder) if isinstance(x, StoredRows) else contextlib.nullcontext()


def spooled(blocks: Iterable[NDArray[Any]], folder: Path | str | None = None) -> np.ndarray:
    """Rows that come once, (n_i, d) at a time, as one array on disk that has no name.

    For more rows than memory holds, from whatever makes them. The file is in `folder` (by default
    where temporary files go, which may be memory), and gone when the array is.

    Args:
        blocks: arrays of one d and one dtype: float16, float32, float64, uint16 (give what comes
            back to `Bfloat16`) or int8.
        folder: where there is room for all of them.

    Raises:
        ValueError: no blocks, or blocks that differ.
        OSError: the disk is full.
    """
    shape: tuple[int, ...] | None = None
    dtype, count = np.dtype(np.float32), 0
    with tempfile.TemporaryFile(dir=folder) as file:
        for given in blocks:
            block = np.ascontiguousarray(given)
            if shape is None:
                shape, dtype = block.shape[1:], block.dtype
            if block.ndim != 2 or block.shape[1:] != shape or block.dtype != dtype:
                raise ValueError(f"block of rows {count} is {block.shape} {block.dtype}")
            if block.size:
                file.write(block.data.cast("B"))
                count += len(block)
        if not count:
            raise ValueError("there are no rows")
        file.flush()
        return np.memmap(file, dtype, "r", shape=(count, *(shape or ())))


def _matrix(values: np.ndarray) -> np.ndarray:
    if values.ndim != 2:
        raise ValueError(f"rows must have shape (n, d) with n, d >= 1, not {values.shape}")
    return values
