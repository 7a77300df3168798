"""Planted label noise is found, and honest labels are left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo.engine import softmax
from zoo.errors import DataError, UsageError
from zoo.heads.logistic import LogisticHead
from zoo.plugin import ArrayRows, Target
from zoo.reports import run_rows, suspects
from zoo.reports.suspects import suspicious


def blobs(n, k, apart, seed):
    """(n, 8) rows around k means, out-of-fold probabilities for any codes, and true codes."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, k, n)
    x = (apart * rng.standard_normal((k, 8)))[codes] + rng.standard_normal((n, 8))
    return ArrayRows(x), codes


def out_of_fold(rows, codes, k):
    numbers = np.arange(len(codes)) % 5
    folds = [(np.flatnonzero(numbers != f), np.flatnonzero(numbers == f)) for f in range(5)]
    names = tuple(map(str, range(k)))
    return softmax(LogisticHead().search(rows, Target("class", codes, names), folds).held_scores)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_planted_label_noise_is_found(share):
    recall, precision, first, told = [], [], [], []
    for seed in range(1, 4):
        rows, true = blobs(1500, 5, 2.0, seed)
        rng = np.random.default_rng(2)
        wrong = rng.choice(1500, int(share * 1500), replace=False)
        codes = true.copy()
        codes[wrong] = (codes[wrong] + rng.integers(1, 5, len(wrong))) % 5
        found, better = suspicious(out_of_fold(rows, codes, 5), codes)
        hits = np.isin(found, wrong)
        recall.append(np.isin(wrong, found).mean())
        precision.append(hits.mean())
        first.append(hits[: len(wrong) // 2].mean())
        told.append((better[hits] == true[found[hits]]).mean())
    # How many are wrong is an estimate, and the blobs overlap a little.
    assert np.mean(recall) > 0.85
    assert np.mean(precision) > 0.85
    assert np.mean(first) > 0.95
    assert np.mean(told) > 0.95


def test_hardly_an_honest_label_is_doubted():
    rows, codes = blobs(1500, 5, 2.0, seed=1)
    found, _ = suspicious(out_of_fold(rows, codes, 5), codes)
    assert len(found) < 0.01 * 1500


def test_thresholds_are_those_of_each_class():
    # Class 0 is told surely (mean 0.9), class 1 hardly (mean 0.55): 0.6 is much for class 1 alone.
    chances = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.5, 0.5], [0.4, 0.6], [0.6, 0.4]])
    found, better = suspicious(chances, np.array([0, 0, 0, 1, 1, 1]))
    assert found.tolist() == [2]
    assert better.tolist() == [1]


def test_rows_that_nobody_judged_and_classes_without_rows_do_no_harm():
    chances = np.array([[0.9, 0.1, 0.0], [np.nan] * 3, [0.8, 0.1, 0.1], [0.0, 1.0, 0.0]])
    found, _ = suspicious(chances, np.array([0, 1, 1, 1]))
    assert found.tolist() == []
    assert suspicious(np.empty((0, 2)), np.empty(0, np.int64))[0].tolist() == []
    for codes in ([0], [0, 1, 2, 3], [0, -1, 1, 1]):
        with pytest.raises(UsageError):
            suspicious(chances, np.array(codes))


def test_a_wrong_label_of_a_run_is_the_first_suspect(pictures, transfer):
    def cells(i):
        return [{5: "light", 8: "dark"}.get(i, "dark" if i % 2 else "light")]

    run = transfer(pictures(60, cells=cells))
    rows = run_rows(run)
    first, second = suspects(run, rows, most=2)
    assert {first.name, second.name} == {"0005.png", "0008.png"}
    told = {one.name: (one.label, one.suggestion, one.split) for one in (first, second)}
    assert told["0005.png"] == ("light", "dark", "train")
    assert first.probability < 0.5 < first.suggested


def test_identical_samples_are_told_once_and_names_as_they_are(transfer):
    rng = np.random.default_rng(0)
    levels = [90 if i % 2 else 160 for i in range(60)]
    arrays = [np.clip(rng.normal(v, 20, (6, 6)), 0, 255).astype(np.uint8) for v in levels]
    labels = ["=dark" if i % 2 else "light" for i in range(60)]
    arrays += [arrays[1]] * 2
    labels += ["light"] * 2  # two copies of a dark one
    run = transfer(arrays, labels)
    rows = run_rows(run, arrays, labels)
    assert [(one.row, one.suggestion) for one in suspects(run, rows)][:1] == [(60, "=dark")]
    assert sum(one.row >= 60 for one in suspects(run, rows)) == 1


def test_several_labels_are_doubted_one_by_one(transfer):
    rng = np.random.default_rng(0)
    levels = [90 if i % 2 else 160 for i in range(80)]
    arrays = [np.clip(rng.normal(v, 20, (6, 6)), 0, 255).astype(np.uint8) for v in levels]
    marks = [["dark"] if i % 2 else ["bright", "light"] for i in range(80)]
    marks[4] = ["light"]
    run = transfer(arrays, marks)
    rows = run_rows(run, arrays, marks)
    found = suspects(run, rows)
    assert (found[0].row, found[0].label, found[0].suggestion) == (4, "not bright", "bright")


def test_no_number_is_doubted(transfer):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, level, (6, 6), dtype=np.uint8) for level in rng.integers(40, 255, 60)]
    numbers = [float(a.mean()) for a in arrays]
    numbers[7] += 1000
    run = transfer(arrays, numbers)
    assert suspects(run, run_rows(run, arrays, numbers)) == []


def test_damaged_probabilities_are_refused(pictures, transfer):
    run = transfer(pictures(30, noise=150))
    path = Path("run/predictions.csv")
    path.write_text(path.read_text().replace(",0.", ",x."))
    with pytest.raises(DataError, match="damaged"):
        run_rows(run)
