"""The k-NN head: votes, the choice of k, and state."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from zoo.errors import DataError
from zoo.heads.knn import KnnHead
from zoo.plugin.dataset import Target
from zoo.plugin.head import ArrayRows, Head


def blobs(n=120, d=6, k=3):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, k, n)
    x = rng.normal(size=(n, d)) + rng.normal(size=(k, d))[codes]
    return ArrayRows(x.astype(np.float32)), Target("class", codes, tuple("abcdef"[:k]))


def test_probabilities_are_smoothed_votes():
    rows, target = blobs()
    head = KnnHead()
    head.strength = 7.0
    head.fit(rows, target)
    model = KNeighborsClassifier(7, algorithm="brute").fit(rows.array(), target.values)
    votes = model.predict_proba(rows.array()) * 7
    assert np.allclose(np.exp(head.scores(rows)), (votes + 1 / 3) / 8)
    assert np.allclose(np.exp(head.scores(rows)).sum(axis=1), 1.0)


def test_search_chooses_what_a_loop_over_fits_chooses():
    rows, target = blobs()
    parts = np.array_split(np.random.default_rng(1).permutation(120), 4)
    folds = [(np.setdiff1d(np.arange(120), held), held) for held in parts]
    head, loop = KnnHead(), KnnHead()
    found, slow = head.search(rows, target, folds), Head.search(loop, rows, target, folds)
    assert found.strengths == (50.0, 20.0, 10.0, 5.0, 3.0, 1.0)
    assert np.allclose(found.losses, slow.losses, rtol=1e-12)
    assert head.strength == loop.strength


def test_few_rows_give_few_neighbours():
    rows, target = blobs(n=12)
    assert KnnHead().strengths(rows, target) == (10.0, 5.0, 3.0, 1.0)
    head = KnnHead()
    head.strength = 50.0
    head.fit(rows, target)
    assert np.isfinite(head.scores(rows)).all()


def test_rows_of_weight_zero_do_not_vote():
    rows, target = blobs()
    weight = (target.values != 2).astype(float)
    head = KnnHead()
    head.fit(rows, target, sample_weight=weight)
    assert (head.scores(rows).argmax(axis=1) != 2).all()


def test_state_round_trips_through_safetensors():
    rows, target = blobs()
    head = KnnHead()
    head.fit(rows, target)
    again = KnnHead.from_state(load(save(head.state())))
    assert again.scores(rows).tobytes() == head.scores(rows).tobytes()
    for change in (
        {"codes": np.zeros(3, np.int64)},
        {"codes": np.full(120, 9)},
        {"strength": np.array(0.0)},
    ):
        with pytest.raises(DataError, match="knn"):
            KnnHead.from_state(head.state() | change)


def test_held_scores_are_those_of_the_chosen_strength_by_fits_that_did_not_see_the_row():
    rows, target = blobs()
    parts = np.array_split(np.random.default_rng(1).permutation(120)[:90], 3)
    folds = [(np.setdiff1d(np.arange(120), held), held) for held in parts]
    head, loop = KnnHead(), KnnHead()
    found, slow = head.search(rows, target, folds), Head.search(loop, rows, target, folds)
    np.testing.assert_allclose(found.held_scores, slow.held_scores, rtol=1e-9, atol=1e-12)
    assert np.isfinite(found.held_scores).all(axis=1).sum() == 90


def numbers(n=120, d=6):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d)).astype(np.float32)
    y = x[:, :2] * (1.0, 1e6) + 0.1 * rng.normal(size=(n, 2)) * (1.0, 1e6)
    return ArrayRows(x), Target("regression", y, ("a", "b"))


def test_numbers_are_the_neighbours_mean():
    rows, target = numbers()
    head = KnnHead()
    head.strength = 7.0
    head.fit(rows, target)
    model = KNeighborsRegressor(7, algorithm="brute").fit(rows.array(), target.values)
    np.testing.assert_allclose(head.scores(rows), model.predict(rows.array()), rtol=1e-12)
    again = KnnHead.from_state(load(save(head.state())))
    assert again.scores(rows).tobytes() == head.scores(rows).tobytes()
    assert head.scores(ArrayRows(np.empty((0, 6)))).shape == (0, 2)
    weight = np.r_[np.ones(60), np.zeros(60)]
    head.fit(rows, target, sample_weight=weight)
    assert len(head.state()["numbers"]) == 60
    for change in ({"numbers": np.zeros((3, 2))}, {"numbers": np.zeros((60, 0))}):
        with pytest.raises(DataError, match="do not fit together"):
            KnnHead.from_state(head.state() | change)


def test_the_search_over_numbers_chooses_what_a_loop_over_fits_chooses():
    rows, target = numbers()
    parts = np.array_split(np.random.default_rng(1).permutation(120), 4)
    folds = [(np.setdiff1d(np.arange(120), held), held) for held in parts]
    head, loop = KnnHead(), KnnHead()
    found, slow = head.search(rows, target, folds), Head.search(loop, rows, target, folds)
    np.testing.assert_allclose(found.losses, slow.losses, rtol=1e-9)
    assert head.strength == loop.strength == found.best
