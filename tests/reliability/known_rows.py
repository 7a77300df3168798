"""Rows that follow from their numbers, in columns of every kind, and whether a store has them."""

from __future__ import annotations

import hashlib

import numpy as np

from zoo.engine import FeatureStore, Ragged, Scaled, row_keys

COLUMNS = ("x", "h", "t", "q")


def keys_of(numbers):
    """Keys of row numbers, (n, 16)."""
    return row_keys([hashlib.sha256(b"row %d" % n).digest()[:16] for n in numbers])


def row_of(column, number):
    """The one right value of a row, as the store gives it."""
    draw = np.random.default_rng([number, COLUMNS.index(column)])
    if column == "x":
        return draw.standard_normal(8).astype(np.float32)
    if column == "h":
        return draw.standard_normal(5).astype(np.float16)
    if column == "t":
        return draw.standard_normal((number % 4, 3)).astype(np.float32)
    return draw.integers(-127, 128, 6).astype(np.int8)


def scale_of(number):
    """The scale of a row of ``q``."""
    return np.float32(1 + number % 7)


def columns_of(numbers):
    """The rows of all columns, ready to append."""
    numbers = list(numbers)
    return {
        "x": np.stack([row_of("x", n) for n in numbers]),
        "h": np.stack([row_of("h", n) for n in numbers]),
        "t": Ragged.from_rows([row_of("t", n) for n in numbers]),
        "q": Scaled(
            np.stack([row_of("q", n) for n in numbers]),
            np.array([scale_of(n) for n in numbers], np.float32),
        ),
    }


def present(store: FeatureStore, numbers, column):
    """Which of the rows the column has, as a list of numbers."""
    numbers = list(numbers)
    has = store.contains(keys_of(numbers), column)
    return [n for n, there in zip(numbers, has, strict=True) if there]


def wrong_rows(store: FeatureStore, numbers):
    """How many rows that the store has, over all columns, are not right to the byte."""
    wrong = 0
    for column in COLUMNS:
        there = present(store, numbers, column)
        if not there:
            continue
        dtype = "int8" if column == "q" else None
        rows = store.rows(keys_of(there), column, dtype=dtype)
        for i, number in enumerate(there):
            expected = row_of(column, number)
            if column == "q":
                same = rows.scales[i] == scale_of(number)
                got = rows.values[i]
            else:
                same, got = True, rows[i]
            wrong += not (
                same and got.dtype == expected.dtype and got.tobytes() == expected.tobytes()
            )
    return wrong


def streamed_once(store: FeatureStore, column):
    """The keys that a stream gives; raises where one comes twice."""
    seen = set()
    for keys, _ in store.stream(column, block_rows=100):
        for key in keys:
            if key.tobytes() in seen:
                raise AssertionError(f"a row of '{column}' was streamed twice")
            seen.add(key.tobytes())
    return seen
