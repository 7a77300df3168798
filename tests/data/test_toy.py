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
