"""Metrics of class scores on held-out rows, each with a 95 % interval.

Accuracy has Wilson's interval (1927). The others have percentile intervals of 1,000 bootstrap
resamples of rows. The first three depend on a row by its class and its predictions alone, so a
resample is one multinomial draw over the distinct (class, predictions) of the data wherever those
are few: the same distribution as drawing rows, without touching them.

For repeated cross-validation a value is the mean over the repeats. The interval is over rows: a
resampled row brings its predictions of every repeat. It says how far another sample of as many
rows may move the value; it does not contain the spread of training sets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from zoo.errors import DataError, UsageError

RESAMPLES = 1_000
_Z = 1.959963984540054  # two-sided 95 % of the normal distribution
_CELLS = 4_000_000  # numbers in memory at once while resampling
_BINS = 512

Metrics = dict[str, dict[str, float]]


def evaluate(scores: np.ndarray, codes: np.ndarray, names: Sequence[str], seed: int = 0) -> Metrics:
    """Accuracy, balanced accuracy, macro F1 and log loss of scores whose softmax is the belief.

    Args:
        scores: (n, k), or (r, n, k) for r repeats over the same rows.
        codes: (n,) class codes of the rows.
        names: the k class names.
        seed: of the resamples.

    Returns:
        ``{metric: {"value", "low", "high"}}``. Balanced accuracy is the mean recall of the
        classes that occur in `codes`; macro F1 the mean over those that occur or are predicted;
        log loss is natural, its probabilities clipped to 2.2e-16 from 0 and 1.

    Raises:
        UsageError: no rows, or shapes that do not fit.
        DataError: a score is not a number.
    """
    stack = np.asarray(scores, dtype=np.float64)
    stack = stack[None] if stack.ndim == 2 else stack
    k = len(names)
    if stack.ndim != 3 or stack.shape[1:] != (len(codes), k) or 0 in stack.shape:
        raise UsageError(f"scores {np.shape(scores)} do not fit {len(codes)} rows of {k} classes")
    if codes.min() < 0 or codes.max() >= k:
        raise UsageError(f"class codes must be 0..{k - 1}")
    if np.isnan(stack).any() or np.isneginf(stack.max(axis=2)).any() or np.isposinf(stack).any():
        raise DataError(
            "the head's scores hold values that are not numbers",
            hint="features or labels may hold extreme values: look at them with zoo extract",
        )
    rng = np.random.Generator(np.random.PCG64(seed))
    predicted = stack.argmax(axis=2)
    out = {"accuracy": _wilson(float((predicted == codes).mean()), len(codes))}
    kinds, kind = _kinds(codes, predicted, k)
    exact = _from_counts(np.bincount(kind)[None], kinds, k)
    drawn = [_from_counts(counts, kinds, k) for counts in _resampled_counts(kind, rng)]
    for i, metric in enumerate(("balanced_accuracy", "macro_f1")):
        resampled = np.concatenate([part[i] for part in drawn])
        out[metric] = _percentile(float(exact[i][0]), resampled)
    losses = _losses(stack, codes)
    out["log_loss"] = _percentile(float(losses.mean()), _resampled_means(losses, rng))
    return out


def _wilson(p: float, n: int) -> dict[str, float]:
    z2 = _Z * _Z / n
    middle = (p + z2 / 2) / (1 + z2)
    half = _Z / (1 + z2) * math.sqrt(p * (1 - p) / n + z2 / (4 * n))
    return {
        "value": p,
        "low": min(p, max(0.0, middle - half)),
        "high": max(p, min(1.0, middle + half)),
    }


def _percentile(value: float, resampled: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(resampled, (0.025, 0.975)).tolist()
    return {"value": value, "low": min(value, low), "high": max(value, high)}


def _kinds(codes: np.ndarray, predicted: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The (1 + r, t) distinct columns of class and predictions, by class; (n,) the rows' kinds."""
    kind = np.asarray(codes, dtype=np.int64)
    for prediction in predicted:
        kind = np.unique(kind * k + prediction, return_inverse=True)[1]
    first = np.unique(kind, return_index=True)[1]
    return np.vstack([codes[None, first], predicted[:, first]]), kind


def _resampled_counts(kind: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """1,000 resamples of n rows as (b, t) counts of their kinds, b together at a time."""
    n, counts = len(kind), np.bincount(kind)
    size = max(1, min(RESAMPLES, _CELLS // len(counts)))
    for start in range(0, RESAMPLES, size):
        b = min(size, RESAMPLES - start)
        if 8 * len(counts) < n:
            yield rng.multinomial(n, counts / n, b)
        else:  # a draw of a row is cheaper than a binomial draw for every kind
            yield np.stack(
                [
                    np.bincount(kind[rng.integers(n, size=n)], minlength=len(counts))
                    for _ in range(b)
                ]
            )


def _from_counts(draws: np.ndarray, kinds: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Balanced accuracy and macro F1 of (b, t) counts of t kinds of rows, each (b,).

    `kinds` is (1 + r, t): the class, then the prediction of each repeat.
    """
    truth, predictions = kinds[0], kinds[1:]
    true = _grouped(draws, truth, k)
    balanced, f1 = np.zeros(len(draws)), np.zeros(len(draws))
    for prediction in predictions:
        right = prediction == truth
        hit = _grouped(draws[:, right], truth[right], k)
        both = true + _grouped(draws, prediction, k)
        balanced += _ratio(hit, true).sum(axis=1) / (true > 0).sum(axis=1)
        f1 += _ratio(2 * hit, both).sum(axis=1) / (both > 0).sum(axis=1)
    return balanced / len(predictions), f1 / len(predictions)


def _grouped(draws: np.ndarray, keys: np.ndarray, k: int) -> np.ndarray:
    """(b, k) sums of the columns of (b, t) by key."""
    out = np.zeros((len(draws), k))
    if not len(keys):
        return out
    if (keys[1:] < keys[:-1]).any():
        order = np.argsort(keys, kind="stable")
        keys, draws = keys[order], draws[:, order]
    there, starts = np.unique(keys, return_index=True)
    out[:, there] = np.add.reduceat(draws, starts, axis=1)
    return out


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))


def _losses(stack: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(n,) log losses, averaged over the repeats."""
    shifted = stack - stack.max(axis=2, keepdims=True)
    own = np.take_along_axis(shifted, codes[None, :, None], axis=2)[..., 0]
    probability = np.exp(own) / np.exp(shifted).sum(axis=2)
    eps = np.finfo(np.float64).eps
    return np.asarray(-np.log(np.clip(probability, eps, 1 - eps)).mean(axis=0))


def _resampled_means(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(1000,) means of resamples of (n,) values.

    Up to 512 values that is exact. More are first sorted into as many bins of equal count and
    stand for their bin's mean, which leaves out the little variance inside bins of like values.
    """
    bins = np.array_split(np.sort(values), min(len(values), _BINS))
    sizes = np.array([len(part) for part in bins])
    means = np.array([part.mean() for part in bins])
    draws = rng.multinomial(len(values), sizes / len(values), RESAMPLES)
    return np.asarray(draws @ means / len(values))
