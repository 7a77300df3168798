"""LDA against scikit-learn's and plain NumPy; its search against fits one by one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from zoo import engine


def problem(n=120, d=7, k=3, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(k), np.arange(k), rng.integers(0, k, n - 2 * k)])
    centres = rng.normal(size=(k, d)) * 2.0 / np.sqrt(d)  # not separable, however many columns
    x = rng.normal(size=(n, d)) @ np.diag(np.linspace(0.5, 2.0, d)) + centres[codes] + 3.0
    return x.astype(dtype), codes


def scores_of(fit, x):
    return x @ fit.weights.T + fit.intercepts


def posterior(fit, x):
    scores = scores_of(fit, x)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def direct(x, codes, k, shrinkage, *, weight=None, priors=None):
    """(n, k) posteriors by the Gaussian densities themselves, one class at a time."""
    weight = np.ones(len(x)) if weight is None else weight
    mass = np.bincount(codes, weight, k)
    priors = mass / mass.sum() if priors is None else priors / priors.sum()
    means = np.stack([weight[codes == c] @ x[codes == c] / mass[c] for c in range(k)])
    covariance = sum(
        priors[c] * np.cov(x[codes == c].T, aweights=weight[codes == c], ddof=0) for c in range(k)
    ).reshape(x.shape[1], x.shape[1])
    size = np.trace(covariance) / x.shape[1]
    shrunk = (1 - shrinkage) * covariance + shrinkage * size * np.eye(x.shape[1])
    away = np.stack([((x - m) * np.linalg.solve(shrunk, (x - m).T).T).sum(1) for m in means], 1)
    scores = np.log(priors) - away / 2
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("priors", [None, [0.2, 0.5, 0.3]])
@pytest.mark.parametrize(
    ("n", "d", "shrinkage"),
    [(120, 7, 0.0), (60, 1, 0.0)]  # a singular covariance has no inverse to compare
    + [(n, d, s) for n, d in [(120, 7), (30, 60), (60, 1), (40, 40)] for s in (1e-3, 0.3, 1.0)],
)
def test_coefficients_are_scikit_learns_less_what_all_classes_share(n, d, shrinkage, priors):
    x, codes = problem(n, d)
    fit = engine.fit_lda(x, codes, 3, strength=shrinkage, priors=priors)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=priors)
    model.fit(x, codes)
    np.testing.assert_allclose(fit.means, model.means_, rtol=1e-12)
    np.testing.assert_allclose(fit.priors, model.priors_, rtol=1e-12)
    shared = model.priors_ @ model.coef_
    np.testing.assert_allclose(fit.weights, model.coef_ - shared, rtol=1e-8, atol=1e-8)
    # The scores differ by what depends on the row alone: here, at x = 0, by one number.
    gap = fit.intercepts - model.intercept_
    np.testing.assert_allclose(gap - gap[0], 0.0, atol=1e-8 * np.abs(model.intercept_).max())
    np.testing.assert_allclose(posterior(fit, x), model.predict_proba(x), atol=1e-8)


def test_two_classes_are_scikit_learns_too():
    x, codes = problem(k=2)
    fit = engine.fit_lda(x, codes, 2, strength=0.1)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1).fit(x, codes)
    w, b = fit.weights[1] - fit.weights[0], fit.intercepts[1] - fit.intercepts[0]
    np.testing.assert_allclose(w, model.coef_[0], rtol=1e-8)
    np.testing.assert_allclose(b, model.intercept_[0], rtol=1e-8)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(9, 60),
    d=st.integers(1, 40),
    k=st.integers(2, 4),
    scale=st.sampled_from([1e-150, 1e-3, 1.0, 1e4, 1e150]),
    shrinkage=st.sampled_from([1e-3, 0.2, 1.0]),
    odd=st.sampled_from(["none", "constant", "duplicated", "zero weights", "priors", "gap"]),
    seed=st.integers(0, 10_000),
)
def test_any_shape_and_scale_gives_the_posterior(n, d, k, scale, shrinkage, odd, seed):
    x, codes = problem(n, d, k, seed)
    weight = np.random.default_rng(seed).uniform(0.2, 3.0, n)
    priors = np.arange(1.0, k + 1) if odd == "priors" else None
    if odd == "constant" and d > 1:
        x[:, 0] = 0.1
    elif odd == "duplicated":
        x[:, -1] = x[:, 0]
    kept = np.ones(n, bool)
    if odd == "zero weights":
        kept[2 * k :: 3] = False
        weight[~kept] = 0.0
    classes, named = k, codes
    if odd == "gap":
        classes, named = k + 1, np.where(codes == k - 1, k, codes)
    fit = engine.fit_lda(
        x * scale, named, classes, strength=shrinkage, sample_weight=weight, priors=priors
    )
    expected = direct(x[kept], codes[kept], k, shrinkage, weight=weight[kept], priors=priors)
    got = posterior(fit, x[kept] * scale)
    assert np.isfinite(fit.weights).all()
    if odd == "gap":
        assert (fit.intercepts[k - 1] < np.log(1 / n)).all()
        got = np.delete(got, k - 1, axis=1)
        got /= got.sum(axis=1, keepdims=True)
    # Conditions reach d / shrinkage = 4e4; the direct form subtracts squares of that size.
    np.testing.assert_allclose(got, expected, atol=1e-8)


@pytest.mark.parametrize(("n", "d"), [(200, 6), (40, 90)])
def test_the_default_shrinkage_is_ledoit_and_wolfs(n, d):
    x, codes = problem(n, d)
    fit = engine.fit_lda(x, codes, 3)
    about = x - np.stack([x[codes == c].mean(axis=0) for c in range(3)])[codes]
    assert fit.strength == pytest.approx(ledoit_wolf_shrinkage(about, assume_centered=True))
    assert 0.0 < fit.strength < 1.0


def test_a_row_of_weight_two_is_two_rows():
    x, codes = problem()
    weight = np.ones(120)
    weight[:20], weight[100:] = 2.0, 0.0
    rows = np.concatenate([np.arange(20), np.arange(100)])
    a = engine.fit_lda(x, codes, 3, strength=0.1, sample_weight=weight)
    b = engine.fit_lda(x[rows], codes[rows], 3, strength=0.1)
    np.testing.assert_allclose(scores_of(a, x), scores_of(b, x), atol=1e-9)


def test_a_large_offset_costs_no_digits():
    x, codes = problem()
    near = engine.fit_lda(x, codes, 3, strength=1e-3)
    far = engine.fit_lda(x + 2.0**20, codes, 3, strength=1e-3)
    # The sum rounds to 2^-32, and scores are sums of seven products with it.
    np.testing.assert_allclose(scores_of(far, x + 2.0**20), scores_of(near, x), atol=1e-6)


def test_without_shrinkage_directions_without_variance_are_left_alone():
    x, codes = problem()
    wide = np.column_stack([x, x[:, 0], np.full(120, 7.0)])
    fit = engine.fit_lda(wide, codes, 3, strength=0.0)
    narrow = engine.fit_lda(x, codes, 3, strength=0.0)
    np.testing.assert_allclose(scores_of(fit, wide), scores_of(narrow, x), atol=1e-8)
    assert np.abs(fit.weights[:, 8]).max() < 1e-9


def test_one_row_a_class_is_judged_by_the_variance_between_them():
    x = np.array([[0.0, 0.1], [1.0, 0.1], [0.0, 3.1]])
    fit = engine.fit_lda(x, np.arange(3), 3)
    assert (scores_of(fit, x).argmax(axis=1) == np.arange(3)).all()
    mean = x.mean(axis=0)
    variance = np.square(x - mean).sum() / 3 / 2
    np.testing.assert_allclose(fit.weights, (x - mean) / variance, atol=1e-12)
    equal = engine.fit_lda(np.full((4, 2), 0.1), np.arange(4) % 2, 2)
    np.testing.assert_allclose(posterior(equal, x), 0.5)


def losses_one_by_one(x, codes, k, folds, strengths, weight=None, priors=None):
    losses = np.zeros((len(folds), len(strengths)))
    every = np.ones(len(x)) if weight is None else weight
    for f, (fit_on, held) in enumerate(folds):
        for s, strength in enumerate(strengths):
            fit = engine.fit_lda(
                x[fit_on], codes[fit_on], k, strength=strength, priors=priors,
                sample_weight=None if weight is None else weight[fit_on],
            )  # fmt: skip
            scores = scores_of(fit, x[held])
            losses[f, s] = every[held] @ (
                np.logaddexp.reduce(scores, axis=1) - scores[np.arange(len(held)), codes[held]]
            )
    return losses


@pytest.mark.parametrize("priors", [None, [0.2, 0.5, 0.3]])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), [(200, 10), (60, 90)])
def test_a_search_is_fits_one_by_one(n, d, weighted, priors):
    x, codes = problem(n, d, dtype=np.float32)
    rows = np.random.default_rng(0).permutation(n)
    weight = np.random.default_rng(1).uniform(0.2, 3.0, n) if weighted else None
    folds = [(np.setdiff1d(rows, held), held) for held in np.array_split(rows, 5)]
    # One that is no complement of few rows, and one that leaves a class out.
    folds += [(rows[: n // 4], rows[n // 2 :]), (np.flatnonzero(codes != 2), rows)]
    path = engine.search_lda(x, codes, 3, folds=folds, sample_weight=weight, priors=priors)
    slow = losses_one_by_one(x, codes, 3, folds, engine.SHRINKAGES, weight, priors)
    # A shrinkage of 1e-4 leaves a condition of 1e5 or so on what a difference of Grams rounds.
    np.testing.assert_allclose(path.losses, slow, rtol=1e-8, atol=1e-10)
    judged = [len(held) if weight is None else weight[held].sum() for _, held in folds]
    np.testing.assert_allclose(path.held, judged)
    np.testing.assert_allclose(path.mean, slow.sum(axis=0) / sum(judged), rtol=1e-8)


def test_a_fold_whose_classes_do_not_vary_is_no_noise():
    x = np.array([[0.0, 0.1], [0.3, 0.2], [5.0, 0.1], [5.7, 0.4]])
    codes = np.array([0, 0, 1, 1])
    folds = [(np.array([0, 2]), np.array([1, 3])), (np.array([0, 1, 2]), np.array([3]))]
    path = engine.search_lda(x, codes, 2, folds=folds, strengths=[0.5, 1e-4])
    slow = losses_one_by_one(x, codes, 2, folds, [0.5, 1e-4])
    np.testing.assert_allclose(path.losses, slow, rtol=1e-9)
    lone = engine.search_lda(x, codes, 2, folds=[(np.array([0]), np.arange(4))])
    assert np.isfinite(lone.losses).all()


@pytest.mark.parametrize(("n", "d"), [(700, 33), (70, 90)])
def test_results_are_the_same_bits_for_any_number_of_threads(n, d):
    x, codes = problem(n, d, dtype=np.float32)
    folds = [(np.arange(50, n), np.arange(50))]

    def bits(threads):
        fit = engine.fit_lda(x, codes, 3, threads=threads)
        path = engine.search_lda(x, codes, 3, folds=folds, threads=threads)
        return [a.tobytes() for a in (fit.weights, fit.intercepts, fit.means, path.losses)]

    assert bits(1) == bits(2) == bits(3)


def test_blocks_make_no_difference(monkeypatch):
    x, codes = problem(300, 5)
    folds = [(np.arange(100, 300), np.arange(100))]
    whole = engine.search_lda(x, codes, 3, folds=folds).losses
    fit = engine.fit_lda(x, codes, 3)
    monkeypatch.setattr("zoo.engine.span._BLOCK", 64)
    monkeypatch.setattr("zoo.engine.span._GRAM_ROWS", 8)
    np.testing.assert_allclose(engine.search_lda(x, codes, 3, folds=folds).losses, whole)
    np.testing.assert_allclose(engine.fit_lda(x, codes, 3).weights, fit.weights, rtol=1e-10)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_by_row(bad):
    x, codes = problem()
    x[17, 2] = bad
    with pytest.raises(ValueError, match=r"^row 17 "):
        engine.fit_lda(x, codes, 3)
    with pytest.raises(ValueError, match=r"^row 17 "):
        engine.search_lda(x, codes, 3, folds=[])


def test_wrong_labels_strengths_priors_and_folds_are_refused():
    x, codes = problem()
    with pytest.raises(ValueError, match="fewer than two classes"):
        engine.fit_lda(x, 0 * codes, 3)
    with pytest.raises(ValueError, match="fewer than two classes"):
        engine.fit_lda(x, codes, 3, sample_weight=np.where(codes == 1, 1.0, 0.0))
    with pytest.raises(ValueError, match=r"codes must lie in \[0, 2\)"):
        engine.fit_lda(x, codes, 2)
    for strength in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=r"shrinkage in \[0, 1\]"):
            engine.fit_lda(x, codes, 3, strength=strength)
    for priors in ([0.5, 0.5], [0.5, 0.5, 0.0], [0.5, np.nan, 0.5]):
        with pytest.raises(ValueError, match="3 positive numbers"):
            engine.fit_lda(x, codes, 3, priors=priors)
    with pytest.raises(ValueError, match=r"fold 0 names a row outside \[0, 120\)"):
        engine.search_lda(x, codes, 3, folds=[(np.arange(100), np.array([120]))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert engine.search_lda(x, codes, 3, folds=[]).mean.shape == (len(engine.SHRINKAGES),)
