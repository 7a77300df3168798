"""The path of a search in a run's result is that of its folds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.heads.knn import KnnHead
from zoo.heads.lda import LdaHead
from zoo.heads.logistic import LogisticHead
from zoo.heads.ridge import RidgeHead
from zoo.plugin import ArrayRows, Head, SearchResult, Target
from zoo.plugin.head import held_out_loss
from zoo.runs.strengths import strength_path

RNG = np.random.default_rng(0)
CODES = RNG.integers(0, 3, 90)
ROWS = ArrayRows(RNG.standard_normal((90, 6)) + 2 * np.eye(6)[CODES])
FOLDS = [
    (np.flatnonzero(np.arange(90) % 3 != f), np.flatnonzero(np.arange(90) % 3 == f))
    for f in range(3)
]
TARGETS = {
    "class": Target("class", CODES, ("a", "b", "c")),
    "multilabel": Target("multilabel", np.eye(3, dtype=np.int8)[CODES], ("a", "b", "c")),
    "regression": Target("regression", RNG.standard_normal((90, 2)) + CODES[:, None], ("u", "v")),
}
CASES = [(LogisticHead, "class"), (LogisticHead, "multilabel"), (RidgeHead, "class")]
CASES += [
    (RidgeHead, "regression"),
    (KnnHead, "class"),
    (KnnHead, "regression"),
    (LdaHead, "class"),
]


@pytest.mark.parametrize(("head", "task"), CASES, ids=lambda x: getattr(x, "name", x))
def test_every_search_tells_what_each_fold_lost(head, task):
    target = TARGETS[task]
    found = head().search(ROWS, target, FOLDS)
    assert found.fold_losses.shape == (3, len(found.strengths))
    assert np.allclose(found.fold_losses.mean(axis=0), found.losses)  # folds of one size
    fit_on, held = FOLDS[1]
    alone = head()
    alone.strength = found.strengths[-1]
    alone.fit(ArrayRows(ROWS.gather(fit_on)), target.take(fit_on))
    loss = held_out_loss(alone.scores(ArrayRows(ROWS.gather(held))), target, held) / len(held)
    # Inner fits of a search stop at 1e-6 of their objective.
    assert found.fold_losses[1, -1] == pytest.approx(loss, rel=2e-3)


def test_the_default_search_tells_them_too():
    class Plain(RidgeHead):
        search = Head.search

    found = Plain().search(ROWS, TARGETS["class"], FOLDS)
    assert np.allclose(found.fold_losses.mean(axis=0), found.losses)


def test_a_band_is_one_standard_error_of_the_folds():
    search = SearchResult(
        (2.0, 1.0), np.array([3.0, np.nan]), 2.0, None, np.array([[2.0, 1.0], [4.0, np.nan]])
    )
    first, second = strength_path(search)
    assert first == {"strength": 2.0, "value": 3.0, "low": 2.0, "high": 4.0, "folds": [2.0, 4.0]}
    assert second == {
        "strength": 1.0,
        "value": None,
        "low": None,
        "high": None,
        "folds": [1.0, None],
    }
    assert strength_path(SearchResult()) == []
    (alone,) = strength_path(SearchResult((1.0,), np.array([0.5]), 1.0))
    assert alone == {"strength": 1.0, "value": 0.5, "low": None, "high": None, "folds": []}


def test_a_run_keeps_the_path_of_its_head(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 255, (6, 6), dtype=np.uint8) for _ in range(30)]
    run = zoo.transfer(
        "builtin:tinyconv", arrays, ["a" if i % 2 else "b" for i in range(30)], out="run"
    )
    path = json.loads(Path("run/metrics.json").read_text())["head"]["path"]
    assert len(path) == 20
    assert [len(step["folds"]) for step in path] == [5] * 20
    best = min(path, key=lambda step: step["value"])
    assert best["strength"] == run.summary["head"]["strength"]
    assert best["low"] <= best["value"] <= best["high"]
    again = zoo.transfer("builtin:tinyconv", arrays, list("ab" * 15), out="run", head="prototype")
    assert again.summary["head"]["path"] == []
