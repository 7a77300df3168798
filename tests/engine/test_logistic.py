"""The logistic solver against scikit-learn in float64, over shapes, scales and weights."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from zoo import engine


def problem(n=120, d=7, k=3, seed=0, shift=2.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * np.logspace(0, -1, d) + shift
    logits = (x - x.mean(axis=0)) @ rng.normal(size=(d, k))
    codes = (logits + rng.gumbel(size=(n, k))).argmax(axis=1)
    codes[:k] = np.arange(k)
    return x, codes


def objective(x, codes, fit, strength, weight=None, scale=1.0):
    z = x.astype(np.float64) @ fit.weights.T + fit.intercepts
    z = np.hstack([np.zeros_like(z), z]) if z.shape[1] == 1 else z
    top = z.max(axis=1)
    loss = np.log(np.exp(z - top[:, None]).sum(axis=1)) + top - z[np.arange(len(z)), codes]
    mean = np.average(loss, weights=weight)
    return mean + strength / 2 * np.square(fit.weights * scale).sum()


def reference(x, codes, strength, weight=None, **options):
    total = len(x) if weight is None else weight.sum()
    solver = "lbfgs" if options else "newton-cholesky"
    model = LogisticRegression(
        C=1 / (strength * total), solver=solver, tol=1e-12, max_iter=10_000, **options
    )
    return model.fit(np.asarray(x, np.float64), codes, sample_weight=weight)


@pytest.mark.parametrize("k", [2, 3, 6])
@pytest.mark.parametrize("strength", [10.0, 1e-1, 1e-4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coefficients_are_scikit_learns(k, strength, dtype):
    x, codes = problem(k=k)
    x = x.astype(dtype)
    fit = engine.fit_logistic(x, codes, k, strength=strength, tolerance=1e-12)
    model = reference(x, codes, strength)
    assert fit.converged
    assert fit.suboptimality <= 1e-12
    scale = 1 + np.abs(model.coef_).max()
    assert np.allclose(fit.weights, model.coef_, atol=2e-5 * scale)
    assert fit.objective == pytest.approx(objective(x, codes, fit, strength), rel=1e-10)


@pytest.mark.parametrize("k", [2, 4])
def test_without_an_intercept(k):
    x, codes = problem(k=k)
    fit = engine.fit_logistic(x, codes, k, strength=1e-2, fit_intercept=False, tolerance=1e-13)
    model = reference(x, codes, 1e-2, fit_intercept=False)
    assert fit.converged
    assert not fit.intercepts.any()
    assert np.allclose(fit.weights, model.coef_, atol=1e-4)


@pytest.mark.parametrize("k", [2, 4])
def test_standardised_columns_have_their_weights_for_the_columns_as_they_are(k):
    x, codes = problem(k=k)
    x = np.hstack([x * np.logspace(-3, 3, 7), np.full((len(x), 1), 5.0)])
    fit = engine.fit_logistic(x, codes, k, strength=1e-2, standardize=True, tolerance=1e-13)
    model = reference(StandardScaler().fit_transform(x), codes, 1e-2)
    spread = np.where(x.std(axis=0) > 1e-12, x.std(axis=0), 1.0)
    assert fit.converged
    assert np.allclose(fit.weights * spread, model.coef_, atol=1e-4)
    assert not fit.weights[:, -1].any()  # the constant column


def test_sample_weights_are_scikit_learns():
    x, codes = problem()
    weight = np.random.default_rng(1).uniform(0, 3, len(x))
    weight[10:20] = 0.0
    fit = engine.fit_logistic(x, codes, 3, strength=1e-2, sample_weight=weight, tolerance=1e-12)
    assert np.allclose(fit.weights, reference(x, codes, 1e-2, weight).coef_, atol=1e-4)


def shapes():
    return st.tuples(
        st.integers(2, 60), st.integers(1, 40), st.integers(2, 5), st.integers(0, 10_000)
    )


# Hardly any penalty and nothing to penalise; two rows, where the preconditioner knows little.
@example(shape=(3, 1, 3, 0), strength=1.0, scale=1e-12, narrow=True, odd="constant")
@example(shape=(2, 7, 2, 2), strength=1e-5, scale=1e12, narrow=False, odd="duplicate")
@example(shape=(49, 1, 5, 3), strength=1.0, scale=1e-12, narrow=False, odd="constant")
@settings(max_examples=60, deadline=None)
@given(
    shape=shapes(),
    strength=st.sampled_from([1.0, 1e-2, 1e-5]),
    scale=st.sampled_from([1e-12, 1.0, 1e12]),
    narrow=st.booleans(),
    odd=st.sampled_from(["", "constant", "duplicate", "weights", "gap"]),
)
def test_every_fit_is_certified_and_the_certificate_is_true(shape, strength, scale, narrow, odd):
    n, d, k, seed = shape
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + rng.normal(size=d)
    codes = rng.integers(0, k, n)
    codes[:2] = [0, 1]
    weight = None
    if odd == "constant":
        x[:, 0] = 3.0
    elif odd == "duplicate":
        x[:, -1] = x[:, 0]
    elif odd == "weights":
        weight = np.where(rng.random(n) < 0.3, 0.0, rng.random(n))
        weight[:2] = 1.0
    elif odd == "gap":
        k += 2
    x = (x * scale).astype(np.float32 if narrow else np.float64)
    strength *= max(scale * scale * engine.total_variance(x / scale), 1e-300)
    fit = engine.fit_logistic(x, codes, k, strength=strength, sample_weight=weight)
    assert fit.converged
    assert fit.suboptimality <= 1e-6
    best = engine.fit_logistic(
        x.astype(np.float64), codes, k, strength=strength, sample_weight=weight, tolerance=1e-12
    )
    unit = max(abs(best.objective), 1e-300)
    assert (fit.objective - best.objective) / unit <= 2e-6
    assert (fit.objective - best.objective) / unit <= fit.suboptimality_bound + 1e-9


def test_one_step_is_not_enough_and_says_so():
    x, codes = problem(k=4)
    fit = engine.fit_logistic(x, codes, 4, strength=1e-4, max_iterations=1)
    assert not fit.converged
    assert fit.suboptimality > 1e-6
    assert fit.suboptimality_bound > 1e-6


def test_labels_are_fits_of_their_own():
    x, codes = problem(k=4)
    marks = np.stack([codes == 1, codes >= 2, codes != 3], axis=1).astype(int)
    marks[3, 1] = -1
    fits = engine.fit_multilabel(x, marks, strength=1e-2, tolerance=1e-12)
    for label, fit in enumerate(fits):
        known = marks[:, label] >= 0
        model = reference(x[known], marks[known, label], 1e-2)
        assert np.allclose(fit.weights, model.coef_, atol=1e-4)
    with pytest.raises(ValueError, match="label 0 is the same"):
        engine.fit_multilabel(x, np.ones((len(x), 2), int), strength=1e-2)
    with pytest.raises(ValueError, match="0, 1 and -1"):
        engine.fit_multilabel(x, marks * 3, strength=1e-2)


def folds_of(n, count=5, seed=0):
    order = np.random.default_rng(seed).permutation(n)
    parts = [np.sort(order[i::count]) for i in range(count)]
    return [(np.setdiff1d(np.arange(n), part), part) for part in parts]


def separate(x, codes, k, folds, strength, **options):
    """Sums of held losses (folds,) and held scores, by fits of their own."""
    losses, scores = [], None
    for fit_on, held in folds:
        fit = engine.fit_logistic(
            x[fit_on], codes[fit_on], k, strength=strength, tolerance=1e-10, **options
        )
        z = x[held].astype(np.float64) @ fit.weights.T + fit.intercepts
        scores = np.full((len(x), z.shape[1]), np.nan) if scores is None else scores
        scores[held] = z
        z = np.hstack([np.zeros_like(z), z]) if z.shape[1] == 1 else z
        top = z.max(axis=1)
        own = z[np.arange(len(z)), codes[held]]
        losses.append((np.log(np.exp(z - top[:, None]).sum(axis=1)) + top - own).sum())
    return np.array(losses), scores


@pytest.mark.parametrize(("n", "d", "k"), [(120, 7, 3), (60, 90, 3), (80, 5, 2), (60, 100, 2)])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"standardize": True}])
def test_a_search_equals_separate_fits(n, d, k, options):
    x, codes = problem(n, d, k)
    folds = folds_of(n)
    unit = 1.0 if options.get("standardize") else engine.total_variance(x)
    grid = [unit * s for s in (1.0, 1e-1, 1e-2, 1e-3)]
    path = engine.search_logistic(
        x, codes, k, folds=folds, strengths=grid, tolerance=1e-9, **options
    )
    for s, strength in enumerate(grid):
        if options.get("standardize"):
            continue  # a fold's own standardisation differs from that of all rows
        losses, scores = separate(x, codes, k, folds, strength, **options)
        assert np.allclose(path.losses[:, s], losses, rtol=1e-3)
        if s == path.chosen:
            assert np.allclose(path.scores, scores, atol=1e-2)
    assert path.chosen == np.argmin(path.mean)
    assert path.held.sum() == n
    again = engine.search_logistic(
        x, codes, k, folds=folds, strengths=grid, tolerance=1e-9, threads=3, **options
    )
    assert np.array_equal(path.losses, again.losses)
    assert np.array_equal(path.scores, again.scores)


def test_the_rule_of_one_standard_error_is_stronger():
    x, codes = problem(150, 20, 3)
    folds, grid = folds_of(150), engine.strength_grid(engine.total_variance(x))
    best = engine.search_logistic(x, codes, 3, folds=folds, strengths=grid)
    one = engine.search_logistic(x, codes, 3, folds=folds, strengths=grid, rule="one_se")
    means = best.losses / best.held[:, None]
    error = means[:, best.chosen].std(ddof=1) / np.sqrt(5)
    within = np.flatnonzero(best.mean <= best.mean[best.chosen] + error)
    assert one.chosen <= best.chosen
    assert one.chosen == pytest.approx(within[0], abs=1)
    with pytest.raises(ValueError, match="rule"):
        engine.search_logistic(x, codes, 3, folds=folds, strengths=grid, rule="least")


def test_weights_count_in_a_search():
    x, codes = problem(100, 6, 3)
    weight = np.ones(100)
    weight[::4] = 0.0
    kept = np.flatnonzero(weight)
    folds = folds_of(100)
    place = np.full(100, -1)
    place[kept] = np.arange(len(kept))
    inner = [(place[a][place[a] >= 0], place[b][place[b] >= 0]) for a, b in folds]
    grid = [1.0, 1e-2]
    one = engine.search_logistic(
        x, codes, 3, folds=folds, strengths=grid, sample_weight=weight, tolerance=1e-9
    )
    two = engine.search_logistic(
        x[kept], codes[kept], 3, folds=inner, strengths=grid, tolerance=1e-9
    )
    assert np.allclose(one.losses, two.losses, rtol=1e-4)
    assert np.array_equal(one.held, two.held)
