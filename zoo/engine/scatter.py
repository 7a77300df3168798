"""Classes about their means: sums over rows that folds can subtract, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo import _core
from zoo.engine.span import ROUNDING, Span

# Below it the shrunk covariance may be singular to rounding, and eigenvectors are needed.
_SOLVABLE = 1e-6


@dataclass(frozen=True)
class Labelled:
    """Rows' codes in [0, k) and their weights; None is all 1."""

    codes: np.ndarray
    k: int
    weights: np.ndarray | None

    def weight(self, rows: np.ndarray) -> np.ndarray:
        """The weights of some rows."""
        return np.ones(len(rows)) if self.weights is None else self.weights[rows]

    def masses(self, rows: np.ndarray) -> np.ndarray:
        """(k,) weights of the classes among some rows."""
        masses: np.ndarray = np.bincount(self.codes[rows], self.weight(rows), self.k)
        return masses

    def factors(self, rows: np.ndarray, priors: np.ndarray | None) -> np.ndarray:
        """(k,) what a unit of a class's weight counts in the covariance of some rows."""
        if priors is None:
            return np.ones(self.k)
        masses = self.masses(rows)
        factors: np.ndarray = np.divide(priors, masses, out=np.zeros(self.k), where=masses > 0.0)
        return factors


@dataclass(frozen=True)
class Scatter:
    """Weighted sums over rows about the centres of their classes.

    Attributes:
        gram: (r, r), weighted by weights and factors.
        sums: (k, r), by weights.
        mass: (k,).
        fourth: sum of the fourth powers of the rows' lengths, by weights and factors.
        size: trace of the largest Gram on the way here: what rounding is relative to.
    """

    gram: np.ndarray
    sums: np.ndarray
    mass: np.ndarray
    fourth: float
    size: float

    def less(self, part: Scatter, mass: np.ndarray) -> Scatter:
        """Without a part; the mass that is left is counted, not subtracted: no class lives on."""
        return Scatter(self.gram - part.gram, self.sums - part.sums, mass, np.nan, self.size)


@dataclass(frozen=True)
class Classes:
    """Gaussian classes of one covariance.

    Attributes:
        means: (k, r); of a class without rows the mean of the others.
        middle: (r,) mean of means by priors.
        priors: (k,) positive.
        covariance: (r, r) within the classes; 0 where no class varies.
        variance: its trace over `columns`; where no class varies that between the classes.
        columns: d.
    """

    means: np.ndarray
    middle: np.ndarray
    priors: np.ndarray
    covariance: np.ndarray
    variance: float
    columns: int

    def weights(self, strengths: Sequence[float]) -> list[np.ndarray]:
        """(k, r) weights for each shrinkage."""
        about = np.ascontiguousarray(self.means - self.middle)
        flat = float(np.trace(self.covariance)) <= 0.0
        if flat:
            divisor = self.variance if self.variance > 0.0 else np.inf
            return [about / divisor for _ in strengths]
        if len(strengths) == 1 and strengths[0] >= _SOLVABLE:
            s = strengths[0]
            shrunk = (1.0 - s) * self.covariance + s * self.variance * np.eye(len(self.middle))
            return [np.ascontiguousarray(np.linalg.solve(shrunk, about.T).T)]
        values, axes = np.linalg.eigh(self.covariance)
        values = values.clip(min=0.0)
        along = about @ axes
        null = len(values) * np.finfo(float).eps * values[-1]
        found = []
        for s in strengths:
            spread = (1.0 - s) * values + s * self.variance
            spread = np.where(spread > null, spread, np.inf)  # the pseudo-inverse at s = 0
            found.append(np.ascontiguousarray(along / spread @ axes.T))
        return found

    def intercepts(self, weights: np.ndarray) -> np.ndarray:
        """(k,) for coordinates t."""
        halves = np.einsum("kr,kr->k", weights, (self.means + self.middle) / 2.0)
        return np.asarray(np.log(self.priors) - halves)

    def ledoit_wolf(self, fourth: float, share: np.ndarray) -> float:
        """The shrinkage of least expected squared error of the covariance (their lemma 3.4)."""
        squares = float(np.square(self.covariance).sum())
        distance = squares - self.columns * self.variance**2
        noise = float(np.square(share).sum()) * (fourth - squares)
        return min(1.0, max(0.0, noise) / distance) if distance > 0.0 else 1.0


def class_centres(span: Span, labels: Labelled, *, threads: int) -> np.ndarray:
    """(k, r) weighted means of the classes over all rows; 0 for a class without."""
    sums, masses = np.zeros((labels.k, span.width)), np.zeros(labels.k)
    for numbers, rows in span.blocks():
        means, mass = _core.class_means(
            rows, labels.codes[numbers], labels.k, weights=labels.weight(numbers), threads=threads
        )
        sums += means * mass[:, None]
        masses += mass
    return np.divide(sums, masses[:, None], out=sums, where=masses[:, None] > 0.0)


def scatter_of(
    span: Span,
    labels: Labelled,
    factors: np.ndarray,
    centres: np.ndarray,
    which: np.ndarray,
    *,
    threads: int,
) -> Scatter:
    """The sums over some rows, read block by block."""
    gram, sums, fourth = np.zeros((span.width, span.width)), np.zeros_like(centres), 0.0
    for numbers, rows in span.blocks(which):
        codes, weight = labels.codes[numbers], labels.weight(numbers)
        about = rows - centres[codes]
        means, mass = _core.class_means(about, codes, labels.k, weights=weight, threads=threads)
        sums += means * mass[:, None]
        counted = weight * factors[codes]
        fourth += float(counted @ np.square(np.einsum("ij,ij->i", about, about)))
        gram += _core.gram(about * np.sqrt(counted)[:, None], threads=threads)
    return Scatter(gram, sums, labels.masses(which), fourth, float(np.trace(gram)))


def classes_of(
    scatter: Scatter,
    factors: np.ndarray,
    centres: np.ndarray,
    given: np.ndarray | None,
    shape: tuple[int, int],
) -> Classes:
    """What the sums over some rows say of the classes.

    Args:
        scatter: the sums.
        factors: (k,) what a unit of a class's weight counted in its Gram.
        centres: (k, r) what the sums are about.
        given: (k,) priors, or None for the classes' shares.
        shape: number of the rows, and d.
    """
    n, d = shape
    present = scatter.mass > 0.0
    mass = np.where(present, scatter.mass, 1.0)
    shift = np.where(present[:, None], scatter.sums / mass[:, None], 0.0)
    priors = given
    if priors is None:
        total = scatter.mass.sum() or 1.0
        priors = np.where(present, scatter.mass / total, 0.5 / max(1, n))
    ours = np.where(present, priors, 0.0)
    ours = ours / (ours.sum() or 1.0)
    means = centres + shift
    middle = ours @ means
    means = np.where(present[:, None], means, middle)
    weight = factors * scatter.mass
    covariance = (scatter.gram - shift.T @ (weight[:, None] * shift)) / (weight.sum() or 1.0)
    within = float(np.trace(covariance))
    between = float(ours @ np.square(means - middle).sum(axis=1))
    # A variance that rounding alone has left is none, and that between the classes stands in.
    if within * weight.sum() <= 1e-13 * scatter.size or within <= ROUNDING**2:
        covariance, within = np.zeros_like(covariance), between
    return Classes(means, middle, priors, covariance, within / d, d)
