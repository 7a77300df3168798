"""Rows, labels and weights as the core takes them, and what is refused before work is spent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def as_rows(x: np.ndarray) -> np.ndarray:
    """Rows as float64 where they are that, else as float32; a copy only where it must be."""
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    return np.ascontiguousarray(x, dtype)


def as_codes(codes: np.ndarray) -> np.ndarray:
    """Label codes or row numbers, contiguous int64."""
    return np.ascontiguousarray(codes, np.int64)


def as_weights(sample_weight: np.ndarray | None) -> np.ndarray | None:
    """Sample weights, contiguous float64; None is all 1."""
    return None if sample_weight is None else np.ascontiguousarray(sample_weight, np.float64)


def require_classes(codes: np.ndarray, n_classes: int, weight: np.ndarray | None) -> None:
    """Raise ValueError for codes out of range and for one class, before minutes are spent."""
    if len(codes) and (codes.min() < 0 or codes.max() >= n_classes):
        raise ValueError(f"label codes must lie in [0, {n_classes})")
    counted = codes if weight is None or weight.shape != codes.shape else codes[weight > 0]
    if len(np.unique(counted)) < 2:
        raise ValueError("fewer than two classes have labelled rows with weight")


def require_strengths(strengths: Sequence[float]) -> None:
    """Raise ValueError where a strength is not positive and finite."""
    for strength in strengths:
        if not 0.0 < strength < float("inf"):
            raise ValueError(f"strengths must be positive and finite, not {strength}")
