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


def measured(p, codes, sets):
    """Brier score, calibration error, coverage and size of sets, the plain way."""
    n = len(codes)
    top, right = p.max(axis=1), p.argmax(axis=1) == codes
    place = np.ceil(top * 15)
    gaps = [abs((right - top)[place == b].sum()) / n for b in range(1, 16)]
    brier = ((p - np.eye(p.shape[1])[codes]) ** 2).sum() / n
    return {
        "brier": brier,
        "ece": sum(gaps),
        "conformal_coverage": sets[np.arange(n), codes].mean(),
        "conformal_set_size": sets.sum(axis=1).mean(),
    }


@pytest.mark.parametrize(("n", "repeats"), [(300, None), (200, 5), (3000, None), (2500, 2)])
def test_honesty_and_its_intervals_agree_with_resampling_rows(n, repeats):
    scores, codes, names = case(n, 4, repeats=repeats)
    sets = scores > scores.mean(axis=-1, keepdims=True) + 0.5
    stack = scores if repeats else scores[None]
    pairs = [
        (softmax(2 * s), chosen)
        for s, chosen in zip(stack, sets if repeats else sets[None], strict=True)
    ]
    out = evaluate(scores, codes, names, calibrated=2 * scores, sets=sets)

    def mean(rows):
        each = [measured(p[rows], codes[rows], chosen[rows]) for p, chosen in pairs]
        return {name: np.mean([one[name] for one in each]) for name in each[0]}

    exact = mean(np.arange(n))
    rng = np.random.default_rng(5)
    draws = [mean(rng.integers(0, n, n)) for _ in range(1000)]
    for name, value in exact.items():
        assert out[name]["value"] == pytest.approx(value, abs=1e-12), name
        low, high = np.quantile([draw[name] for draw in draws], (0.025, 0.975))
        if name == "ece":  # mirrored at the value
            low, high = max(0.0, 2 * value - high), 2 * value - low
        # 1,000 resamples on either side: a quantile's own error is about 3 % of the width
        assert out[name]["low"] == pytest.approx(min(value, low), abs=0.15 * (high - low)), name
        assert out[name]["high"] == pytest.approx(max(value, high), abs=0.15 * (high - low)), name


def test_labels_are_of_the_scores_and_belief_is_of_the_calibrated_ones():
    scores, codes, names = case(200, 3)
    other = scores[:, ::-1].copy()
    out = evaluate(scores, codes, names, calibrated=other)
    alone, swapped = evaluate(scores, codes, names), evaluate(other, codes, names)
    assert "log_loss_uncalibrated" not in alone
    assert "conformal_coverage" not in alone
    assert out["accuracy"] == alone["accuracy"] != swapped["accuracy"]
    assert out["log_loss_uncalibrated"]["value"] == alone["log_loss"]["value"]
    for metric in ("log_loss", "brier", "ece"):
        assert out[metric]["value"] == swapped[metric]["value"] != alone[metric]["value"]


def test_the_interval_of_the_calibration_error_holds_that_of_honest_probabilities():
    rng = np.random.default_rng(0)
    lows = []
    for seed in range(30):
        p = softmax(2 * rng.normal(size=(200, 3)))
        codes = np.minimum((p.cumsum(axis=1) < rng.random(200)[:, None]).sum(axis=1), 2)
        lows.append(evaluate(np.log(p), codes, ["a", "b", "c"], seed)["ece"]["low"])
    # The error is 0, the value on 200 rows about 0.08: plain percentiles would start above 0.05.
    assert np.mean(lows) < 0.03


@pytest.mark.parametrize("bad", [np.zeros((3, 2)), np.zeros((1, 2, 2)), np.full((2, 2), np.nan)])
def test_calibrated_scores_and_sets_that_do_not_fit_are_refused(bad):
    good, codes = np.zeros((2, 2)), np.array([0, 1])
    with pytest.raises((UsageError, DataError)):
        evaluate(np.stack([good] * 2), codes, ["a", "b"], calibrated=bad)
    if bad.shape != good.shape:
        with pytest.raises(UsageError):
            evaluate(good, codes, ["a", "b"], sets=bad > 0)
