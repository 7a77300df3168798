"""The rows of a verdict: bounded, stratified, the same in any order, and never on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.data import plan_splits
from zoo.plugin import Dataset, Item, Target
from zoo.runs.contest import MOST, plan_contest


def dataset(n, *, seed=0, split=None, groups=None, task="class"):
    rng = np.random.default_rng(seed)
    shares = np.array([0.5, 0.3, 0.19, 0.01])
    codes = rng.choice(4, n, p=shares)
    target = Target("class", codes, tuple("abcd"))
    if task == "regression":
        target = Target("regression", rng.normal(size=(n, 1)), ("y",))
    keys = rng.integers(0, 256, (n, 16)).astype(np.uint8)
    items = tuple(Item(str(i), f"text {i}") for i in range(n))
    return Dataset("d", "text", items, target, split, groups), keys


def contest(data, keys, seed=0):
    return plan_contest(data, keys, plan_splits(data, keys, seed), seed)


def test_small_data_take_part_whole():
    data, keys = dataset(1200)
    plan = plan_splits(data, keys)
    found = contest(data, keys)
    (part,) = found.parts
    assert sorted(found.rows[part.train]) == plan.final.tolist()
    assert sorted(found.rows[part.held]) == plan.test.tolist()
    assert len(part.folds) == 5


@pytest.mark.parametrize("task", ["class", "regression"])
def test_large_data_are_drawn_from_in_proportion(task):
    data, keys = dataset(13_000, task=task)
    found = contest(data, keys)
    (part,) = found.parts
    assert (len(part.train), len(part.held)) == (MOST, MOST)
    plan = plan_splits(data, keys)
    assert np.isin(found.rows[part.train], plan.train).all()
    assert np.isin(found.rows[part.held], plan.test).all()
    if task == "class":
        drawn = np.bincount(found.target.values[part.train]) / MOST
        whole = np.bincount(data.target.values[plan.train]) / len(plan.train)
        assert drawn == pytest.approx(whole, abs=1.5 / MOST)


def test_a_rare_class_is_drawn_once_at_least():
    data, keys = dataset(9_000)
    values = data.target.values.copy()
    values[values == 3] = 0
    values[:3] = 3
    data = Dataset("d", "text", data.items, Target("class", values, tuple("abcd")))
    (part,) = (found := contest(data, keys)).parts
    assert 3 in found.target.values[part.train]


def test_folds_hold_no_row_that_they_fit_and_none_that_judges():
    for n in (300, 1500, 9_000):
        data, keys = dataset(n)
        for part in contest(data, keys).parts:
            assert not np.isin(part.train, part.held).any()
            for fit, held in part.folds:
                assert not np.isin(fit, held).any()
                assert np.isin(np.concatenate([fit, held]), part.train).all()


def test_folds_of_few_rows_judge_each_row_once():
    data, keys = dataset(300)
    found = contest(data, keys)
    assert len(found.parts) == 5
    assert sorted(found.judge) == list(range(len(found.rows)))


def test_groups_never_straddle():
    groups = np.array([f"g{i % 40}" for i in range(300)])
    data, keys = dataset(300, groups=groups)
    found = contest(data, keys)
    of_rows = groups[found.rows]
    for part in found.parts:
        assert not set(of_rows[part.train]) & set(of_rows[part.held])
        for fit, held in part.folds:
            assert not set(of_rows[fit]) & set(of_rows[held])
    assert len(np.unique(found.units)) == 40


def test_given_validation_chooses():
    split = tuple(["train"] * 60 + ["val"] * 20 + ["test"] * 20)
    data, keys = dataset(100, split=split)
    found = contest(data, keys)
    (part,) = found.parts
    (fold,) = part.folds
    assert set(found.rows[fold[1]]) <= set(range(60, 80))
    assert set(found.rows[part.train]) == set(range(80))


@pytest.mark.parametrize("n", [200, 9_000])
def test_the_order_of_the_rows_changes_nothing(n):
    data, keys = dataset(n)
    order = np.random.default_rng(1).permutation(n)
    one, other = contest(data, keys), contest(data.take(order), keys[order])
    assert one.digest == other.digest
    assert [item.name for item in one.items] == [item.name for item in other.items]
    assert contest(data, keys, seed=1).digest != one.digest


def test_another_label_is_another_contest():
    data, keys = dataset(200)
    values = data.target.values.copy()
    values[0] = (values[0] + 1) % 3
    other = Dataset("d", "text", data.items, Target("class", values, tuple("abcd")))
    assert contest(data, keys).digest != contest(other, keys).digest
