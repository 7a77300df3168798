"""Approximate leave-one-out scores of a logistic regression, from one fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zoo.engine.logistic import LogisticFit

_MAX_COORDINATES = 6_000  # of the dense Hessian: 288 MB, and some seconds to factor


def logistic_left_out(
    x: np.ndarray,
    codes: np.ndarray,
    fit: LogisticFit,
    *,
    strength: float,
    sample_weight: np.ndarray | None = None,
    fit_intercept: bool = True,
) -> np.ndarray:
    """(n, k) scores of each row by the fit without it, (n, 1) for two classes, to first order.

    One Newton step away from the optimum of all rows, row by row (Beirami et al. 2017; Rad and
    Maleki 2020): with H the Hessian of the objective times n, X_i the row's design, C_i its
    curvature and r_i its residual, A_i = X_i H^-1 X_i^T, the scores move by
    ``A_i (I - C_i A_i)^-1 r_i``. `strength` is held relative to the sum of the loss, so that it is
    ``strength * n / (n - 1)`` for the rows that are left. Memory and time are those of a dense
    Hessian of k (d + 1) coordinates; with n < d it is that of the rows' span.

    Args:
        x: (n, d) rows that the fit was made of.
        codes: their n classes.
        fit: the optimum, with k weight vectors, or 1 for two classes.
        strength: of its penalty.
        sample_weight: (n,) of the fit; a row of weight 0 is left out already.
        fit_intercept: whether it has intercepts.

    Raises:
        ValueError: k times the number of coordinates is above 6,000, or shapes do not fit.
    """
    rows = np.asarray(x, np.float64)
    n = len(rows)
    if rows.ndim != 2 or rows.shape[1] != fit.weights.shape[1] or np.shape(codes) != (n,):
        raise ValueError("rows, codes and fit do not fit together")
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, np.float64)
    scores = rows @ fit.weights.T + fit.intercepts
    if n < rows.shape[1]:  # everything happens in the span of the rows
        rows = np.asarray(np.linalg.qr(rows.T, mode="r")).T
    design = np.hstack([rows, np.ones((n, 1))]) if fit_intercept else rows
    width, k = design.shape[1], len(fit.weights)
    if k * width > _MAX_COORDINATES:
        raise ValueError(
            f"leave-one-out of {k} x {width} coordinates needs too large a Hessian "
            f"(at most {_MAX_COORDINATES}): use folds"
        )
    residual, curvature = _derivatives(scores, np.asarray(codes), k)
    inverse = _inverse_hessian(design, curvature * weight[:, None, None], strength * weight.sum())
    inverse = inverse.reshape(k, width, k, width)
    # A_i for all rows: (n, k, k).
    moved = np.einsum("ij,ajbl->iabl", design, inverse, optimize=True)
    influence = np.einsum("iabl,il->iab", moved, design, optimize=True)
    system = np.eye(k) - weight[:, None, None] * curvature @ influence
    push = np.linalg.solve(system, (weight[:, None] * residual)[..., None])
    out: np.ndarray = scores + (influence @ push)[..., 0]
    return out


def _derivatives(scores: np.ndarray, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (n, k) and curvatures (n, k, k) of the rows' losses."""
    if k == 1:
        p = 1.0 / (1.0 + np.exp(-np.clip(scores, -700, 700)))
        return p - (codes == 1)[:, None], (p * (1.0 - p))[..., None]
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    curvature = -p[:, :, None] * p[:, None, :]
    curvature[:, range(k), range(k)] += p
    return p - np.eye(k)[codes], curvature


def _inverse_hessian(design: np.ndarray, curvature: np.ndarray, penalty: float) -> np.ndarray:
    """Inverse of sum_i C_i (x) x_i x_i^T + penalty on the weights; the shift has none."""
    k, width = curvature.shape[1], design.shape[1]
    hessian = np.empty((k, width, k, width))
    for a in range(k):
        for b in range(a + 1):
            block = (design * curvature[:, a, b, None]).T @ design
            hessian[a, :, b], hessian[b, :, a] = block, block.T
    flat = hessian.reshape(k * width, k * width)
    ridge = np.full(width, penalty)
    if np.all(design[:, -1] == 1.0):
        # The intercepts' common shift is free: a ridge on them alone fixes it and moves nothing.
        ridge[-1] = 1e-9 * max(float(np.trace(flat)) / len(flat), penalty)
    flat[np.diag_indices(k * width)] += np.tile(ridge, k)
    inverse: np.ndarray = np.linalg.inv(flat)
    return inverse


__all__ = ["logistic_left_out"]
