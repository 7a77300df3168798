from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.splits import plan_splits
from zoo.errors import DataError, UsageError
from zoo.plugin import Dataset, Item, Target


def dataset(labels, *, split=None, groups=None) -> Dataset:
    items = tuple(Item(f"d:{i}", "") for i in range(len(labels)))
    target = Target.from_labels([None if x is None else str(x) for x in labels])
    return Dataset("d", "text", items, target, split, groups)


def digests(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, 16)).astype(np.uint8)


def even(n: int, k: int = 2) -> list[int]:
    return [i % k for i in range(n)]


def test_from_a_thousand_rows_on_a_fifth_is_held_out():
    data = dataset([*even(1500), None])
    plan = plan_splits(data, digests(1501))
    assert plan.protocol == "holdout"
    assert (len(plan.train), len(plan.val), len(plan.test)) == (1200, 0, 300)
    assert np.bincount(data.target.values[plan.test]).tolist() == [150, 150]
    assert len(plan.folds) == 5
    assert all(set(fit) | set(held) == set(plan.train) for fit, held in plan.folds)
    assert plan.judge is plan.test
    assert np.array_equal(plan.final, plan.train)
    assert "1 of 1501 rows have no label" in plan.notes[0]
    assert 1500 not in set(plan.train) | set(plan.test)


def test_below_a_thousand_every_row_judges_once_a_repeat():
    plan = plan_splits(dataset(even(999, 3)), digests(999))
    assert plan.protocol == "cv"
    assert [len(repeat) for repeat in plan.repeats] == [5] * 5
    for repeat in plan.repeats:
        assert np.array_equal(np.sort(np.concatenate([h for _, h in repeat])), np.arange(999))
        assert all(not set(fit) & set(held) for fit, held in repeat)
    assert len({tuple(repeat[0][1].tolist()) for repeat in plan.repeats}) == 5
    assert np.array_equal(plan.judge, plan.train)
    assert np.array_equal(plan.final, np.arange(999))


def test_inner_folds_stay_inside_the_outer_fit():
    data = dataset([*even(97), 2, 2])
    codes = data.target.values
    plan = plan_splits(data, digests(99))
    for r in range(5):
        for f in range(5):
            outer = set(plan.repeats[r][f][0].tolist())
            inner = plan.inner(r, f, codes)
            assert 3 <= len(inner) <= 4
            for fit, held in inner:
                assert set(fit.tolist()) | set(held.tolist()) <= outer
                assert not set(fit.tolist()) & set(held.tolist())
                assert set(codes[held].tolist()) <= set(codes[fit].tolist())


def test_given_splits_win():
    split = ("train",) * 10 + ("val",) * 4 + ("test",) * 6
    plan = plan_splits(dataset(even(20), split=split), digests(20))
    assert plan.protocol == "holdout"
    assert plan.train.tolist() == list(range(10))
    assert plan.test.tolist() == list(range(14, 20))
    assert len(plan.folds) == 1
    assert plan.folds[0][1].tolist() == list(range(10, 14)), "val chooses the strength"
    assert plan.final.tolist() == list(range(14))
    assert plan.notes == ()


def test_without_test_val_judges_and_train_chooses():
    plan = plan_splits(dataset(even(14), split=("train",) * 10 + ("val",) * 4), digests(14))
    assert plan.judge.tolist() == [10, 11, 12, 13]
    assert plan.final.tolist() == list(range(10))
    assert len(plan.folds) == 5
    assert set(np.concatenate([held for _, held in plan.folds]).tolist()) == set(range(10))
    assert "val judges" in plan.notes[0]


def test_a_train_split_alone_or_a_test_without_labels_is_split_by_us():
    assert plan_splits(dataset(even(20), split=("train",) * 20), digests(20)).protocol == "cv"
    labels = [*even(20), None, None]
    plan = plan_splits(dataset(labels, split=("train",) * 20 + ("test",) * 2), digests(22))
    assert plan.protocol == "cv"
    assert len(plan.train) == 20


@pytest.mark.parametrize("split", [("test",) * 4, ("val", "val", "test", "test")])
def test_splits_without_train_are_refused(split):
    with pytest.raises(DataError, match="no labelled train split; there is"):
        plan_splits(dataset(even(4), split=split), digests(4))


@pytest.mark.parametrize(
    ("labels", "split"),
    [([0, 0, 1, 1], ("train", "train", "test", "test")), ([0] * 5, None), ([None] * 3, None)],
)
def test_fewer_than_two_classes_to_train_on_are_refused(labels, split):
    with pytest.raises(DataError, match="classes to train on"):
        plan_splits(dataset(labels, split=split), digests(len(labels)))


def test_what_given_splits_tear_apart_is_counted():
    rows = digests(12)
    rows[10] = rows[0]
    rows[11] = rows[0]
    groups = np.array(["p", *[""] * 8, "p", "", ""])
    split = ("train",) * 8 + ("test",) * 4
    plan = plan_splits(dataset([*even(8), 0, 1, 0, 9], split=split, groups=groups), rows)
    assert "2 of 4 test rows are byte-identical to train rows" in plan.notes
    assert "1 of 4 test rows are in a group of train rows" in plan.notes
    assert "classes that judge but have no row in train: '9'" in plan.notes
    assert "1 samples occur more than once with different labels" in plan.notes


def test_classes_of_one_row_are_always_fitted():
    data = dataset([*even(20), "alone"])
    plan = plan_splits(data, digests(21))
    for repeat in plan.repeats:
        for fit, _ in repeat:
            assert 20 in fit
    assert "1 rows never judge" in plan.notes[0]
    assert len(plan.judge) == 20


@pytest.mark.parametrize("n", [4, 1200])
def test_classes_that_are_one_group_each_cannot_be_judged(n):
    data = dataset(even(n), groups=np.array([str(i) for i in even(n)]))
    with pytest.raises(DataError, match="nothing can be held out"):
        plan_splits(data, digests(n))


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(UsageError):
        plan_splits(dataset(even(4)), digests(3))
    with pytest.raises(UsageError):
        plan_splits(dataset(even(4)), digests(4), seed=-1)


def roles(plan, key) -> list:
    """The plan in terms of what rows are, not where they stand."""
    parts = [plan.train, plan.val, plan.test]
    for folds in (plan.folds, *plan.repeats):
        for fit, held in folds:
            parts += [fit, held]
    return [sorted(key[i] for i in part.tolist()) for part in parts]


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from([30, 1100]))
def test_the_order_of_rows_does_not_matter_and_the_seed_does(data, n):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    seed = data.draw(st.integers(0, 5))
    labels = rng.integers(0, 3, n)
    sample = rng.integers(0, n, n)
    rows = digests(n)[sample]
    groups = np.array([str(g) if g < n // 2 else "" for g in rng.integers(0, n, n)])
    groups = groups if data.draw(st.booleans()) else None
    # rows that are alike in all are exchangeable: their key is what they are
    key = [(rows[i].tobytes(), int(labels[i]), None if groups is None else groups[i])
           for i in range(n)]  # fmt: skip
    plan = plan_splits(dataset(labels.tolist(), groups=groups), rows, seed)
    order = rng.permutation(n)
    other = plan_splits(
        dataset(labels[order].tolist(), groups=None if groups is None else groups[order]),
        rows[order],
        seed,
    )
    assert roles(plan, key) == roles(other, [key[i] for i in order])
    assert roles(plan, key) != roles(
        plan_splits(dataset(labels.tolist(), groups=groups), rows, seed + 1), key
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.sampled_from([40, 300, 1050]), st.booleans())
def test_duplicates_and_groups_never_straddle_and_every_class_is_fitted(seed, n, grouped):
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(0, 6, n))
    rows = digests(n)[np.where(rng.random(n) < 0.3, rng.integers(0, n, n), np.arange(n))]
    groups = np.array([f"g{g}" for g in rng.integers(0, n, n)]) if grouped else None
    plan = plan_splits(dataset(labels.tolist(), groups=groups), rows, seed)
    pairs = [(plan.train, plan.test)] if plan.protocol == "holdout" else []
    pairs += [pair for folds in (plan.folds, *plan.repeats) for pair in folds]
    keys = [np.array([row.tobytes().hex() for row in rows])]
    keys += [groups] if grouped else []
    for fit, held in pairs:
        assert len(held)
        assert not set(fit.tolist()) & set(held.tolist())
        assert set(labels[held]) <= set(labels[fit])
        for key in keys:
            assert not set(key[fit]) & set(key[held])


def test_a_class_that_only_val_has_chooses_no_strength():
    labels = ["a", "b"] * 4 + ["a", "c"] + ["a", "b"]
    split = ("train",) * 8 + ("val",) * 2 + ("test",) * 2
    items = tuple(Item(f"d:{i}", f"text {i}") for i in range(12))
    data = Dataset("d", "text", items, Target.from_labels(labels), split)
    digests = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)
    ((fit, judged),) = plan_splits(data, digests).folds
    assert fit.tolist() == list(range(8))
    assert judged.tolist() == [8]


def of(task, values, *, groups=None, split=None) -> Dataset:
    """A dataset of numbers or marks, (n, t)."""
    items = tuple(Item(f"d:{i}", "") for i in range(len(values)))
    names = tuple("abcdef"[: values.shape[1]])
    return Dataset("d", "text", items, Target(task, values, names), split, groups)


def test_numbers_are_split_by_quantiles():
    values = np.random.default_rng(0).lognormal(size=(2000, 1))
    values[::7] = np.nan
    plan = plan_splits(of("regression", values), digests(2000))
    labelled = np.flatnonzero(np.isfinite(values[:, 0]))
    assert sorted([*plan.train, *plan.test]) == labelled.tolist()
    assert len(plan.test) == round(0.2 * len(labelled))
    for q in (0.1, 0.5, 0.9):
        edge = np.quantile(values[labelled], q)
        assert (values[plan.test] <= edge).mean() == pytest.approx(q, abs=0.006)
    assert "have no label" in plan.notes[0]


def test_numbers_of_one_group_each_are_judged_all_the_same():
    values = np.repeat(np.arange(6.0), 20)[:, None]
    groups = np.array([f"patient {int(v)}" for v in values[:, 0]])
    plan = plan_splits(of("regression", values, groups=groups), digests(120))
    assert plan.protocol == "cv"
    assert len(plan.judge) == 120
    for fit, held in (pair for repeat in plan.repeats for pair in repeat):
        assert not set(groups[fit]) & set(groups[held])
        assert plan.inner(0, 0, None)
    with pytest.raises(DataError, match="the only one there is"):
        plan_splits(of("regression", values, groups=np.array(["one"] * 120)), digests(120))


def test_labels_are_split_with_the_rare_ones_even():
    rng = np.random.default_rng(0)
    marks = (rng.random((1500, 3)) < (0.5, 0.2, 0.02)).astype(np.int8)
    marks[3] = -1
    plan = plan_splits(of("multilabel", marks), digests(1500))
    assert 3 not in set(plan.train) | set(plan.test)
    rare = (marks[plan.test, 2] == 1).sum() / (marks[:, 2] == 1).sum()
    assert rare == pytest.approx(0.2, abs=0.03)
    small = plan_splits(of("multilabel", marks[:400]), digests(400))
    assert [len(repeat) for repeat in small.repeats] == [5] * 5
    assert len(small.judge) == 399


@pytest.mark.parametrize(("task", "what"), [("regression", "number"), ("multilabel", "set of")])
def test_rows_that_do_not_differ_cannot_be_trained_on(task, what):
    split = ("train",) * 4 + ("test",) * 2
    values = np.array([[1, 0]] * 4 + [[0, 1]] * 2)
    with pytest.raises(DataError, match=f"4 rows to train on have one {what}"):
        plan_splits(of(task, values, split=split), digests(6))


def test_what_given_splits_lack_and_tear_is_noted_for_labels_and_numbers_too():
    split = ("train",) * 3 + ("val",) * 2 + ("test",) * 3
    marks = np.array([[1, 0], [0, 0], [1, 0], [0, 1], [1, 0], [1, 1], [0, 0], [0, 0]], np.int8)
    rows = digests(8)
    rows[7] = rows[0]
    plan = plan_splits(of("multilabel", marks, split=split), rows)
    assert "labels that judge but have no row in train: 'b'" in plan.notes
    assert "1 of 3 test rows are byte-identical to train rows" in plan.notes
    assert "1 samples occur more than once with different labels" in plan.notes
    assert plan.folds[0][1].tolist() == [3, 4]
    plan = plan_splits(of("regression", marks * 1.5, split=split), rows)
    assert not any("no row in train" in note for note in plan.notes)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.sampled_from([30, 1100]), st.booleans())
def test_for_numbers_and_labels_the_order_of_rows_does_not_matter_either(seed, n, numbers):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 30, (n, 2)) / 4 if numbers else rng.integers(0, 2, (n, 2))
    task = "regression" if numbers else "multilabel"
    sample = rng.integers(0, n, n)
    rows = digests(n)[sample]
    key = [(rows[i].tobytes(), values[i].tobytes()) for i in range(n)]
    plan = plan_splits(of(task, values), rows, seed)
    for fit, held in (pair for folds in (plan.folds, *plan.repeats) for pair in folds):
        assert not set(sample[fit].tolist()) & set(sample[held].tolist())
    order = rng.permutation(n)
    other = plan_splits(of(task, values[order]), rows[order], seed)
    assert roles(plan, key) == roles(other, [key[i] for i in order])
