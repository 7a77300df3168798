"""Ridge regression on real targets against scikit-learn, brute force and float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from zoo import engine


def problem(n=40, d=6, q=2, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, d)) + 3.0).astype(dtype)
    y = x[:, :1] * np.arange(1, q + 1) + rng.normal(size=(n, q)) - 2.0
    return x, y, rng.uniform(0.2, 3.0, n)


def direct(x, y, weight, alpha, *, intercept=True, units=None):
    """The minimum by its normal equations, intercept included, as (q, d + 1)."""
    rows = np.column_stack([x, np.ones(len(x))]) if intercept else np.asarray(x, np.float64)
    penalty = alpha * (np.ones(x.shape[1]) if units is None else units**2)
    penalty = np.append(penalty, 0.0) if intercept else penalty
    left = rows.T @ (weight[:, None] * rows) + np.diag(penalty)
    w = np.linalg.solve(left, rows.T @ (weight[:, None] * y)).T
    return w if intercept else np.column_stack([w, np.zeros(len(w))])


@pytest.mark.parametrize("leave_one_out", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("n", "d", "q"), [(60, 5, 1), (60, 5, 3), (20, 50, 2), (30, 30, 2)])
def test_every_point_of_the_path_is_scikit_learns(n, d, q, intercept, weighted, leave_one_out):
    x, y, weight = problem(n, d, q)
    weight = weight if weighted else None
    total = n if weight is None else weight.sum()
    path = engine.ridge_regression(
        x, y, strengths=[1.0, 1e-3], sample_weight=weight, fit_intercept=intercept,
        leave_one_out=leave_one_out,
    )  # fmt: skip
    for fit in path:
        model = Ridge(alpha=fit.strength * total, fit_intercept=intercept).fit(x, y, weight)
        np.testing.assert_allclose(fit.weights, np.atleast_2d(model.coef_), rtol=1e-8, atol=1e-10)
        expected = model.intercept_ if intercept else np.zeros(q)
        np.testing.assert_allclose(fit.intercepts, expected, rtol=1e-8, atol=1e-10)
        assert (fit.errors is None) == (not leave_one_out)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 40),
    d=st.integers(1, 40),
    q=st.integers(1, 3),
    scale=st.sampled_from([1e-150, 1e-3, 1.0, 1e4, 1e150]),
    heights=st.sampled_from([1e-150, 1.0, 1e150]),
    ratio=st.sampled_from([1.0, 1e-2, 1e-4]),
    standardize=st.booleans(),
    intercept=st.booleans(),
    odd=st.sampled_from(["none", "constant", "duplicated", "zero weights"]),
    seed=st.integers(0, 10_000),
)
def test_any_shape_and_scale_gives_the_minimum(
    n, d, q, scale, heights, ratio, standardize, intercept, odd, seed
):
    x, y, weight = problem(n, d, q, seed)
    if odd == "constant":
        x[:, 0] = 0.1
    elif odd == "duplicated":
        x[:, -1] = x[:, 0]
    elif odd == "zero weights" and n > 3:
        weight[: n // 3] = 0.0
    mean = np.average(x, axis=0, weights=weight)
    units = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))
    units[units < 1e-12] = 0.1
    if not standardize:
        units[:] = 1.0
    strength = ratio if standardize else ratio * float(np.square(x).sum(axis=1).mean())
    expected = direct(x, y, weight, strength * weight.sum(), intercept=intercept, units=units)
    for leave_one_out in (False, True):
        (fit,) = engine.ridge_regression(
            x * scale,
            y * heights,
            strengths=[strength if standardize else strength * scale * scale],
            sample_weight=weight,
            fit_intercept=intercept,
            standardize=standardize,
            leave_one_out=leave_one_out,
        )
        got = x @ (fit.weights * (scale / heights)).T + fit.intercepts / heights
        wanted = x @ expected[:, :-1].T + expected[:, -1]
        # The normal equations of the oracle square a condition number of at most 1e4 or so.
        np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-8 * np.abs(y).max())


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d", "q"), [(25, 4, 2), (12, 30, 1), (3, 1, 1), (9, 9, 2)])
def test_leave_one_out_is_brute_force(n, d, q, weighted, intercept, standardize):
    x, y, weight = problem(n, d, q)
    x *= np.logspace(0, 1, d)
    weight = weight if weighted else np.ones(n)
    weight[0] = 0.0 if weighted and n > 3 else 1.0
    mean = np.average(x, axis=0, weights=weight)
    units = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))
    units = units if standardize else np.ones(d)
    path = engine.ridge_regression(
        x, y, strengths=[1.0, 1e-4], sample_weight=weight if weighted else None,
        fit_intercept=intercept, standardize=standardize, keep_all=True,
    )  # fmt: skip
    for fit in path:
        left_out = np.empty((n, q))
        for i in range(n):
            rest = np.delete(np.arange(n), i)
            w = direct(
                x[rest], y[rest], weight[rest], fit.strength * weight.sum(),
                intercept=intercept, units=units,
            )  # fmt: skip
            left_out[i] = w[:, :-1] @ x[i] + w[:, -1]
        np.testing.assert_allclose(fit.left_out, left_out, rtol=1e-8, atol=1e-8)
        errors = np.average((y - left_out) ** 2, axis=0, weights=weight)
        np.testing.assert_allclose(fit.errors, errors, rtol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), [(60, 5), (20, 50)])
def test_the_path_on_classes_is_scikit_learns_on_indicators(n, d, weighted):
    x, _, weight = problem(n, d)
    codes = np.arange(n) % 3
    weight = weight if weighted else None
    total = weight.sum() if weighted else n
    for fit in engine.ridge_path(x, codes, 3, strengths=[1.0, 1e-3], sample_weight=weight):
        model = Ridge(alpha=fit.strength * total).fit(x, np.eye(3)[codes], weight)
        np.testing.assert_allclose(fit.weights, model.coef_, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(fit.intercepts, model.intercept_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("n", "d"), [(25, 4), (12, 30)])
def test_left_out_scores_of_classes_are_brute_force(n, d):
    x, _, _ = problem(n, d)
    codes = np.arange(n) % 3
    for fit in engine.ridge_path(x, codes, 3, strengths=[1.0, 1e-3], keep_all=True):
        for i in range(n):
            rest = np.delete(np.arange(n), i)
            w = direct(x[rest], np.eye(3)[codes[rest]], np.ones(n - 1), fit.strength * n)
            np.testing.assert_allclose(fit.left_out[i], w[:, :-1] @ x[i] + w[:, -1], atol=1e-8)


@pytest.mark.parametrize("strength", [1e-6, 1e-10, 1e-13])
@pytest.mark.parametrize(("n", "d"), [(30, 100), (50, 50), (31, 30), (100, 30)])
def test_a_weak_penalty_costs_left_out_rows_no_digits(n, d, strength):
    x, y, _ = problem(n, d)
    codes = np.arange(n) % 3
    (fit,) = engine.ridge_regression(x, y, strengths=[strength])
    (classes,) = engine.ridge_path(x, codes, 3, strengths=[strength])
    targets = np.column_stack([y, np.eye(3)[codes]])
    left_out = np.empty_like(targets)
    for i in range(n):  # by singular values: normal equations would lose what is tested
        rest = np.delete(np.arange(n), i)
        mean, height = x[rest].mean(axis=0), targets[rest].mean(axis=0)
        u, s, v = np.linalg.svd(x[rest] - mean, full_matrices=False)
        shrunk = (s / (s**2 + strength * n))[:, None] * (u.T @ (targets[rest] - height))
        left_out[i] = height + (x[i] - mean) @ v.T @ shrunk
    np.testing.assert_allclose(fit.left_out, left_out[:, :2], atol=1e-9)
    np.testing.assert_allclose(classes.left_out, left_out[:, 2:], atol=1e-9)


def test_the_best_alone_keeps_its_left_out_predictions():
    x, y, _ = problem()
    path = engine.ridge_regression(x, y, strengths=[10.0, 1e-2, 1e-9])
    losses = [fit.errors.mean() for fit in path]
    assert [fit.left_out is not None for fit in path] == [loss == min(losses) for loss in losses]


@pytest.mark.parametrize("ratio", [1.0, 1e-4, 1e-7, 1e-9, 1e-12])
@pytest.mark.parametrize(("n", "d"), [(60, 5), (20, 50)])
def test_one_strength_alone_is_its_point_of_a_path(n, d, ratio):
    x, y, weight = problem(n, d)
    path, alone = (
        engine.ridge_regression(
            x, y, strengths=strengths, sample_weight=weight, leave_one_out=False
        )[-1]
        for strengths in ([1.0, ratio], [ratio])
    )
    np.testing.assert_allclose(alone.weights, path.weights, atol=1e-9)
    np.testing.assert_allclose(alone.intercepts, path.intercepts, atol=1e-8)


def test_standardizing_is_dividing_by_the_standard_deviations():
    x, y, weight = problem(dtype=np.float32)
    x = x.astype(np.float64)
    x *= np.logspace(-5, 5, 6)
    x[:, 2] = 7.0
    spread = np.sqrt(np.cov(x, rowvar=False, aweights=weight, ddof=0).diagonal())
    spread[2] = 1.0
    (folded,) = engine.ridge_regression(
        x, y, strengths=[0.1], sample_weight=weight, standardize=True
    )
    (scaled,) = engine.ridge_regression(x / spread, y, strengths=[0.1], sample_weight=weight)
    np.testing.assert_allclose(folded.weights * spread, scaled.weights, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(folded.intercepts, scaled.intercepts, rtol=1e-9)
    np.testing.assert_allclose(folded.errors, scaled.errors, rtol=1e-9)
    assert np.abs(folded.weights[:, 2]).max() < 1e-15


def test_indicators_as_real_targets_are_the_classes_path():
    x, _, weight = problem(50)
    codes = np.arange(50) % 3
    (classes,) = engine.ridge_path(x, codes, 3, strengths=[0.1], sample_weight=weight)
    (real,) = engine.ridge_regression(x, np.eye(3)[codes], strengths=[0.1], sample_weight=weight)
    np.testing.assert_allclose(real.weights, classes.weights, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(real.left_out, classes.left_out, rtol=1e-12, atol=1e-14)


def test_a_row_of_weight_two_is_two_rows():
    x, y, _ = problem()
    weight = np.ones(40)
    weight[:10], weight[10:15] = 2.0, 0.0
    rows = np.concatenate([np.arange(10), np.arange(10), np.arange(15, 40)])
    (a,) = engine.ridge_regression(x, y, strengths=[0.1], sample_weight=weight)
    (b,) = engine.ridge_regression(x[rows], y[rows], strengths=[0.1])
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-12)


def test_a_large_offset_costs_no_digits():
    x, y, _ = problem(500)
    for leave_one_out in (False, True):
        (near,) = engine.ridge_regression(x, y, strengths=[1e-3], leave_one_out=leave_one_out)
        (far,) = engine.ridge_regression(
            x + 2.0**20, y, strengths=[1e-3], leave_one_out=leave_one_out
        )
        # The sum rounds to 2^-32, a ten-billionth of a standard deviation.
        np.testing.assert_allclose(far.weights, near.weights, atol=1e-8)


def test_equal_rows_give_the_mean():
    y = np.array([[1.0], [2.0], [6.0]])
    for leave_one_out in (False, True):
        (fit,) = engine.ridge_regression(
            np.full((3, 4), 0.1), y, strengths=[1e-9], leave_one_out=leave_one_out
        )
        assert np.abs(fit.weights).max() < 1e-6
        assert fit.weights[0] @ np.full(4, 0.1) + fit.intercepts[0] == pytest.approx(3.0)


def test_a_single_row_can_be_fitted_but_not_left_out():
    x, y = np.ones((1, 3)), np.ones((1, 1))
    (fit,) = engine.ridge_regression(x, y, strengths=[1.0], leave_one_out=False)
    assert fit.intercepts == 1.0
    with pytest.raises(ValueError, match="at least two rows"):
        engine.ridge_regression(x, y, strengths=[1.0])


@pytest.mark.parametrize(("n", "d"), [(700, 33), (70, 90)])
@pytest.mark.parametrize("leave_one_out", [False, True])
def test_results_are_the_same_bits_for_any_number_of_threads(n, d, leave_one_out):
    x, y, weight = problem(n, d, 3, dtype=np.float32)

    def bits(threads):
        path = engine.ridge_regression(
            x, y, strengths=[1.0, 1e-3], sample_weight=weight, leave_one_out=leave_one_out,
            standardize=True, keep_all=True, threads=threads,
        )  # fmt: skip
        return [
            array.tobytes()
            for fit in path
            for array in (fit.weights, fit.intercepts, fit.errors, fit.left_out)
            if array is not None
        ]

    assert bits(1) == bits(2) == bits(3)


def test_blocks_make_no_difference(monkeypatch):
    x, y, weight = problem(300, 5)
    (whole,) = engine.ridge_regression(x, y, strengths=[0.1], sample_weight=weight)
    monkeypatch.setattr("zoo.engine.span._BLOCK", 64)
    monkeypatch.setattr("zoo.engine.span._GRAM_ROWS", 8)
    (parts,) = engine.ridge_regression(x, y, strengths=[0.1], sample_weight=weight)
    (lean,) = engine.ridge_regression(
        x, y, strengths=[0.1], sample_weight=weight, leave_one_out=False
    )
    np.testing.assert_allclose(parts.weights, whole.weights, rtol=1e-11)
    np.testing.assert_allclose(parts.left_out, whole.left_out, rtol=1e-11)
    np.testing.assert_allclose(lean.weights, whole.weights, rtol=1e-11)
    with pytest.raises(ValueError, match="row 299 "):
        engine.require_rows(np.append(x[:-1], [[np.nan] * 5], axis=0))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("leave_one_out", [False, True])
def test_what_is_not_finite_is_refused_by_row(bad, leave_one_out):
    x, y, _ = problem()
    for array, told in ((x, "^row 17 "), (y, "target of row 17 ")):
        kept = array[17, 1]
        array[17, 1] = bad
        with pytest.raises(ValueError, match=told):
            engine.ridge_regression(x, y, strengths=[1.0], leave_one_out=leave_one_out)
        array[17, 1] = kept


def test_wrong_shapes_weights_and_strengths_are_refused():
    x, y, weight = problem()
    for strength in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="strengths must be positive"):
            engine.ridge_regression(x, y, strengths=[strength], leave_one_out=False)
    for targets in (y[:, 0], y[:-1], y[:, :0]):
        with pytest.raises(ValueError, match=r"targets must have shape \(40, q\)"):
            engine.ridge_regression(x, targets, strengths=[1.0])
    with pytest.raises(ValueError, match="not negative"):
        engine.ridge_regression(x, y, strengths=[1.0], sample_weight=-weight)
    with pytest.raises(ValueError, match="all sample weights are 0"):
        engine.ridge_regression(x, y, strengths=[1.0], sample_weight=0 * weight)
