"""LogisticHead: scikit-learn's optimum, and how it is told how near that is."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from zoo import engine
from zoo.sklearn import LogisticHead


def blobs(k=3, n=150, d=6, dtype=np.float64):
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    return (rng.normal(size=(n, d)) + 1.5 * rng.normal(size=(k, d))[codes]).astype(dtype), codes


def expected(x, y, weight=None, **options):
    solver = LogisticRegression(solver="newton-cholesky", tol=1e-10, max_iter=500, **options)
    return solver.fit(x, y, sample_weight=weight)


def assert_same(head, model):
    # A suboptimality of 1e-14 is a distance of about 1e-7 in coefficients of order 1.
    assert head.coef_.shape == model.coef_.shape
    assert np.allclose(head.coef_, model.coef_, atol=2e-6)
    # A shift of all intercepts changes no probability and scikit-learn's is centred.
    shift = 0.0 if len(head.intercept_) == 1 else head.intercept_.mean()
    assert np.allclose(head.intercept_ - shift, model.intercept_, atol=2e-6)


@pytest.mark.parametrize("k", [2, 3, 7])
@pytest.mark.parametrize("c", [1e-3, 1.0, 100.0])
def test_coefficients_are_scikit_learns(k, c):
    x, y = blobs(k)
    head = LogisticHead(C=c, tol=1e-14).fit(x, y)
    assert_same(head, expected(x, y, C=c))
    assert head.converged_
    assert 0.0 <= head.suboptimality_ <= 1e-14
    assert head.n_iter_.shape == (1,)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.25}])
def test_weights_of_rows_and_classes_are_scikit_learns(k, weighted, class_weight):
    x, y = blobs(k)
    weight = np.random.default_rng(1).uniform(0, 3, len(y)) if weighted else None
    head = LogisticHead(C=0.3, class_weight=class_weight, tol=1e-14).fit(x, y, weight)
    # What scikit-learn makes of "balanced" beside weights of rows changed in 1.8; stated here.
    if class_weight == "balanced":
        totals = np.bincount(y, weight)
        class_weight = dict(enumerate(totals.sum() / k / totals))
    assert_same(head, expected(x, y, weight, C=0.3, class_weight=class_weight))


@pytest.mark.parametrize("k", [2, 3])
def test_probabilities_and_labels_are_scikit_learns(k):
    x, y = blobs(k)
    head, model = LogisticHead(tol=1e-14).fit(x, y), expected(x, y)
    assert np.allclose(head.predict_proba(x), model.predict_proba(x), atol=1e-6)
    assert np.allclose(head.predict_log_proba(x), model.predict_log_proba(x), atol=1e-5)
    assert np.allclose(head.decision_function(x), model.decision_function(x), atol=1e-5)
    assert np.array_equal(head.predict(x), model.predict(x))
    assert head.score(x, y) == model.score(x, y)


def test_logarithms_stay_finite_where_probabilities_vanish():
    x, y = blobs(2)
    far = LogisticHead().fit(x, y).predict_log_proba(1e6 * x)
    assert np.isfinite(far).all()
    assert far.min() < -1e3


def test_float32_rows_reach_the_solver_as_they_are(monkeypatch):
    x, y = blobs(dtype=np.float32)
    seen = []
    solve = engine.fit_logistic

    def watched(rows, *arguments, **options):
        seen.append(rows)
        return solve(rows, *arguments, **options)

    monkeypatch.setattr(engine, "fit_logistic", watched)
    LogisticHead().fit(x, y)
    assert seen[0].dtype == np.float32
    assert np.shares_memory(seen[0], x)


def test_labels_may_be_text_or_leave_gaps():
    x, y = blobs()
    numbers = np.array([7, -2, 40])[y]
    names = np.array(["wolf", "ant", "zebu"])[y]
    head = LogisticHead().fit(x, numbers)
    assert head.classes_.tolist() == [-2, 7, 40]
    assert set(head.predict(x)) == {-2, 7, 40}
    assert np.mean(head.predict(x) == numbers) > 0.8
    head = LogisticHead(class_weight={"ant": 2.0}).fit(x, names)
    assert head.classes_.tolist() == ["ant", "wolf", "zebu"]
    assert head.score(x, names) > 0.8


def test_a_fit_that_is_cut_short_says_how_far_it_is_from_the_optimum():
    x, y = blobs()
    head = LogisticHead(C=100.0, tol=1e-12, max_iter=1)
    with pytest.warns(ConvergenceWarning, match=r"in 1 iterations.* \d\.\de-\d\d of itself"):
        head.fit(x, y)
    assert not head.converged_
    assert head.suboptimality_ > 1e-12


def test_a_warm_start_goes_on_from_the_last_fit():
    x, y = blobs()
    head = LogisticHead(C=10.0, tol=1e-10, warm_start=True).fit(x, y)
    cold, optimum = head.n_iter_[0], head.coef_
    head.fit(x, y)
    assert head.n_iter_[0] < cold
    assert np.allclose(head.coef_, optimum, atol=1e-4)
    head.fit(x[:, :3], y)  # other columns: a cold start
    assert head.coef_.shape == (3, 3)
    head.fit(x[:, :3], np.minimum(y, 1))  # other classes: another
    assert head.coef_.shape == (1, 3)


def test_any_number_of_threads_gives_the_same_bits():
    x, y = blobs(n=900, d=40)
    one = LogisticHead().fit(x, y)
    for n_jobs in (2, 3, -1):
        other = LogisticHead(n_jobs=n_jobs).fit(x, y)
        assert other.coef_.tobytes() == one.coef_.tobytes()


@pytest.mark.parametrize(
    "wrong",
    [
        {"C": 0.0},
        {"C": np.inf},
        {"C": "1"},
        {"tol": 0.0},
        {"max_iter": 0},
        {"max_iter": 1.5},
        {"n_jobs": 0},
        {"class_weight": "even"},
        {"class_weight": {0: -1.0}},
        {"class_weight": {5: 1.0}},
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        LogisticHead(**wrong).fit(*blobs())


@pytest.mark.parametrize("weight", [-np.ones(150), np.ones(3), np.zeros(150), "heavy"])
def test_weights_that_make_no_sense_are_refused(weight):
    with pytest.raises(ValueError, match=r"weight|convert"):
        LogisticHead().fit(*blobs(), sample_weight=weight)


def test_it_works_in_a_pipeline_and_a_grid_search():
    x, y = blobs()
    grid = {"head__C": [1e-3, 1e-1, 10.0]}
    ours, theirs = (
        GridSearchCV(
            Pipeline([("scale", StandardScaler()), ("head", head)]), grid, scoring="neg_log_loss"
        ).fit(x, y)
        for head in (LogisticHead(tol=1e-12), LogisticRegression(tol=1e-8, max_iter=1000))
    )
    assert ours.best_params_ == theirs.best_params_
    scores = (search.cv_results_["mean_test_score"] for search in (ours, theirs))
    assert np.allclose(*scores, atol=1e-4)
    assert clone(ours.best_estimator_[-1]).get_params() == ours.best_estimator_[-1].get_params()


@pytest.mark.parametrize("k", [2, 3])
def test_a_fit_without_intercepts_is_scikit_learns(k):
    x, y = blobs(k)
    head = LogisticHead(tol=1e-14, fit_intercept=False).fit(x, y)
    assert not head.intercept_.any()
    assert np.allclose(head.coef_, expected(x, y, fit_intercept=False).coef_, atol=2e-6)


def test_a_standardised_fit_is_that_to_scaled_columns_with_coefficients_of_the_given():
    x, y = blobs()
    x = x * [1e-3, 1, 10, 100, 1, 1] + 5
    head = LogisticHead(tol=1e-14, standardize=True).fit(x, y)
    scaler = StandardScaler().fit(x)
    model = expected(scaler.transform(x), y)
    assert np.allclose(head.coef_ * scaler.scale_, model.coef_, atol=2e-6)
    assert np.allclose(head.predict_proba(x), model.predict_proba(scaler.transform(x)), atol=1e-6)
