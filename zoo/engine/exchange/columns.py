"""What files of rows have in common: columns and the three arrays that a column is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.engine.rows import STORED, Ragged, Rows, Scaled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Block = tuple["NDArray[np.uint8]", dict[str, Rows]]  # (n, 16) keys and the n rows of each column


@dataclass(frozen=True)
class Column:
    """One column: what its values are stored as, how many a vector has, one vector a row or any."""

    dtype: str
    dim: int
    ragged: bool

    @property
    def native(self) -> str:
        """The dtype as safetensors names it."""
        return STORED[self.dtype]

    def __str__(self) -> str:
        each = "rows of vectors" if self.ragged else "one vector a row"
        return f"{self.dtype}, {self.dim} values a vector, {each}"


@dataclass(frozen=True)
class Content:
    """What a file of rows holds: how many, which columns, and the store's key and provenance."""

    rows: int
    columns: Mapping[str, Column]
    key: Mapping[str, Any]
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class Parts:
    """The arrays of a column's rows.

    Attributes:
        values: (vectors, d), bfloat16 as uint16.
        offsets: (n + 1,) int64 from 0 on where the rows are ragged, else None.
        scales: (vectors,) float32 where the values are int8, else None.
    """

    values: NDArray[Any]
    offsets: NDArray[np.int64] | None = None
    scales: NDArray[np.float32] | None = None

    @classmethod
    def of(cls, rows: Rows) -> Parts:
        """Of rows as the store gives them in their own dtype."""
        offsets = rows.offsets if isinstance(rows, Ragged) else None
        flat = rows.values if isinstance(rows, Ragged) else rows
        if isinstance(flat, Scaled):
            return cls(flat.values, offsets, flat.scales)
        return cls(flat, offsets)

    def rows(self) -> Rows:
        """The rows again."""
        flat = self.values if self.scales is None else Scaled(self.values, self.scales)
        return flat if self.offsets is None else Ragged(flat, self.offsets)

    def row_bytes(self, i: int) -> bytes:
        """What row i is, to tell it from another."""
        start, end = (i, i + 1) if self.offsets is None else map(int, self.offsets[i : i + 2])
        scales = b"" if self.scales is None else self.scales[start:end].tobytes()
        return self.values[start:end].tobytes() + scales
