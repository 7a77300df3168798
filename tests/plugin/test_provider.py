"""What a backbone inherits, and features on their way to host memory."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.plugin import Features, LoadOptions


class Tensor:
    """What `Features` asks of a torch tensor, with NumPy inside."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def detach(self):
        return self

    cpu = detach

    def is_floating_point(self):
        return self.values.dtype.kind == "f"

    def element_size(self):
        return self.values.itemsize

    def float(self):
        return Tensor(self.values.astype(np.float32))

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_arrays_stay_the_same_arrays():
    values = np.ones((2, 3), np.float32)
    assert Features(values).numpy() == (values, None)


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_tensors_come_without_loss(dtype, kept):
    values, mask = Features(Tensor(np.full((2, 3), 1 / 3, dtype)), Tensor([[1, 0]])).numpy()
    assert values.dtype == kept
    assert (values == dtype(1 / 3)).all()
    assert mask.dtype == bool
    assert mask.tolist() == [[True, False]]


def test_other_arrays_come_by_dlpack():
    class Foreign:
        array = np.arange(3.0)

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    assert Features(Foreign()).numpy()[0].tolist() == [0.0, 1.0, 2.0]


def test_auto_computes_in_float32():
    assert LoadOptions().compute_dtype == "float32"
    assert LoadOptions(dtype="bfloat16").compute_dtype == "bfloat16"


@pytest.mark.parametrize("wrong", [{"device": "tpu"}, {"dtype": "float64"}])
def test_a_device_or_dtype_that_there_is_not_is_refused(wrong):
    with pytest.raises(UsageError, match="|".join(wrong.values())):
        LoadOptions(**wrong)
