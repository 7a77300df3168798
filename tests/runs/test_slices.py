from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact, mannwhitneyu

from zoo.metrics import evaluate, evaluate_regression
from zoo.plugin import Target
from zoo.runs.slices import SHOWN, holm, row_errors, slice_metrics


def classes(n=300, worse=None, seed=0, k=3):
    """Scores right in nine rows of ten, and in one of two where `worse`."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(k, size=n)
    wrong = rng.random(n) < np.where(np.zeros(n, bool) if worse is None else worse, 0.5, 0.1)
    scores = rng.normal(0, 0.1, (n, k))
    scores[np.arange(n), (codes + wrong) % k] += 2
    return scores, Target("class", codes, tuple("abcdefgh"[:k]))


def test_each_value_has_the_metrics_of_its_rows():
    scores, target = classes()
    city = np.resize(np.array(["Rom", "Oslo", ""]), 300)
    (column,) = slice_metrics(scores, scores / 2, target, {"city": city}, seed=3)
    assert (column["column"], column["left_out"]) == ("city", [])
    assert [v["value"] for v in column["values"]] == ["", "Oslo", "Rom"]
    for value in column["values"]:
        rows = city == value["value"]
        assert value["rows"] == rows.sum() == 100
        own = evaluate(
            scores[rows], target.values[rows], target.names, 3, calibrated=scores[rows] / 2
        )
        own.pop("log_loss_uncalibrated")
        assert value["metrics"] == own


def test_the_most_frequent_values_are_told_and_the_rest_named():
    scores, target = classes(SHOWN * 3 + 2)
    names = [f"v{i:02}" for i in range(SHOWN)] * 3 + ["rare1", "rare0"]
    (column,) = slice_metrics(scores, scores, target, {"x": np.array(names)})
    assert [v["value"] for v in column["values"]] == sorted(names[:SHOWN])
    assert column["left_out"] == ["rare0", "rare1"]


def test_a_value_that_is_much_worse_is_found_and_no_other():
    who = np.resize(np.array(["ann", "bob", "cid", "dee"]), 400)
    scores, target = classes(400, worse=who == "cid")
    (column,) = slice_metrics(scores, scores, target, {"who": who})
    assert [v["value"] for v in column["values"] if v["worse"]] == ["cid"]


def test_values_that_differ_by_chance_are_hardly_ever_called_worse():
    rng = np.random.default_rng(1)
    alarms = 0
    for seed in range(200):
        scores, target = classes(200, seed=seed, k=2)
        who = rng.integers(8, size=200).astype(str)
        (column,) = slice_metrics(scores, scores, target, {"who": who})
        alarms += any(v["worse"] for v in column["values"])
    assert alarms <= 17  # 10 are allowed; 17 is the upper 2 % of a binomial of 200


def test_columns_share_one_adjustment():
    who = np.resize(np.array(["ann", "bob"]), 60)
    scores, target = classes(60, worse=who == "bob", seed=2)
    (one,) = slice_metrics(scores, scores, target, {"who": who})
    two = slice_metrics(scores, scores, target, {"who": who, "all": np.full(60, "x")})
    before, after = (
        next(v["p"] for v in c["values"] if v["value"] == "bob") for c in (one, two[0])
    )
    assert after == pytest.approx(before * 3 / 2)
    assert two[1]["values"][0]["p"] == 1.0  # there are no other rows


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjusted_p_values_are_holms(p_values):
    found = holm(p_values)
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    expected = np.minimum(1, np.maximum.accumulate(factors * np.array(p_values)[order]))
    assert np.array(found)[order] == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=50))
def test_classes_are_tested_as_fisher_did(rows):
    wrong, chosen = (np.array(part) for part in zip(*rows, strict=True))
    target = Target("class", np.zeros(len(rows), np.int64), ("a", "b"))
    scores = np.stack([~wrong, wrong], axis=1).astype(float)
    (column,) = slice_metrics(scores, scores, target, {"x": chosen.astype(str)})
    if chosen.all() or not chosen.any():
        return
    table = np.array([[(wrong & own).sum(), (~wrong & own).sum()] for own in (~chosen, chosen)])
    alone = [fisher_exact(t, alternative="greater").pvalue for t in (table, table[::-1])]
    found = {v["value"]: v["p"] for v in column["values"]}
    assert [found["False"], found["True"]] == pytest.approx(holm(alone), abs=1e-9)


def test_numbers_are_tested_as_mann_and_whitney_did():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 1))
    where = np.resize(np.array(["here", "there", "there"]), 120)
    predictions = values + rng.normal(size=(120, 1)) * np.where(where == "here", 3, 1)[:, None]
    target = Target("regression", values, ("y",))
    (column,) = slice_metrics(predictions, predictions, target, {"x": where}, seed=1)
    here = next(v for v in column["values"] if v["value"] == "here")
    errors = row_errors(predictions, target)
    expected = mannwhitneyu(
        errors[where == "here"], errors[where != "here"], alternative="greater", method="asymptotic"
    )
    assert here["worse"]
    assert here["p"] == pytest.approx(2 * expected.pvalue, rel=1e-6)
    rows = where == "here"
    assert here["metrics"] == evaluate_regression(predictions[rows], values[rows], 1)


def test_labels_have_slices_too():
    rng = np.random.default_rng(0)
    marks = rng.integers(2, size=(80, 3)).astype(np.int8)
    scores = np.where(marks == 1, 2.0, -2.0) + rng.normal(size=(80, 3))
    target = Target("multilabel", marks, ("a", "b", "c"))
    half = np.repeat(["x", "y"], 40)
    (column,) = slice_metrics(np.stack([scores] * 2), scores, target, {"h": half})
    assert [v["rows"] for v in column["values"]] == [40, 40]
    assert column["values"][0]["metrics"]["macro_f1"]["value"] > 0.8


def test_with_repeats_a_row_is_wrong_where_its_merged_prediction_is():
    scores = np.array([[[3.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.0]]])
    assert row_errors(scores, Target("class", np.array([1]), ("a", "b"))).tolist() == [1.0]


@pytest.mark.parametrize(
    "target",
    [
        Target("class", np.arange(6) % 2, ("a", "b")),
        Target("regression", np.arange(12.0).reshape(6, 2), ("x", "y")),
        Target("multilabel", np.eye(6, 2, dtype=np.int8), ("a", "b")),
    ],
    ids=lambda target: target.task,
)
def test_a_single_row_has_metrics_and_is_not_called_worse(target):
    scores = np.random.default_rng(0).normal(size=(6, 2))
    (column,) = slice_metrics(scores, scores, target, {"id": np.arange(6).astype(str)})
    assert [v["rows"] for v in column["values"]] == [1] * 6
    assert not any(v["worse"] for v in column["values"])
    for value in column["values"]:
        for metric in value["metrics"].values():
            assert metric["low"] <= metric["value"] <= metric["high"]
