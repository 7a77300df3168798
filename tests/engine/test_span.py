"""Coordinates of rows: they give the rows back, keep lengths, and survive any scale."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.engine.span import require_rows, share_of, span_of


def rows(n=50, d=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) * np.logspace(0, 2, d) + 5.0, rng.uniform(0.0, 2.0, n)


@pytest.mark.parametrize(("n", "d"), [(50, 7), (7, 50), (1, 3), (3, 1)])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
def test_coordinates_give_the_rows_back(n, d, center, standardize):
    x, weight = rows(n, d)
    span = span_of(x, sample_weight=weight, center=center, standardize=standardize)
    t = np.concatenate([block for _, block in span.blocks()])
    assert t.shape == (n, span.width) == (n, min(n, d))
    whole = t if span.basis is None else t @ span.basis.T
    np.testing.assert_allclose(span.mean + span.units * whole, x, atol=1e-14 * np.abs(x).max())
    mean = np.average(x, axis=0, weights=weight) if center else np.zeros(d)
    np.testing.assert_allclose(span.mean, mean, rtol=1e-13)


@pytest.mark.parametrize(("n", "d"), [(50, 7), (7, 50)])
def test_weights_for_coordinates_are_weights_for_rows(n, d):
    x, weight = rows(n, d)
    span = span_of(x, sample_weight=weight, standardize=True)
    w = np.random.default_rng(1).normal(size=(2, span.width))
    scores = span.rows(slice(None)) @ w.T
    np.testing.assert_allclose((x - span.mean) @ span.out(w).T, scores, atol=1e-12)


def test_second_moments_are_the_covariance():
    x, weight = rows()
    span = span_of(x, sample_weight=weight)
    covariance = np.cov(x.T, aweights=weight, ddof=0)
    np.testing.assert_allclose(
        span.second_moments(threads=2) * span.size**2, covariance, rtol=1e-11
    )
    standard = span_of(x, sample_weight=weight, standardize=True).second_moments(threads=1)
    np.testing.assert_allclose(standard.diagonal(), 1.0)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_no_scale_overflows_or_vanishes(scale):
    x, _ = rows()
    span = span_of(x * scale)
    np.testing.assert_allclose(
        span.second_moments(threads=1) * (span.size / scale) ** 2, np.cov(x.T, ddof=0), rtol=1e-10
    )
    assert 0.0 < span.strength(1e-3) < np.inf


def test_a_constant_column_is_measured_by_its_value():
    x, weight = rows()
    x[:, 2], x[:, 3] = -0.1, 0.0
    span = span_of(x, sample_weight=weight, standardize=True)
    assert span.units[2:4].tolist() == pytest.approx([0.1, 1.0])
    assert np.abs(span.rows(np.array([0, 9]))[:, 2:4]).max() < 1e-15


def test_strengths_that_are_none_stay_none():
    span = span_of(rows()[0])
    assert span.strength(0.0) == 0.0
    assert span.strength(-1.0) == -1.0
    assert np.isnan(span.strength(np.nan))


def test_what_is_no_matrix_of_numbers_is_refused():
    for x in (np.ones(3), np.ones((0, 3)), np.ones((3, 0))):
        with pytest.raises(ValueError, match=r"rows must have shape \(n, d\)"):
            require_rows(x)
    with pytest.raises(ValueError, match="row 2 holds a value that is not finite"):
        require_rows(np.array([[1.0], [2.0], [np.inf], [np.nan]]))


def test_shares_are_weights_over_their_sum():
    assert share_of(None, 4).tolist() == [0.25] * 4
    assert share_of(np.array([1e308, 1.5e308]), 2).tolist() == pytest.approx([0.4, 0.6])
    for weight, told in (
        (np.ones(3), "must have shape"),
        (np.array([1.0, -1.0]), "not negative"),
        (np.array([1.0, np.nan]), "finite"),
        (np.zeros(2), "all sample weights are 0"),
    ):
        with pytest.raises(ValueError, match=told):
            share_of(weight, 2)
