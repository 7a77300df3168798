"""Columns of a pandas or polars DataFrame, known by what it can do: neither library is imported."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.data.names import listed, shown
from zoo.errors import DataError


def is_frame(value: object) -> bool:
    """Whether a value has named columns of equal length, as DataFrames have."""
    shape = getattr(value, "shape", ())
    return (
        not isinstance(value, np.ndarray)
        and hasattr(value, "columns")
        and hasattr(value, "__getitem__")
        and isinstance(shape, tuple)
        and len(shape) == 2
    )


def column_names(frame: Any) -> list[str]:
    """The names of a DataFrame's columns as text."""
    return [str(name) for name in frame.columns]


def column(frame: Any, name: str, hint: str) -> list[Any]:
    """The values of a DataFrame's column; raises DataError where it is not there exactly once."""
    names = column_names(frame)
    if names.count(name) != 1:
        what = f"two columns {shown(name)}" if name in names else f"no column {shown(name)}"
        raise DataError(f"the DataFrame has {what}; it has {listed(names)}", hint=hint)
    return list(frame[next(own for own in frame.columns if str(own) == name)])
