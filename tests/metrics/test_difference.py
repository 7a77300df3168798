"""The difference of two sets of predictions in points: its value, its interval, its units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student
from sklearn.metrics import accuracy_score, f1_score, r2_score

from zoo.errors import UsageError
from zoo.metrics import evaluate_regression
from zoo.metrics.difference import (
    difference_in_points,
    primary_interval,
    primary_value,
    tail_of,
)
from zoo.plugin import Target


def classes(n=300, k=4, seed=0, noise=(1.0, 1.0)):
    """Codes, and two sets of scores that know them more or less."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, k, n)
    hot = np.eye(k)[codes]
    return Target("class", codes, tuple("abcd"[:k])), *(
        hot + level * rng.normal(size=(n, k)) for level in noise
    )


def test_the_value_is_the_difference_of_accuracies_in_points():
    target, a, b = classes(noise=(1.5, 0.5))
    got = difference_in_points(a, b, target)
    want = accuracy_score(target.values, b.argmax(1)) - accuracy_score(target.values, a.argmax(1))
    assert got["value"] == pytest.approx(100 * want)
    assert got["low"] < got["value"] < got["high"]
    back = difference_in_points(b, a, target)
    assert back["value"] == pytest.approx(-got["value"])


def test_numbers_are_compared_by_r2():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 2)) * (1.0, 50.0) + (0.0, 7.0)
    a, b = (y + level * rng.normal(size=y.shape) * (1.0, 50.0) for level in (0.8, 0.3))
    target = Target("regression", y, ("u", "v"))
    assert primary_value(a, target) == pytest.approx(r2_score(y, a))
    got = difference_in_points(a, b, target)
    assert got["value"] == pytest.approx(100 * (r2_score(y, b) - r2_score(y, a)))
    assert 0 < got["low"] < got["value"] < got["high"]


def test_labels_are_compared_by_macro_f1():
    rng = np.random.default_rng(0)
    marks = (rng.random((150, 3)) < 0.3).astype(np.int8)
    a, b = (2 * marks - 1 + level * rng.normal(size=marks.shape) for level in (1.5, 0.5))
    target = Target("multilabel", marks, tuple("uvw"))
    want = [f1_score(marks, scores > 0, average="macro") for scores in (a, b)]
    assert [primary_value(scores, target) for scores in (a, b)] == pytest.approx(want)
    assert difference_in_points(a, b, target)["value"] == pytest.approx(100 * (want[1] - want[0]))


def test_equal_predictions_differ_by_nothing():
    target, a, _ = classes()
    got = difference_in_points(a, a, target)
    assert got["value"] == 0.0
    assert got["low"] <= 0.0 <= got["high"]


def test_four_rows_in_favour_are_no_proof():
    """Resamples nearly all agree, and a fair coin falls so one time in eight."""
    codes = np.zeros(60, np.int64)
    first = np.tile([1.0, 0.0], (60, 1))
    second = first.copy()
    first[:4] = (0.0, 1.0)
    got = difference_in_points(first, second, Target("class", codes, ("a", "b")))
    assert got["value"] == pytest.approx(100 * 4 / 60)
    assert got["low"] <= 0.0


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """400 draws of rows on which one is right in 70 %, the other in 64 % of cases."""
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(400):
        right = rng.random((2, 200)) < np.array([[0.64], [0.70]])
        scores = [np.stack([one, ~one], axis=1).astype(float) for one in right]
        target = Target("class", np.zeros(200, np.int64), ("a", "b"))
        got = difference_in_points(*scores, target, seed=seed)
        held += got["low"] <= 6.0 <= got["high"]
    assert 0.92 <= held / 400 <= 0.99  # 0.95 with a standard error of 0.011


def test_rows_of_a_group_are_drawn_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 30)
    right = np.repeat(rng.random(12) < 0.6, 30)  # a whole group is right or wrong
    scores = np.stack([right, ~right], axis=1).astype(float)
    target = Target("class", np.zeros(360, np.int64), ("a", "b"))
    other = np.tile([0.0, 1.0], (360, 1))
    alone = difference_in_points(other, scores, target)
    together = difference_in_points(other, scores, target, units=groups)
    assert together["high"] - together["low"] > 2 * (alone["high"] - alone["low"])
    two = difference_in_points(other, scores, target, units=groups // 6)
    assert two == pytest.approx(alone), "two groups have nothing to be drawn from"


def test_an_arm_alone_has_an_interval():
    target, a, _ = classes()
    got = primary_interval(a, target)
    assert got["low"] < got["value"] < got["high"]


def test_scores_of_other_rows_are_refused():
    target, a, b = classes()
    with pytest.raises(UsageError, match="not of the same rows"):
        difference_in_points(a, b[1:], target)


def test_resamples_of_equal_numbers_make_no_interval_of_billions():
    values = np.array([-0.1878542, -0.1878542, -0.5574449])
    target = Target("regression", values[:, None], ("y",))
    first, second = values[:, None] + 0.1, values[:, None] + 0.05
    found = difference_in_points(first, second, target)
    assert max(map(abs, found.values())) < 1e6
    assert primary_interval(first, target)["low"] > -1e6
    told = evaluate_regression(first, values[:, None])["r2"]
    assert told["low"] > -1e6


@pytest.mark.parametrize("n", [4, 6, 10, 30, 1000])
def test_percentiles_of_few_rows_are_expanded(n):
    expected = norm.cdf(-student.ppf(0.975, n - 1) * np.sqrt(n / (n - 1)))
    assert tail_of(n) == pytest.approx(expected, rel=0.15 if n == 4 else 0.05)


def test_equal_predictors_of_few_numbers_are_seldom_told_apart():
    """Of 400 pairs at 2.5 % fifteen and more are better one time in fifty; it was 8 of 100."""
    rng, better = np.random.default_rng(0), 0
    for _ in range(400):
        values = rng.normal(size=(6, 1))
        target = Target("regression", values, ("y",))
        first, second = (values + rng.normal(size=values.shape) for _ in range(2))
        better += difference_in_points(first, second, target)["low"] > 0
    assert better <= 16
