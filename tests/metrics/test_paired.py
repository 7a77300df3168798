"""The paired comparison against published figures, an independent test, and its own symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from zoo.errors import UsageError
from zoo.metrics.paired import Paired

COUNTS = st.tuples(*[st.integers(0, 40)] * 4).filter(lambda counts: sum(counts) > 0)


def test_published_figures_are_met():
    # Fagerland, Lydersen and Laake 2014, airway hyper-responsiveness before and after transplant.
    paired = Paired(1, 7, 1, 12)
    assert paired.difference == pytest.approx(-0.286, abs=5e-4)
    assert paired.interval() == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert paired.p_value() == pytest.approx(0.0703, abs=5e-5)


@settings(deadline=None, max_examples=60)
@given(COUNTS)
def test_the_p_value_is_the_binomial_tests(counts):
    _, b, c, _ = counts
    want = binomtest(b, b + c).pvalue if b + c else 1.0
    assert Paired(*counts).p_value() == pytest.approx(want, rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(COUNTS)
def test_the_interval_holds_the_difference_and_turns_with_the_runs(counts):
    both, b, c, neither = counts
    low, high = Paired(*counts).interval()
    assert -1 <= low <= Paired(*counts).difference <= high <= 1
    assert Paired(both, c, b, neither).interval() == pytest.approx((-high, -low), abs=1e-12)
    assert Paired(neither, b, c, both).interval() == pytest.approx((low, high), abs=1e-12)


def test_the_interval_covers_the_truth_19_times_in_20():
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(60, [0.6, 0.1, 0.2, 0.1], size=2000)
    covered = [low <= 0.1 <= high for low, high in (Paired(*row).interval() for row in drawn)]
    # 2,000 draws of a 95 % interval: 0.95 within four standard errors of 0.0049
    assert 0.93 < np.mean(covered) < 0.97


def test_many_rows_neither_overflow_nor_lose_the_tail():
    paired = Paired(0, 60_000, 61_000, 0)
    assert paired.p_value() == pytest.approx(binomtest(60_000, 121_000).pvalue, rel=1e-6)


def test_rows_are_counted_from_right_and_wrong():
    first, second = np.array([1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 0, 1], bool)
    assert Paired.of(first, second) == Paired(2, 1, 1, 1)
    with pytest.raises(UsageError, match="shapes"):
        Paired.of(first, second[:3])
    with pytest.raises(UsageError, match="shapes"):
        Paired.of(first[:0], second[:0])
