"""Checks at the estimators' edges: classes, weights of rows, numbers of threads, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, validate_data

from zoo import settings


def check_rows(estimator: Any, x: Any) -> np.ndarray:
    """(n, d) rows to predict for, float32 or float64, as wide as those that were fitted."""
    rows: np.ndarray = validate_data(
        estimator, x, dtype=[np.float64, np.float32], order="C", reset=False
    )
    return rows


def check_labelled_rows(estimator: Any, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) rows to fit and their (n,) labels; float32 and float64 rows are not copied.

    Raises:
        ValueError: values that are missing or not finite, lengths that differ, targets that are no
            classes.
        TypeError: the rows are a sparse matrix.
    """
    rows, labels = validate_data(estimator, x, y, dtype=[np.float64, np.float32], order="C")
    check_classification_targets(labels)
    return rows, labels


def class_codes(labels: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The (k,) sorted classes and the (n,) int64 code of each label.

    Raises:
        ValueError: there are fewer than two classes.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{name} needs at least two classes; y holds 1 class: {classes[0]!r}")
    return classes, codes.astype(np.int64)


def row_weights(
    sample_weight: Any,
    classes: np.ndarray,
    codes: np.ndarray,
    *,
    class_weight: Mapping[Any, float] | str | None = None,
) -> np.ndarray | None:
    """The (n,) float64 weights of rows times those of their classes; None where all are 1.

    Args:
        sample_weight: n numbers that are not negative, one number for all rows, or None.
        classes: (k,) sorted classes.
        codes: (n,) positions in `classes`.
        class_weight: weights by class, where classes not named have 1; or ``balanced``: the total
            weight over the number of classes and over the class's own.

    Raises:
        ValueError: wrong shapes, negative weights, no weight at all, classes that there are not.
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(codes))
    if isinstance(sample_weight, Real):
        weights *= require_number("sample_weight", sample_weight, low=0.0)
    elif sample_weight is not None:
        given = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
        )
        if given.shape != weights.shape:
            raise ValueError(
                f"sample_weight.shape == {given.shape}, expected {weights.shape}: one a row"
            )
        if (given < 0).any():
            raise ValueError("Negative values in data passed to `sample_weight`")
        weights = weights * given
    if class_weight is not None:
        weights *= _class_weights(class_weight, classes, codes, weights)[codes]
    if not weights.any():
        raise ValueError("all weights of rows are zero: no class has a row that counts")
    return weights


def _class_weights(
    class_weight: Mapping[Any, float] | str,
    classes: np.ndarray,
    codes: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    if isinstance(class_weight, Mapping):
        labels = classes.tolist()
        unknown = [label for label in class_weight if label not in labels]
        # A part of the rows may lack a class, but a name beside an unnamed class is a slip.
        if unknown and not all(label in class_weight for label in labels):
            raise ValueError(f"class_weight names {unknown[0]!r}, which is no class of y")
        of_class = [class_weight.get(label, 1.0) for label in labels]
        return np.array([require_number("class_weight", w, low=0.0) for w in of_class])
    if class_weight != "balanced":
        raise ValueError(f"class_weight must be None, 'balanced' or a dict, not {class_weight!r}")
    totals = np.bincount(codes, weights, minlength=len(classes))
    there = totals > 0  # a class without weight stays without
    share = totals.sum() / max(1, there.sum())
    balanced: np.ndarray = np.divide(share, totals, out=np.zeros_like(totals), where=there)
    return balanced


def thread_count(n_jobs: Any) -> int:
    """Threads for `n_jobs`: None is one, -1 all that the process may use, -2 all but one, ...

    Raises:
        ValueError: it is 0 or no integer.
    """
    if n_jobs is None:
        return 1
    if not isinstance(n_jobs, int | np.integer) or n_jobs == 0:
        raise ValueError(f"n_jobs must be None or an integer other than 0, not {n_jobs!r}")
    wanted = int(n_jobs)
    return wanted if wanted > 0 else max(1, settings.threads() + 1 + wanted)


def require_number(name: str, value: Any, *, low: float, open_end: bool = False) -> float:
    """A finite number of at least `low`, or above it; raises ValueError for anything else."""
    fits = isinstance(value, Real) and np.isfinite(float(value))
    if not fits or value < low or (open_end and value == low):
        bound = "greater than" if open_end else "at least"
        raise ValueError(f"{name} must be a finite number {bound} {low:g}, not {value!r}")
    return float(value)


def require_count(name: str, value: object) -> int:
    """An integer of at least 1; raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")
    return int(value)
