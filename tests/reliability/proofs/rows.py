"""Rows that follow from their numbers, so that any answer of a store can be judged."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np

from zoo.engine import Ragged, Scaled
from zoo.errors import StoreError

KEY = {"proof": "reliability"}
COLUMNS = ("x", "h", "t", "q")
FORMS = (*COLUMNS, "b")
BFLOAT16 = "b"  # its dtype is an append's, so it is appended alone
DIMS = {"x": 48, "h": 5, "t": 3, "q": 6, "b": 4}


def mixed(numbers):
    """SplitMix64 of each number, uint64."""
    lanes = np.asarray(numbers).astype(np.uint64)
    with np.errstate(over="ignore"):
        lanes = (lanes + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        lanes = (lanes ^ (lanes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        lanes = (lanes ^ (lanes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return lanes ^ (lanes >> np.uint64(31))


def keys_of(numbers):
    """(n, 16) uint8."""
    numbers = np.asarray(numbers, np.int64).reshape(-1)
    return mixed(np.stack([numbers * 2, numbers * 2 + 1], axis=1)).view(np.uint8)


def column_of(numbers, column):
    """The rows of these numbers in a column, as the store gives them back."""
    numbers = np.asarray(numbers, np.int64).reshape(-1)
    if column == "t":
        lengths = numbers % 4  # no vectors too
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return Ragged(_values(np.repeat(numbers, lengths) * 4 + within, column), offsets)
    return _values(numbers, column)


def _values(numbers, column):
    lanes = mixed(numbers[:, None] * 64 + np.arange(DIMS[column]) + ord(column) * (1 << 40))
    if column == "h":
        return (lanes % 2048).astype(np.float16)
    if column == "q":
        small = (lanes % 255).astype(np.int16) - 127
        return Scaled(small.astype(np.int8), (1 + numbers % 7).astype(np.float32) / 8)
    if column == "b":
        return (lanes % 0x7F00).astype(np.uint16)
    return (lanes % (1 << 24)).astype(np.float32)


def columns_of(numbers, columns=COLUMNS):
    """What `append` takes for these rows."""
    return {column: column_of(numbers, column) for column in columns}


def put(store, numbers, columns=COLUMNS):
    """Append these rows; returns how many were added, over all columns."""
    plain = columns_of(numbers, [c for c in columns if c != BFLOAT16])
    added = store.append(keys_of(numbers), plain) if plain else 0
    if BFLOAT16 in columns:
        bits = columns_of(numbers, [BFLOAT16])
        added += store.append(keys_of(numbers), bits, dtype="bfloat16")
    return added


def raw_dtype(column):
    """The dtype to ask a column in, so that its very bytes come."""
    return {"q": "int8", "b": "bfloat16"}.get(column)


def get(store, numbers, column):
    """The rows of these numbers."""
    return store.rows(keys_of(numbers), column, dtype=raw_dtype(column))


def lacking(store, numbers, columns=COLUMNS):
    """(n,) bool: which rows at least one of the columns lacks."""
    keys = keys_of(numbers)
    return ~np.all([store.contains(keys, column) for column in columns], axis=0)


def wrong(numbers, rows, column):
    """How many of the rows given for these numbers do not have the right bytes."""
    got, want = row_bytes(rows), row_bytes(column_of(numbers, column))
    return sum(a != b for a, b in zip(got, want, strict=True))


def digests(store, numbers, columns=COLUMNS):
    """SHA-256 of each column's rows, in the order of their numbers."""
    return [
        hashlib.sha256(b"".join(row_bytes(get(store, numbers, column)))).hexdigest()
        for column in columns
    ]


def row_bytes(rows):
    """The bytes of each row, scales included."""
    if isinstance(rows, Ragged):
        ends = rows.offsets.tolist()
        return [_vector_bytes(rows.values, slice(a, b)) for a, b in itertools.pairwise(ends)]
    return [_vector_bytes(rows, slice(i, i + 1)) for i in range(len(rows))]


def _vector_bytes(values, which):
    if isinstance(values, Scaled):
        return values.values[which].tobytes() + values.scales[which].tobytes()
    return values[which].tobytes()


def numbers_by_key(numbers):
    """From a key's bytes to its number."""
    numbers = list(numbers)
    return dict(zip(map(bytes, keys_of(numbers)), map(int, numbers), strict=True))


def judge(store, numbers, columns=COLUMNS):
    """How many of these rows are (lost, wrong), asked for together or, where that fails, alone."""
    lost = bad = 0
    for column in columns:
        there = store.contains(keys_of(numbers), column)
        lost += int((~there).sum())
        present = np.asarray(numbers)[there]
        try:
            bad += wrong(present, get(store, present, column), column) if len(present) else 0
        except StoreError:
            bad += len(present)
    return lost, bad


def judge_stream(store, known, column, **options):
    """(rows seen, rows twice, rows wrong or unknown) of a column's stream; `known` by key."""
    seen = set()
    twice = bad = 0
    for keys, rows in store.stream(column, dtype=raw_dtype(column), **options):
        numbers = [known.get(key.tobytes(), -1) for key in keys]
        bad += numbers.count(-1)
        twice += len(numbers) - len(set(numbers)) + len(seen.intersection(numbers))
        seen.update(numbers)
        if -1 not in numbers:
            bad += wrong(numbers, rows, column)
    return seen, twice, bad
