"""Solvers against scikit-learn and float64 NumPy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from zoo import _core, engine


def problem(n=120, d=7, k=3, seed=0, spread=1.0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    centers = rng.normal(size=(k, d)) * spread
    x = rng.normal(size=(n, d)) + centers[codes] + 3.0
    return x.astype(dtype), codes


def objective(x, codes, weights, intercepts, strength, sample_weight=None):
    z = x.astype(np.float64) @ weights.T + intercepts
    if z.shape[1] == 1:
        z = np.concatenate([np.zeros_like(z), z], axis=1)
    z -= z.max(axis=1, keepdims=True)
    loss = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), codes]
    w = np.ones(len(z)) if sample_weight is None else sample_weight
    return float(w @ loss / w.sum() + strength / 2 * (weights**2).sum())


def sklearn_objective(x, codes, strength, sample_weight=None):
    total = len(x) if sample_weight is None else sample_weight.sum()
    model = LogisticRegression(
        C=1 / (strength * total), solver="newton-cholesky", tol=1e-10, max_iter=1000
    ).fit(x.astype(np.float64), codes, sample_weight)
    return objective(x, codes, model.coef_, model.intercept_, strength, sample_weight)


@pytest.mark.parametrize(
    ("n", "d", "k"), [(120, 7, 2), (120, 7, 3), (40, 90, 2), (40, 90, 5), (60, 1, 3), (33, 33, 4)]
)
@pytest.mark.parametrize("strength", [1.0, 1e-2, 1e-4])
def test_logistic_reaches_scikit_learns_objective(n, d, k, strength):
    x, codes = problem(n, d, k)
    fit = engine.fit_logistic(x, codes, k, strength=strength, tolerance=1e-8)
    ours = objective(x, codes, fit.weights, fit.intercepts, strength)
    assert fit.converged
    # What was measured is where the last step began.
    assert -1e-12 <= 1 - ours / fit.objective <= fit.suboptimality * 1.5 + 1e-12
    # scikit-learn stops at a gradient, not at a gap: it may be a little above, never below.
    assert ours == pytest.approx(sklearn_objective(x, codes, strength), rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(4, 60),
    d=st.integers(1, 40),
    k=st.integers(2, 4),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
    seed=st.integers(0, 10_000),
    gap=st.booleans(),
)
def test_logistic_beats_or_equals_scikit_learn(n, d, k, scale, seed, gap):
    x, codes = problem(n, d, k, seed, dtype=np.float64)
    x *= scale
    weight = np.random.default_rng(seed).uniform(0.1, 3.0, n)
    strength = 1e-2 * scale**2
    classes = k
    if gap and k > 2:  # a class without rows changes nothing about the others
        codes = np.where(codes == k - 1, k, codes)
        classes = k + 1
    fit = engine.fit_logistic(
        x, codes, classes, strength=strength, sample_weight=weight, tolerance=1e-8
    )
    present = np.unique(codes)
    named = np.searchsorted(present, codes)
    w, b = fit.weights, fit.intercepts
    if classes > 2:
        w, b = w[present], b[present]
    ours = objective(x, named, w, b, strength, weight)
    assert fit.converged
    with warnings.catch_warnings():
        # Where its Newton steps drown in rounding it says so and goes on with L-BFGS: its point is
        # then no optimum, but still none that ours may lie above.
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = sklearn_objective(x, named, strength, weight)
    assert ours <= theirs * (1 + 1e-7)
    assert np.isfinite(fit.intercepts).all()


@pytest.mark.parametrize("k", [2, 3])
def test_separable_rows_end_at_a_certified_optimum(k):
    x, codes = problem(200, 20, k, spread=20.0)
    fit = engine.fit_logistic(x, codes, k, strength=1e-7, tolerance=1e-8)
    assert fit.converged
    assert fit.suboptimality <= 1e-8
    assert ((x @ fit.weights.T + fit.intercepts).argmax(1) == codes).all() or k == 2


def test_the_certificate_bounds_the_true_distance():
    x, codes = problem(300, 30, 4, spread=0.3)
    best = engine.fit_logistic(x, codes, 4, strength=1e-3, tolerance=1e-13).objective
    for tolerance in (1e-2, 1e-4, 1e-6):
        fit = engine.fit_logistic(x, codes, 4, strength=1e-3, tolerance=tolerance)
        # The last step is taken after the certificate, so the truth is at most the certificate.
        assert (fit.objective - best) / best <= fit.suboptimality * 1.1 + 1e-14
        assert fit.suboptimality <= tolerance


def test_constant_duplicated_and_badly_scaled_columns_converge():
    x, codes = problem(150, 6, 3, dtype=np.float64)
    wide = np.concatenate([x, x[:, :2], np.full((150, 1), 7.0), x * 1e4, x * 1e-4], axis=1)
    fit = engine.fit_logistic(wide, codes, 3, strength=1e-3, tolerance=1e-8)
    assert fit.converged
    ours = objective(wide, codes, fit.weights, fit.intercepts, 1e-3)
    assert ours == pytest.approx(fit.objective, rel=2e-8)
    assert abs(fit.weights[:, 8]).max() < 1e-9  # the constant column


def test_equal_rows_give_the_classes_shares():
    codes = np.array([0, 0, 1, 2])
    fit = engine.fit_logistic(np.full((4, 3), 5.0), codes, 3, strength=1e-3, tolerance=1e-13)
    assert np.allclose(np.exp(fit.intercepts) / np.exp(fit.intercepts).sum(), [0.5, 0.25, 0.25])
    assert not fit.weights.any()


def test_a_row_of_weight_two_is_two_rows():
    x, codes = problem(60, 5, 3)
    weight = np.ones(60)
    weight[:10], weight[10:15] = 2.0, 0.0
    rows = np.concatenate([np.arange(10), np.arange(10), np.arange(15, 60)])
    a = engine.fit_logistic(x, codes, 3, strength=1e-2, sample_weight=weight, tolerance=1e-12)
    b = engine.fit_logistic(x[rows], codes[rows], 3, strength=1e-2, tolerance=1e-12)
    assert np.allclose(a.weights, b.weights, atol=1e-6)
    (ra,) = engine.ridge_path(x, codes, 3, strengths=[0.1], sample_weight=weight)
    (rb,) = engine.ridge_path(x[rows], codes[rows], 3, strengths=[0.1])
    assert np.allclose(ra.weights, rb.weights, atol=1e-10)


def test_a_warm_start_at_the_optimum_takes_one_step():
    x, codes = problem()
    fit = engine.fit_logistic(x, codes, 3, strength=1e-2, tolerance=1e-10)
    again = engine.fit_logistic(x, codes, 3, strength=1e-2, warm_start=fit, tolerance=1e-8)
    assert again.iterations == 1
    assert again.objective == pytest.approx(fit.objective, rel=1e-12)


def test_an_iteration_cap_is_told():
    x, codes = problem(200, 10, 3, spread=5.0)
    fit = engine.fit_logistic(x, codes, 3, strength=1e-7, max_iterations=1)
    assert not fit.converged
    assert fit.suboptimality > 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_are_the_same_bits_for_any_number_of_threads(dtype):
    x, codes = problem(700, 33, 3, spread=0.3, dtype=dtype)
    folds = [(np.arange(0, 500), np.arange(500, 700)), (np.arange(200, 700), np.arange(200))]

    def everything(threads):
        fit = engine.fit_logistic(x, codes, 3, strength=1e-3, threads=threads)
        path = engine.search_logistic(
            x, codes, 3, folds=folds, strengths=[1.0, 1e-2, 1e-4], threads=threads
        )
        (ridge,) = engine.ridge_path(x, codes, 3, strengths=[1e-2], threads=threads)
        near, far = engine.knn_search(x[:500], x[500:], 7, threads=threads)
        means, _ = engine.class_means(x, codes, 3, threads=threads)
        away = engine.squared_distances(x, means, threads=threads)
        return [fit.weights, fit.intercepts, path.losses, ridge.weights, ridge.left_out, near, far,
                means, away, np.array(ridge.inverse_temperature)]  # fmt: skip

    one = everything(1)
    for threads in (2, 3):
        for a, b in zip(one, everything(threads), strict=True):
            assert a.tobytes() == b.tobytes()


# What the inner fits' tolerance promises of held-out losses.
@pytest.mark.parametrize(("tolerance", "rel"), [(1e-6, 3e-4), (1e-11, 1e-5)])
@pytest.mark.parametrize(("n", "d", "k"), [(200, 10, 2), (120, 200, 3)])
def test_search_agrees_with_fits_one_by_one(n, d, k, tolerance, rel):
    x, codes = problem(n, d, k, spread=0.3)
    rows = np.random.default_rng(0).permutation(n)
    folds = [(np.setdiff1d(rows, held), held) for held in np.array_split(rows, 4)]
    strengths = engine.strength_grid(engine.total_variance(x))
    path = engine.search_logistic(
        x, codes, k, folds=folds, strengths=strengths, tolerance=tolerance
    )
    for s in (0, 9, 19):
        loss = 0.0
        for fit_on, held in folds:
            fit = engine.fit_logistic(
                x[fit_on], codes[fit_on], k, strength=strengths[s], tolerance=1e-10
            )
            loss += len(held) * objective(
                x[held], codes[held], fit.weights, fit.intercepts, strength=0.0
            )
        assert path.mean[s] == pytest.approx(loss / n, rel=rel)


def test_a_fold_that_lacks_classes_has_a_finite_loss():
    x, codes = problem(30, 4, 3)
    lone = np.flatnonzero(codes == 0)
    two = np.flatnonzero(codes != 2)
    every = np.arange(30)
    path = engine.search_logistic(
        x, codes, 3, folds=[(lone, every), (two, every)], strengths=[1.0, 1e-3]
    )
    assert np.isfinite(path.losses).all()


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 300), m=st.integers(1, 40), d=st.integers(1, 20), seed=st.integers(0, 99))
def test_neighbours_are_those_of_all_distances_and_ties_go_to_the_lower_row(n, m, d, seed):
    rng = np.random.default_rng(seed)
    train = rng.integers(-2, 3, (n, d)).astype(np.float32)  # small integers: many exact ties
    queries = rng.integers(-2, 3, (m, d)).astype(np.float32)
    rows, distances = engine.knn_search(train, queries, 5)
    every = ((queries[:, None, :].astype(np.float64) - train) ** 2).sum(axis=2)
    order = np.argsort(every, axis=1, kind="stable")[:, :5]
    assert (rows == order).all()
    assert (distances == np.take_along_axis(every, order, axis=1)).all()


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from([np.float32, np.float64]),
    offset=st.sampled_from([0.0, 100.0, 1e4]),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e30]),  # squares fit into float64
    copies=st.integers(1, 80),
    seed=st.integers(0, 99),
)
def test_neighbours_survive_offsets_scales_and_copies(kind, offset, scale, copies, seed):
    rng = np.random.default_rng(seed)
    train = ((np.tile(rng.normal(size=(20, 9)), (copies, 1)) + offset) * scale).astype(kind)
    queries = ((rng.normal(size=(30, 9)) + offset) * scale).astype(kind)
    rows, distances = engine.knn_search(train, queries, 7, threads=2)
    every = ((queries[:, None, :].astype(np.float64) - train) ** 2).sum(axis=2)
    order = np.argsort(every, axis=1, kind="stable")[:, :7]
    assert (rows == order).all()
    assert distances == pytest.approx(np.take_along_axis(every, order, axis=1), rel=1e-12)


def test_rows_whose_distance_from_their_mean_overflows_are_refused():
    far = np.array([[3e38], [3e38], [-3e38]], np.float32)
    with pytest.raises(ValueError, match="too far"):
        engine.knn_search(far, far, 1)


def test_class_means_are_numpys():
    x, codes = problem(100, 300, 3)
    weight = np.random.default_rng(0).uniform(0, 1, 100)
    means, mass = engine.class_means(x, codes, 4, sample_weight=weight)
    for c in range(3):
        mine = codes == c
        assert np.allclose(means[c], np.average(x[mine].astype(float), 0, weight[mine]))
        assert mass[c] == pytest.approx(weight[mine].sum())
    assert mass[3] == 0.0


def test_temperature_is_the_minimum():
    rng = np.random.default_rng(0)
    scores, codes = rng.normal(size=(400, 3)), rng.integers(0, 3, 400)
    scores[np.arange(400), codes] += 1.0
    inverse, loss = engine.fit_temperature(5.0 * scores, codes)

    def at(beta):
        z = beta * 5.0 * scores
        return (np.log(np.exp(z).sum(1)) - z[np.arange(400), codes]).mean()

    assert loss == pytest.approx(at(inverse), rel=1e-12)
    # Smoothing moves the minimum a little.
    assert loss <= min(at(b) for b in np.linspace(0.01, 2.0, 400)) + 1e-5
    inverse, _ = engine.fit_temperature(np.eye(3)[codes], codes)
    assert np.isfinite(inverse)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_by_row(bad):
    x, codes = problem()
    x[17, 2] = bad
    for call in (
        lambda: engine.fit_logistic(x, codes, 3, strength=1.0),
        lambda: engine.ridge_path(x, codes, 3, strengths=[1.0]),
        lambda: engine.knn_search(x, x, 1),
        lambda: engine.class_means(x, codes, 3),
        lambda: _core.logistic_fit(
            _core.Rows(x), codes, 3, strength=1.0, weights=None, start=None, intercept=True,
            standardize=False, tolerance=1e-6, max_iterations=10, threads=2,
        ),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="row 17 "):
            call()


def test_one_class_is_refused():
    x, _ = problem(10, 3)
    with pytest.raises(ValueError, match="fewer than two classes"):
        engine.fit_logistic(x, np.zeros(10, int), 2, strength=1.0)
    with pytest.raises(ValueError, match="fewer than two classes"):
        engine.ridge_path(x, np.zeros(10, int), 2, strengths=[1.0])


@pytest.mark.parametrize("strength", [0.0, -1.0, np.nan, np.inf])
def test_a_strength_that_is_not_positive_is_refused(strength):
    x, codes = problem()
    with pytest.raises(ValueError, match="strength"):
        engine.fit_logistic(x, codes, 3, strength=strength)


@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
def test_every_instruction_set_gives_the_same_fit(isa):
    code = (
        "import numpy as np; from zoo import engine, _core\n"
        "r = np.random.default_rng(0); x = r.normal(size=(90, 37)); y = np.arange(90) % 3\n"
        "print(_core.build_info()['isa'])\n"
        "print(engine.fit_logistic(x, y, 3, strength=1e-3, tolerance=1e-12).objective)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "ZOO_ISA": isa}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "can't run here" in run.stderr:
        pytest.skip(f"this machine lacks {isa}")
    name, value = run.stdout.split()
    rng = np.random.default_rng(0)
    x, codes = rng.normal(size=(90, 37)), np.arange(90) % 3
    here = engine.fit_logistic(x, codes, 3, strength=1e-3, tolerance=1e-12)
    assert name == isa
    assert float(value) == pytest.approx(here.objective, rel=1e-12)


@pytest.mark.parametrize("what", ["fit", "search"])
def test_an_interrupt_ends_a_long_computation(what):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 600)) * np.logspace(0, -4, 600)
    codes = rng.integers(0, 20, 4000)  # separable, hence many Newton steps at this strength
    every = np.arange(4000)

    def ring(*_):
        raise KeyboardInterrupt

    def work():
        if what == "fit":
            _core.logistic_fit(
                _core.Rows(x), codes, 20, strength=1e-12, weights=None, start=None,
                tolerance=1e-300, intercept=True, standardize=False, max_iterations=100_000,
                threads=2,
            )  # fmt: skip
        else:
            _core.logistic_search(
                _core.Rows(x), codes, 20, folds=[(every, every)] * 2, strengths=[1e-12] * 500,
                weights=None, one_standard=False, intercept=True, standardize=False,
                tolerance=1e-300, threads=2,
            )  # fmt: skip

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
