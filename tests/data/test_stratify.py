from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.stratify import fold, hold_out, labels_in_strata, numbers_in_strata, units_of


def rng(seed=0):
    return np.random.default_rng(seed)


def digests(numbers) -> np.ndarray:
    """One digest a number; equal numbers are duplicates."""
    table = np.random.default_rng(7).integers(0, 256, (max(numbers, default=0) + 1, 16))
    return table.astype(np.uint8)[np.asarray(numbers, dtype=int)].reshape(-1, 16)


def test_duplicates_and_groups_are_joined_transitively():
    units = units_of(digests([0, 1, 1, 2, 3, 4]), np.array(["a", "a", "b", "b", "", ""]))
    assert len(set(units[:4].tolist())) == 1
    assert len(set(units.tolist())) == 3
    assert len(set(units_of(digests([5, 5, 6])).tolist())) == 2
    assert len(units_of(digests([]))) == 0


def test_a_class_of_one_unit_is_never_held():
    codes = np.array([0] * 6 + [1])
    assert fold(np.arange(7), codes, 5, rng())[6] == -1
    assert not hold_out(np.arange(7), codes, 0.2, rng())[6]
    assert (fold(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), 5, rng()) == -1).all()


def test_many_small_classes_still_give_a_fifth():
    codes = np.repeat(np.arange(500), 2)
    held = hold_out(np.arange(1000), codes, 0.2, rng())
    assert held.sum() == 200
    assert np.bincount(codes[~held]).min() >= 1


def test_six_groups_that_hold_every_class_are_dealt_evenly():
    units = np.repeat(np.arange(6), 200)
    codes = np.tile(np.arange(10), 120)
    held = hold_out(units, codes, 0.2, rng())
    assert held.sum() == 200
    parts = fold(units, codes, 5, rng())
    assert sorted(np.bincount(parts).tolist()) == [200, 200, 200, 200, 400]


def test_many_single_rows_are_dealt_at_once():
    n = 200_000
    codes = rng(1).integers(0, 100, n)
    parts = fold(np.arange(n), codes, 5, rng())
    assert np.bincount(parts).tolist() == [n // 5] * 5


cases = st.integers(2, 6).flatmap(
    lambda k: st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, 40)), min_size=1)
)


@given(cases, st.integers(0, 3), st.integers(1, 6))
def test_units_are_never_torn_and_no_class_is_wholly_held_where_avoidable(rows, seed, k):
    codes = np.array([c for c, _ in rows])
    units = np.unique([u for _, u in rows], return_inverse=True)[1]
    parts = fold(units, codes, k, rng(seed))
    held = hold_out(units, codes, 0.2, rng(seed))
    for u in range(units.max() + 1):
        assert len(set(parts[units == u].tolist())) == 1
        assert len(set(held[units == u].tolist())) == 1
    for c in set(codes.tolist()):
        assert not held[codes == c].all()
        if len(set(units[codes == c].tolist())) == 1:
            assert set(parts[codes == c].tolist()) == {-1}
    used = set(parts[parts >= 0].tolist())
    assert used == set(range(len(used)))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.integers(0, 9))
def test_single_rows_are_dealt_within_one_of_the_exact_share(codes, seed):
    codes = np.array(codes)
    units = np.arange(len(codes))
    parts = fold(units, codes, 5, rng(seed))
    k = parts.max(initial=-1) + 1
    held = hold_out(units, codes, 0.2, rng(seed))
    for c in set(codes.tolist()):
        n = int((codes == c).sum())
        assert abs(int(held[codes == c].sum()) - 0.2 * n) < 1 + 1e-9
        if n > 1:
            counts = np.bincount(parts[codes == c], minlength=k)
            assert counts.max() - counts.min() <= 1 + (counts.max() == counts.sum())
            assert counts.max() < n, "wholly held"
    singles = (np.bincount(codes)[codes] == 1).sum()
    assert abs(int(held.sum()) - 0.2 * len(codes)) <= 1 + 0.2 * singles


@pytest.mark.parametrize("deal", [hold_out, fold])
def test_the_seed_decides(deal):
    codes = np.repeat([0, 1], 50)
    units = np.arange(100)
    share = 0.2 if deal is hold_out else 5
    same = [deal(units, codes, share, rng(3)).tolist() for _ in range(2)]
    assert same[0] == same[1]
    assert same[0] != deal(units, codes, share, rng(4)).tolist()


def test_numbers_are_binned_by_quantile_and_equal_ones_stay_together():
    values = rng().normal(size=(103, 1)) ** 3
    strata = numbers_in_strata(values)
    assert sorted(np.bincount(strata).tolist()) == [10] * 7 + [11] * 3
    order = np.argsort(values[:, 0])
    assert (np.diff(strata[order]) >= 0).all()
    assert len(set(numbers_in_strata(np.ones((50, 1))).tolist())) == 1
    ties = np.repeat([0.0, 1.0, 5.0], [30, 2, 30])[:, None]
    assert len(set(zip(ties[:, 0].tolist(), numbers_in_strata(ties).tolist(), strict=True))) == 3
    assert numbers_in_strata(values[:3]).tolist() == [0, 0, 0]
    assert numbers_in_strata(values[:0]).shape == (0,)


def test_numbers_that_rise_together_are_binned_together_whatever_their_units():
    x = rng().normal(size=60)
    both = np.stack([x, 1e9 * x], axis=1)
    assert np.array_equal(numbers_in_strata(both), numbers_in_strata(x[:, None]))


def test_rows_are_coded_by_their_rarest_label():
    marks = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [1, 0, 1], [0, 0, 0]])
    assert labels_in_strata(marks).tolist() == [0, 2, 1, 1, 3]
    assert labels_in_strata(marks[:0]).shape == (0,)


def test_a_rare_label_is_dealt_evenly():
    marks = np.zeros((100, 3), np.int8)
    marks[:60, 0] = marks[55:80, 1] = marks[:5, 2] = 1
    parts = fold(np.arange(100), labels_in_strata(marks), 5, rng(1), pin=False)
    assert np.bincount(parts[:5], minlength=5).tolist() == [1] * 5
    assert np.ptp(np.bincount(parts[55:80], minlength=5)) <= 1


@given(cases, st.integers(0, 3), st.integers(2, 6))
def test_without_pins_every_row_is_held_once_unless_there_is_but_one_unit(rows, seed, k):
    codes = np.array([c for c, _ in rows])
    units = np.unique([u for _, u in rows], return_inverse=True)[1]
    parts = fold(units, codes, k, rng(seed), pin=False)
    held = hold_out(units, codes, 0.2, rng(seed), pin=False)
    if units.max() == 0:
        assert set(parts.tolist()) == {-1}
        assert not held.any()
        return
    assert set(parts.tolist()) == set(range(parts.max() + 1))
    assert parts.max() >= 1
    assert 0 < held.sum() < len(held)
    for u in range(units.max() + 1):
        assert len(set(parts[units == u].tolist())) == 1
        assert len(set(held[units == u].tolist())) == 1
