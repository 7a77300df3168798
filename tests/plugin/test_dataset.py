"""Targets and datasets: codes, unlabelled rows, subsets."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.plugin import Blob, DataError, Dataset, Item, Target
from zoo.plugin.dataset import UNLABELLED


def data(n=4, **changes):
    parts = {
        "name": "toy",
        "modality": "text",
        "items": tuple(Item(f"toy:{i}", f"text {i}") for i in range(n)),
        "target": Target.from_labels(["b", "a", None, "b"][:n]),
        "split": ("train", "train", "val", "test")[:n],
        "groups": np.array(["x", "x", "y", "z"][:n]),
    }
    return Dataset(**{**parts, **changes})


def test_labels_become_codes_in_code_point_order():
    target = Target.from_labels(["b", "a", "B", "ä", "a"])
    assert target.task == "class"
    assert target.names == ("B", "a", "b", "ä")
    assert target.values.dtype == np.int64
    assert target.values.tolist() == [2, 1, 0, 3, 1]


def test_none_and_empty_are_unlabelled_and_no_class():
    target = Target.from_labels(["a", None, "", "a"])
    assert target.names == ("a",)
    assert target.values.tolist() == [0, UNLABELLED, UNLABELLED, 0]


def test_a_label_that_looks_false_is_a_label():
    assert Target.from_labels(["0", "False", " "]).values.tolist() == [1, 2, 0]


def test_no_labels_at_all_are_no_classes():
    assert Target.from_labels([]).values.shape == (0,)
    assert Target.from_labels([None]).names == ()


def test_a_subset_of_a_target_keeps_all_names():
    target = Target.from_labels(["b", "a", "c"]).take(np.array([2, 2]))
    assert target.names == ("a", "b", "c")
    assert target.values.tolist() == [2, 2]


def test_a_subset_takes_every_part_in_the_order_given():
    some = data().take(np.array([3, 0]))
    assert [item.name for item in some.items] == ["toy:3", "toy:0"]
    assert some.target.values.tolist() == [1, 1]
    assert some.split == ("test", "train")
    assert some.groups.tolist() == ["z", "x"]
    assert len(some) == 2


def test_a_mask_takes_the_rows_it_marks():
    some = data().take(np.array([True, False, False, True]))
    assert [item.name for item in some.items] == ["toy:0", "toy:3"]
    assert some.split == ("train", "test")


def test_a_subset_without_splits_and_groups_has_none():
    some = data(split=None, groups=None).take(np.array([1]))
    assert some.split is None
    assert some.groups is None


@pytest.mark.parametrize(
    "change",
    [
        {"target": Target.from_labels(["a"])},
        {"split": ("train",)},
        {"groups": np.array(["x"])},
    ],
)
def test_parts_of_different_length_are_refused(change):
    with pytest.raises(DataError, match=r"'toy'.*4 items and 1"):
        data(**change)


def test_an_unknown_split_is_refused():
    with pytest.raises(DataError, match="dev"):
        data(split=("train", "train", "dev", "test"))


def test_datasets_compare_and_hash_by_identity():
    one = data()
    assert one != data()
    assert one in [data(), one]
    assert len({one, one.items[0], one.target}) == 3


def test_a_blob_is_read_when_its_content_is_asked_for_and_not_before(tmp_path):
    class Counted(Blob):
        reads = 0

        def read(self):
            self.reads += 1
            return b"content"

    blob = Counted()
    item = Item("cell", blob)
    assert blob.reads == 0
    assert item.content() == b"content"
    assert blob.reads == 1
    for value in (tmp_path, "text", b"bytes", np.zeros(2)):
        assert Item("plain", value).content() is value


def test_a_row_is_labelled_where_all_its_values_are_there():
    assert Target.from_labels(["a", None]).labelled.tolist() == [True, False]
    numbers = np.array([[1.0, 2.0], [np.nan, 2.0], [np.nan, np.nan]])
    assert Target("regression", numbers).labelled.tolist() == [True, False, False]
    marks = np.array([[1, 0], [0, UNLABELLED], [0, 0]], np.int8)
    assert Target("multilabel", marks).labelled.tolist() == [True, False, True]
    assert Target("none", np.zeros(2)).labelled.tolist() == [False, False]
    assert Target("multilabel", marks).take(np.array([2])).values.tolist() == [[0, 0]]
