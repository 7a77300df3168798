"""The LDA head: scikit-learn's posterior, its search, its file."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from zoo import engine
from zoo.errors import DataError
from zoo.heads.lda import LdaHead
from zoo.plugin.dataset import Target
from zoo.plugin.head import ArrayRows, FitReport, Head


def blobs(n=120, d=6, k=3):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, k, n)
    x = rng.normal(size=(n, d)) + rng.normal(size=(k, d))[codes]
    return ArrayRows(x), Target("class", codes, tuple("abcdef"[:k]))


def softmax(scores):
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


def test_softmax_of_the_scores_is_scikit_learns_posterior():
    rows, target = blobs()
    head = LdaHead()
    head.strength = 0.2
    head.fit(rows, target)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2)
    model.fit(rows.array(), target.values)
    expected = model.predict_proba(rows.array())
    np.testing.assert_allclose(softmax(head.scores(rows)), expected, atol=1e-10)
    assert head.strength == 0.2
    assert head.report() == FitReport()


def test_without_a_strength_a_fit_chooses_its_own():
    rows, target = blobs()
    head = LdaHead()
    head.fit(rows, target)
    assert head.strength == engine.fit_lda(rows.array(), target.values, 3).strength


def test_weights_of_the_samples_count():
    rows, target = blobs()
    weight = (np.arange(120) < 80).astype(float)
    head, alone = LdaHead(), LdaHead()
    head.strength = alone.strength = 0.1
    head.fit(rows, target, sample_weight=weight)
    alone.fit(ArrayRows(rows.array()[:80]), target.take(np.arange(80)))
    np.testing.assert_allclose(head.scores(rows), alone.scores(rows), atol=1e-9)


@pytest.mark.parametrize("d", [6, 200])
def test_search_chooses_what_a_loop_over_fits_chooses(d):
    rows, target = blobs(d=d)
    parts = np.array_split(np.random.default_rng(1).permutation(120), 4)
    folds = [(np.setdiff1d(np.arange(120), held), held) for held in parts]
    head, loop = LdaHead(), LdaHead()
    found, slow = head.search(rows, target, folds), Head.search(loop, rows, target, folds)
    np.testing.assert_allclose(found.losses, slow.losses, rtol=1e-9)
    assert head.strength == loop.strength == found.best
    np.testing.assert_allclose(found.held_scores, slow.held_scores, rtol=1e-6, atol=1e-6)
    assert found.strengths == engine.SHRINKAGES
    asked = head.search(rows, target, folds, strengths=(0.1, 0.5))
    assert asked.strengths == (0.5, 0.1)


def test_folds_that_judge_nothing_are_refused():
    rows, target = blobs()
    with pytest.raises(DataError, match="'lda': the folds judge no row"):
        LdaHead().search(rows, target, [])


def test_a_class_without_rows_is_never_the_answer():
    rows, _ = blobs()
    head = LdaHead()
    head.fit(rows, Target("class", np.arange(120) % 2, ("a", "b", "c")))
    scores = head.scores(rows)
    assert np.isfinite(scores).all()
    assert (scores.argmax(axis=1) != 2).all()


def test_state_round_trips_through_safetensors():
    rows, target = blobs()
    head = LdaHead()
    head.fit(rows, target)
    again = LdaHead.from_state(load(save(head.state())))
    assert again.scores(rows).tobytes() == head.scores(rows).tobytes()
    assert again.strength == head.strength
    with pytest.raises(DataError, match="'lda': the shapes in its file"):
        LdaHead.from_state(head.state() | {"intercepts": np.zeros(4)})
    with pytest.raises(DataError, match="'lda': 'strength' must lie in"):
        LdaHead.from_state(head.state() | {"strength": np.array(2.0)})


def test_one_class_other_columns_and_a_wrong_strength_are_refused():
    rows, target = blobs()
    head = LdaHead()
    with pytest.raises(DataError, match="fewer than two classes"):
        head.fit(rows, Target("class", np.ones(120, np.int64), ("a", "b")))
    head.fit(rows, target)
    with pytest.raises(DataError, match="6 columns, these rows have 2"):
        head.scores(ArrayRows(np.ones((3, 2))))
    head.strength = 1.5
    with pytest.raises(DataError, match="'lda': the strength of LDA is a shrinkage"):
        head.fit(rows, target)
