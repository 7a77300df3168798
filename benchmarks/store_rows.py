"""Rows that know who they are, so that any reader's answer can be judged without the original."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIM = 768
ROW_BYTES = DIM * 2
_PERIOD = 4096
_PATTERN = np.random.default_rng(20).standard_normal((_PERIOD, DIM), np.float32).astype(np.float16)


@dataclass(frozen=True)
class Plan:
    """How many rows will be written, and how many a commit.

    `data` holds the (keys, rows) where making them must not be timed.
    """

    rows: int
    batch: int
    data: tuple[NDArray[np.uint8], NDArray[np.float16]] | None = None

    def blocks(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float16]]]:
        """The (keys, rows) of each commit, in the order of their numbers."""
        for start in range(0, self.rows, self.batch):
            stop = min(start + self.batch, self.rows)
            if self.data:
                yield self.data[0][start:stop], self.data[1][start:stop]
            else:
                numbers = np.arange(start, stop)
                yield keys_of(numbers), rows_of(numbers)


def rows_of(numbers: NDArray[np.int64]) -> NDArray[np.float16]:
    """(n, 768) float16: a fixed pattern with the row's number in the first two values' bits."""
    rows = _PATTERN[numbers % _PERIOD]
    bits = rows.view(np.uint16)
    bits[:, 0] = numbers & 0xFFFF
    bits[:, 1] = numbers >> 16
    return rows


def keys_of(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(n, 16) uint8: two SplitMix64 outputs a number, as evenly spread as digests."""
    lanes = np.stack([numbers * 2, numbers * 2 + 1], axis=1).astype(np.uint64)
    with np.errstate(over="ignore"):
        lanes = (lanes + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        lanes = (lanes ^ (lanes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        lanes = (lanes ^ (lanes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        lanes ^= lanes >> np.uint64(31)
    return lanes.view(np.uint8)


def numbers_in(rows: NDArray[np.float16]) -> NDArray[np.int64]:
    """The numbers that the rows say they have; anything where they are damaged."""
    bits = np.ascontiguousarray(rows[:, :2]).view(np.uint16).astype(np.int64)
    return bits[:, 0] | bits[:, 1] << 16
