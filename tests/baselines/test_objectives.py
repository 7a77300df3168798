"""Objectives: the same metrics as those that judge a transfer, and where a network starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.baselines.objectives import Objective, macro_f1, r2
from zoo.metrics import evaluate_multilabel, evaluate_regression
from zoo.plugin import Target


@given(seed=st.integers(0, 1000), rows=st.integers(2, 30), labels=st.integers(1, 4))
def test_metrics_are_those_of_the_house(seed, rows, labels):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(rows, labels)).round(1)
    marks = rng.integers(0, 2, (rows, labels)).astype(np.int8)
    names = [str(i) for i in range(labels)]
    own = evaluate_multilabel(scores, marks, names)["macro_f1"]["value"]
    assert macro_f1(scores, marks) == pytest.approx(own, abs=1e-12)
    values = rng.normal(size=(rows, labels)).round(1)
    own = evaluate_regression(scores, values)["r2"]["value"]
    assert r2(scores, values) == pytest.approx(own, rel=1e-9, abs=1e-9)


def test_numbers_that_do_not_vary_count_by_whether_they_are_met():
    values = np.full((4, 1), 3.0)
    assert r2(values, values) == 1.0
    assert r2(values + 1, values) == 0.0


def test_a_network_starts_at_the_shares_of_the_training_rows():
    codes = np.array([0] * 6 + [1] * 2, np.int64)
    start = Objective(Target("class", codes, ("a", "b", "never")), codes).start().numpy()
    shares = np.exp(start) / np.exp(start).sum()
    assert shares == pytest.approx([6.5 / 9.5, 2.5 / 9.5, 0.5 / 9.5])
    marks = np.array([[1, 0], [1, 0], [0, 0], [1, 0]], np.int8)
    start = Objective(Target("multilabel", marks, ("a", "b")), marks).start().numpy()
    assert start == pytest.approx(np.log([3.5 / 1.5, 0.5 / 4.5]))


def test_a_rare_label_is_lifted_and_an_even_one_is_not():
    marks = np.zeros((40, 2), np.int8)
    marks[:20, 0] = 1
    marks[:2, 1] = 1
    assert Objective(Target("multilabel", marks, ("a", "b")), marks).lifts
    assert not Objective(Target("multilabel", marks[:, :1], ("a",)), marks[:, :1]).lifts
    import torch

    one = Objective(Target("multilabel", marks, ("a", "b")), marks)
    scores = torch.zeros(40, 2)
    plain, lifted = (float(one.loss(scores, np.arange(40), lift=lift)) for lift in (False, True))
    assert plain == pytest.approx(np.log(2))
    # Two of forty marks count the root of 19 times: 38 + 2 sqrt(19) of the second label's 40.
    assert lifted == pytest.approx(np.log(2) * (40 + 38 + 2 * 19**0.5) / 80)
