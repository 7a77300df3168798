"""The logistic head: probabilities, search and state."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.linear_model import LogisticRegression

from zoo.errors import DataError
from zoo.heads.logistic import LogisticHead
from zoo.plugin.dataset import Target
from zoo.plugin.head import ArrayRows, Head


def blobs(n=150, d=6, k=3, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    x = rng.normal(size=(n, d)) + rng.normal(size=(k, d))[codes]
    target = Target("class", codes.astype(np.int64), tuple("abcdef"[:k]))
    return ArrayRows(x.astype(np.float32)), target


def folds_of(n, parts=4):
    rows = np.random.default_rng(1).permutation(n)
    return [(np.setdiff1d(rows, held), held) for held in np.array_split(rows, parts)]


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("k", [2, 3])
def test_probabilities_are_scikit_learns(k):
    rows, target = blobs(k=k)
    head = LogisticHead()
    head.strength = 1e-2
    head.tolerance = 1e-12
    head.fit(rows, target)
    model = LogisticRegression(C=1 / (1e-2 * 150), solver="newton-cholesky", tol=1e-10)
    model.fit(rows.array().astype(np.float64), target.values)
    expected = model.predict_proba(rows.array().astype(np.float64))
    assert head.scores(rows).shape == (150, k)
    assert np.allclose(softmax(head.scores(rows)), expected, atol=1e-6)
    report = head.report()
    assert report.converged
    assert report.suboptimality <= 1e-12


def test_search_chooses_what_a_loop_over_fits_chooses():
    rows, target = blobs()
    head, loop = LogisticHead(), LogisticHead()
    found = head.search(rows, target, folds_of(150))
    slow = Head.search(loop, rows, target, folds_of(150))
    assert len(found.strengths) == 20
    assert found.best == head.strength
    # Losses are right to a few 1e-4, so equals may swap; the loss at the choice may not.
    assert np.allclose(found.losses, slow.losses, rtol=1e-3)
    assert slow.losses[np.argmin(found.losses)] <= slow.losses.min() * 1.001


def test_equal_losses_go_to_the_stronger():
    rows = ArrayRows(np.zeros((20, 2)))
    target = Target("class", np.arange(20) % 2, ("a", "b"))
    head = LogisticHead()
    found = head.search(rows, target, folds_of(20))
    assert head.strength == found.strengths[0] == max(found.strengths)


def test_a_fit_after_a_search_is_a_fit_without_one():
    rows, target = blobs(d=200)
    head, fresh = LogisticHead(), LogisticHead()
    head.search(rows, target, folds_of(150))
    head.fit(rows, target)
    fresh.strength = head.strength
    fresh.fit(ArrayRows(rows.array().copy()), target)
    assert head.scores(rows).tobytes() == fresh.scores(rows).tobytes()


@pytest.mark.parametrize("k", [2, 3])
def test_state_round_trips_through_safetensors(k):
    rows, target = blobs(k=k)
    head = LogisticHead()
    head.fit(rows, target)
    again = LogisticHead.from_state(load(save(head.state())))
    assert again.strength == head.strength
    assert again.scores(rows).tobytes() == head.scores(rows).tobytes()


@pytest.mark.parametrize(
    "change",
    [
        {"weights": None},
        {"weights": np.zeros(3)},
        {"weights": np.full((3, 6), np.nan)},
        {"weights": np.array([["a"]])},
        {"intercepts": np.zeros(5)},
        {"strength": np.array(-1.0)},
        {"weights": np.zeros((2, 6)), "intercepts": np.zeros(2)},
    ],
)
def test_a_state_that_makes_no_sense_is_refused(change):
    rows, target = blobs()
    head = LogisticHead()
    head.fit(rows, target)
    state = {k: v for k, v in (head.state() | change).items() if v is not None}
    with pytest.raises(DataError, match="logistic"):
        LogisticHead.from_state(state)


def test_unfit_data_is_refused():
    rows, target = blobs()
    with pytest.raises(DataError, match="fewer than two classes"):
        LogisticHead().fit(rows, Target("class", np.zeros(150, np.int64), ("a", "b")))
    values = rows.array().copy()
    values[3, 1] = np.nan
    for act in (
        lambda: LogisticHead().fit(ArrayRows(values), target),
        lambda: LogisticHead().search(ArrayRows(values), target, folds_of(150)),
    ):
        with pytest.raises(DataError, match="row 3 "):
            act()
    head = LogisticHead()
    head.fit(rows, target)
    with pytest.raises(DataError, match="6 columns"):
        head.scores(ArrayRows(np.zeros((2, 5))))
    assert head.scores(ArrayRows(np.zeros((0, 6)))).shape == (0, 3)


@pytest.mark.parametrize("k", [2, 3])
def test_held_scores_are_those_of_the_fold_that_held_the_row(k):
    rows, target = blobs(k=k)
    half = np.arange(rows.shape[0]) % 2 == 0
    fit_on, held = np.flatnonzero(half), np.flatnonzero(~half)
    head = LogisticHead()
    found = head.search(rows, target, [(fit_on, held)])
    assert np.isnan(found.held_scores[fit_on]).all()
    head.fit(ArrayRows(rows.gather(fit_on)), target.take(fit_on))
    expected = head.scores(ArrayRows(rows.gather(held)))
    assert np.allclose(softmax(found.held_scores[held]), softmax(expected), atol=0.01)
