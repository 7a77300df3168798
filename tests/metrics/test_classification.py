from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

from zoo.errors import DataError, UsageError
from zoo.metrics import evaluate


def case(n=400, k=4, seed=0, repeats=None, lift=1.5):
    rng = np.random.default_rng(seed)
    codes = rng.choice(k, n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))
    scores = rng.normal(size=(repeats or 1, n, k))
    scores[:, np.arange(n), codes] += lift
    return scores if repeats else scores[0], codes, [str(i) for i in range(k)]


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def by_class(codes, predicted, k):
    """Mean recall and mean F1, the plain way."""
    hit = np.array([((codes == c) & (predicted == c)).sum() for c in range(k)])
    true, called = np.bincount(codes, minlength=k), np.bincount(predicted, minlength=k)
    return (hit / true).mean(), (2 * hit / (true + called)).mean()


@pytest.mark.parametrize(("n", "k"), [(30, 2), (400, 4), (3000, 30)])
def test_values_agree_with_scikit_learn(n, k):
    scores, codes, names = case(n, k)
    out = evaluate(scores, codes, names)
    predicted = scores.argmax(axis=1)
    expected = {
        "accuracy": (predicted == codes).mean(),
        "macro_f1": f1_score(codes, predicted, average="macro", zero_division=0),
        "log_loss": log_loss(codes, softmax(scores), labels=range(k)),
    }
    if set(predicted) <= set(codes):
        expected["balanced_accuracy"] = balanced_accuracy_score(codes, predicted)
    for metric, value in expected.items():
        assert out[metric]["value"] == pytest.approx(value, abs=1e-12), metric
    for metric in out.values():
        assert metric["low"] <= metric["value"] <= metric["high"]


def test_classes_without_rows_count_as_scikit_learn_counts_them():
    scores = np.eye(5)[[0, 0, 1, 3]] * 9
    codes = np.array([0, 1, 1, 1])
    out = evaluate(scores, codes, list("abcde"))
    predicted = [0, 0, 1, 3]
    assert out["macro_f1"]["value"] == pytest.approx(
        f1_score(codes, predicted, average="macro", zero_division=0)
    )
    assert out["balanced_accuracy"]["value"] == pytest.approx((1 + 1 / 3) / 2)


def test_accuracy_has_wilsons_interval():
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662
    scores = np.zeros((263, 2))
    scores[:81, 1] = 1
    out = evaluate(scores, np.ones(263, np.int64), ["a", "b"])["accuracy"]
    assert (out["low"], out["high"]) == (
        pytest.approx(0.2553, abs=1e-4),
        pytest.approx(0.3662, abs=1e-4),
    )
    assert evaluate(np.eye(2), np.array([0, 1]), ["a", "b"])["accuracy"]["high"] == 1


@pytest.mark.parametrize(("n", "k", "repeats"), [(300, 3, None), (200, 4, 5), (3000, 3, None)])
def test_intervals_agree_with_resampling_rows(n, k, repeats):
    scores, codes, names = case(n, k, repeats=repeats)
    stack = scores if repeats else scores[None]
    predicted = stack.argmax(axis=2)
    losses = [-np.log(softmax(s))[np.arange(n), codes] for s in stack]
    rng = np.random.default_rng(5)
    draws = {"balanced_accuracy": [], "macro_f1": [], "log_loss": []}
    for _ in range(1000):
        rows = rng.integers(0, n, n)
        both = [by_class(codes[rows], p[rows], k) for p in predicted]
        draws["balanced_accuracy"].append(np.mean([recall for recall, _ in both]))
        draws["macro_f1"].append(np.mean([f1 for _, f1 in both]))
        draws["log_loss"].append(np.mean([loss[rows].mean() for loss in losses]))
    out = evaluate(scores, codes, names)
    for metric, values in draws.items():
        low, high = np.quantile(values, (0.025, 0.975))
        # 1,000 resamples on either side: a quantile's own error is about 3 % of the width
        assert out[metric]["low"] == pytest.approx(low, abs=0.12 * (high - low)), metric
        assert out[metric]["high"] == pytest.approx(high, abs=0.12 * (high - low)), metric


def test_many_kinds_of_rows_agree_with_few(monkeypatch):
    scores, codes, names = case(900, 3)
    few = evaluate(scores, codes, names)
    monkeypatch.setattr("zoo.metrics.classification._CELLS", 50)
    assert evaluate(scores, codes, names)["macro_f1"] == few["macro_f1"], "chunks change nothing"
    many = evaluate(*case(300, 40, lift=0.5))
    assert many["macro_f1"]["low"] < many["macro_f1"]["value"] < many["macro_f1"]["high"]


def test_repeats_are_averaged():
    scores, codes, names = case(50, 3, repeats=4)
    each = [evaluate(s, codes, names) for s in scores]
    out = evaluate(scores, codes, names)
    for metric in out:
        assert out[metric]["value"] == pytest.approx(np.mean([e[metric]["value"] for e in each]))


def test_the_seed_decides_and_nothing_else():
    scores, codes, names = case()
    assert evaluate(scores, codes, names, 1) == evaluate(scores, codes, names, 1)
    assert evaluate(scores, codes, names, 1) != evaluate(scores, codes, names, 2)


def test_sure_errors_cost_a_finite_loss():
    scores = np.array([[0.0, -np.inf], [0.0, 1e4]])
    out = evaluate(scores, np.array([1, 0]), ["a", "b"])["log_loss"]
    assert out["value"] == pytest.approx(-np.log(np.finfo(float).eps))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_numbers_are_refused(bad):
    with pytest.raises(DataError):
        evaluate(np.array([[0.0, bad]]), np.array([1]), ["a", "b"])


@pytest.mark.parametrize(
    ("shape", "codes"), [((0, 2), []), ((2, 3), [0, 1]), ((2, 2), [0]), ((2, 2), [0, 2])]
)
def test_shapes_that_do_not_fit_are_refused(shape, codes):
    with pytest.raises(UsageError):
        evaluate(np.zeros(shape), np.array(codes, dtype=np.int64), ["a", "b"])


def test_ten_thousand_rows_take_a_fraction_of_a_second():
    scores, codes, names = case(10_000, 10)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        evaluate(scores, codes, names)
        times.append(time.perf_counter() - start)
    assert min(times) < 1.0  # 0.08 s on a quiet core; the rest is for shared machines
