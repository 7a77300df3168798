"""Checks at a head's edges: targets in, named arrays back in from a file, errors by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import DataError, UsageError

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


def require_task(head: str, tasks: Collection[str], task: str) -> None:
    """Raise UsageError where a head does not take targets of a task."""
    if task not in tasks:
        raise UsageError(
            f"head '{head}' takes {' and '.join(sorted(tasks))} targets, not {task}",
            hint=f"--head auto chooses one that takes {task} targets",
        )


def class_codes(target: Target, rows: Rows, head: str) -> tuple[np.ndarray, int]:
    """The n codes of a class target and the number of its classes."""
    k = len(target.names)
    require_task(head, {"class"}, target.task)
    _require_length(target, rows, head)
    if k < 2 or len(np.unique(target.values)) < 2:
        raise DataError(
            f"head '{head}': fewer than two classes have labelled rows",
            hint="training needs rows of at least two classes",
        )
    return target.values.astype(np.int64), k


def numbers(target: Target, rows: Rows, head: str) -> np.ndarray:
    """The (n, t) float64 numbers of a regression target."""
    require_task(head, {"regression"}, target.task)
    _require_length(target, rows, head)
    return np.asarray(target.values, np.float64)


def marks(target: Target, rows: Rows, head: str) -> np.ndarray:
    """The (n, l) int8 marks of a multi-label target."""
    require_task(head, {"multilabel"}, target.task)
    _require_length(target, rows, head)
    return np.asarray(target.values, np.int8)


def _require_length(target: Target, rows: Rows, head: str) -> None:
    if len(target.values) != rows.shape[0]:
        raise DataError(f"head '{head}': {rows.shape[0]} rows, but {len(target.values)} targets")


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
