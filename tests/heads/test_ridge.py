"""The ridge head: scikit-learn's scores, sharpened; search with and without folds."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.linear_model import Ridge

from zoo.errors import DataError, UsageError
from zoo.heads.ridge import RidgeHead
from zoo.plugin.dataset import Target
from zoo.plugin.head import ArrayRows, Head


def blobs(n=120, d=6, k=3):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, k, n)
    x = rng.normal(size=(n, d)) + rng.normal(size=(k, d))[codes]
    return ArrayRows(x), Target("class", codes, tuple("abcdef"[:k]))


def test_scores_are_scikit_learns_times_one_factor():
    rows, target = blobs()
    head = RidgeHead()
    head.strength = 0.1
    head.fit(rows, target)
    model = Ridge(alpha=0.1 * 120).fit(rows.array(), np.eye(3)[target.values])
    factor = head.scores(rows) / model.predict(rows.array())
    assert np.allclose(factor, factor[0, 0])
    assert factor[0, 0] > 1.0  # least squares on indicators is too timid as it is


def test_search_chooses_what_a_loop_over_fits_chooses():
    rows, target = blobs()
    parts = np.array_split(np.random.default_rng(1).permutation(120), 4)
    folds = [(np.setdiff1d(np.arange(120), held), held) for held in parts]
    head, loop = RidgeHead(), RidgeHead()
    found, slow = head.search(rows, target, folds), Head.search(loop, rows, target, folds)
    assert np.allclose(found.losses, slow.losses, rtol=1e-9)
    assert head.strength == loop.strength == found.best


def test_without_folds_leave_one_out_chooses():
    rows, target = blobs(d=200)
    head, alone = RidgeHead(), RidgeHead()
    found = head.search(rows, target, [])
    alone.fit(rows, target)
    assert head.strength == alone.strength
    assert found.losses is not None
    assert found.losses.min() < np.log(3)


def test_state_round_trips_through_safetensors():
    rows, target = blobs()
    head = RidgeHead()
    head.fit(rows, target)
    again = RidgeHead.from_state(load(save(head.state())))
    assert again.scores(rows).tobytes() == head.scores(rows).tobytes()
    with pytest.raises(DataError, match="ridge"):
        RidgeHead.from_state(head.state() | {"intercepts": np.zeros(4)})


def test_one_class_is_refused():
    rows, _ = blobs()
    with pytest.raises(DataError, match="fewer than two classes"):
        RidgeHead().fit(rows, Target("class", np.ones(120, np.int64), ("a", "b")))


def test_held_scores_are_those_of_the_chosen_strength_by_fits_that_did_not_see_the_row():
    rows, target = blobs()
    parts = np.array_split(np.random.default_rng(1).permutation(120)[:90], 3)
    folds = [(np.setdiff1d(np.arange(120), held), held) for held in parts]
    head, loop = RidgeHead(), RidgeHead()
    found, slow = head.search(rows, target, folds), Head.search(loop, rows, target, folds)
    np.testing.assert_allclose(found.held_scores, slow.held_scores, rtol=1e-9, atol=1e-12)
    assert np.isfinite(found.held_scores).all(axis=1).sum() == 90


def test_more_scores_than_are_kept_are_made_again(monkeypatch):
    rows, target = blobs()
    parts = np.array_split(np.random.default_rng(1).permutation(120), 4)
    folds = [(np.setdiff1d(np.arange(120), held), held) for held in parts]
    kept = RidgeHead().search(rows, target, folds)
    monkeypatch.setattr("zoo.heads.ridge._KEPT", 0)
    again = RidgeHead().search(rows, target, folds)
    np.testing.assert_allclose(again.held_scores, kept.held_scores, rtol=1e-9)


def test_without_folds_held_scores_are_the_left_out_ones():
    rows, target = blobs(n=40)
    head = RidgeHead()
    found = head.search(rows, target, [])
    rest = np.arange(1, 40)
    model = Ridge(alpha=head.strength * 40)  # the penalty of the fit on all 40 rows
    model.fit(rows.array()[rest], np.eye(3)[target.values[rest]])
    factor = found.held_scores[0] / model.predict(rows.array()[:1])[0]
    np.testing.assert_allclose(factor, factor[0], rtol=1e-9)
    logs = found.held_scores - np.logaddexp.reduce(found.held_scores, axis=1)[:, None]
    assert -logs[np.arange(40), target.values].mean() == pytest.approx(found.losses.min())


def numbers(n=120, d=6, t=2):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d))
    y = x @ rng.normal(size=(d, t)) * (1.0, 1e6)[:t] + rng.normal(size=(n, t)) * (1.0, 1e6)[:t]
    return ArrayRows(x), Target("regression", y, tuple("ab"[:t]))


def test_predictions_of_numbers_are_scikit_learns():
    rows, target = numbers()
    head = RidgeHead()
    head.strength = 0.1
    head.fit(rows, target)
    model = Ridge(alpha=0.1 * 120).fit(rows.array(), target.values)
    np.testing.assert_allclose(head.scores(rows), model.predict(rows.array()), rtol=1e-9)
    again = RidgeHead.from_state(load(save(head.state())))
    assert again.scores(rows).tobytes() == head.scores(rows).tobytes()


def test_the_search_over_numbers_chooses_what_a_loop_over_fits_chooses():
    rows, target = numbers()
    parts = np.array_split(np.random.default_rng(1).permutation(120)[:100], 4)
    folds = [(np.setdiff1d(np.arange(120), held), held) for held in parts]
    head, loop = RidgeHead(), RidgeHead()
    found, slow = head.search(rows, target, folds), Head.search(loop, rows, target, folds)
    np.testing.assert_allclose(found.losses, slow.losses, rtol=1e-9)
    assert head.strength == loop.strength == found.best
    assert found.losses.min() < 0.6, "the units of an output do not matter"


def test_without_folds_numbers_are_left_out_one_by_one():
    rows, target = numbers(n=30, t=1)
    head, alone = RidgeHead(), RidgeHead()
    found = head.search(rows, target, [])
    alone.fit(rows, target)
    assert head.strength == alone.strength
    x, y, errors = rows.array(), target.values[:, 0], []
    for i in range(30):
        rest = np.delete(np.arange(30), i)
        model = Ridge(alpha=head.strength * 30).fit(x[rest], y[rest])
        errors.append((model.predict(x[i : i + 1])[0] - y[i]) ** 2)
    # the penalty is that of 30 rows for the fit on 29, as the engine holds it
    assert found.losses.min() == pytest.approx(np.mean(errors) / y.var(), rel=1e-9)


def test_labels_are_refused_in_one_line():
    rows, _ = numbers()
    with pytest.raises(UsageError, match="takes class and regression targets, not multilabel"):
        RidgeHead().fit(rows, Target("multilabel", np.zeros((120, 2), np.int8), ("a", "b")))
