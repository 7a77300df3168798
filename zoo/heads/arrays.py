"""Checks at a head's edges: targets in, named arrays back in from a file, errors by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import DataError

if TYPE_CHECKING:
    from zoo.plugin.dataset import Target
    from zoo.plugin.head import Fold, Rows


@contextmanager
def data_errors(head: str) -> Iterator[None]:
    """Name the head in what the engine has to say about the data."""
    try:
        yield
    except ValueError as error:
        raise DataError(f"head '{head}': {error}") from error


def class_codes(target: Target, rows: Rows, head: str) -> tuple[np.ndarray, int]:
    """The n codes of a class target and the number of its classes."""
    n, k = rows.shape[0], len(target.names)
    if target.task != "class":
        raise DataError(f"head '{head}' needs a class target, not '{target.task}'")
    if len(target.values) != n:
        raise DataError(f"head '{head}': {n} rows, but {len(target.values)} targets")
    if k < 2 or len(np.unique(target.values)) < 2:
        raise DataError(
            f"head '{head}': fewer than two classes have labelled rows",
            hint="training needs rows of at least two classes",
        )
    return target.values.astype(np.int64), k


def require_width(rows: Rows, width: int, head: str) -> None:
    """Raise DataError where rows have another number of columns than the head was trained on."""
    if rows.shape[1] != width:
        raise DataError(
            f"head '{head}' was trained on {width} columns, these rows have {rows.shape[1]}"
        )


def take(state: Mapping[str, np.ndarray], name: str, dims: int, head: str) -> np.ndarray:
    """A finite float64 array of that many dimensions out of a state."""
    if name not in state:
        raise DataError(f"head '{head}': its file lacks '{name}' (it has {sorted(state)})")
    value = np.asarray(state[name])
    if value.ndim != dims or value.dtype.kind not in "fiu":
        raise DataError(
            f"head '{head}': '{name}' must have {dims} dimensions of numbers, "
            f"not {value.shape} of {value.dtype}"
        )
    if not np.isfinite(value).all():
        raise DataError(f"head '{head}': '{name}' holds a value that is not finite")
    return np.asarray(value, np.float64, order="C")


def take_scalar(state: Mapping[str, np.ndarray], name: str, head: str) -> float:
    """A positive number out of a state."""
    value = float(take(state, name, 0, head))
    if value <= 0.0:
        raise DataError(f"head '{head}': '{name}' must be positive, not {value}")
    return value


def require_fit(head: str, *, fits: bool, what: str) -> None:
    """Raise DataError where two arrays of a state don't belong together."""
    if not fits:
        raise DataError(f"head '{head}': the shapes in its file do not fit together: {what}")


def linear_state(
    state: Mapping[str, np.ndarray], head: str
) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights (m, d), intercepts (m,) and the strength of a linear head."""
    weights, intercepts = take(state, "weights", 2, head), take(state, "intercepts", 1, head)
    require_fit(
        head,
        fits=len(weights) == len(intercepts) >= 1,
        what=f"weights {weights.shape}, intercepts {intercepts.shape}",
    )
    return weights, intercepts, take_scalar(state, "strength", head)


def linear_scores(rows: Rows, weights: np.ndarray, intercepts: np.ndarray) -> np.ndarray:
    """``x @ weights.T + intercepts`` in float64, block by block."""
    blocks = [block.astype(np.float64) @ weights.T + intercepts for block in rows.blocks()]
    return np.concatenate(blocks) if blocks else np.empty((0, len(intercepts)))


def require_folds(folds: Sequence[Fold], head: str) -> int:
    """The number of rows judged over all folds; raises DataError where it is 0."""
    judged = sum(len(held) for _, held in folds)
    if judged == 0:
        raise DataError(f"head '{head}': the folds judge no row")
    return judged
