"""Linear discriminant analysis with a shrunk covariance, and its search over folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo import _core
from zoo.engine.labels import as_codes, as_weights, require_classes
from zoo.engine.scatter import Labelled, Scatter, class_centres, classes_of, scatter_of
from zoo.engine.span import span_of

# Worth trying, strongest first: 1 is the nearest mean; at 1e-4 only directions with less than a
# ten-thousandth of the mean variance are still held.
SHRINKAGES = (1.0, 0.9, 0.75, 0.5, 0.35, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4)


@dataclass(frozen=True)
class LdaFit:
    """A linear discriminant: ``softmax(x @ weights.T + intercepts)`` is the posterior.

    Attributes:
        strength: the shrinkage, in [0, 1].
        weights: (k, d) float64; their mean by priors is 0.
        intercepts: (k,) float64.
        means: (k, d) float64; a class without rows stands at the mean of the others.

    """

    strength: float
    weights: np.ndarray
    intercepts: np.ndarray
    means: np.ndarray
    priors: np.ndarray


@dataclass(frozen=True)
class LdaPath:
    """Held-out losses of a search.

    Attributes:
        losses: (folds, strengths) weighted sums of the held rows' log losses.
        held: (folds,) weights of the held rows; without weights their numbers.
    """

    losses: np.ndarray
    held: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """(strengths,) mean log loss over all judged rows of all folds."""
        total = float(self.held.sum())
        mean: np.ndarray = self.losses.sum(axis=0) / (total if total > 0.0 else 1.0)
        return mean


def fit_lda(
    x: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    *,
    strength: float | None = None,
    priors: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    threads: int = 1,
) -> LdaFit:
    """Gaussian classes of one covariance: ``(1 - s) S + s tr(S) / d I`` for a shrinkage s.

    S is the mean of the classes' covariances by their priors, divided by the weight and not by a
    unit less. That is scikit-learn's LinearDiscriminantAnalysis with ``solver="lsqr"`` and
    ``shrinkage=s``, whose coefficients are ours plus a vector that all classes share; theirs cancel
    against each other where rows are far from 0. A class without rows has the odds of half a row.
    Where no class varies at all, the variance between the classes stands for that within.

    Args:
        x: (n, d) float32 or float64 rows.
        codes: n codes in [0, n_classes).
        n_classes: k.
        strength: s in [0, 1]; None is Ledoit and Wolf's (2004) estimate of the best for S.
        priors: k positive numbers, or None for the classes' shares.
        sample_weight: n weights, not negative.
        threads: upper bound.

    Raises:
        ValueError: a value is not finite, a code is out of range, fewer than two classes, a
            strength outside [0, 1].
    """
    require_classes(codes, n_classes, sample_weight)
    if strength is not None:
        _require_shrinkages([strength])
    given = _priors(priors, n_classes)
    span = span_of(x, sample_weight=sample_weight)
    labels = Labelled(as_codes(codes), n_classes, as_weights(sample_weight))
    every = np.arange(len(x))
    centres = class_centres(span, labels, threads=threads)
    factors = labels.factors(every, given)
    scatter = scatter_of(span, labels, factors, centres, every, threads=threads)
    classes = classes_of(scatter, factors, centres, given, (len(x), x.shape[1]))
    if strength is None:
        strength = classes.ledoit_wolf(scatter.fourth / (factors @ scatter.mass), span.share)
    (w,) = classes.weights([strength])
    weights = span.out(w)
    means = span.mean + span.units * (
        classes.means if span.basis is None else classes.means @ span.basis.T
    )
    intercepts = classes.intercepts(w) - weights @ span.mean
    return LdaFit(strength, weights, intercepts, means, classes.priors)


def search_lda(
    x: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    *,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    strengths: Sequence[float] = SHRINKAGES,
    priors: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    threads: int = 1,
) -> LdaPath:
    """Held-out log losses of every fold at every shrinkage: one Gram and one eigh a fold.

    The Gram of a fold is that of all rows less that of the rows it leaves out, so that all folds of
    a cross-validation together read the rows twice, not once each. Rows are taken about the means
    of their classes first, so that the difference loses no digits.

    Raises:
        ValueError: a value is not finite, a code or a fold's row is out of range, a strength is
            outside [0, 1].
    """
    require_classes(codes, n_classes, sample_weight)
    _require_shrinkages(strengths)
    given = _priors(priors, n_classes)
    span = span_of(x, sample_weight=sample_weight)
    labels = Labelled(as_codes(codes), n_classes, as_weights(sample_weight))
    centres = class_centres(span, labels, threads=threads)
    whole: Scatter | None = None
    losses = np.zeros((len(folds), len(strengths)))
    masses = np.zeros(len(folds))
    for f, (fit_on, held) in enumerate(folds):
        for rows in (fit_on, held):
            if len(rows) and not (rows.min() >= 0 and rows.max() < len(x)):
                raise ValueError(f"fold {f} names a row outside [0, {len(x)})")
        left_out = np.setdiff1d(np.arange(len(x)), fit_on)
        factors = labels.factors(fit_on, given)
        # Priors weigh each fold's classes anew: then there is no common Gram to subtract from.
        if given is None and len(left_out) < len(fit_on) == len(x) - len(left_out):
            if whole is None:
                every = np.arange(len(x))
                whole = scatter_of(span, labels, factors, centres, every, threads=threads)
            part = scatter_of(span, labels, factors, centres, left_out, threads=threads)
            scatter = whole.less(part, labels.masses(fit_on))
        else:
            scatter = scatter_of(span, labels, factors, centres, fit_on, threads=threads)
        classes = classes_of(scatter, factors, centres, given, (len(fit_on), x.shape[1]))
        heads = classes.weights(strengths)
        for numbers, rows in span.blocks(held):
            weight = labels.weight(numbers)
            masses[f] += weight.sum()
            for s, w in enumerate(heads):
                scores = _core.rows_times(rows, w, threads=threads) + classes.intercepts(w)
                losses[f, s] += weight @ _log_losses(scores, labels.codes[numbers])
    return LdaPath(losses, masses)


def _priors(priors: np.ndarray | None, k: int) -> np.ndarray | None:
    if priors is None:
        return None
    values = np.asarray(priors, np.float64)
    if values.shape != (k,) or not (np.isfinite(values).all() and (values > 0.0).all()):
        raise ValueError(f"priors must be {k} positive numbers, one a class, not {priors}")
    return np.asarray(values / values.sum())


def _require_shrinkages(strengths: Sequence[float]) -> None:
    for strength in strengths:
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"the strength of LDA is a shrinkage in [0, 1], not {strength}")


def _log_losses(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    shifted = scores - scores.max(axis=1, keepdims=True)
    norms = np.log(np.exp(shifted).sum(axis=1))
    return np.asarray(norms - shifted[np.arange(len(codes)), codes])
