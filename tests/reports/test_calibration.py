"""Bins of a reliability diagram, against counting by hand and the calibration error's own code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.engine import expected_calibration_error
from zoo.errors import UsageError
from zoo.metrics.intervals import wilson
from zoo.reports import reliability


def test_bins_by_hand():
    found = reliability(np.array([0.1, 0.15, 0.2, 0.9, 1.0]), np.array([0, 0, 1, 1, 1]), 5)
    assert found.counts.tolist() == [3, 0, 0, 0, 2]
    assert found.edges.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert found.confidence[[0, 4]].tolist() == pytest.approx([0.15, 0.95])
    assert found.accuracy[[0, 4]].tolist() == pytest.approx([1 / 3, 1])
    assert np.isnan(found.accuracy[1:4]).all()
    assert (found.low[0], found.high[0]) == tuple(wilson(1 / 3, 3)[b] for b in ("low", "high"))
    assert found.ece == pytest.approx((3 * (1 / 3 - 0.15) + 2 * 0.05) / 5)


@given(st.integers(1, 200), st.integers(2, 6), st.integers(1, 20), st.integers(0, 99))
def test_the_error_is_the_engines(n, k, bins, seed):
    rng = np.random.default_rng(seed)
    chances, codes = rng.dirichlet(np.ones(k), n), rng.integers(0, k, n)
    found = reliability(chances.max(axis=1), chances.argmax(axis=1) == codes, bins)
    assert found.ece == pytest.approx(expected_calibration_error(chances, codes, bins))
    assert found.counts.sum() == n
    there = found.counts > 0
    assert (found.low[there] <= found.accuracy[there]).all()
    assert (found.accuracy[there] <= found.high[there]).all()


def test_labels_count_pair_by_pair():
    chances, marks = np.array([[0.9, 0.1], [0.8, 0.3]]), np.array([[1, 0], [0, 1]])
    found = reliability(chances.ravel(), marks.ravel() == 1, 2)
    assert found.counts.tolist() == [2, 2]
    assert found.accuracy.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("chances", "codes"),
    [
        (np.ones(2), np.zeros(3)),
        (np.ones((2, 2)), np.zeros((2, 2))),
        (np.array([np.nan, 0.5]), np.zeros(2)),
        (np.array([1.5, 0.5]), np.zeros(2)),
        (np.empty(0), np.empty(0)),
    ],
)
def test_what_is_no_probability_is_refused(chances, codes):
    with pytest.raises(UsageError):
        reliability(chances, codes)
