"""Rows of a column as arrays: fixed, ragged or scaled, and what the store keeps of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine.bfloat16 import from_bfloat16, to_bfloat16
from zoo.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

STORED = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int8": "I8"}
NAMES = {native: name for name, native in STORED.items()}


@dataclass(frozen=True)
class Scaled:
    """Vectors of small integers: ``values * scales[:, None]``.

    Attributes:
        values: (n, d) int8.
        scales: (n,) float32.
    """

    values: NDArray[np.int8]
    scales: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    def to_float32(self) -> NDArray[np.float32]:
        """The vectors, (n, d)."""
        return self.values.astype(np.float32) * self.scales[:, None]


@dataclass(frozen=True)
class Ragged:
    """Rows of any number of vectors each: tokens, patches, frames.

    Attributes:
        values: (sum t, d), the vectors of all rows, or a `Scaled` of as many.
        offsets: (n + 1,) int64; row i has the vectors ``offsets[i]`` to ``offsets[i + 1]``.
    """

    values: Any
    offsets: NDArray[np.int64]

    @classmethod
    def from_rows(cls, rows: Iterable[NDArray[Any]]) -> Ragged:
        """From (t, d) arrays of one d and dtype."""
        arrays = list(rows)
        lengths = [len(array) for array in arrays]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(np.concatenate(arrays), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> NDArray[Any]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"row {i} of {len(self)}")
        start, end = (int(self.offsets[i % len(self) + k]) for k in (0, 1))
        if isinstance(self.values, Scaled):
            return Scaled(self.values.values[start:end], self.values.scales[start:end]).to_float32()
        row: NDArray[Any] = self.values[start:end]
        return row

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(len(self)))


Rows = Any  # NDArray | Scaled | Ragged: a column's rows
Stored = tuple[str, "NDArray[Any]", "NDArray[np.int64] | None", "NDArray[np.float32] | None"]


def stored(name: str, rows: Rows, dtype: str | None) -> Stored:
    """The native dtype, values, offsets and scales that stand for `rows` as `dtype`.

    Raises:
        StoreError: values that cannot be stored so; the message names the column.
    """
    offsets = None
    if isinstance(rows, Ragged):
        offsets = np.ascontiguousarray(rows.offsets, dtype=np.int64)
        rows = rows.values
    if isinstance(rows, Scaled):
        if dtype not in {None, "int8"} or rows.values.dtype != np.int8:
            raise StoreError(f"column '{name}': scaled values are int8")
        values = np.ascontiguousarray(rows.values)
        return "I8", values, offsets, np.ascontiguousarray(rows.scales, dtype=np.float32)
    given = rows.dtype.name
    wanted = dtype or given
    if wanted not in STORED or given not in {"float32", "float16", "uint16"}:
        raise StoreError(
            f"column '{name}': cannot store {given} as {wanted}",
            hint=f"give float32 or float16 values, and a dtype of {', '.join(STORED)}",
        )
    if given == "uint16" and wanted != "bfloat16":
        raise StoreError(f"column '{name}': uint16 values are the bits of bfloat16 alone")
    if wanted == "int8":
        if rows.ndim != 2:
            raise StoreError(f"column '{name}': values must be (n, d)")
        small = quantized(name, np.asarray(rows, dtype=np.float32))
        return "I8", small.values, offsets, small.scales
    if given == "uint16" or wanted != "bfloat16":  # by name, so big-endian arrays are swapped too
        try:
            with np.errstate(over="raise"):
                raw = "uint16" if given == "uint16" else wanted
                return STORED[wanted], np.ascontiguousarray(rows, dtype=raw), offsets, None
        except FloatingPointError as error:
            raise StoreError(
                f"column '{name}': values past {wanted}'s range",
                hint="store them as float32 or bfloat16",
            ) from error
    return STORED[wanted], to_bfloat16(np.asarray(rows, dtype=np.float32)), offsets, None


def quantized(name: str, values: NDArray[np.float32]) -> Scaled:
    """(n, d) float32 as int8: a vector's scale is its largest magnitude over 127.

    The error of a value is at most half its vector's scale. Raises StoreError for values that are
    not finite.
    """
    largest = np.abs(values).max(axis=1, initial=0.0)
    if not np.isfinite(largest).all():
        raise StoreError(f"column '{name}': int8 cannot hold values that are not finite")
    # Of subnormal magnitudes the division by 127 keeps too few digits: they count as zero.
    scales = (largest / np.float32(127)).astype(np.float32)
    divisors = np.where(scales > np.finfo(np.float32).tiny, scales, np.float32(np.inf))
    return Scaled(np.rint(values / divisors[:, None]).astype(np.int8), scales)


def empty(native: str, vectors: int, dim: int) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Room for so many vectors: values, and scales where they have some."""
    kind = {"F32": "float32", "F16": "float16", "BF16": "uint16", "I8": "int8"}[native]
    scales = np.empty(vectors, np.float32) if native == "I8" else None
    return np.empty((vectors, dim), kind), scales


def check_dtype(column: str, native: str, dtype: str | None) -> None:
    """Raise StoreError unless a column of this native dtype can be given as `dtype`."""
    if dtype not in {None, "float32", NAMES[native]}:
        raise StoreError(f"column '{column}' holds {NAMES[native]}, not {dtype}")


def given(
    native: str,
    values: NDArray[Any],
    offsets: NDArray[np.int64] | None,
    scales: NDArray[np.float32] | None,
    dtype: str | None,
) -> Rows:
    """What the store read, as the caller wants it: `Ragged` where there are offsets."""
    out: Rows = values
    if native == "BF16" and dtype != "bfloat16":
        out = from_bfloat16(values)
    elif native == "I8" and scales is not None:
        small = Scaled(values, scales)
        out = small if dtype == "int8" else small.to_float32()
    elif native == "F16" and dtype == "float32":
        out = values.astype(np.float32)
    return out if offsets is None else Ragged(out, offsets)
