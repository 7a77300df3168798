"""Arrays as the native core takes them: contiguous, and of the types that it knows."""

from __future__ import annotations

import numpy as np


def as_rows(x: np.ndarray) -> np.ndarray:
    """Rows as float64 where they are that, else as float32; a copy only where it must be."""
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    return np.ascontiguousarray(x, dtype)


def as_codes(codes: np.ndarray) -> np.ndarray:
    """Class codes or row numbers as int64."""
    return np.ascontiguousarray(codes, np.int64)


def as_weights(sample_weight: np.ndarray | None) -> np.ndarray | None:
    """Sample weights as float64, or none."""
    return None if sample_weight is None else np.ascontiguousarray(sample_weight, np.float64)
