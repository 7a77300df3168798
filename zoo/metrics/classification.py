"""Metrics of class scores on held-out rows, each with a 95 % interval.

Accuracy has Wilson's interval (1927). The others have percentile intervals of 1,000 bootstrap
resamples of rows. The first three depend on a row by its class and its predictions alone, so a
resample is one multinomial draw over the distinct (class, predictions) of the data wherever those
are few: the same distribution as drawing rows, without touching them. The expected calibration
error is biased upwards, and a resample's is so twice: its interval is the bootstrap's mirrored at
the value ("basic"; Davison and Hinkley 1997, section 5.2), which takes the bias out.

For repeated cross-validation a value is the mean over the repeats. The interval is over rows: a
resampled row brings its predictions of every repeat. It says how far another sample of as many
rows may move the value; it does not contain the spread of training sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from zoo import engine
from zoo.errors import DataError, UsageError
from zoo.metrics.auroc import auroc_of_classes
from zoo.metrics.intervals import (
    RESAMPLES,
    Metrics,
    mean_of,
    percentile,
    resampled_columns,
    wilson,
)

_CELLS = 4_000_000  # numbers in memory at once while resampling
_CONFIDENCES = 15  # bins of the expected calibration error, as in Guo et al. 2017


def evaluate(
    scores: np.ndarray,
    codes: np.ndarray,
    names: Sequence[str],
    seed: int = 0,
    *,
    calibrated: np.ndarray | None = None,
    sets: np.ndarray | None = None,
) -> Metrics:
    """How often the highest score is right, and how honest the softmax of the scores is.

    Args:
        scores: (n, k), or (r, n, k) for r repeats over the same rows.
        codes: (n,) class codes of the rows.
        names: the k class names.
        seed: of the resamples.
        calibrated: scores of the same shape whose softmax is the belief, if not that of `scores`.
        sets: bool of the same shape, the classes of each row's conformal set.

    Returns:
        ``{metric: {"value", "low", "high"}}``. Of the highest of `scores`: accuracy; balanced
        accuracy, the mean recall of the classes that occur in `codes`; macro F1, the mean over
        those that occur or are predicted. Of the belief: `auroc`, the mean over classes against
        the rest as in `zoo.metrics.auroc`, absent where all rows are of one class; log loss,
        natural, its probabilities clipped to 2.2e-16 from 0 and 1; `brier` in [0, 2] and `ece`
        as in `zoo.engine`. With `sets` `conformal_coverage`, the share of sets that hold their
        row's class, and `conformal_set_size`, their mean number of classes; with `calibrated`
        `log_loss_uncalibrated`, that of `scores`.

    Raises:
        UsageError: no rows, or shapes that do not fit.
        DataError: a score is not a number.
    """
    k = len(names)
    stack = _stack(scores, codes, k)
    belief = stack if calibrated is None else _stack(calibrated, codes, k)
    if belief.shape != stack.shape or (sets is not None and np.shape(sets) != np.shape(scores)):
        raise UsageError("scores, calibrated scores and sets must have one shape")
    rng = np.random.Generator(np.random.PCG64(seed))
    predicted = stack.argmax(axis=2)
    out = {"accuracy": wilson(float((predicted == codes).mean()), len(codes))}
    kinds, kind = _kinds(codes, predicted, k)
    exact = _from_counts(np.bincount(kind)[None], kinds, k)
    drawn = [_from_counts(counts, kinds, k) for counts in _resampled_counts(kind, rng)]
    for i, metric in enumerate(("balanced_accuracy", "macro_f1")):
        resampled = np.concatenate([part[i] for part in drawn])
        out[metric] = percentile(float(exact[i][0]), resampled)
    if (area := auroc_of_classes(belief, codes)) is not None:
        out["auroc"] = area
    out["log_loss"] = mean_of(_losses(belief, codes), rng)
    out |= _honesty(engine.softmax(belief), codes, sets, rng)
    if calibrated is not None:
        out["log_loss_uncalibrated"] = mean_of(_losses(stack, codes), rng)
    return out


def _stack(scores: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
    """(r, n, k) float64 scores, checked."""
    stack = np.asarray(scores, dtype=np.float64)
    stack = stack[None] if stack.ndim == 2 else stack
    if stack.ndim != 3 or stack.shape[1:] != (len(codes), k) or 0 in stack.shape:
        raise UsageError(f"scores {np.shape(scores)} do not fit {len(codes)} rows of {k} classes")
    if codes.min() < 0 or codes.max() >= k:
        raise UsageError(f"class codes must be 0..{k - 1}")
    if np.isnan(stack).any() or np.isneginf(stack.max(axis=2)).any() or np.isposinf(stack).any():
        raise DataError(
            "the head's scores hold values that are not numbers",
            hint="features or labels may hold extreme values: look at them with zoo extract",
        )
    return stack


def _honesty(
    chances: np.ndarray, codes: np.ndarray, sets: np.ndarray | None, rng: np.random.Generator
) -> Metrics:
    """Metrics of (r, n, k) probabilities and, where given, conformal sets; one draw for all."""
    r, n, _ = chances.shape
    confidence = chances.max(axis=2)
    gaps = (chances.argmax(axis=2) == codes) - confidence
    binned = np.zeros((n, r, _CONFIDENCES))
    for repeat in range(r):
        place = engine.confidence_bins(confidence[repeat], _CONFIDENCES)
        binned[np.arange(n), repeat, place] = gaps[repeat]
    columns = [np.mean([engine.squared_errors(p, codes) for p in chances], axis=0)]
    names = ["brier"]
    if sets is not None:
        of_rows = np.reshape(sets, chances.shape).astype(np.float64)
        covered = np.take_along_axis(of_rows, codes[None, :, None], axis=2)[..., 0]
        columns += [covered.mean(axis=0), of_rows.sum(axis=2).mean(axis=0)]
        names += ["conformal_coverage", "conformal_set_size"]
    values = np.concatenate([np.stack(columns, axis=1), binned.reshape(n, -1)], axis=1)
    exact, drawn = values.mean(axis=0)[None], resampled_columns(values, rng)
    out = {name: percentile(float(exact[0, i]), drawn[:, i]) for i, name in enumerate(names)}
    error, errors = (np.abs(part[:, len(names) :]).sum(axis=1) / r for part in (exact, drawn))
    low, high = (2 * error[0] - np.quantile(errors, (0.975, 0.025))).tolist()
    value = float(error[0])
    out["ece"] = {
        "value": value,
        "low": max(0.0, min(value, low)),
        "high": min(1.0, max(value, high)),
    }
    return {name: out[name] for name in ("brier", "ece", *names[1:])}


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
