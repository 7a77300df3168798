"""The embedded backbone: small, whole, pretrained, and with the features that it always had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import zoo.backbones
from zoo.backbones import formulanet

NORMS = [6.71235, 8.28598]
STRONG = [66, 43, 120, 118]  # of the features
VALUES = [[2.00406, 0.98007, 1.10088, 1.0644], [0.69937, 1.68655, 1.24057, 1.16594]]
FILE = Path(zoo.backbones.__file__).with_name("formulanet.safetensors")


def waves():
    """Two pictures that need no generator and no decoder."""
    y, x = np.mgrid[:32, :32] / 32
    one = np.sin(9 * x + 4 * y * y)
    two = np.where((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.1, 1.0, -1.0)
    return torch.from_numpy(np.stack([[one] * 3, [two] * 3]).astype(np.float32))


@pytest.fixture(scope="module")
def module():
    return formulanet.build(formulanet.weights()).eval()


def test_the_weights_are_small_finite_and_half_as_wide_as_they_compute():
    assert FILE.stat().st_size <= 3_000_000
    kept = load_file(FILE)
    assert {array.dtype.name for array in kept.values()} == {"float16"}
    assert all(np.isfinite(array).all() for array in kept.values())
    assert {array.dtype.name for array in formulanet.weights().values()} == {"float32"}


def test_every_weight_has_its_place(module):
    arrays = formulanet.weights()
    state = module.state_dict()
    assert arrays.keys() == {name for name in state if "num_batches" not in name}
    assert all(np.array_equal(state[name].numpy(), array) for name, array in arrays.items())
    with pytest.raises(RuntimeError, match="Missing key"):
        formulanet.build({name: arrays[name] for name in list(arrays)[1:]})


def test_features_are_those_they_always_were(module):
    with torch.no_grad():
        rows = module(waves()).numpy()
    assert rows.shape == (2, formulanet.DIM)
    assert rows.dtype == np.float32
    assert (rows >= 0).all()
    # Sums in float32 over 2,000 products differ by their order: 1e-4 of the norm is ten times that.
    assert np.linalg.norm(rows, axis=1) == pytest.approx(NORMS, rel=1e-4)
    assert rows[:, STRONG] == pytest.approx(np.array(VALUES), abs=1e-4 * max(NORMS))


def test_fresh_weights_are_random(module):
    torch.manual_seed(0)
    one, two = formulanet.network().state_dict(), formulanet.network().state_dict()
    assert one.keys() == module.state_dict().keys()
    assert not torch.equal(one["0.weight"], two["0.weight"])
    assert tuple(one["0.weight"].shape) == (32, 3, 5, 5)
