"""Ridge estimators: scikit-learn's conventions, its Ridge, and leave-one-out by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from zoo.sklearn import RidgeHead, RidgeHeadCV


def problem(n=60, d=5, q=2, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 3.0
    y = x[:, :1] * np.arange(1, q + 1) + rng.normal(size=(n, q)) - 2.0
    return x, y, rng.uniform(0.2, 3.0, n)


@parametrize_with_checks(
    [
        RidgeHead(),
        RidgeHead(fit_intercept=False, standardize=True),
        RidgeHeadCV(),
        RidgeHeadCV([0.1, 1.0], fit_intercept=False, standardize=True),
    ]
)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 40),
    d=st.integers(1, 40),
    alpha=st.sampled_from([1e-2, 1.0, 1e3]),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    single=st.booleans(),
    weighted=st.booleans(),
    intercept=st.booleans(),
    odd=st.sampled_from(["none", "constant", "duplicated", "zero weights"]),
    seed=st.integers(0, 10_000),
)
def test_it_is_scikit_learns_ridge(n, d, alpha, scale, single, weighted, intercept, odd, seed):
    x, y, weight = problem(n, d, 1 if single else 3, seed)
    y = y[:, 0] if single else y
    if odd == "constant":
        x[:, 0] = 0.1
    elif odd == "duplicated":
        x[:, -1] = x[:, 0]
    elif odd == "zero weights":
        weight[: n // 2] = 0.0
    weight = weight if weighted else None
    alpha *= scale**2
    ours = RidgeHead(alpha, fit_intercept=intercept).fit(x * scale, y, weight)
    theirs = Ridge(alpha, fit_intercept=intercept).fit(x * scale, y, weight)
    assert ours.coef_.shape == theirs.coef_.shape
    assert np.shape(ours.intercept_) == (np.shape(theirs.intercept_) if intercept else y.shape[1:])
    # theirs solves the normal equations, whose condition is n d / alpha at most.
    expected = theirs.predict(x * scale)
    np.testing.assert_allclose(ours.predict(x * scale), expected, rtol=1e-8, atol=1e-8)


def test_a_column_of_targets_gives_columns():
    x, y, _ = problem(q=1)
    model = RidgeHead().fit(x, y)
    assert model.coef_.shape == (1, 5)
    assert model.predict(x).shape == (60, 1)
    assert RidgeHead().fit(x.tolist(), y[:, 0].tolist()).predict(x.tolist()).shape == (60,)


@pytest.mark.parametrize("q", [1, 3])
@pytest.mark.parametrize("intercept", [False, True])
def test_the_best_alpha_is_ridge_cvs(q, intercept):
    x, y, _ = problem(n=25, d=15, q=q)
    alphas = np.logspace(-3, 3, 13)
    ours = RidgeHeadCV(alphas, fit_intercept=intercept).fit(x, y)
    theirs = RidgeCV(alphas, fit_intercept=intercept).fit(x, y)
    assert ours.alpha_ == theirs.alpha_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-8)
    np.testing.assert_allclose(ours.coef_, np.atleast_2d(theirs.coef_), atol=1e-8)
    np.testing.assert_array_equal(ours.alphas_, alphas[::-1])


@pytest.mark.parametrize(("n", "d"), [(25, 4), (12, 30)])
@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_those_of_fits_without_each_row(n, d, weighted):
    x, y, weight = problem(n, d)
    weight = weight if weighted else None
    model = RidgeHeadCV(3).fit(x, y, weight)
    assert model.errors_.shape == (3, 2)
    for alpha, errors in zip(model.alphas_, model.errors_, strict=True):
        residuals = np.empty((n, 2))
        for i in range(n):
            rest = np.delete(np.arange(n), i)
            one = Ridge(alpha, solver="cholesky")
            one.fit(x[rest], y[rest], None if weight is None else weight[rest])
            residuals[i] = y[i] - one.predict(x[i : i + 1])[0]
        np.testing.assert_allclose(np.average(residuals**2, 0, weight), errors, rtol=1e-8)
    assert model.best_score_ == -model.errors_.mean(axis=1).min()
    assert model.alpha_ == model.alphas_[model.errors_.mean(axis=1).argmin()]


def test_the_grid_follows_the_rows():
    x, y, _ = problem()
    near, far = RidgeHeadCV(7).fit(x, y), RidgeHeadCV(7).fit(1e3 * x + 5.0, y)
    assert len(near.alphas_) == 7
    np.testing.assert_allclose(far.alphas_, 1e6 * near.alphas_)
    assert far.best_score_ == pytest.approx(near.best_score_)
    spread = RidgeHeadCV(standardize=True).fit(x * np.logspace(-4, 4, 5), y)
    assert spread.best_score_ == pytest.approx(RidgeHeadCV(standardize=True).fit(x, y).best_score_)
    assert len(spread.alphas_) == 20


def test_copies_leave_together_and_a_weight_is_a_number_of_copies():
    x, y, _ = problem(n=20, d=12)
    copies = np.random.default_rng(0).permutation(np.repeat(np.arange(20), 3))
    once = RidgeHeadCV().fit(x, y, np.full(20, 3.0))
    thrice = RidgeHeadCV().fit(x[copies], y[copies])
    np.testing.assert_allclose(thrice.errors_, once.errors_, rtol=1e-9)
    assert thrice.alpha_ == pytest.approx(once.alpha_)


def test_threads_change_no_bit():
    x, y, _ = problem(700, 33)
    one, two = (RidgeHeadCV(n_jobs=jobs).fit(x, y) for jobs in (None, 2))
    assert one.coef_.tobytes() == two.coef_.tobytes()
    assert one.errors_.tobytes() == two.errors_.tobytes()


def test_it_works_in_a_pipeline_under_a_search():
    x, y, _ = problem()
    model = make_pipeline(StandardScaler(), RidgeHead())
    found = GridSearchCV(model, {"ridgehead__alpha": [0.1, 1e5]}, cv=3).fit(x, y)
    assert found.best_params_ == {"ridgehead__alpha": 0.1}
    folded = RidgeHead(0.1, standardize=True).fit(x, y)
    np.testing.assert_allclose(found.predict(x), folded.predict(x), atol=1e-10)
    assert clone(folded).get_params() == folded.get_params()


@pytest.mark.parametrize("alpha", [0.0, -1.0, np.nan, np.inf])
def test_an_alpha_that_is_not_positive_is_refused(alpha):
    x, y, _ = problem()
    for model in (RidgeHead(alpha), RidgeHeadCV([1.0, alpha]), RidgeHeadCV(0)):
        with pytest.raises(ValueError, match="alpha must be positive"):
            model.fit(x, y)


def test_rows_and_weights_that_are_none_are_refused():
    x, y, weight = problem()
    with pytest.raises(ValueError, match="sample weights must be finite and not negative"):
        RidgeHead().fit(x, y, -weight)
    with pytest.raises(ValueError, match=r"all sample weights are 0|at least one non-zero number"):
        RidgeHeadCV().fit(x, y, 0 * weight)
    with pytest.raises(ValueError, match="at least two rows with weight"):
        RidgeHeadCV().fit(x, y, np.eye(60)[0])
    x[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        RidgeHead().fit(x, y)
