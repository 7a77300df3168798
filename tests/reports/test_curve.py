"""A learning curve ends where the run is, judges the same rows, and keeps to its time."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.reports import curve as module
from zoo.reports import learning_curve, run_rows


def grey(levels, noise, seed=0):
    rng = np.random.default_rng(seed)
    return [np.clip(rng.normal(v, noise, (6, 6)), 0, 255).astype(np.uint8) for v in levels]


def split(pictures, count=120, noise=110):
    return pictures(
        count,
        ("label", "split"),
        lambda i: ["ab"[i % 2], "test" if i < count // 3 else "train"],
        noise,
    )


def test_the_last_point_of_a_holdout_is_the_run(pictures, transfer):
    run = transfer(split(pictures))
    found = learning_curve(run, run_rows(run))
    last = found.points[-1]
    assert (found.metric, found.judged, found.complete) == ("accuracy", 40, True)
    assert last["rows"] == 80
    assert {name: last[name] for name in ("value", "low", "high")} == run.metrics["accuracy"]
    assert len(last["draws"]) == 1
    sizes = [point["rows"] for point in found.points]
    assert sizes == sorted(set(sizes))
    assert sizes[0] == 10
    assert all(len(point["draws"]) == 3 for point in found.points[:-1])
    assert all(point["low"] <= point["value"] <= point["high"] for point in found.points)


def test_of_repeated_folds_every_point_judges_all_rows(transfer):
    arrays = grey([110 if i % 2 else 140 for i in range(90)], 60)
    labels = ["a" if i % 2 else "b" for i in range(90)]
    run = transfer(arrays, labels)
    found = learning_curve(run, run_rows(run, arrays, labels), sizes=4, draws=2)
    last = found.points[-1]
    assert (found.judged, last["rows"]) == (90, 72)
    metric = run.metrics["accuracy"]
    assert metric["low"] < last["value"] < metric["high"]
    assert len(last["draws"]) == 2
    assert found.points[0]["value"] < last["value"]


def test_more_data_helps_where_there_is_something_to_learn(pictures, transfer):
    run = transfer(split(pictures, 300, 160))
    points = learning_curve(run, run_rows(run), sizes=5).points
    assert points[-1]["value"] > points[0]["value"]


def test_groups_stay_on_one_side_of_every_fold(pictures, transfer, monkeypatch):
    def cells(i):
        return ["ab"[i % 2], f"g{i // 6}"]

    run = transfer(pictures(90, ("label", "group"), cells))
    rows = run_rows(run)
    seen = []
    real = module._inside

    def watched(folds, subset, target):
        for fit, judge in real(folds, subset, target):
            seen.append((subset[fit], subset[judge]))
            yield fit, judge

    monkeypatch.setattr(module, "_inside", watched)
    learning_curve(run, rows, sizes=3, draws=1)
    groups = rows.dataset.groups
    assert len(seen) > 10
    assert all(not set(groups[fit]) & set(groups[judge]) for fit, judge in seen)


def test_it_keeps_to_its_time_and_says_so(pictures, transfer):
    run = transfer(split(pictures))
    rows = run_rows(run)
    none = learning_curve(run, rows, seconds=0.0)
    assert (none.points, none.complete) == ((), False)


def test_numbers_and_several_labels_have_curves(transfer):
    levels = np.random.default_rng(0).integers(60, 200, 70)
    arrays = grey(levels, 20)
    numbers = [float(a.mean()) for a in arrays]
    run = transfer(arrays, numbers)
    found = learning_curve(run, run_rows(run, arrays, numbers), sizes=2, draws=1)
    assert found.metric == "r2"
    assert found.points[-1]["value"] > 0.5
    marks = [[name for name, at in (("x", 100), ("y", 150)) if v > at] for v in levels]
    run = transfer(arrays, marks)
    found = learning_curve(run, run_rows(run, arrays, marks), sizes=2, draws=1)
    assert found.metric == "macro_f1"
    assert found.points[-1]["value"] > 0.5


@pytest.mark.parametrize("head", ["prototype", "knn", "lda"])
def test_heads_of_every_kind_have_curves(pictures, transfer, head):
    run = transfer(split(pictures), head=head)
    points = learning_curve(run, run_rows(run), sizes=2, draws=1).points
    assert points[-1]["value"] == run.metrics["accuracy"]["value"]


def test_what_is_no_curve_is_refused(pictures, transfer):
    run = transfer(pictures(20))
    with pytest.raises(UsageError, match="at least 1"):
        learning_curve(run, run_rows(run), draws=0)
