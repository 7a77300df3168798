from __future__ import annotations

import pytest

from zoo.data.rows import Row, dataset_of
from zoo.plugin import DataOptions, Item


def made(*splits, labelled=True, group=None):
    rows = [
        Row(Item(f"t:{i}", "text"), (label,), f"g{i}", split)
        for i, (label, split) in enumerate(zip("abcabc", splits, strict=False))
    ]
    options = DataOptions(labelled=labelled)
    return dataset_of(rows, options, name="t", modality="text", targets=("label",), group=group)


def test_splits_are_canonical():
    assert made("train", "dev", "Test").split == ("train", "val", "test")
    assert made("", "", "").split is None


def test_rows_of_no_split_or_another_one_are_left_out_and_their_labels_with_them():
    data = made("train", "train", "extra", "", "test")
    assert data.split == ("train", "train", "test")
    assert [item.name for item in data.items] == ["t:0", "t:1", "t:4"]
    assert data.target.names == ("a", "b")
    assert "left out 2 rows of 'extra'" in data.notes[-1]


def test_splits_that_are_none_of_ours_are_not_used_and_noted():
    data = made("fold1", "fold2", "fold1")
    assert data.split is None
    assert len(data) == 3
    assert "'fold1', 'fold2'" in data.notes[-1]


@pytest.mark.parametrize("labelled", [True, False])
def test_groups_and_splits_are_for_training(labelled):
    data = made("train", "extra", "test", labelled=labelled, group="group")
    assert len(data) == (2 if labelled else 3)
    assert (data.groups is not None) == labelled
    assert (data.split is not None) == labelled
