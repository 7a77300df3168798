from __future__ import annotations

import numpy as np
import pytest

from zoo.data import plan_splits
from zoo.features.extract import Extracted
from zoo.heads.ridge import RidgeHead
from zoo.plugin import Dataset, Item, Target
from zoo.runs.assess import assess
from zoo.runs.details import details


def run(n=120, *, twins=(), split=None, target=None, slices=None):
    """A ridge head on rows that tell their class; each of `twins` (row, of) is `of` again."""
    rng = np.random.default_rng(0)
    codes = np.arange(n) % 3
    features = (rng.normal(size=(n, 4)) + 2 * np.eye(4)[codes]).astype(np.float32)
    keys = rng.integers(0, 256, (n, 16), dtype=np.uint8)
    for row, of in twins:
        features[row], keys[row] = features[of], keys[of]
    target = target or Target("class", codes, ("a", "b", "c"))
    items = tuple(Item(str(i), "") for i in range(n))
    dataset = Dataset("d", "text", items, target, split, slices=slices or {})
    extracted = Extracted(features, keys, dataset, (), 0, n - len(twins), 0.0)
    plan = plan_splits(dataset, keys, 0)
    assessment = assess(RidgeHead, features, target, plan, seed=0, threads=1)
    return details(extracted, plan, assessment, 0), assessment


def halves(n):
    return tuple("train" if i < n // 2 else "test" for i in range(n))


def test_classes_and_confusions_agree_with_the_metrics_of_repeated_folds():
    found, assessment = run()
    recalls = [entry["recall"]["value"] for entry in found["classes"]]
    assert [entry["rows"] for entry in found["classes"]] == [40, 40, 40]
    assert np.mean(recalls) == pytest.approx(assessment.metrics["balanced_accuracy"]["value"])
    counts = np.array(found["confusion"]["counts"])
    assert counts.sum() == pytest.approx(120)
    assert np.trace(counts) / 120 == pytest.approx(assessment.metrics["accuracy"]["value"])
    assert found["slices"] is found["without_duplicates"] is None


def test_rows_that_train_holds_too_are_left_out_beside_the_metrics_of_all():
    twins = [(60 + 3 * i, 3 * i) for i in range(5)]
    found, assessment = run(twins=twins, split=halves(120))
    assert found["without_duplicates"]["rows"] == 55
    own, every = found["without_duplicates"]["metrics"], assessment.metrics
    right = assessment.scores.argmax(axis=1) == np.arange(60, 120) % 3
    right = np.delete(right, [3 * i for i in range(5)])
    assert own["accuracy"]["value"] == pytest.approx(right.mean())
    assert own.keys() < every.keys()


def test_without_such_rows_or_without_others_there_is_nothing_to_tell():
    assert run(split=halves(120))[0]["without_duplicates"] is None
    twins = [(60 + i, i) for i in range(60)]
    assert run(twins=twins, split=halves(120))[0]["without_duplicates"] is None


def test_slices_are_of_the_rows_that_judge():
    where = np.resize(np.array(["x", "y"]), 120)
    found, assessment = run(split=halves(120), slices={"where": where})
    (column,) = found["slices"]
    assert [(v["value"], v["rows"]) for v in column["values"]] == [("x", 30), ("y", 30)]
    mean = np.mean([v["metrics"]["accuracy"]["value"] for v in column["values"]])
    assert mean == pytest.approx(assessment.metrics["accuracy"]["value"])


def test_numbers_have_neither_classes_nor_confusions():
    target = Target("regression", np.arange(120.0)[:, None] % 3, ("y",))
    found, _ = run(target=target, slices={"where": np.resize(np.array(["x", "y"]), 120)})
    assert found["classes"] is found["confusion"] is None
    assert len(found["slices"][0]["values"]) == 2
