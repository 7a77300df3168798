"""Probabilities out of scores: temperature and vector scaling, how far off, conformal sets.

What is fitted here is fitted on scores that some head gave to rows it had not seen; on scores of
its own training rows it would learn the head's overconfidence as truth.
"""

from __future__ import annotations

import math

import numpy as np

_STEPS = 100  # of Newton's method, which takes about five
_TOLERANCE = 1e-12  # half the squared Newton decrement, in nats a row


def fit_shrunk_temperature(scores: np.ndarray, codes: np.ndarray) -> float:
    """The factor on (n, k) scores that makes their softmax honest, near 1 where rows are few.

    Temperature scaling (Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural
    Networks") with a standard normal prior on the logarithm of the factor. The rows of a search can
    be a handful, and the likeliest factor of a handful is often next to 0 or infinity:
    `fit_temperature`, which has no prior, then multiplies by thousands. On many rows the two agree
    within a share of a per cent. Newton's method on the logarithm, in float64, with steps halved
    until the loss falls.

    Raises:
        ValueError: shapes or codes do not fit, or a score is not finite.
    """
    _require_codes(scores, codes)
    s, rows = centred(scores), np.arange(len(codes))
    if not np.isfinite(s).all():
        raise ValueError("a score is not finite")

    def loss_at(log: float) -> float:
        return float(log * log / 2 - log_softmax(math.exp(log) * s)[rows, codes].sum())

    log, loss = 0.0, loss_at(0.0)
    for _ in range(_STEPS):
        z = math.exp(log) * s
        p = softmax(z)
        mean = (p * z).sum(axis=1)
        first = float((mean - z[rows, codes]).sum())
        second = float((p * z * z).sum() - (mean * mean).sum()) + first + 1.0
        first += log
        # Not convex everywhere: where it is not, a step down by at most one.
        step = max(-1.0, min(1.0, first / second if second > 0.0 else first))
        while abs(step) > 1e-9 and (tried := loss_at(log - step)) > loss:
            step /= 2
        if abs(step) <= 1e-9:
            break
        log, loss = log - step, tried
    return math.exp(log)


def fit_vector_scaling(
    scores: np.ndarray, codes: np.ndarray, *, inverse_temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """A factor and an offset a class that make softmax of the scores honest.

    Vector scaling (Guo et al. 2017): the least log loss of ``softmax(scale * centred + bias)``,
    convex in both, where `centred` are the scores less their row's mean, since a factor a class is
    not blind to what all scores of a row share. A Gaussian prior of unit variance pulls
    ``scale / inverse_temperature`` to 1 and `bias` to 0, so that separable scores have an optimum
    too: it weighs about what one row weighs. Solved by Newton's method in float64 with the exact
    2k x 2k Hessian: n k^2 work and 4 k^2 numbers a step, which is seconds at k = 1,000.

    Args:
        scores: (n, k) finite scores.
        codes: (n,) class codes.
        inverse_temperature: the factor of a temperature; where the search starts.

    Returns:
        (k,) scales and (k,) biases, which sum to 0.

    Raises:
        ValueError: shapes or codes do not fit, or a score is not finite.
    """
    _require_codes(scores, codes)
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    n, k = scores.shape
    z = inverse_temperature * centred(scores)
    own = np.zeros((n, k))
    own[np.arange(n), codes] = 1.0
    start = np.concatenate([np.ones(k), np.zeros(k)])
    x, loss = start.copy(), _penalised(z, codes, start)
    for _ in range(_STEPS):
        p = softmax(z * x[:k] + x[k:])
        gradient = np.concatenate([((p - own) * z).sum(axis=0), (p - own).sum(axis=0)])
        gradient += x - start
        step = np.linalg.solve(_hessian(p, z), gradient)
        decrement = float(gradient @ step)
        if decrement <= 2.0 * _TOLERANCE * n:
            break
        length = 1.0
        while (tried := _penalised(z, codes, x - length * step)) > loss - length * decrement / 4:
            length /= 2
            if length < 1e-9:  # the loss has no more digits to fall by
                break
        if length < 1e-9:
            break
        x, loss = x - length * step, tried
    return inverse_temperature * x[:k], x[k:]


def centred(scores: np.ndarray) -> np.ndarray:
    """(n, k) scores less the mean of their row's finite ones; softmax does not see it."""
    scores = np.asarray(scores, np.float64)
    there = np.isfinite(scores)
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    mean = (np.where(there, scores, 0.0) / count).sum(axis=1, keepdims=True)
    return np.asarray(scores - mean)


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """(n, k) log probabilities in float64."""
    shifted = np.asarray(scores, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(scores: np.ndarray) -> np.ndarray:
    """(n, k) probabilities in float64."""
    return np.asarray(np.exp(log_softmax(scores)))


def sigmoid(scores: np.ndarray) -> np.ndarray:
    """Probabilities of log odds of any shape, in float64."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -np.asarray(scores, np.float64))))


def expected_calibration_error(
    probabilities: np.ndarray, codes: np.ndarray, bins: int = 15, *, equal_mass: bool = False
) -> float:
    """How far, on average, the confidence in the top class is from how often it is right.

    Guo et al. 2017: the rows are binned by the probability p of their likeliest class into
    `bins` intervals ``((b - 1) / bins, b / bins]`` of equal width, and the absolute differences
    between share of right rows and mean p are averaged, a bin weighing as many rows as it has.
    With `equal_mass` (Nguyen and O'Connor 2015) the bins are the rows ordered by p, cut into
    parts of equal count. Either is biased upwards: even honest probabilities have about
    ``sqrt(bins / n)`` times a third. In [0, 1].

    Raises:
        ValueError: no rows, no bins, or shapes or codes do not fit.
    """
    _require_codes(probabilities, codes)
    if bins < 1 or not len(codes):
        raise ValueError(f"{len(codes)} rows cannot be put into {bins} bins")
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == codes) - confidence
    if equal_mass:
        parts = np.array_split(np.argsort(confidence, kind="stable"), bins)
        return float(sum(abs(gap[part].sum()) for part in parts) / len(codes))
    sums = np.bincount(confidence_bins(confidence, bins), gap, minlength=bins)
    return float(np.abs(sums).sum() / len(codes))


def confidence_bins(confidence: np.ndarray, bins: int = 15) -> np.ndarray:
    """The bins of equal width, numbered from 0, of probabilities; right ends are inside."""
    numbers = np.ceil(np.asarray(confidence) * bins).astype(np.int64) - 1
    return np.asarray(np.clip(numbers, 0, bins - 1))


def brier_score(probabilities: np.ndarray, codes: np.ndarray) -> float:
    """Mean over the rows of the summed squares of (probability - whether it is the class).

    Brier 1950, over all classes: in [0, 2], 0 for sure and right, 2 for sure and wrong. For two
    classes it is twice what scikit-learn's `brier_score_loss` says of the class 1 alone.

    Raises:
        ValueError: no rows, or shapes or codes do not fit.
    """
    _require_codes(probabilities, codes)
    if not len(codes):
        raise ValueError("there are no rows")
    return float(squared_errors(probabilities, codes).mean())


def squared_errors(probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(n,) sums over classes of squared differences between probability and truth."""
    p = np.asarray(probabilities, np.float64)
    own = np.take_along_axis(p, codes[:, None], axis=1)[:, 0]
    return np.asarray((p**2).sum(axis=1) - 2.0 * own + 1.0)


def conformal_threshold(probabilities: np.ndarray, codes: np.ndarray, coverage: float) -> float:
    """The largest ``1 - probability`` that a class of a conformal set may have.

    Split conformal prediction with the score 1 - p(true class) ("least ambiguous sets", Sadinle,
    Lei, Wasserman 2019): of the n scores the one of rank ``ceil((n + 1) * coverage)``. Where that
    rank is beyond n, too few rows stand behind the coverage and the threshold is 1: every class is
    in every set.

    The guarantee: if these n rows and a new one are exchangeable and the probabilities come from
    something that was fitted on none of them, then the new row's class is in its set with at least
    probability `coverage`, over the draw of all n + 1 rows together: on average over inputs and
    classes, not for each.

    That is not quite what a run has. Its probabilities for these rows are out of fold, each from a
    head of its fold, and those for a new row from a head fitted on all of them; and the temperature
    was fitted on these same rows. This is the practice of cross-conformal prediction (Vovk 2015),
    close to `coverage` wherever the folds' heads and the final one are alike, but not guaranteed;
    a run therefore measures it on rows that it has not seen. Rows of one group (photos of one
    patient) are not exchangeable one by one.

    Args:
        probabilities: (n, k) of the calibration rows.
        codes: (n,) their classes.
        coverage: in (0, 1).

    Raises:
        ValueError: shapes or codes do not fit, or the coverage is outside (0, 1).
    """
    _require_codes(probabilities, codes)
    if not 0.0 < coverage < 1.0:
        raise ValueError(f"coverage must lie between 0 and 1, not {coverage}")
    n = len(codes)
    # (n + 1) * coverage is a whole number for round coverages, but its product need not be.
    rank = math.ceil((n + 1) * coverage - 1e-9)
    if rank > n:
        return 1.0
    scores = 1.0 - probabilities[np.arange(n), codes]
    return float(np.clip(np.partition(scores, rank - 1)[rank - 1], 0.0, 1.0))


def conformal_sets(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """(n, k) bool: the classes of each row's set, those of ``1 - probability <= threshold``.

    A set may be empty, where no class is as likely as the true ones mostly are.
    """
    return np.asarray(1.0 - np.asarray(probabilities) <= threshold)


def _penalised(z: np.ndarray, codes: np.ndarray, x: np.ndarray) -> float:
    """Summed log loss of ``z * x[:k] + x[k:]`` and the prior's penalty."""
    k = z.shape[1]
    logs = log_softmax(z * x[:k] + x[k:])
    penalty = ((x[:k] - 1.0) ** 2).sum() + (x[k:] ** 2).sum()
    return float(penalty / 2 - logs[np.arange(len(codes)), codes].sum())


def _hessian(p: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(2k, 2k) second derivatives of `_penalised` at probabilities p."""
    k = p.shape[1]
    both = np.concatenate([p * z, p], axis=1)
    out = -(both.T @ both)
    rows = np.arange(k)
    out[rows, rows] += (p * z * z).sum(axis=0) + 1.0
    cross = (p * z).sum(axis=0)
    out[rows, k + rows] += cross
    out[k + rows, rows] += cross
    out[k + rows, k + rows] += p.sum(axis=0) + 1.0
    return np.asarray(out)


def _require_codes(values: np.ndarray, codes: np.ndarray) -> None:
    if np.ndim(values) != 2 or np.shape(codes) != (len(values),):
        raise ValueError(f"{np.shape(values)} values and {np.shape(codes)} codes do not fit")
    if len(codes) and (codes.min() < 0 or codes.max() >= values.shape[1]):
        raise ValueError(f"label codes must lie in [0, {values.shape[1]})")
