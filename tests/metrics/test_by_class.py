from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from zoo.metrics import Confusions
from zoo.metrics.intervals import wilson

NAMES = ("ant", "bee", "cat", "dog")


def scores_of(predicted, k=4):
    return np.eye(k)[np.asarray(predicted)]


def confusions(predicted, codes):
    return Confusions.of(scores_of(predicted), np.asarray(codes), NAMES)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_shares_agree_with_scikit_learn(pairs):
    codes, predicted = (np.array(part) for part in zip(*pairs, strict=True))
    found = confusions(predicted, codes)
    assert (found.matrix() == confusion_matrix(codes, predicted, labels=range(4))).all()
    expected = precision_recall_fscore_support(codes, predicted, labels=range(4), zero_division=0)
    for entry in found.classes():
        code = NAMES.index(entry["name"])
        assert entry["rows"] == expected[3][code]
        for name, there in zip(("precision", "recall", "f1"), expected[:3], strict=True):
            if entry[name] is None:
                assert there[code] == 0
                continue
            assert entry[name]["value"] == pytest.approx(there[code])
            assert 0 <= entry[name]["low"] <= entry[name]["value"] <= entry[name]["high"] <= 1


def test_recall_has_wilsons_interval_over_the_rows_of_its_class():
    codes = np.array([0] * 10 + [1] * 30)
    ant, bee = confusions([0] * 7 + [1] * 33, codes).classes()
    assert ant["recall"] == wilson(0.7, 10)
    assert bee["precision"] == wilson(30 / 33, 33)
    assert ant["called"] == 7


def test_classes_that_nobody_has_or_is_told_to_have_are_left_out():
    table = confusions([0, 2], [0, 0]).classes()
    assert [entry["name"] for entry in table] == ["ant", "cat"]
    assert table[1]["recall"] is None
    assert table[1]["precision"]["value"] == 0


def test_repeats_are_averaged_so_that_counts_add_up_to_rows():
    codes = np.array([0, 1])
    stack = np.stack([scores_of([0, 1]), scores_of([1, 1])])
    found = Confusions.of(stack, codes, NAMES)
    assert found.matrix()[:2, :2].tolist() == [[0.5, 0.5], [0, 1]]
    assert [entry["recall"]["value"] for entry in found.classes()] == [0.5, 1.0]
    part = found.as_dict()
    assert part["counts"][0] == [0.5, 0.5, 0, 0]
    assert part["pairs"] == [{"true": "ant", "predicted": "bee", "rows": 0.5}]


def test_many_classes_are_told_by_their_most_frequent_confusions():
    names = [f"c{i:02}" for i in range(60)]
    codes = np.repeat(np.arange(60), 5)
    predicted = codes.copy()
    predicted[:3], predicted[5] = 7, 9
    part = Confusions.of(scores_of(predicted, 60), codes, names).as_dict()
    assert part["names"] == part["counts"] == []
    assert part["pairs"] == [
        {"true": "c00", "predicted": "c07", "rows": 3},
        {"true": "c01", "predicted": "c09", "rows": 1},
    ]


def test_very_many_classes_take_no_matrix_of_them():
    names = [str(i) for i in range(200_000)]
    scores = np.zeros((2, 200_000))
    scores[:, 7] = 1
    found = Confusions.of(scores, np.array([7, 199_999]), names)
    assert [entry["name"] for entry in found.classes()] == ["7", "199999"]
    assert found.as_dict()["pairs"] == [{"true": "199999", "predicted": "7", "rows": 1}]
