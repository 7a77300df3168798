"""Rows in their principal axes: where an L2 penalty is the same and curvature is diagonal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zoo import _core
from zoo.engine.span import ROUNDING, bounded, require_rows, share_of, span_of


@dataclass(frozen=True)
class Rotation:
    """``x - mean = scale * units * (z @ basis.T)``, with the columns of z uncorrelated.

    Every penalised linear head has its optimum in the span of the centred rows, and |W| is the
    same in any orthonormal basis of it, so a head fitted on z is the head fitted on x. scale makes
    the total variance of z 1; a strength for x is ``strength / scale**2`` for z.

    Attributes:
        z: (n, r) float64 with r = min(n, d).
        mean: (d,) float64, weighted; 0 where the rows were not centred.
        basis: (d, r) float64, orthonormal columns, in order of falling variance.
        scale: positive.
        units: (d,) float64 in which columns are penalised; None is all 1.
    """

    z: np.ndarray
    mean: np.ndarray
    basis: np.ndarray
    scale: float
    units: np.ndarray | None = None

    def strength(self, strength: float) -> float:
        """The strength for z that is `strength` for the rows themselves."""
        return bounded(strength, self.scale)

    def out(self, weights: np.ndarray, intercepts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m, r) weights and m intercepts for z, as those for x."""
        w = weights @ self.basis.T / self.scale
        if self.units is not None:
            w /= self.units
        return w, intercepts - w @ self.mean

    def into(self, weights: np.ndarray, intercepts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m, d) weights and m intercepts for x, as those for z."""
        own = weights if self.units is None else weights * self.units
        return own @ self.basis * self.scale, intercepts + weights @ self.mean


def principal_axes(
    x: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    center: bool = True,
    standardize: bool = False,
    threads: int = 1,
) -> Rotation:
    """Centre and rotate (n, d) float32 or float64 rows, in float64.

    Needs one n r float64 of memory, the result, and with n < d about 2 n d more (`Span`). Gram and
    rotation are the core's, the same bits for any `threads`; QR and eigenvectors are LAPACK's,
    through NumPy.

    Raises:
        ValueError: a row is not finite (the message names it), or there are no rows or columns.
    """
    span = span_of(x, sample_weight=sample_weight, center=center, standardize=standardize)
    moments = span.second_moments(threads=threads)
    variance = float(np.trace(moments))
    scale = float(np.sqrt(variance)) if variance > ROUNDING**2 else 1.0
    _, vectors = np.linalg.eigh(moments)
    axes = np.ascontiguousarray(vectors[:, ::-1].T)
    z = np.empty((len(x), span.width))
    for numbers, rows in span.blocks():
        z[numbers[0] : numbers[-1] + 1] = _core.rows_times(rows, axes, threads=threads)
    z /= scale
    whole = axes.T if span.basis is None else span.basis @ axes.T
    units = span.units if standardize else None
    return Rotation(z, span.mean, whole, scale * span.size, units)


def total_variance(x: np.ndarray, *, sample_weight: np.ndarray | None = None) -> float:
    """Weighted mean squared distance of (n, d) rows from their mean, in float64.

    Raises:
        ValueError: a value is not finite (the message names the row).
    """
    if len(x) == 0:
        return 0.0
    share = share_of(sample_weight, len(x))
    blocks = [slice(i, i + 1024) for i in range(0, len(x), 1024)]
    largest = max(float(np.abs(x[b]).max(initial=0.0)) for b in blocks)
    if not np.isfinite(largest):
        require_rows(x)
    power = float(np.ldexp(1.0, np.clip(np.frexp(largest)[1], -1000, 1000)))  # squares stay finite
    mean = sum(np.einsum("i,ij->j", share[b], x[b] / power) for b in blocks)
    parts = (np.einsum("i,ij->", share[b], np.square(x[b] / power - mean)) for b in blocks)
    return float(sum(parts)) * power * power


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
