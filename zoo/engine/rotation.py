"""Rows in their principal axes: where an L2 penalty is the same and curvature is diagonal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo import _core


@dataclass(frozen=True)
class Rotation:
    """``x - mean = scale * z @ basis.T``, with the columns of z uncorrelated.

    Every penalised linear head has its optimum in the span of the centred rows, and |W| is the
    same in any orthonormal basis of it, so a head fitted on z is the head fitted on x. scale makes
    the total variance of z 1; a strength for x is ``strength / scale**2`` for z.

    Attributes:
        z: (n, r) float64 with r = min(n, d).
        mean: (d,) float64, weighted.
        basis: (d, r) float64, orthonormal columns, in order of falling variance.
        scale: positive.
    """

    z: np.ndarray
    mean: np.ndarray
    basis: np.ndarray
    scale: float

    def strength(self, strength: float) -> float:
        """The strength for z that is `strength` for the rows themselves."""
        return strength / self.scale / self.scale

    def out(self, weights: np.ndarray, intercepts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m, r) weights and m intercepts for z, as those for x."""
        w = weights @ self.basis.T / self.scale
        return w, intercepts - w @ self.mean

    def into(self, weights: np.ndarray, intercepts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m, d) weights and m intercepts for x, as those for z."""
        return weights @ self.basis * self.scale, intercepts + weights @ self.mean


def principal_axes(
    x: np.ndarray, *, sample_weight: np.ndarray | None = None, threads: int = 1
) -> Rotation:
    """Centre and rotate (n, d) float32 or float64 rows, in float64.

    With n < d the rows are first expressed in an orthonormal basis of their span (QR), which costs
    n^2 d instead of d^3 and, unlike an eigendecomposition of X X^T alone, keeps directions of small
    variance exact. Needs about 2 n d float64 of memory. Gram and rotation are the core's, the same
    bits for any `threads`; QR and eigenvectors are LAPACK's, through NumPy.

    Raises:
        ValueError: a row is not finite (the message names it), or there are no rows or columns.
    """
    require_rows(x)
    n, d = x.shape
    share = _share(sample_weight, n)
    # Weighted sums row by row, in order: the same for any BLAS.
    rows = x.astype(np.float64)
    size = float(np.abs(rows).max()) or 1.0
    rows /= size  # so that squares neither overflow nor vanish
    mean = np.einsum("i,ij->j", share, rows)
    rows -= mean
    basis: np.ndarray | None = None
    if n < d:
        basis, triangle = np.linalg.qr(rows.T)
        rows = np.ascontiguousarray(triangle.T)
    variance = float(np.einsum("i,ij,ij->", share, rows, rows))
    # Rows that differ by rounding alone are equal: their directions would be noise.
    scale = float(np.sqrt(variance)) if variance > 1e-28 else 1.0
    rows /= scale
    weighted = rows * np.sqrt(share)[:, None]
    _, vectors = np.linalg.eigh(_core.gram(weighted, threads=threads))
    axes = np.ascontiguousarray(vectors[:, ::-1].T)
    z = _core.rows_times(rows, axes, threads=threads)
    whole = axes.T if basis is None else basis @ axes.T
    return Rotation(z, mean * size, whole, scale * size)


def total_variance(x: np.ndarray) -> float:
    """Mean squared distance of (n, d) rows from their mean, in float64.

    Raises:
        ValueError: a value is not finite (the message names the row).
    """
    if len(x) == 0:
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        mean = x.mean(axis=0, dtype=np.float64)
        blocks = range(0, len(x), 1024)
        total = sum(float(np.square(x[i : i + 1024] - mean).sum()) for i in blocks) / len(x)
    if not np.isfinite(total):
        require_rows(x)
    return total


def strength_grid(variance: float) -> tuple[float, ...]:
    """The 20 strengths worth trying on rows of this total variance, strongest first.

    The strength is compared with the curvature of the loss along a direction, which is at most a
    quarter (binary) or half (multinomial) of the variance there, so what a strength does depends on
    its ratio to the variance: at 0.1 of the total even the first principal axis is shrunk to nearly
    nothing, at 1e-6 of it only directions with a millionth of the variance still are. Twenty points
    over these five decades are 1.8 apart, closer than held-out loss can tell.
    """
    unit = variance if variance > 0.0 else 1.0
    return tuple(float(s) for s in unit * np.logspace(-1, -6, 20))


def require_rows(x: np.ndarray) -> None:
    """Raise ValueError where x is not a matrix of finite numbers with rows and columns."""
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"rows must have shape (n, d) with n, d >= 1, not {x.shape}")
    finite = np.isfinite(x).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(f"row {row} holds a value that is not finite (NaN or infinity)")


def _share(sample_weight: np.ndarray | None, n: int) -> np.ndarray:
    if sample_weight is None:
        return np.full(n, 1.0 / n)
    if sample_weight.shape != (n,):
        raise ValueError(f"sample weights must have shape ({n},), not {sample_weight.shape}")
    if not (np.isfinite(sample_weight).all() and (sample_weight >= 0).all()):
        raise ValueError("sample weights must be finite and not negative")
    weight = sample_weight.astype(np.float64)
    top = weight.max()
    if top <= 0.0:
        raise ValueError("all sample weights are 0")
    weight /= top
    share: np.ndarray = weight / weight.sum()
    return share
