"""Ridge regression, on classes or real targets: the whole path from one factorisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo import _core
from zoo.engine.labels import as_codes, as_weights, require_classes, require_strengths
from zoo.engine.rotation import principal_axes
from zoo.engine.span import span_of

# Relative to the total variance: above it a single strength needs no eigenvectors, which cost ten
# times as much; below it the matrix may be singular to rounding.
_SOLVABLE = 1e-8


@dataclass(frozen=True)
class RidgeFit:
    """One point of a ridge path on classes.

    Attributes:
        strength: of the penalty.
        weights: (k, d) float64.
        intercepts: (k,) float64.
        inverse_temperature: what makes softmax of the scores honest, fitted on left-out scores.
        loss: mean log loss of the left-out scores at that temperature.
        left_out: (n, k) each row's scores from the fit without it, or None where not kept.
    """

    strength: float
    weights: np.ndarray
    intercepts: np.ndarray
    inverse_temperature: float
    loss: float
    left_out: np.ndarray | None


@dataclass(frozen=True)
class RidgeRegression:
    """One point of a ridge path on real targets.

    Attributes:
        strength: of the penalty.
        weights: (q, d) float64.
        intercepts: (q,) float64.
        errors: (q,) weighted mean squared errors of the rows, each left out in turn; None where
            not asked for.
        left_out: (n, q) each row's prediction from the fit without it, or None where not kept.
    """

    strength: float
    weights: np.ndarray
    intercepts: np.ndarray
    errors: np.ndarray | None
    left_out: np.ndarray | None


def ridge_path(
    x: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    *,
    strengths: Sequence[float],
    sample_weight: np.ndarray | None = None,
    keep_all: bool = False,
    threads: int = 1,
) -> list[RidgeFit]:
    """Ridge regression on one-hot classes at every strength, with exact leave-one-out scores.

    scikit-learn's Ridge with ``alpha = strength * sum(sample_weight)``. Only the fit of lowest loss
    keeps its left-out scores unless `keep_all`.

    Raises:
        ValueError: a value is not finite, a code is out of range, fewer than two classes.
    """
    require_classes(codes, n_classes, sample_weight)
    require_strengths(strengths)
    rotation = principal_axes(x, sample_weight=sample_weight, threads=threads)
    path = _core.ridge_path(
        rotation.z,
        as_codes(codes),
        n_classes,
        strengths=[rotation.strength(s) for s in strengths],
        weights=as_weights(sample_weight),
        keep_all=keep_all,
        threads=threads,
    )
    return [
        RidgeFit(strength, *rotation.out(w, b), inverse, loss, left_out)
        for strength, (w, b, inverse, loss, left_out) in zip(strengths, path, strict=True)
    ]


def ridge_regression(
    x: np.ndarray,
    y: np.ndarray,
    *,
    strengths: Sequence[float],
    sample_weight: np.ndarray | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    leave_one_out: bool = True,
    keep_all: bool = False,
    threads: int = 1,
) -> list[RidgeRegression]:
    """Ridge regression of (n, q) real targets on (n, d) rows at every strength.

    scikit-learn's Ridge with ``alpha = strength * sum(sample_weight)``. Leaving a row out holds
    alpha, and the columns' units, as they are with it (Allen 1974). Without `leave_one_out` and
    with n >= d no matrix larger than (d, d) and (n, q) is made.

    Args:
        x: float32 or float64 rows.
        y: targets.
        strengths: positive.
        sample_weight: n weights, not negative.
        fit_intercept: whether an unpenalised constant is fitted.
        standardize: penalise weights in units of the columns' weighted standard deviations; what
            is returned is for the rows as they are. A constant column's unit is its value.
        leave_one_out: whether errors and predictions of left-out rows are computed.
        keep_all: keep the left-out predictions of every strength, not of the best alone, which is
            the first of least mean error over the outputs.
        threads: upper bound.

    Raises:
        ValueError: a value is not finite, shapes differ, a strength is not positive; fewer than
            two rows with weight where one is to be left out.
    """
    require_strengths(strengths)
    _require_targets(x, y)
    # Powers of two: no bit is lost, and squares of the targets neither overflow nor vanish.
    power = np.ldexp(1.0, np.clip(np.frexp(np.abs(y).max(axis=0))[1], -1000, 1000))
    targets = np.ascontiguousarray(y.astype(np.float64) / power)
    if not leave_one_out:
        return _from_moments(
            x,
            targets,
            power,
            strengths=strengths,
            sample_weight=sample_weight,
            fit_intercept=fit_intercept,
            standardize=standardize,
            threads=threads,
        )
    rotation = principal_axes(
        x,
        sample_weight=sample_weight,
        center=fit_intercept,
        standardize=standardize,
        threads=threads,
    )
    path = _core.ridge_targets(
        rotation.z,
        targets,
        strengths=[rotation.strength(s) for s in strengths],
        weights=as_weights(sample_weight),
        intercept=fit_intercept,
        keep_all=keep_all,
        threads=threads,
    )
    return [
        RidgeRegression(
            strength,
            *rotation.out(w * power[:, None], b * power),
            errors * power * power,
            None if left_out is None else left_out * power,
        )
        for strength, (w, b, errors, left_out) in zip(strengths, path, strict=True)
    ]


def _from_moments(
    x: np.ndarray,
    targets: np.ndarray,
    power: np.ndarray,
    *,
    strengths: Sequence[float],
    sample_weight: np.ndarray | None,
    fit_intercept: bool,
    standardize: bool,
    threads: int,
) -> list[RidgeRegression]:
    """The path from second moments alone: the rows are read, never rotated."""
    span = span_of(x, sample_weight=sample_weight, center=fit_intercept, standardize=standardize)
    means = np.zeros(targets.shape[1])
    if fit_intercept:
        means = np.einsum("i,ij->j", span.share, targets)
    cross = np.zeros((targets.shape[1], span.width))
    for numbers, rows in span.blocks():
        weighted = span.share[numbers, None] * (targets[numbers] - means)
        cross += _core.rows_combined(weighted, rows, threads=threads)
    moments = span.second_moments(threads=threads)
    if len(strengths) == 1 and span.strength(strengths[0]) > _SOLVABLE * float(np.trace(moments)):
        moments[np.diag_indices(span.width)] += span.strength(strengths[0])
        solved = span.out(np.linalg.solve(moments, cross.T).T) * power[:, None]
        intercepts = means * power - solved @ span.mean
        return [RidgeRegression(strengths[0], solved, intercepts, None, None)]
    variances, axes = np.linalg.eigh(moments)
    # Directions that rounding alone holds open would be divided by next to nothing.
    real = variances > len(variances) * np.finfo(float).eps * max(variances[-1], 0.0)
    variances, axes = variances[real], axes[:, real]
    along = cross @ axes
    path = []
    for strength in strengths:
        w = span.out(along / (variances + span.strength(strength)) @ axes.T) * power[:, None]
        path.append(RidgeRegression(strength, w, means * power - w @ span.mean, None, None))
    return path


def _require_targets(x: np.ndarray, y: np.ndarray) -> None:
    if y.ndim != 2 or y.shape[1] == 0 or len(y) != len(x):
        raise ValueError(f"targets must have shape ({len(x)}, q) with q >= 1, not {y.shape}")
    finite = np.isfinite(y).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"the target of row {row} is not finite (NaN or infinity)")
