from __future__ import annotations

import time

import numpy as np
import pytest

from zoo.runs.near_duplicates import QUERIES, near_duplicates


def find(features, queries=None, among=None, seed=0):
    rows = np.arange(len(features))
    return near_duplicates(
        np.asarray(features, np.float32),
        rows if queries is None else queries,
        rows if among is None else among,
        seed=seed,
        threads=1,
    )


def planted(n=400, d=64, pairs=5, off=0.02, seed=0):
    """Rows of which the last are copies of the first but for a little noise, far from 0."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)) * rng.uniform(0.2, 3, d) + 40
    rows[n - pairs :] = rows[:pairs] + off * rng.normal(size=(pairs, d))
    return rows


def test_copies_are_found_with_their_partners_and_nothing_else():
    found = find(planted())
    pairs = {frozenset(pair) for pair in np.stack([found.rows, found.partners], 1).tolist()}
    assert pairs == {frozenset((i, 395 + i)) for i in range(5)}
    assert found.looked_at == 400
    assert 0.9 < found.cosine < 1


def test_units_and_offsets_of_the_backbone_do_not_matter():
    rows = planted()
    first, second = find(rows), find(1e-3 * rows - 7)
    assert set(first.rows.tolist()) == set(second.rows.tolist())
    assert first.cosine == pytest.approx(second.cosine, abs=1e-3)


@pytest.mark.parametrize("d", [1, 2, 3, 5, 20, 100])
@pytest.mark.parametrize("n", [50, 400])
def test_rows_that_are_no_copies_are_hardly_ever_called_so(d, n):
    """Of one draw nothing can be asked: chance puts pairs together now and then."""
    draws = [find(np.random.default_rng(seed).normal(size=(n, d))) for seed in range(60)]
    counts = [0 if found is None else len(found.rows) for found in draws]
    assert np.mean(counts) < 1.0 if d < 20 else sum(counts) == 0


@pytest.mark.parametrize("d", [4, 32])
def test_classes_that_lie_tight_are_no_copies(d):
    rng = np.random.default_rng(3)
    spread = np.array([0.2, 1.0])[np.arange(600) % 2, None]  # one class five times as tight
    centres = rng.normal(size=(2, d)) * 4
    rows = centres[np.arange(600) % 2] + spread * rng.normal(size=(600, d))
    assert len(find(rows).rows) <= 4


def test_rows_that_judge_are_compared_with_those_of_training_alone():
    rows = planted()
    train, test = np.arange(390), np.arange(390, 400)
    assert find(rows, test, train) is None  # ten rows say nothing of what is usual
    train, test = np.arange(300), np.arange(300, 400)
    found = find(rows, test, train)
    assert sorted(found.rows.tolist()) == [395, 396, 397, 398, 399]
    assert (found.partners < 300).all()


def test_features_that_do_not_differ_say_nothing():
    assert find(np.ones((100, 8))) is None
    assert find(np.zeros((100, 8))) is None
    assert find(np.repeat(np.eye(8), 20, axis=0)) is None


@pytest.mark.parametrize("n", [3_000, 12_000])
def test_of_many_rows_some_are_looked_at_in_bounded_time(n):
    rows = planted(n, 300, pairs=n // 2)  # each has its copy
    start = time.process_time()
    found = find(rows[: n // 2 + 50])
    assert time.process_time() - start < 8
    assert found.looked_at == min(QUERIES, n // 2 + 50)
    assert np.abs(found.rows - found.partners).tolist() == [n // 2] * len(found.rows)
    assert 0 < len(found.rows) <= 100


def test_the_same_seed_finds_the_same():
    rows = planted(6_000, 200, pairs=600)
    first, again = find(rows, seed=4), find(rows, seed=4)
    assert (first.rows == again.rows).all()
    assert (first.partners == again.partners).all()
