from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo.data.toy import ToyReader
from zoo.errors import DataError, UsageError
from zoo.plugin import DataOptions


def test_digits_are_uint8_images_over_the_full_range():
    data = ToyReader().read("digits", DataOptions())
    images = np.stack([item.value for item in data.items])
    assert images.shape == (1797, 8, 8)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 255)
    assert data.target.names == tuple("0123456789")
    assert data.target.values[:4].tolist() == [0, 1, 2, 3]
    assert ToyReader().read("digits", DataOptions(labelled=False)).target.task == "none"


def test_data_that_is_not_bundled_is_refused_with_what_there_is():
    with pytest.raises(DataError) as caught:
        ToyReader().read("fetch_lfw_people", DataOptions())
    assert "sklearn:digits" in caught.value.hint
    with pytest.raises(UsageError):
        ToyReader().read("digits", DataOptions(target="y"))


def test_it_claims_no_path():
    assert not ToyReader().claims(Path("digits"))


def test_few_labels_of_each_class_train_and_the_others_judge():
    few = ToyReader().read("digits?shots=10", DataOptions())
    split = np.array(few.split)
    assert np.bincount(few.target.values[split == "train"]).tolist() == [10] * 10
    assert (split == "test").sum() == 1697
    assert few.split == ToyReader().read("digits?shots=10&seed=0", DataOptions()).split
    assert few.split != ToyReader().read("digits?shots=10&seed=1", DataOptions()).split
    more = np.array(ToyReader().read("digits?shots=11", DataOptions()).split)
    assert (more[split == "train"] == "train").all()  # so that a curve over shots is nested
    assert ToyReader().read("digits", DataOptions()).split is None


@pytest.mark.parametrize(
    "asked",
    ["shots=0", "shots=-1", "shots=ten", "shots=174", "shot=10", "seed=1", "shots=2&seed=-1", "&"],
)
def test_what_it_does_not_take_is_refused_with_what_it_takes(asked):
    with pytest.raises(DataError) as caught:
        ToyReader().read(f"digits?{asked}", DataOptions())
    assert caught.value.hint
