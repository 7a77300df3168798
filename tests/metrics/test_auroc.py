from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from zoo.metrics import evaluate, evaluate_multilabel
from zoo.metrics.auroc import auroc_of_classes, auroc_of_labels


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def case(n, k, seed=0, lift=1.5):
    rng = np.random.default_rng(seed)
    codes = rng.integers(k, size=n)
    scores = rng.normal(size=(n, k))
    scores[np.arange(n), codes] += lift
    return scores, codes


def binary(pos, neg):
    """Scores of two classes and codes, for rows of the second class and of the first."""
    margins = np.concatenate([pos, neg])
    codes = np.repeat([1, 0], [len(pos), len(neg)])
    return np.stack([np.zeros(len(margins)), margins], axis=1)[None], codes


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(-2, 2), min_size=1, max_size=12),
    st.lists(st.integers(-2, 2), min_size=1, max_size=12),
)
def test_two_classes_agree_with_scikit_learn_ties_and_all(pos, neg):
    scores, codes = binary(np.array(pos, float), np.array(neg, float))
    found = auroc_of_classes(scores, codes)
    assert found["value"] == pytest.approx(roc_auc_score(codes, scores[0, :, 1]), abs=1e-12)
    assert 0.0 <= found["low"] <= found["value"] <= found["high"] <= 1.0


@pytest.mark.parametrize(("n", "k"), [(40, 3), (500, 7), (2000, 40)])
def test_several_classes_agree_with_scikit_learn(n, k):
    scores, codes = case(n, k)
    found = evaluate(scores, codes, [str(i) for i in range(k)])["auroc"]
    expected = roc_auc_score(codes, softmax(scores), multi_class="ovr", labels=range(k))
    assert found["value"] == pytest.approx(expected, abs=1e-12)
    assert found["low"] < found["value"] < found["high"]


def test_labels_agree_with_scikit_learn():
    rng = np.random.default_rng(1)
    there = rng.random((300, 5)) < [0.5, 0.3, 0.1, 0.05, 0.02]
    scores = rng.normal(size=(300, 5)) + there
    found = evaluate_multilabel(scores, there.astype(np.int8), list("abcde"))["auroc"]
    assert found["value"] == pytest.approx(roc_auc_score(there, scores, average="macro"))


def test_odds_rank_rows_whose_probabilities_round_to_one():
    scores, codes = binary(np.array([90.0, 80.0]), np.array([70.0, 60.0]))
    assert (softmax(scores)[0, :, 1] == 1).all()
    assert auroc_of_classes(scores, codes)["value"] == 1.0
    three = np.concatenate([np.full((1, 4, 1), -500.0), scores], axis=2)
    assert auroc_of_classes(three, codes + 1)["value"] == 1.0


def test_equal_votes_in_another_order_are_a_tie():
    votes = np.log(np.array([0.1, 0.2, 0.3, 0.4]))
    orders = [[0, 1, 2, 3], [0, 3, 1, 2], [0, 2, 3, 1], [0, 3, 2, 1]]
    scores = np.stack([votes[order] for order in orders])[None]
    codes = np.array([0, 0, 1, 1])
    of_first = auroc_of_labels(
        (scores[..., :1] - np.log(np.exp(scores[..., 1:]).sum(axis=2, keepdims=True))).round(12),
        codes[:, None] == 0,
    )
    assert of_first["value"] == 0.5
    others = [roc_auc_score(codes == 1, np.exp(scores[0, :, 1]))]
    assert auroc_of_classes(scores, codes)["value"] == pytest.approx(np.mean([0.5, *others]))


def test_classes_that_are_ruled_out_are_ranked_last():
    scores = np.array([[0.0, -np.inf, -np.inf], [-1.0, 0.5, -np.inf], [1.0, 0.0, 0.5]])[None]
    found = auroc_of_classes(scores, np.array([0, 1, 2]))
    assert found["value"] == pytest.approx((1.0 + 1.0 + 1.0) / 3)


def test_classes_without_rows_do_not_count_and_one_class_has_no_area():
    scores, codes = case(60, 4)
    codes[codes == 3] = 2
    alone = [roc_auc_score(codes == c, softmax(scores)[:, c]) for c in range(3)]
    assert auroc_of_classes(scores[None], codes)["value"] == pytest.approx(np.mean(alone))
    assert auroc_of_classes(scores[None], np.zeros(60, np.int64)) is None
    assert "auroc" not in evaluate(scores, np.zeros(60, np.int64), list("abcd"))


def test_an_area_without_fault_is_not_certain():
    few = auroc_of_classes(*binary(np.arange(5) + 9.0, np.arange(5)))
    many = auroc_of_classes(*binary(np.arange(500) + 999.0, np.arange(500)))
    assert few["value"] == many["value"] == many["high"] == 1.0
    # Newcombe 2006's interval for 5 and 5 rows: a theta of 0.66 is a test of 5 % away from 1
    assert 0.6 < few["low"] < 0.75
    assert 0.99 < many["low"] < 1.0


def test_many_rows_have_delongs_interval():
    rng = np.random.default_rng(5)
    pos, neg = rng.normal(1.0, 3.0, 4000), rng.normal(0.0, 1.0, 3000)
    found = auroc_of_classes(*binary(pos, neg))
    wins = (pos[:, None] > neg).astype(np.float64)
    variance = wins.mean(axis=1).var(ddof=1) / 4000 + wins.mean(axis=0).var(ddof=1) / 3000
    half = 1.96 * np.sqrt(variance)
    assert found["low"] == pytest.approx(found["value"] - half, abs=0.02 * half)
    assert found["high"] == pytest.approx(found["value"] + half, abs=0.02 * half)


@pytest.mark.parametrize(
    ("m", "n", "shift", "truth"), [(8, 80, 1.19, 0.8), (40, 40, 2.33, 0.95), (60, 500, 0.36, 0.6)]
)
def test_the_interval_holds_the_area_as_often_as_it_says(m, n, shift, truth):
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        found = auroc_of_classes(*binary(rng.normal(shift, 1, m), rng.normal(0, 1, n)))
        held += found["low"] <= truth <= found["high"]
    assert 0.91 <= held / 400 <= 0.99  # a binomial of 400 strays by two points


def test_the_interval_of_several_classes_holds_their_mean_area():
    rng = np.random.default_rng(3)
    truth = auroc_of_classes(case(40_000, 5, 9)[0][None], case(40_000, 5, 9)[1])["value"]
    held = 0
    for seed in rng.integers(1 << 30, size=300):
        scores, codes = case(150, 5, int(seed))
        found = auroc_of_classes(scores[None], codes)
        held += found["low"] <= truth <= found["high"]
    assert 0.91 <= held / 300 <= 0.99


def test_repeats_are_averaged_and_do_not_count_as_rows():
    scores, codes = case(80, 3)
    once = auroc_of_classes(scores[None], codes)
    again = auroc_of_classes(np.stack([scores] * 5), codes)
    assert again == pytest.approx(once)
    other, _ = case(80, 3, seed=4)
    other[np.arange(80), codes] += 1.5
    both = auroc_of_classes(np.stack([scores, other]), codes)["value"]
    assert both == pytest.approx(
        (once["value"] + auroc_of_classes(other[None], codes)["value"]) / 2
    )


def test_fifty_thousand_rows_take_no_time():
    scores, codes = case(50_000, 10)
    start = time.process_time()
    auroc_of_classes(scores[None], codes)
    assert time.process_time() - start < 3  # 0.3 s where the machine is quiet
