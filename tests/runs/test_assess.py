"""Calibration in an assessment: on rows that no head saw, and of probabilities alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from zoo.data import plan_splits
from zoo.heads.knn import KnnHead
from zoo.heads.prototype import PrototypeHead
from zoo.heads.ridge import RidgeHead
from zoo.plugin import Dataset, Head, Item, SearchResult, Target
from zoo.runs import assess as module
from zoo.runs.assess import assess

NAMES = ("a", "b", "c")


def case(n, seed=0, spread=1.0):
    """Features of three classes that overlap, and the plan of their splits."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 8)) * spread
    x[np.arange(n), codes] += 1.5
    target = Target("class", codes, NAMES)
    items = tuple(Item(str(i), None) for i in range(n))
    digests = rng.integers(0, 256, (n, 16)).astype(np.uint8)
    plan = plan_splits(Dataset("d", "image", items, target), digests)
    return x.astype(np.float32), target, plan


def measured(make_head, n, **options):
    x, target, plan = case(n)
    return assess(make_head, x, target, plan, seed=0, threads=1, **options), target


@pytest.mark.parametrize("n", [150, 1200])
@pytest.mark.parametrize("make_head", [RidgeHead, KnnHead, PrototypeHead])
def test_a_calibrated_assessment_is_of_calibrated_probabilities(make_head, n):
    got, target = measured(make_head, n)
    codes = target.values[got.rows]
    assert list(got.metrics) == [
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "auroc",
        "log_loss",
        "brier",
        "ece",
        "conformal_coverage",
        "conformal_set_size",
        "log_loss_uncalibrated",
    ]
    assert got.calibration.coverage == 0.9
    assert got.calibration.rows == (150 if n == 150 else 960)
    assert got.probabilities.sum(axis=1) == pytest.approx(1.0)
    assert 0.8 < got.metrics["conformal_coverage"]["value"] < 0.97
    if n == 1200:
        own = -np.log(got.probabilities[np.arange(len(codes)), codes])
        assert got.metrics["log_loss"]["value"] == pytest.approx(own.mean())
        right = got.scores.argmax(axis=1) == codes
        assert got.metrics["accuracy"]["value"] == pytest.approx(right.mean())
        sets = 1 - got.probabilities <= got.calibration.threshold
        covered = sets[np.arange(len(codes)), codes].mean()
        assert got.metrics["conformal_coverage"]["value"] == pytest.approx(covered)


def test_the_coverage_asked_for_is_the_one_measured():
    for coverage in (0.6, 0.8, 0.95):
        got, _ = measured(RidgeHead, 1200, coverage=coverage)
        # 240 judging and 960 calibrating rows: a standard error of 0.03 to 0.04
        assert got.metrics["conformal_coverage"]["value"] == pytest.approx(coverage, abs=0.1)
        assert got.calibration.coverage == coverage


class Boastful(RidgeHead):
    """Eight times as sure as it should be, and biased towards the first class."""

    name = "boastful"

    def scores(self, rows):
        return 8 * super().scores(rows) + np.array([10.0, 0.0, 0.0])

    def search(self, rows, target, folds, strengths=()):
        return Head.search(self, rows, target, folds, (0.1,))


@pytest.mark.parametrize("n", [300, 1200])
def test_calibration_mends_a_dishonest_head_and_leaves_its_labels(n):
    got, target = measured(Boastful, n)
    codes = target.values[got.rows]
    assert got.metrics["log_loss"]["value"] < got.metrics["log_loss_uncalibrated"]["value"] / 2
    assert got.metrics["ece"]["value"] < 0.1
    assert got.calibration.method == "vector"
    labels = got.scores.argmax(axis=1)
    assert (got.probabilities.argmax(axis=1) != labels).any(), "the case is to be one of these"
    if n == 1200:
        assert got.metrics["accuracy"]["value"] == pytest.approx((labels == codes).mean())


class Silent(PrototypeHead):
    """A head whose search keeps no scores, as those of older plugins."""

    def search(self, rows, target, folds, strengths=()):
        return SearchResult()


@pytest.mark.parametrize("n", [60, 1200])
def test_a_head_without_held_scores_is_believed_as_it_is(n):
    got, _ = measured(Silent, n)
    assert got.calibration is None
    assert list(got.metrics)[-3:] == ["log_loss", "brier", "ece"]
    assert got.probabilities == pytest.approx(softmax(got.scores, axis=1))


class Witness(PrototypeHead):
    """Its held scores say which rows they are of."""

    def search(self, rows, target, folds, strengths=()):
        found = super().search(rows, target, folds)
        found.held_scores[:, 0] = rows.array()[:, -1]
        return found


def test_no_row_has_a_part_in_the_calibration_that_it_judges(monkeypatch):
    x, target, plan = case(100)
    x[:, -1] = np.arange(100)  # a row's number, for the witness
    fitted, real = [], module.fit_calibration

    def spy(held_scores, codes, **options):
        fitted.append(set(held_scores[:, 0].tolist()))
        return real(held_scores, codes, **options)

    outer = []
    judge = module._judge

    def spied(head, calibration, features):
        outer.append((fitted[-1], set(features[:, -1].tolist())))
        return judge(head, calibration, features)

    monkeypatch.setattr(module, "fit_calibration", spy)
    monkeypatch.setattr(module, "_judge", spied)
    assess(Witness, x, target, plan, seed=0, threads=1)
    assert len(outer) == 25
    for used, judged in outer:
        assert len(used | judged) == 100
        assert not used & judged
    assert len(fitted[-1]) == 100, "the final head's is of all rows"
