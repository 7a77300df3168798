"""The LDA estimator: scikit-learn's conventions, its LDA, and the choice of a shrinkage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from zoo import engine
from zoo.sklearn import LDAHead


def problem(n=120, d=6, k=3, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(k), np.arange(k), rng.integers(0, k, n - 2 * k)])
    x = rng.normal(size=(n, d)) + rng.normal(size=(k, d))[codes] * 2 / np.sqrt(d) + 3.0
    return x, np.array(["one", "three", "two", "zero"])[codes]


@parametrize_with_checks([LDAHead(), LDAHead("ledoit-wolf"), LDAHead(0.1), LDAHead(None)])
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(9, 60),
    d=st.integers(1, 40),
    k=st.integers(2, 4),
    shrinkage=st.sampled_from([1e-2, 0.3, 1.0]),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    given_priors=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_it_is_scikit_learns_lda(n, d, k, shrinkage, scale, given_priors, seed):
    x, y = problem(n, d, k, seed)
    priors = np.arange(1.0, k + 1) / np.arange(1.0, k + 1).sum() if given_priors else None
    ours = LDAHead(shrinkage, priors=priors).fit(x * scale, y)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors)
    theirs.fit(x * scale, y)
    assert (ours.classes_ == theirs.classes_).all()
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.intercept_.shape == theirs.intercept_.shape
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-10)
    np.testing.assert_allclose(ours.priors_, theirs.priors_, rtol=1e-12)
    shared = 0.0 if k == 2 else theirs.priors_ @ theirs.coef_
    np.testing.assert_allclose(ours.coef_ * scale, (theirs.coef_ - shared) * scale, atol=1e-8)
    chances = theirs.predict_proba(x * scale)
    np.testing.assert_allclose(ours.predict_proba(x * scale), chances, atol=1e-8)
    assert ours.shrinkage_ == shrinkage


def test_two_classes_decide_by_the_log_odds():
    x, y = problem(k=2)
    model = LDAHead(0.1).fit(x, y)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1).fit(x, y)
    odds = model.decision_function(x)
    np.testing.assert_allclose(odds, theirs.decision_function(x), atol=1e-8)
    np.testing.assert_allclose(model.intercept_, theirs.intercept_, rtol=1e-8)
    chances = model.predict_log_proba(x)
    np.testing.assert_allclose(chances[:, 1] - chances[:, 0], odds, atol=1e-12)
    assert (model.predict(x) == model.classes_[(odds > 0).astype(int)]).all()


def test_without_a_shrinkage_there_is_none():
    x, y = problem()
    model = LDAHead(None).fit(x, y)
    assert model.shrinkage_ == 0.0
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(x, y)
    np.testing.assert_allclose(model.predict_proba(x), theirs.predict_proba(x), atol=1e-8)


def test_ledoit_and_wolfs_is_the_engines():
    x, y = problem(40, 30)
    codes = np.unique(y, return_inverse=True)[1]
    assert LDAHead("ledoit-wolf").fit(x, y).shrinkage_ == engine.fit_lda(x, codes, 3).strength


def test_cross_validation_shrinks_where_rows_are_few():
    def chosen(n, d):
        x, y = problem(n, d)
        x[:, 0] = x[:, 0] * 0.1 + x[:, 1]  # a covariance that is no multiple of the identity
        return LDAHead().fit(x, y).shrinkage_

    few, many = chosen(60, 40), chosen(3000, 4)
    assert {few, many} <= set(engine.SHRINKAGES)
    assert few >= 0.1 > many


def test_the_choice_knows_no_order_and_no_copies():
    x, y = problem(60, 40)
    chosen = LDAHead().fit(x, y)
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(60), 2))
    copied = LDAHead().fit(x[rows], y[rows])
    weighted = LDAHead().fit(x, y, np.full(60, 2.0))
    assert chosen.shrinkage_ == copied.shrinkage_ == weighted.shrinkage_
    np.testing.assert_allclose(copied.coef_, chosen.coef_, atol=1e-9)
    np.testing.assert_allclose(weighted.coef_, chosen.coef_, atol=1e-9)


def test_rows_too_few_to_judge_by_are_still_fitted():
    model = LDAHead().fit(np.eye(3), ["a", "b", "c"])
    assert model.shrinkage_ == 1.0
    assert list(model.predict(np.eye(3))) == ["a", "b", "c"]


def test_threads_change_no_bit():
    x, y = problem(700, 33)
    one, two = (LDAHead(n_jobs=jobs).fit(x, y) for jobs in (None, 2))
    assert one.coef_.tobytes() == two.coef_.tobytes()


def test_it_works_in_a_pipeline_under_a_search():
    x, y = problem(60, 40)
    model = make_pipeline(StandardScaler(), LDAHead())
    grid = {"ldahead__shrinkage": [0.5, 1e-8]}
    found = GridSearchCV(model, grid, cv=3, scoring="neg_log_loss").fit(x, y)
    assert found.best_params_ == {"ldahead__shrinkage": 0.5}
    assert found.predict_proba(x).shape == (60, 3)


def test_one_class_and_wrong_parameters_are_refused():
    x, y = problem()
    with pytest.raises(ValueError, match="fewer than two classes"):
        LDAHead().fit(x, np.zeros(120))
    with pytest.raises(ValueError, match="'cv', 'ledoit-wolf', a number or None, not 'best'"):
        LDAHead("best").fit(x, y)
    with pytest.raises(ValueError, match=r"shrinkage in \[0, 1\], not 2.0"):
        LDAHead(2.0).fit(x, y)
    with pytest.raises(ValueError, match="3 positive numbers"):
        LDAHead(priors=[0.5, 0.5]).fit(x, y)
    x[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        LDAHead().fit(x, y)
