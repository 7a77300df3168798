"""Rows by their content: copies are one row, whatever their order and number."""

from __future__ import annotations

import hashlib

import numpy as np


def row_digests(*arrays: np.ndarray) -> list[bytes]:
    """128 bits for each row of arrays of (n, d) numbers side by side; -0 is 0."""
    return [
        hashlib.blake2b(b"".join((row + 0.0).tobytes() for row in rows), digest_size=16).digest()
        for rows in zip(*arrays, strict=True)
    ]


def joined_weights(digests: list[bytes], weight: np.ndarray | None) -> np.ndarray | None:
    """Weights in which the first of equal rows has the weight of all, and the others none."""
    first: dict[bytes, int] = {}
    places = np.array([first.setdefault(digest, i) for i, digest in enumerate(digests)], np.int64)
    if len(first) == len(digests):
        return weight
    joined: np.ndarray = np.bincount(places, weight, len(digests)).astype(np.float64)
    return joined


def stratified_folds(digests: list[bytes], codes: np.ndarray, folds: int) -> np.ndarray:
    """(n,) fold of each row: each class's rows in turn, in the order of their digests."""
    fold = np.zeros(len(codes), np.int64)
    for code in np.unique(codes):
        mine = np.flatnonzero(codes == code)
        distinct = sorted({digests[i] for i in mine})
        turn = {digest: number % folds for number, digest in enumerate(distinct)}
        fold[mine] = [turn[digests[i]] for i in mine]
    return fold
