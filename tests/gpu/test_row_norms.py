"""The first operation with a CUDA twin: both sides against float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import _core

SHAPES = [(0, 5), (1, 1), (3, 0), (5, 33), (257, 64), (70_000, 3)]


def rows(shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("threads", [1, 3])
def test_cpu_equals_float64_numpy(shape, threads):
    x = rows(shape)
    want = (x.astype(np.float64) ** 2).sum(axis=1)
    np.testing.assert_allclose(_core.row_norms(x, threads=threads), want, rtol=1e-13)


@pytest.mark.gpu
@pytest.mark.parametrize("shape", SHAPES)
def test_cuda_equals_cpu(shape):
    if not _core.build_info()["cuda_devices"]:
        pytest.skip("no CUDA device, or built without CUDA")
    x = rows(shape)
    np.testing.assert_allclose(_core.row_norms(x, device="cuda"), _core.row_norms(x), rtol=1e-13)


def test_without_a_gpu_cuda_is_one_clear_error():
    if _core.build_info()["cuda_devices"]:
        pytest.skip("there is a CUDA device")
    with pytest.raises(_core.UnavailableError, match=r"no CUDA|CUDA driver"):
        _core.row_norms(rows((2, 2)), device="cuda")


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="2 dimensions"):
        _core.row_norms(np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="tpu"):
        _core.row_norms(rows((2, 2)), device="tpu")
