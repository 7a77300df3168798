"""Principal axes: uncorrelated columns of total variance 1, and the way there and back."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import engine


def rows(n=50, d=7, dtype=np.float64):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 5.0).astype(dtype), rng


@pytest.mark.parametrize(("n", "d"), [(50, 7), (7, 50), (30, 30)])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_columns_are_uncorrelated_and_give_the_rows_back(n, d, standardize, dtype):
    x, rng = rows(n, d, dtype)
    weight = rng.uniform(0.2, 2.0, n)
    turned = engine.principal_axes(x, sample_weight=weight, standardize=standardize, threads=2)
    moments = (turned.z.T * (weight / weight.sum())) @ turned.z
    np.testing.assert_allclose(moments, np.diag(moments.diagonal()), atol=1e-14)
    assert np.trace(moments) == pytest.approx(1.0)
    assert (np.diff(moments.diagonal()) < 1e-14).all()
    units = 1.0 if turned.units is None else turned.units
    back = turned.mean + turned.scale * units * (turned.z @ turned.basis.T)
    np.testing.assert_allclose(back, x, atol=1e-12 * np.abs(x).max())


@pytest.mark.parametrize("standardize", [False, True])
def test_weights_go_into_the_axes_and_out_again(standardize):
    x, rng = rows()
    turned = engine.principal_axes(x, standardize=standardize)
    w, b = rng.normal(size=(3, 7)), rng.normal(size=3)
    inside = turned.into(w, b)
    np.testing.assert_allclose(turned.z @ inside[0].T + inside[1], x @ w.T + b, atol=1e-11)
    for again, first in zip(turned.out(*inside), (w, b), strict=True):
        np.testing.assert_allclose(again, first, atol=1e-11)


def test_equal_rows_have_no_directions():
    turned = engine.principal_axes(np.full((5, 3), 0.1))
    assert np.abs(turned.z).max() < 1e-15
    assert turned.strength(2.0) == pytest.approx(2.0 / turned.scale**2)


def test_total_variance_is_the_weighted_trace_of_the_covariance():
    x, rng = rows(3000)
    weight = rng.uniform(0.0, 2.0, 3000)
    assert engine.total_variance(x) == pytest.approx(np.cov(x.T, ddof=0).trace())
    weighted = np.cov(x.T, aweights=weight, ddof=0).trace()
    assert engine.total_variance(x, sample_weight=weight) == pytest.approx(weighted)
    assert engine.total_variance(x * 1e-150) == pytest.approx(1e-300 * np.cov(x.T, ddof=0).trace())
    assert engine.total_variance(x[:0]) == 0.0
