from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import DataError
from zoo.plugin import Dataset, Item, Target


def dataset(**changes) -> Dataset:
    given = {
        "items": tuple(Item(f"d:{i}", f"text {i}") for i in range(3)),
        "target": Target.from_labels(["b", "a", None]),
        "split": ("train", "train", "test"),
        "groups": np.array(["g", "", "h"]),
    } | changes
    return Dataset("d", "text", **given)


def test_labels_become_codes_in_code_point_order_and_blank_is_unlabelled():
    target = Target.from_labels(["b", "B", "", None, "ä"])
    assert target.names == ("B", "b", "ä")
    assert target.values.tolist() == [1, 0, -1, -1, 2]


@pytest.mark.parametrize("rows", [np.array([0, 2]), np.array([True, False, True])])
def test_rows_are_taken_by_number_or_mask(rows):
    part = dataset().take(rows)
    assert [item.name for item in part.items] == ["d:0", "d:2"]
    assert part.target.values.tolist() == [1, -1]
    assert part.split == ("train", "test")
    assert part.groups.tolist() == ["g", "h"]


@pytest.mark.parametrize(
    "changes",
    [
        {"target": Target.from_labels(["a"])},
        {"split": ("train",)},
        {"groups": np.array(["g"])},
        {"split": ("train", "train", "dev")},
    ],
)
def test_parts_that_do_not_fit_are_refused(changes):
    with pytest.raises(DataError):
        dataset(**changes)


def test_datasets_compare_and_hash_by_identity():
    one = dataset()
    assert one != dataset()
    assert one in [dataset(), one]
    assert len({one, one.items[0], one.target}) == 3
