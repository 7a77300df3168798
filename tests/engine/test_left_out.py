"""Approximate leave-one-out of logistic regression against leaving rows out."""

from dataclasses import replace

import numpy as np
import pytest

from zoo import engine


def problem(n, d, k, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 1.0
    codes = (x @ rng.normal(size=(d, k)) + rng.gumbel(size=(n, k)) * 2).argmax(axis=1)
    codes[:k] = np.arange(k)
    return x, codes


def brute_force(x, codes, k, strength, weight, *, fit_intercept):
    """Each row's scores by a fit without it, at the same penalty on the sum of losses."""
    total, out = weight.sum(), []
    for i in range(len(x)):
        kept = weight.copy()
        kept[i] = 0.0
        fit = engine.fit_logistic(
            x,
            codes,
            k,
            strength=strength * total / kept.sum(),
            sample_weight=kept,
            fit_intercept=fit_intercept,
            tolerance=1e-12,
        )
        out.append(x[i] @ fit.weights.T + fit.intercepts)
    return np.array(out)


def log_loss(scores, codes):
    z = np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores
    z = z - z.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), codes])


@pytest.mark.parametrize(("n", "d"), [(120, 4), (40, 60)])
@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_loss_is_that_of_leaving_each_row_out(n, d, k, fit_intercept):
    x, codes = problem(n, d, k)
    weight = np.ones(n)
    strength = 0.05 * engine.total_variance(x)
    fit = engine.fit_logistic(
        x, codes, k, strength=strength, fit_intercept=fit_intercept, tolerance=1e-12
    )
    close = engine.logistic_left_out(x, codes, fit, strength=strength, fit_intercept=fit_intercept)
    exact = brute_force(x, codes, k, strength, weight, fit_intercept=fit_intercept)
    seen = x @ fit.weights.T + fit.intercepts
    assert close.shape == exact.shape
    truth = log_loss(exact, codes)
    optimism = truth - log_loss(seen, codes)
    assert optimism > 0.001
    # A score is right up to a shift of its row; the loss feels none.
    assert abs(log_loss(close, codes) - truth) < 0.1 * optimism


def test_a_row_of_weight_zero_is_out_already():
    x, codes = problem(60, 3, 3)
    weight = np.ones(60)
    weight[7] = 0.0
    fit = engine.fit_logistic(x, codes, 3, strength=1e-2, sample_weight=weight, tolerance=1e-12)
    left = engine.logistic_left_out(x, codes, fit, strength=1e-2, sample_weight=weight)
    assert np.allclose(left[7], x[7] @ fit.weights.T + fit.intercepts, atol=1e-12)


def test_what_does_not_fit_is_refused():
    x, codes = problem(60, 3, 3)
    fit = engine.fit_logistic(x, codes, 3, strength=1e-2)
    with pytest.raises(ValueError, match="do not fit together"):
        engine.logistic_left_out(x[:, :2], codes, fit, strength=1e-2)
    wide, many = np.random.default_rng(0).normal(size=(3100, 3001)), np.arange(3100) % 2
    large = replace(fit, weights=np.zeros((3, 3001)), intercepts=np.zeros(3))
    with pytest.raises(ValueError, match="use folds"):
        engine.logistic_left_out(wide, many, large, strength=1.0)
