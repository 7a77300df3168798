"""The ridge head: scikit-learn's scores, sharpened; search with and without folds."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.linear_model import Ridge

from zoo.errors import DataError
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
