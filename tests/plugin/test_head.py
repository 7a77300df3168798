"""What a head inherits: rows in memory, the default search, its loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.plugin import ArrayRows, FitReport, Head, SearchResult, Target, UsageError
from zoo.plugin.head import log_loss_sum

FOLDS = [(np.arange(4), np.arange(4, 6)), (np.arange(2, 6), np.arange(2))]


class Confident(Head):
    """Scores the right class by `gain[strength]`, so that the best strength is known."""

    name = "confident"

    def __init__(self):
        super().__init__()
        self.gain = {8.0: 0.5, 4.0: 3.0, 2.0: 3.0, 1.0: -1.0}
        self.fits = []

    def fit(self, rows, target, *, sample_weight=None, seed=0):
        assert len(target.values) == rows.shape[0]
        self.fits.append((self.strength, rows.shape[0]))

    def scores(self, rows):
        return rows.array().astype(np.float64) * self.gain[self.strength]

    def state(self):
        return {}

    @classmethod
    def from_state(cls, state):
        return cls()


@pytest.fixture
def target():
    return Target.from_labels(["a", "b", "c", "a", "b", "c"])


@pytest.fixture
def rows(target):
    return ArrayRows(np.eye(3, dtype=np.float32)[target.values])


def test_search_chooses_the_strength_of_least_loss(rows, target):
    head = Confident()
    found = head.search(rows, target, FOLDS, (8.0, 2.0, 1.0))
    assert found.best == head.strength == 2.0
    assert found.strengths == (8.0, 2.0, 1.0)
    oracle = [np.log(np.exp(g) + 2) - g for g in (0.5, 3.0, -1.0)]
    np.testing.assert_allclose(found.losses, oracle, rtol=1e-12)  # float64, six terms


def test_search_gives_a_tie_to_the_stronger(rows, target):
    assert Confident().search(rows, target, FOLDS, (8.0, 4.0, 2.0, 1.0)).best == 4.0


def test_search_fits_every_fold_at_every_strength(rows, target):
    head = Confident()
    head.search(rows, target, FOLDS, (8.0, 4.0))
    assert sorted(head.fits) == [(4.0, 4), (4.0, 4), (8.0, 4), (8.0, 4)]


def test_search_never_prefers_a_strength_that_diverges(rows, target):
    head = Confident()
    head.gain = {8.0: np.nan, 4.0: np.inf, 2.0: 0.1}
    with np.errstate(invalid="ignore"):  # 0 * inf in the head above
        found = head.search(rows, target, FOLDS, (8.0, 4.0, 2.0))
    assert found.best == 2.0
    assert np.isnan(found.losses[:2]).all()


def test_search_without_strengths_is_nothing_to_choose(rows, target):
    head = Confident()
    assert head.search(rows, target, FOLDS) == SearchResult()
    assert head.strength is None
    assert head.fits == []


def test_search_asks_the_head_for_strengths(rows, target):
    class Asked(Confident):
        def strengths(self, rows, target):
            return (8.0, 2.0)

    assert Asked().search(rows, target, FOLDS).strengths == (8.0, 2.0)


def test_search_refuses_a_target_whose_loss_it_does_not_know(rows):
    with pytest.raises(UsageError, match="'confident' has no search for task 'tokens'"):
        Confident().search(rows, Target("tokens", np.zeros(6)), FOLDS, (1.0,))


def test_search_of_numbers_and_labels_is_by_their_own_losses(rows):
    head = Confident()
    head.gain = {8.0: 0.5, 2.0: 0.1}
    x, held = rows.array().astype(np.float64), np.array([0, 1, 4, 5])
    marks = np.tile([[1, 0, 1], [0, 1, 1]], (3, 1))
    found = head.search(rows, Target("multilabel", marks, tuple("abc")), FOLDS, (8.0, 2.0))
    for loss, gain in zip(found.losses, (0.5, 0.1), strict=True):
        p = 1 / (1 + np.exp(-gain * x[held]))
        want = -np.log(np.where(marks[held] == 1, p, 1 - p)).mean()
        assert loss == pytest.approx(want, rel=1e-12)
    values = np.random.default_rng(0).normal(size=(6, 3)) * (1, 1e3, 1e-3)
    found = head.search(rows, Target("regression", values, tuple("abc")), FOLDS, (8.0, 2.0))
    for loss, gain in zip(found.losses, (0.5, 0.1), strict=True):
        errors = ((gain * x[held] - values[held]) ** 2).mean(axis=0)
        assert loss == pytest.approx((errors / values.var(axis=0)).mean(), rel=1e-9)


def test_a_head_reports_nothing_it_does_not_know():
    assert Confident().report() == FitReport(None, None)


@given(
    n=st.integers(0, 20),
    k=st.integers(1, 6),
    scale=st.sampled_from([0.0, 1.0, 1e3, 1e300]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_log_loss_agrees_with_log_sum_exp(n, k, scale, dtype, seed):
    rng = np.random.default_rng(seed)
    scores = rng.standard_normal((n, k)) * (scale if dtype == np.float64 else min(scale, 1e3))
    scores = scores.astype(dtype)
    codes = rng.integers(0, k, n)
    exact = scores.astype(np.float64)
    oracle = np.logaddexp.reduce(exact, axis=1) - exact[np.arange(n), codes]
    # logaddexp folds k values one by one: k roundings of the largest score, n terms of it
    np.testing.assert_allclose(
        log_loss_sum(scores, codes),
        oracle.sum(),
        rtol=1e-12,
        atol=1e-15 * k * n * max(1.0, float(np.abs(exact).max(initial=0))),
    )


def test_log_loss_of_float32_scores_is_summed_in_float64():
    scores = np.zeros((100_000, 2), np.float32)
    loss = log_loss_sum(scores, np.zeros(100_000, np.int64))
    assert loss == pytest.approx(100_000 * np.log(2), rel=1e-13)  # float32 would give 1e-8


def test_log_loss_of_infinite_scores_is_nan():
    assert np.isnan(log_loss_sum(np.array([[np.inf, 0.0]]), np.array([0])))


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_blocks_cover_the_rows_in_order(size):
    values = np.arange(14, dtype=np.float64).reshape(7, 2)
    blocks = list(ArrayRows(values).blocks(size))
    assert all(len(block) <= size for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), values)


@pytest.mark.parametrize(
    ("given_dtype", "kept"),
    [
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int64, np.float32),
    ],
)
def test_rows_are_float32_or_float64(given_dtype, kept):
    rows = ArrayRows(np.ones((2, 3), given_dtype)[:, ::2])
    assert rows.dtype == kept
    assert rows.shape == (2, 2)
    assert rows.array().flags.c_contiguous
    assert rows.gather(np.array([1, 1, 0])).shape == (3, 2)


def test_no_rows_are_still_rows():
    rows = ArrayRows(np.empty((0, 5), np.float32))
    assert list(rows.blocks()) == []
    assert rows.array().shape == (0, 5)


def test_rows_of_another_shape_are_refused():
    with pytest.raises(UsageError, match=r"\(n, d\), not \(3,\)"):
        ArrayRows(np.ones(3))


def test_search_keeps_the_held_out_scores_of_the_chosen_strength(rows, target):
    found = Confident().search(rows, target, FOLDS[:1], (8.0, 2.0, 1.0))
    assert np.isnan(found.held_scores[:4]).all(), "no fold held these"
    np.testing.assert_array_equal(found.held_scores[4:], 3.0 * rows.array()[4:])


def test_search_keeps_scores_of_a_strength_that_does_not_diverge(rows, target):
    head = Confident()
    head.gain = {8.0: np.nan, 2.0: 0.1}
    found = head.search(rows, target, FOLDS, (8.0, 2.0))
    held = [0, 1, 4, 5]
    np.testing.assert_allclose(found.held_scores[held], 0.1 * rows.array()[held])
