"""Calibration against scipy, scikit-learn and sums by hand; conformal sets keep their promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss

from zoo import engine


def case(n=300, k=4, seed=0, lift=2.0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, k, n)
    scores = rng.normal(size=(n, k))
    scores[np.arange(n), codes] += lift
    return scores, codes


def honest(n, k, seed, sharp=1.5):
    """Probabilities, and classes that are drawn from them."""
    rng = np.random.default_rng(seed)
    p = softmax(sharp * rng.normal(size=(n, k)), axis=1)
    codes = (p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
    return p, np.minimum(codes, k - 1)


@pytest.mark.parametrize("gain", [1e-6, 0.3, 1.0, 30.0])
@pytest.mark.parametrize(("n", "k"), [(1, 3), (5, 2), (300, 4)])
def test_a_shrunk_temperature_is_the_optimum_that_scipy_finds(n, k, gain):
    scores, codes = case(n, k)

    def objective(log):
        logs = log_softmax(np.exp(log) * gain * scores, axis=1)
        return log * log / 2 - logs[np.arange(n), codes].sum()

    # The objective need not be convex: the least of a grid, made exact.
    grid = np.linspace(-6, 8, 200)
    near = grid[np.argmin([objective(log) for log in grid])]
    best = minimize_scalar(objective, bounds=(near - 0.1, near + 0.1), options={"xatol": 1e-10})
    found = np.log(engine.fit_shrunk_temperature(gain * scores, codes))
    assert objective(found) <= best.fun + 1e-9
    assert found == pytest.approx(best.x, abs=1e-5)


def test_a_shrunk_temperature_of_many_rows_is_that_without_a_prior():
    scores, codes = case(5000)
    inverse, _ = engine.fit_temperature(3 * scores, codes)
    # What is left is the engine's smoothing of its targets by 1 / (n + 1).
    assert engine.fit_shrunk_temperature(3 * scores, codes) == pytest.approx(inverse, rel=3e-3)


def test_a_handful_of_rows_says_little_about_the_temperature():
    scores = np.array([[1e-6, 0.0], [0.0, 1e-6]])
    for codes in (np.array([0, 1]), np.array([1, 0])):
        assert engine.fit_shrunk_temperature(scores, codes) == pytest.approx(1.0, abs=1e-5)
    assert engine.fit_temperature(scores, np.array([0, 1]))[0] > 1e5, "without a prior"
    assert engine.fit_shrunk_temperature(np.zeros((0, 2)), np.zeros(0, np.int64)) == 1.0


@pytest.mark.parametrize(("n", "k"), [(40, 2), (300, 4), (500, 12)])
def test_vector_scaling_is_the_optimum_that_scipy_finds(n, k):
    scores, codes = case(n, k)
    scores *= np.linspace(0.5, 3.0, k)
    inverse, _ = engine.fit_temperature(scores, codes)
    z = inverse * (scores - scores.mean(axis=1, keepdims=True))

    def objective(x):
        logs = log_softmax(z * x[:k] + x[k:], axis=1)
        return (
            -logs[np.arange(n), codes].sum() + ((x[:k] - 1) ** 2).sum() / 2 + (x[k:] ** 2).sum() / 2
        )

    best = minimize(
        objective, np.r_[np.ones(k), np.zeros(k)], method="BFGS", options={"gtol": 1e-6}
    )
    scale, bias = engine.fit_vector_scaling(scores, codes, inverse_temperature=inverse)
    found = np.r_[scale / inverse, bias]
    assert objective(found) <= best.fun + 1e-9 * n  # ours stops at 1e-12 nats a row
    np.testing.assert_allclose(found, best.x, atol=1e-4)  # BFGS's gradient is by differences
    assert bias.sum() == pytest.approx(0.0, abs=1e-6)


def test_vector_scaling_recovers_what_the_classes_were_drawn_with():
    rng = np.random.default_rng(1)
    scale, bias = np.array([0.5, 1.0, 2.0]), np.array([1.0, 0.0, -1.0])
    scores = engine.centred(rng.normal(size=(50_000, 3)))
    p = softmax(scale * scores + bias, axis=1)
    codes = (p.cumsum(axis=1) < rng.random(len(p))[:, None]).sum(axis=1)
    inverse, _ = engine.fit_temperature(scores, codes)
    found, offsets = engine.fit_vector_scaling(scores, codes, inverse_temperature=inverse)
    # 50,000 rows tell each number to about 2 / sqrt(50,000)
    np.testing.assert_allclose(found, scale, atol=0.06)
    np.testing.assert_allclose(offsets, bias, atol=0.06)


def test_vector_scaling_of_separable_scores_and_of_a_class_without_rows_is_finite():
    codes = np.arange(30) % 2
    scores = np.zeros((30, 3))
    scores[np.arange(30), codes] = 5.0
    inverse, _ = engine.fit_temperature(scores, codes)
    scale, bias = engine.fit_vector_scaling(scores, codes, inverse_temperature=inverse)
    assert np.isfinite(scale).all()
    assert np.isfinite(bias).all()
    assert np.abs(bias).max() < 10
    assert bias[2] < bias[:2].min()


def test_vector_scaling_is_blind_to_what_a_row_shares():
    scores, codes = case()
    moved = scores + np.random.default_rng(3).normal(size=(len(codes), 1)) * 50
    one = engine.fit_vector_scaling(scores, codes, inverse_temperature=1.0)
    two = engine.fit_vector_scaling(moved, codes, inverse_temperature=1.0)
    np.testing.assert_allclose(one, two, atol=1e-9)


def test_scores_of_minus_infinity_keep_a_row_centred_on_the_others():
    got = engine.centred(np.array([[1.0, 3.0, -np.inf], [-np.inf] * 3]))
    assert got[0].tolist() == [-1.0, 1.0, -np.inf]


@given(
    n=st.integers(1, 60),
    k=st.integers(2, 6),
    bins=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_calibration_error_is_the_sum_by_hand(n, k, bins, seed):
    p, codes = honest(n, k, seed)
    top, right = p.max(axis=1), p.argmax(axis=1) == codes
    total = 0.0
    for b in range(bins):
        inside = (top > b / bins) & (top <= (b + 1) / bins)
        if inside.any():
            total += inside.sum() / n * abs(right[inside].mean() - top[inside].mean())
    assert engine.expected_calibration_error(p, codes, bins) == pytest.approx(total, abs=1e-12)


def test_a_probability_on_a_bins_right_end_is_inside():
    assert engine.confidence_bins(np.array([0.0, 0.5, 0.5 + 1e-9, 1.0]), 2).tolist() == [0, 0, 1, 1]


def test_bins_of_equal_mass_are_the_rows_in_order_cut_into_parts():
    p, codes = honest(100, 3, seed=4)
    order = np.argsort(p.max(axis=1), kind="stable").reshape(5, 20)
    right = p.argmax(axis=1) == codes
    gaps = [abs(right[part].mean() - p.max(axis=1)[part].mean()) for part in order]
    got = engine.expected_calibration_error(p, codes, 5, equal_mass=True)
    assert got == pytest.approx(np.mean(gaps))


def test_honest_probabilities_have_a_small_calibration_error_and_overconfident_ones_a_large_one():
    p, codes = honest(50_000, 4, seed=5)
    assert engine.expected_calibration_error(p, codes) < 0.01  # bias: sqrt(15 / 50,000) / 3
    sure = softmax(3 * np.log(p), axis=1)
    assert engine.expected_calibration_error(sure, codes) > 0.1


def test_brier_of_two_classes_is_twice_scikit_learns():
    p, codes = honest(80, 2, seed=6)
    assert engine.brier_score(p, codes) == pytest.approx(2 * brier_score_loss(codes, p[:, 1]))


def test_brier_is_the_squared_distance_from_the_one_hot_class():
    p, codes = honest(80, 5, seed=7)
    assert engine.brier_score(p, codes) == pytest.approx(((p - np.eye(5)[codes]) ** 2).sum() / 80)
    assert engine.brier_score(np.eye(2), np.array([1, 0])) == 2.0
    assert engine.brier_score(np.eye(2), np.array([0, 1])) == 0.0


@pytest.mark.parametrize(("n", "coverage", "rank"), [(9, 0.9, 9), (19, 0.9, 18), (99, 0.9, 90)])
def test_the_threshold_is_the_score_of_the_finite_sample_rank(n, coverage, rank):
    p, codes = honest(n, 3, seed=8)
    scores = np.sort(1 - p[np.arange(n), codes])
    assert engine.conformal_threshold(p, codes, coverage) == scores[rank - 1]


def test_too_few_rows_for_the_coverage_put_every_class_into_every_set():
    p, codes = honest(8, 3, seed=9)
    assert engine.conformal_threshold(p, codes, 0.9) == 1.0
    assert engine.conformal_sets(np.eye(3), 1.0).all()
    empty = engine.conformal_threshold(np.zeros((0, 3)), np.zeros(0, np.int64), 0.5)
    assert empty == 1.0


@pytest.mark.parametrize(("n", "coverage"), [(99, 0.9), (49, 0.8), (30, 0.95)])
def test_sets_of_exchangeable_rows_hold_the_class_as_often_as_promised(n, coverage):
    expected = np.ceil((n + 1) * coverage - 1e-9) / (n + 1)  # exact where no two scores are equal
    shares = []
    for seed in range(400):
        p, codes = honest(n + 100, 4, seed)
        p = softmax(2.5 * np.log(p), axis=1)  # dishonest, which conformal sets don't mind
        threshold = engine.conformal_threshold(p[:n], codes[:n], coverage)
        sets = engine.conformal_sets(p[n:], threshold)
        shares.append(sets[np.arange(100), codes[n:]].mean())
    error = np.std(shares) / np.sqrt(len(shares))
    assert abs(np.mean(shares) - expected) < 4 * error
    assert error < 0.004


def test_a_set_is_of_the_classes_within_the_threshold_and_may_be_empty():
    p = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25]])
    got = engine.conformal_sets(p, 0.65)
    assert got.tolist() == [[True, False, False], [True, True, False]]
    assert not engine.conformal_sets(p, 0.25).any()


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, float("nan")])
def test_a_coverage_outside_0_and_1_is_refused(coverage):
    with pytest.raises(ValueError, match="coverage"):
        engine.conformal_threshold(np.eye(2), np.array([0, 1]), coverage)


@pytest.mark.parametrize(
    "call",
    [
        engine.brier_score,
        engine.expected_calibration_error,
        engine.fit_shrunk_temperature,
        lambda p, codes: engine.conformal_threshold(p, codes, 0.9),
        lambda p, codes: engine.fit_vector_scaling(p, codes, inverse_temperature=1.0),
    ],
)
@pytest.mark.parametrize("codes", [[0, 2], [0, -1], [0], [[0, 1]]])
def test_codes_that_do_not_fit_are_refused(call, codes):
    with pytest.raises(ValueError, match=r"fit|codes"):
        call(np.eye(2), np.array(codes))


def test_what_cannot_be_measured_is_refused():
    none = np.zeros((0, 2)), np.zeros(0, np.int64)
    with pytest.raises(ValueError, match="no rows"):
        engine.brier_score(*none)
    with pytest.raises(ValueError, match="0 rows"):
        engine.expected_calibration_error(*none)
    with pytest.raises(ValueError, match="0 bins"):
        engine.expected_calibration_error(np.eye(2), np.array([0, 1]), 0)
    with pytest.raises(ValueError, match="not finite"):
        engine.fit_shrunk_temperature(np.array([[0.0, -np.inf]]), np.array([0]))
    with pytest.raises(ValueError, match="not finite"):
        engine.fit_vector_scaling(np.array([[0.0, np.nan]]), np.array([0]), inverse_temperature=1.0)


def test_a_sigmoid_neither_overflows_nor_loses_its_tail():
    odds = np.array([[-800.0, -40.0], [0.0, 40.0]])
    assert engine.sigmoid(odds)[0, 0] == 0.0
    assert engine.sigmoid(odds)[0, 1] == pytest.approx(np.exp(-40.0), rel=1e-12)
    assert engine.sigmoid(odds)[1].tolist() == [0.5, 1.0]
