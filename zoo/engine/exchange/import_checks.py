"""What rows from a file must be before a store takes them: finite, of its kind, said once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine.bfloat16 import from_bfloat16, to_bfloat16
from zoo.engine.exchange.columns import Column, Parts
from zoo.engine.keys import KEY_BYTES
from zoo.engine.rows import Rows
from zoo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fit = Callable[[Rows], Rows]  # a file's rows as the store's column holds them


class Repeats:
    """The keys that stand more than once in a file, and what their rows were at first.

    Args:
        keys: (n, 16) uint8, all keys of the file.
    """

    def __init__(self, keys: NDArray[np.uint8]) -> None:
        halves = np.ascontiguousarray(keys).view(np.uint64).reshape(-1, 2)
        ordered = halves[np.lexsort((halves[:, 1], halves[:, 0]))]
        same = (ordered[1:] == ordered[:-1]).all(axis=1)
        self._keys = {key.tobytes() for key in ordered[1:][same]}
        self._first: dict[tuple[str, bytes], bytes] = {}

    def check(self, column: str, keys: NDArray[np.uint8], rows: Rows) -> None:
        """Raise DataError where a key stands for the second time with another row."""
        if not self._keys:
            return
        parts = Parts.of(rows)
        for i, key in enumerate(map(bytes, keys)):
            if key not in self._keys:
                continue
            digest = hashlib.sha256(parts.row_bytes(i)).digest()
            if self._first.setdefault((column, key), digest) != digest:
                raise DataError(
                    f"it gives two different rows of column '{column}' for the key {key.hex()}"
                )

    def distinct(self, keys: NDArray[np.uint8]) -> int:
        """How many different keys there are among some of the file's."""
        return len(set(map(bytes, keys))) if self._keys else len(keys)


def check_finite(column: str, rows: Rows, first: int) -> None:
    """Raise DataError where a value is not finite; `first` is the number of the first row."""
    parts = Parts.of(rows)
    values: NDArray[Any] = parts.values if parts.scales is None else parts.scales[:, None]
    bits = values.dtype == np.uint16  # bfloat16: infinity and no number have an exponent of ones
    finite = (values & 0x7F80) != 0x7F80 if bits else np.isfinite(values)
    if finite.all():
        return
    vector = int(np.argmin(finite.all(axis=1)))
    row = vector
    if parts.offsets is not None:
        row = int(np.searchsorted(parts.offsets, vector, side="right")) - 1
    raise DataError(
        f"row {first + row} of its column '{column}' has values that are not finite",
        hint="leave such rows out: no head can be trained on them",
    )


def fitting(column: str, given: Column, known: Column | None) -> Fit:
    """What makes a file's rows those that the store's column holds.

    float32 enters a column of float16 or bfloat16 where no value changes by it, and float16 one of
    float32. Raises DataError for other types, another d, and one vector a row against many.
    """
    if known is None or known == given:
        return _as_they_are
    kinds = (given.dtype, known.dtype)
    if (given.dim, given.ragged) != (known.dim, known.ragged) or kinds not in {
        ("float32", "float16"),
        ("float32", "bfloat16"),
        ("float16", "float32"),
    }:
        raise DataError(f"its column '{column}' is {given}; the store's is {known}")

    def converted(rows: Rows) -> Rows:
        parts = Parts.of(rows)
        values: NDArray[Any] = parts.values
        if known.dtype == "bfloat16":
            values = to_bfloat16(values)
            back = from_bfloat16(values)
        else:
            with np.errstate(over="ignore"):
                values = values.astype(known.dtype)
            back = values.astype(given.dtype)
        if not np.array_equal(back, parts.values):
            raise DataError(
                f"its column '{column}' is float32 and would be rounded to the store's "
                f"{known.dtype}",
                hint=f"give {known.dtype} values, or another --column",
            )
        return Parts(values, parts.offsets).rows()

    return converted


def same_rows(rows: Rows, chosen: NDArray[np.int64], kept: Rows) -> NDArray[np.bool_]:
    """Whether each of the chosen rows is, to the bit, the row of the store, as (m,) bool."""
    ours, theirs = Parts.of(rows), Parts.of(kept)
    if ours.offsets is None and ours.scales is None:
        a = np.ascontiguousarray(ours.values[chosen]).view(np.uint8)
        same: NDArray[np.bool_] = (a == np.ascontiguousarray(theirs.values).view(np.uint8)).all(1)
        return same
    pairs = zip(chosen, range(len(chosen)), strict=True)
    return np.array([ours.row_bytes(int(i)) == theirs.row_bytes(j) for i, j in pairs], bool)


def _as_they_are(rows: Rows) -> Rows:
    return rows


def check_keys(shape: tuple[int, ...], kind: str) -> None:
    """Raise DataError unless this is what keys look like."""
    if kind != "U8" or len(shape) != 2 or shape[1] != KEY_BYTES:
        raise DataError(f"its 'key' is {kind} {list(shape)}, not U8 (n, {KEY_BYTES})")
    if not shape[0]:
        raise DataError("it holds no rows")
