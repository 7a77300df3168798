"""Metrics of numbers: scikit-learn's and SciPy's values, intervals that cover what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from zoo.errors import DataError, UsageError
from zoo.metrics import evaluate_regression


def case(n=200, t=1, seed=0, repeats=None, noise=1.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, t)) * 10.0 ** np.arange(t) + 1e4
    errors = rng.normal(size=(repeats or 1, n, t)) * noise * 10.0 ** np.arange(t)
    return (truth + errors if repeats else truth + errors[0]), truth


@pytest.mark.parametrize(("n", "t"), [(30, 1), (200, 3), (3000, 2), (2, 1)])
def test_values_agree_with_scikit_learn_and_scipy(n, t):
    predictions, truth = case(n, t)
    out = evaluate_regression(predictions, truth)
    assert list(out) == ["r2", "mae", "rmse", "spearman"]
    ranks = [spearmanr(predictions[:, j], truth[:, j]).statistic for j in range(t)]
    expected = {
        "r2": r2_score(truth, predictions),
        "mae": mean_absolute_error(truth, predictions),
        "rmse": root_mean_squared_error(truth, predictions),
        "spearman": np.mean(ranks),
    }
    for metric, value in expected.items():
        assert out[metric]["value"] == pytest.approx(value, rel=1e-9), metric
        assert out[metric]["low"] <= out[metric]["value"] <= out[metric]["high"]


def test_ties_have_mean_ranks():
    predictions = np.array([1.0, 1.0, 2.0, 3.0, 3.0, 3.0])[:, None]
    truth = np.array([0.0, 2.0, 2.0, 1.0, 5.0, 4.0])[:, None]
    want = spearmanr(predictions[:, 0], truth[:, 0]).statistic
    assert evaluate_regression(predictions, truth)["spearman"]["value"] == pytest.approx(want)


def test_what_does_not_vary_is_met_or_not():
    truth = np.ones((5, 1))
    out = evaluate_regression(truth, truth)
    assert (out["r2"]["value"], out["spearman"]["value"], out["rmse"]["high"]) == (1.0, 0.0, 0.0)
    assert evaluate_regression(truth + 1, truth)["r2"]["value"] == 0.0
    alone = evaluate_regression(np.zeros((1, 1)), np.ones((1, 1)))
    assert (alone["mae"]["value"], alone["spearman"]["low"]) == (1.0, -1.0)


def test_repeats_are_averaged():
    stack, truth = case(60, 2, repeats=4)
    each = [evaluate_regression(part, truth) for part in stack]
    for metric, found in evaluate_regression(stack, truth).items():
        assert found["value"] == pytest.approx(np.mean([e[metric]["value"] for e in each]))


def test_intervals_agree_with_resampling_rows():
    predictions, truth = case(150, 2)
    rng, draws = np.random.default_rng(5), {"r2": [], "mae": [], "rmse": []}
    for _ in range(1000):
        rows = rng.integers(0, 150, 150)
        draws["r2"].append(r2_score(truth[rows], predictions[rows]))
        draws["mae"].append(mean_absolute_error(truth[rows], predictions[rows]))
        draws["rmse"].append(root_mean_squared_error(truth[rows], predictions[rows]))
    out = evaluate_regression(predictions, truth)
    for metric, values in draws.items():
        low, high = np.quantile(values, (0.025, 0.975))
        # 1,000 resamples on either side: a quantile's own error is about 3 % of the width
        assert out[metric]["low"] == pytest.approx(low, abs=0.12 * (high - low)), metric
        assert out[metric]["high"] == pytest.approx(high, abs=0.12 * (high - low)), metric


@pytest.mark.parametrize("n", [60, 3000])
def test_intervals_hold_the_truth_about_as_often_as_they_say(n):
    # y = x + e: R2 of x as a prediction is 1 / 2 of the population's variance 2, MAE is
    # sqrt(2 / pi), RMSE 1, and Spearman's rho that of a normal pair, 6 / pi asin(r / 2).
    r = np.sqrt(0.5)
    want = {
        "r2": 0.5,
        "mae": np.sqrt(2 / np.pi),
        "rmse": 1.0,
        "spearman": 6 / np.pi * np.arcsin(r / 2),
    }
    inside = dict.fromkeys(want, 0)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, 1))
        out = evaluate_regression(x, x + rng.normal(size=(n, 1)), seed)
        for metric, value in want.items():
            inside[metric] += out[metric]["low"] <= value <= out[metric]["high"]
    for metric, count in inside.items():
        # 95 % of 200 with a deviation of 3; percentile bootstraps of 60 rows fall somewhat short
        assert 180 <= count <= 200, (metric, count)


def test_large_units_lose_no_digits():
    predictions, truth = case(100)
    out = evaluate_regression(predictions * 1e12, truth * 1e12)
    small = evaluate_regression(predictions, truth)
    assert out["r2"]["value"] == pytest.approx(small["r2"]["value"], rel=1e-9)
    assert out["rmse"]["high"] == pytest.approx(1e12 * small["rmse"]["high"], rel=1e-9)


def test_the_seed_decides_and_nothing_else():
    predictions, truth = case()
    assert evaluate_regression(predictions, truth, 1) == evaluate_regression(predictions, truth, 1)
    assert evaluate_regression(predictions, truth, 1) != evaluate_regression(predictions, truth, 2)


def test_unfit_predictions_are_refused():
    with pytest.raises(UsageError, match="do not fit"):
        evaluate_regression(np.zeros((3, 2)), np.zeros((3, 1)))
    with pytest.raises(UsageError):
        evaluate_regression(np.zeros((0, 1)), np.zeros((0, 1)))
    with pytest.raises(DataError, match="not finite"):
        evaluate_regression(np.array([[np.nan]]), np.zeros((1, 1)))
