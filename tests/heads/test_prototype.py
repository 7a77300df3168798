"""The prototype head: distances, the left-out temperature, classes without rows."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from scipy.optimize import minimize_scalar

from zoo.errors import DataError
from zoo.heads.prototype import PrototypeHead
from zoo.plugin.dataset import Target
from zoo.plugin.head import ArrayRows, log_loss_sum


def blobs(n=60, d=5, k=3):
    rng = np.random.default_rng(0)
    codes = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    x = rng.normal(size=(n, d)) + rng.normal(size=(k, d))[codes]
    return ArrayRows(x), Target("class", codes, tuple("abcdef"[:k]))


def test_the_temperature_is_that_of_rows_left_out_one_by_one():
    rows, target = blobs()
    x, codes = rows.array(), target.values
    scores = np.empty((60, 3))
    for i in range(60):
        rest = np.delete(np.arange(60), i)
        for c in range(3):
            mean = x[rest][codes[rest] == c].mean(axis=0)
            scores[i, c] = -((x[i] - mean) ** 2).sum()

    def smoothed(beta):  # Platt's targets: a share of 1 / (n + 1) goes to all classes alike
        every = sum(log_loss_sum(beta * scores, np.full(60, c)) for c in range(3)) / 3
        return (60 * log_loss_sum(beta * scores, codes) + every) / 61

    best = minimize_scalar(smoothed, bounds=(1e-3, 10), options={"xatol": 1e-9}).x
    head = PrototypeHead()
    head.fit(rows, target)
    assert float(head.state()["sharpness"]) == pytest.approx(best, rel=1e-6)
    means = np.stack([x[codes == c].mean(axis=0) for c in range(3)])
    away = ((x[:, None] - means) ** 2).sum(axis=2)
    assert np.allclose(head.scores(rows), -away * head.state()["sharpness"])


def test_a_class_without_rows_and_one_with_a_single_row_are_no_obstacle():
    rows, _ = blobs()
    codes = np.arange(60) % 2
    codes[0] = 2
    head = PrototypeHead()
    head.fit(rows, Target("class", codes, ("a", "b", "c", "d")))
    scores = head.scores(rows)
    assert scores.shape == (60, 4)
    assert np.isfinite(scores).all()
    assert (scores.argmax(axis=1) != 3).all()


def test_only_single_rows_still_give_a_head():
    head = PrototypeHead()
    rows = ArrayRows(np.eye(3))
    head.fit(rows, Target("class", np.arange(3), ("a", "b", "c")))
    assert (head.scores(rows).argmax(axis=1) == np.arange(3)).all()


def test_there_is_nothing_to_search():
    rows, target = blobs()
    head = PrototypeHead()
    assert head.search(rows, target, [(np.arange(30), np.arange(30, 60))]).best is None
    assert head.strength is None


def test_state_round_trips_through_safetensors():
    rows, target = blobs()
    head = PrototypeHead()
    head.fit(rows, target)
    again = PrototypeHead.from_state(load(save(head.state())))
    assert again.scores(rows).tobytes() == head.scores(rows).tobytes()
    with pytest.raises(DataError, match="prototype"):
        PrototypeHead.from_state({"means": np.zeros((3, 2)), "offsets": np.zeros(2)})


def test_held_scores_are_by_means_that_did_not_see_the_row():
    rows, target = blobs()
    held = np.arange(0, 60, 4)
    fit_on = np.setdiff1d(np.arange(60), held)
    found = PrototypeHead().search(rows, target, [(fit_on, held)])
    alone = PrototypeHead()
    alone.fit(ArrayRows(rows.array()[fit_on]), target.take(fit_on))
    np.testing.assert_array_equal(
        found.held_scores[held], alone.scores(ArrayRows(rows.array()[held]))
    )
    assert np.isnan(found.held_scores[fit_on]).all()


def test_a_fold_of_one_class_holds_no_row():
    rows, _ = blobs()
    target = Target("class", (np.arange(60) >= 30).astype(np.int64), ("a", "b"))
    found = PrototypeHead().search(rows, target, [(np.arange(30), np.arange(30, 60))])
    assert np.isnan(found.held_scores).all()
