"""The logistic head: probabilities, search and state."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.linear_model import LogisticRegression

from zoo.errors import DataError, UsageError
from zoo.heads.logistic import LogisticHead
from zoo.plugin.dataset import Target
from zoo.plugin.head import ArrayRows, FitReport, Head


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


def labelled(n=200, d=6):
    """Labels of shares 0.5 and 0.2, one that all rows have and one that none has."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d))
    marks = np.ones((n, 4), np.int8)
    marks[:, 0] = x[:, 0] + 0.5 * rng.normal(size=n) > 0
    marks[:, 1] = x[:, 1] + 0.5 * rng.normal(size=n) > 0.9
    marks[:, 3] = 0
    return ArrayRows(x), Target("multilabel", marks, tuple("abcd"))


def test_each_label_is_scikit_learns_binary_problem():
    rows, target = labelled()
    head = LogisticHead()
    head.strength = 0.01
    head.fit(rows, target)
    scores = head.scores(rows)
    for label in (0, 1):
        model = LogisticRegression(C=1 / (0.01 * 200), tol=1e-10, max_iter=1000)
        model.fit(rows.array(), target.values[:, label])
        # the objective is 1e-6 of itself above its optimum: coefficients are right to a thousandth
        np.testing.assert_allclose(
            scores[:, label], model.decision_function(rows.array()), rtol=2e-3, atol=2e-3
        )
    assert scores[0, 2] == pytest.approx(np.log(200.5 / 0.5))
    assert (scores[:, 3] == -scores[0, 2]).all()
    report = head.report()
    assert report.converged
    assert report.suboptimality < 1e-6
    again = LogisticHead.from_state(load(save(head.state())))
    assert again.scores(rows).tobytes() == scores.tobytes()


def test_a_single_label_has_a_single_column():
    rows, target = labelled()
    head = LogisticHead()
    head.fit(rows, Target("multilabel", target.values[:, :1], ("a",)))
    assert head.scores(rows).shape == (200, 1)
    assert LogisticHead.from_state(head.state()).scores(rows).shape == (200, 1)
    head.fit(rows, Target("class", target.values[:, 0].astype(int), ("a", "b")))
    assert head.scores(rows).shape == (200, 2)
    assert "multilabel" not in head.state()


def test_the_search_over_labels_chooses_what_a_loop_over_fits_chooses():
    rows, target = labelled()
    varied = Target("multilabel", target.values[:, :2], ("a", "b"))
    parts = np.array_split(np.random.default_rng(1).permutation(200)[:150], 3)
    folds = [(np.setdiff1d(np.arange(200), held), held) for held in parts]
    head, loop = LogisticHead(), LogisticHead()
    grid = (1.0, 0.1, 0.01, 0.001)
    found, slow = (
        head.search(rows, varied, folds, grid),
        Head.search(loop, rows, varied, folds, grid),
    )
    np.testing.assert_allclose(found.losses, slow.losses, rtol=1e-3)  # inner fits' tolerance
    assert head.strength == loop.strength == found.best
    with_constant = LogisticHead().search(rows, target, folds, grid)
    np.testing.assert_allclose(2 * with_constant.losses, found.losses, rtol=1e-9)


def test_labels_that_no_row_tells_apart_are_fitted_and_searched_all_the_same():
    rows, target = labelled()
    same = Target("multilabel", target.values[:, 2:], ("c", "d"))
    head = LogisticHead()
    found = head.search(rows, same, [(np.arange(100), np.arange(100, 200))])
    assert found.best == found.strengths[0]
    head.fit(rows, same)
    assert head.report() == FitReport()


def test_numbers_are_refused_in_one_line():
    rows, _ = labelled()
    numbers = Target("regression", np.zeros((200, 1)), ("y",))
    with pytest.raises(UsageError, match="takes class and multilabel targets, not regression"):
        LogisticHead().fit(rows, numbers)
    with pytest.raises(UsageError, match="not regression"):
        LogisticHead().search(rows, numbers, [(np.arange(100), np.arange(100, 200))])
