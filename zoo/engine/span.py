"""Rows about their mean, in min(n, d) coordinates of float64: block by block, without a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zoo import _core

# Values of a block, 4 MiB of float64; but rows enough that adding up Grams costs next to nothing.
_BLOCK = 1 << 19
_GRAM_ROWS = 1024
# Rows that differ by rounding alone are equal: their directions would be noise.
ROUNDING = 1e-14


@dataclass(frozen=True)
class Span:
    """``x[i] = mean + units * (basis @ t[i])`` for coordinates t of the rows.

    Every penalised linear head has its optimum in the span of the rows about their mean, and a
    rotation changes no norm there. With n < d the coordinates are those of an orthonormal basis
    (QR), which costs n^2 d instead of d^3 and, unlike an eigendecomposition of X X^T, keeps
    directions of small variance exact; that needs about 2 n d float64 of memory. Else they are the
    columns themselves and are made when asked for.

    Attributes:
        share: (n,) float64, the rows' weights over their sum.
        mean: (d,) float64, weighted; 0 where the rows were not to be centred.
        units: (d,) float64, positive.
        basis: (d, n) float64 with orthonormal columns where n < d, else None.
        size: a strength for x is ``strength / size**2`` for t.
        width: the number of coordinates, min(n, d).
    """

    share: np.ndarray
    mean: np.ndarray
    units: np.ndarray
    basis: np.ndarray | None
    size: float
    width: int
    _rows: np.ndarray
    _power: np.ndarray
    _middle: np.ndarray
    _spread: np.ndarray | None

    def rows(self, which: slice | np.ndarray) -> np.ndarray:
        """(b, width) coordinates of some rows."""
        if self.basis is not None:
            return np.ascontiguousarray(self._rows[which])
        return _scaled(self._rows[which], self._power, self._middle, self._spread)

    def blocks(self, which: np.ndarray | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row numbers and (b, width) coordinates of those rows, or of all, in order."""
        every = np.arange(len(self.share)) if which is None else which
        size = max(_GRAM_ROWS, _BLOCK // self.width)
        for start in range(0, len(every), size):
            numbers = every[start : start + size]
            whole = slice(start, start + size)
            yield numbers, self.rows(whole if which is None else numbers)

    def second_moments(self, *, threads: int) -> np.ndarray:
        """(width, width) float64, the mean of t t^T: the same bits for any `threads`."""
        moments = np.zeros((self.width, self.width))
        for numbers, rows in self.blocks():
            weighted = rows * np.sqrt(self.share[numbers])[:, None]
            moments += _core.gram(weighted, threads=threads)
        return moments

    def strength(self, strength: float) -> float:
        """The strength for t that is `strength` for the rows themselves."""
        return bounded(strength, self.size)

    def out(self, weights: np.ndarray) -> np.ndarray:
        """(m, width) weights for t, as (m, d) for x."""
        whole = weights if self.basis is None else weights @ self.basis.T
        return np.asarray(whole / self.units)


def span_of(
    x: np.ndarray,
    *,
    sample_weight: np.ndarray | None = None,
    center: bool = True,
    standardize: bool = False,
) -> Span:
    """The span of (n, d) rows.

    Args:
        x: float32 or float64 rows.
        sample_weight: n weights, not negative.
        center: whether coordinates count from the weighted mean, else from 0.
        standardize: take each column in units of its weighted standard deviation; a constant
            column in units of its value.

    Raises:
        ValueError: a row is not finite (the message names it), or there are no rows or columns.
    """
    require_rows(x)
    n, d = x.shape
    share = share_of(sample_weight, n)
    steps = [slice(i, i + max(1, _BLOCK // d)) for i in range(0, n, max(1, _BLOCK // d))]
    largest = np.zeros(d)
    for step in steps:
        np.maximum(largest, np.abs(x[step]).max(axis=0), out=largest)
    # Powers of two, so that squares neither overflow nor vanish and no bit is lost.
    exponents = np.frexp(largest if standardize else np.full(d, largest.max()))[1]
    power = np.ldexp(1.0, np.clip(exponents, -1000, 1000))
    # The second pass takes away what rounding left of the mean in the first.
    first, _ = _sums(x, share, steps, power, np.zeros(d))
    rest, variance = _sums(x, share, steps, power, first)
    middle = first + rest
    spread = None
    units = power
    if standardize:
        spread = np.sqrt(variance)
        flat = spread <= ROUNDING * np.abs(middle)
        spread[flat] = np.where(largest > 0.0, largest / power, 1.0)[flat]
        units = power * spread
    if not center:
        middle = np.zeros(d)
    basis, coordinates = None, x
    if n < d:
        basis, triangle = np.linalg.qr(_scaled(x, power, middle, spread).T)
        coordinates = np.ascontiguousarray(triangle.T)
    size = 1.0 if standardize else float(power[0])
    return Span(
        share, middle * power, units, basis, size, min(n, d), coordinates, power, middle, spread
    )


def require_rows(x: np.ndarray) -> None:
    """Raise ValueError where x is not a matrix of finite numbers with rows and columns."""
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"rows must have shape (n, d) with n, d >= 1, not {x.shape}")
    size = max(1, _BLOCK // x.shape[1])
    for start in range(0, len(x), size):
        finite = np.isfinite(x[start : start + size]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise ValueError(f"row {row} holds a value that is not finite (NaN or infinity)")


def share_of(sample_weight: np.ndarray | None, n: int) -> np.ndarray:
    """The n rows' weights over their sum, float64; ValueError where they are no weights."""
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


def bounded(strength: float, scale: float) -> float:
    """``strength / scale**2`` within float64's range; what is no strength stays as it is."""
    if not 0.0 < strength < float("inf"):
        return strength
    return min(max(strength / scale / scale, 1e-300), 1e300)


def _sums(
    x: np.ndarray, share: np.ndarray, steps: list[slice], power: np.ndarray, middle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted sums of rows and squares about `middle`, row by row: the same for any BLAS."""
    sums, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for step in steps:
        rows = _scaled(x[step], power, middle, None)
        sums += np.einsum("i,ij->j", share[step], rows)
        squares += np.einsum("i,ij,ij->j", share[step], rows, rows)
    return sums, squares


def _scaled(
    x: np.ndarray, power: np.ndarray, middle: np.ndarray, spread: np.ndarray | None
) -> np.ndarray:
    rows = x.astype(np.float64, order="C")
    rows /= power
    rows -= middle
    if spread is not None:
        rows /= spread
    return rows
