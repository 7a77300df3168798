from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.stratify import fold, hold_out, units_of


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
