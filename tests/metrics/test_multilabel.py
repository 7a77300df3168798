"""Metrics of labels: scikit-learn's values, intervals that agree with resampling rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    log_loss,
    roc_auc_score,
)

from zoo.errors import DataError, UsageError
from zoo.metrics import evaluate_multilabel
from zoo.metrics.multilabel import _average_precision


def case(n=300, labels=4, seed=0, repeats=None, shares=(0.5, 0.3, 0.2, 0.1)):
    rng = np.random.default_rng(seed)
    marks = (rng.random((n, labels)) < np.resize(shares, labels)).astype(np.int8)
    scores = rng.normal(size=(repeats or 1, n, labels)) * 1.5 + 3.0 * marks - 2.0
    return (scores if repeats else scores[0]), marks, [str(i) for i in range(labels)]


@pytest.mark.parametrize(("n", "labels"), [(300, 4), (3000, 2), (12, 1)])
def test_values_agree_with_scikit_learn(n, labels):
    scores, marks, names = case(n, labels)
    scores = np.round(scores, 1)  # with ties
    out = evaluate_multilabel(scores, marks, names)
    told, p = (scores > 0).astype(int), 1 / (1 + np.exp(-scores))
    expected = {
        "macro_f1": f1_score(marks, told, average="macro" if labels > 1 else "binary"),
        "micro_f1": f1_score(marks.ravel(), told.ravel()),
        "mean_average_precision": average_precision_score(marks, scores),
        "auroc": roc_auc_score(marks, scores),
        "subset_accuracy": accuracy_score(marks, told),
        "log_loss": np.mean([log_loss(marks[:, j], p[:, j]) for j in range(labels)]),
    }
    assert list(out) == list(expected)
    for metric, value in expected.items():
        assert out[metric]["value"] == pytest.approx(value, abs=1e-12), metric
        assert out[metric]["low"] <= out[metric]["value"] <= out[metric]["high"]


def plain(scores, marks, weight):
    """Macro and micro F1 and mean average precision of weighted rows with distinct scores."""
    told, w = scores > 0, weight[:, None]
    hits, both = (w * (told & (marks == 1))).sum(axis=0), (w * (told + marks)).sum(axis=0)
    precisions = []
    for label in range(marks.shape[1]):
        order = np.argsort(-scores[:, label])
        y, of = (weight * marks[:, label])[order], weight[order]
        precisions.append((y * y.cumsum() / np.maximum(of.cumsum(), 1)).sum() / y.sum())
    return (2 * hits / both).mean(), 2 * hits.sum() / both.sum(), np.mean(precisions)


def test_labels_that_no_row_has_do_not_count_unless_told():
    scores = np.array([[2.0, -1.0, 3.0], [-2.0, -1.0, -3.0]])
    marks = np.array([[1, 0, 0], [0, 0, 0]])
    out = evaluate_multilabel(scores, marks, list("abc"))
    assert out["macro_f1"]["value"] == pytest.approx((1 + 0) / 2)
    assert out["mean_average_precision"]["value"] == 1.0
    none = evaluate_multilabel(-np.ones((2, 3)), 0 * marks, list("abc"))
    assert (none["macro_f1"]["value"], none["mean_average_precision"]["value"]) == (0.0, 0.0)
    assert none["subset_accuracy"]["value"] == 1.0


@pytest.mark.parametrize(("n", "repeats"), [(300, None), (200, 3), (3000, None)])
def test_intervals_agree_with_resampling_rows(n, repeats):
    scores, marks, names = case(n, 3, repeats=repeats)
    stack = scores if repeats else scores[None]
    rng, draws = np.random.default_rng(5), []
    for _ in range(1000):
        weight = np.bincount(rng.integers(0, n, n), minlength=n)
        draws.append(np.mean([plain(part, marks, weight) for part in stack], axis=0))
    out = evaluate_multilabel(scores, marks, names)
    metrics = ("macro_f1", "micro_f1", "mean_average_precision")
    for metric, values in zip(metrics, np.transpose(draws), strict=True):
        low, high = np.quantile(values, (0.025, 0.975))
        # 1,000 resamples on either side: a quantile's own error is 3 % of the width; average
        # precision is a little biased upwards in resamples, which its linearisation is not
        assert out[metric]["low"] == pytest.approx(low, abs=0.17 * (high - low)), metric
        assert out[metric]["high"] == pytest.approx(high, abs=0.17 * (high - low)), metric


def test_influences_are_the_derivatives_of_average_precision():
    scores, marks, _ = case(40, 1)
    scores = np.round(scores[:, 0])  # many ties
    value, influence = _average_precision(scores, marks[:, 0] == 1)
    step = 1e-6
    for row in range(40):
        weight = np.ones(40)
        weight[row] += step
        more = average_precision_score(marks[:, 0], scores, sample_weight=weight)
        assert influence[row] == pytest.approx((more - value) / step, abs=1e-5)
    assert influence.sum() == pytest.approx(0.0, abs=1e-12)


def test_repeats_are_averaged_and_the_seed_decides():
    stack, marks, names = case(60, 3, repeats=4)
    each = [evaluate_multilabel(part, marks, names) for part in stack]
    out = evaluate_multilabel(stack, marks, names)
    for metric, found in out.items():
        assert found["value"] == pytest.approx(np.mean([e[metric]["value"] for e in each]))
    assert out == evaluate_multilabel(stack, marks, names)
    assert out != evaluate_multilabel(stack, marks, names, 1)


def test_unfit_scores_and_marks_are_refused():
    with pytest.raises(UsageError, match="do not fit"):
        evaluate_multilabel(np.zeros((3, 2)), np.zeros((3, 1)), ["a"])
    with pytest.raises(UsageError, match="0 or 1"):
        evaluate_multilabel(np.zeros((1, 1)), np.array([[-1]]), ["a"])
    with pytest.raises(DataError, match="not finite"):
        evaluate_multilabel(np.array([[np.inf]]), np.array([[1]]), ["a"])
