"""What a report says of real photos: planted label noise is found, more data is better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import zoo
from zoo.engine import softmax
from zoo.heads.logistic import LogisticHead
from zoo.plugin import ArrayRows
from zoo.reports import held_out, learning_curve, run_rows
from zoo.reports.suspects import suspicious

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def flowers(asset, tmp_path_factory):
    """A run on 750 photos of flowers, and its rows."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_HOME", str(home))
        model = f"hf:{asset('model-hf-mobilenet-v1-0.25-128')}"
        run = zoo.transfer(model, asset("img-flowers5"), out=home / "run", dtype="float32")
        return run, run_rows(run)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_most_of_planted_label_noise_is_found_and_told_first(flowers, share):
    run, rows = flowers
    rng = np.random.default_rng(0)
    codes, k = rows.target.values.copy(), len(run.names)
    wrong = rng.choice(len(codes), int(share * len(codes)), replace=False)
    codes[wrong] = (codes[wrong] + rng.integers(1, k, len(wrong))) % k
    numbers = np.arange(len(codes)) % 5
    folds = [(np.flatnonzero(numbers != f), np.flatnonzero(numbers == f)) for f in range(5)]
    target = replace(rows.target, values=codes)
    search = LogisticHead().search(ArrayRows(rows.features), target, folds)
    found, _ = suspicious(softmax(search.held_scores), codes)
    assert np.isin(wrong, found).mean() > 0.7
    # The head is right about four of five honest photos: mistakes of its own come further down.
    assert np.isin(found[: len(wrong) // 2], wrong).mean() > 0.7


def test_heads_that_did_not_see_a_photo_are_as_good_as_on_the_test(flowers):
    run, rows = flowers
    right = held_out(run, rows).argmax(axis=1) == rows.target.values
    train = rows.split == "train"
    assert abs(right[train].mean() - right[~train].mean()) < 0.1
    assert right[rows.judge].mean() == pytest.approx(run.metrics["accuracy"]["value"])


def test_more_photos_make_a_better_head(flowers):
    run, rows = flowers
    curve = learning_curve(run, rows, sizes=4)
    values = [point["value"] for point in curve.points]
    assert values == sorted(values)
    assert values[-1] == run.metrics["accuracy"]["value"]
    assert values[-1] - values[0] > 0.1
