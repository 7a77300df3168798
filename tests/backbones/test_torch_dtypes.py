"""Layers that torch computes wrongly in bfloat16 are refused, and no others."""

from __future__ import annotations

import pytest
import torch

from zoo.backbones.torch_dtypes import check_grouped_convolutions
from zoo.errors import SourceError


@pytest.fixture
def wrong(monkeypatch):
    """One-dimensional convolutions as oneDNN's for AMX are: right in float32 alone."""
    right = torch.nn.functional.conv1d

    def conv1d(x, weight, **named):
        out = right(x, weight, **named)
        return out if out.dtype == torch.float32 else out.flip(1)

    monkeypatch.setattr(torch.nn.functional, "conv1d", conv1d)


def biased(layer):
    """With a bias beside which its products are small."""
    torch.nn.init.constant_(layer.bias, 20.0)
    return layer


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.nn.Conv1d(96, 96, 5, groups=2, stride=2),
        lambda: biased(torch.nn.Conv1d(96, 96, 5, groups=2)),
        lambda: torch.nn.utils.weight_norm(torch.nn.Conv1d(96, 96, 5, groups=2)),
        lambda: torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(8, 8, 5, groups=2)),
    ],
    ids=["plain", "biased", "old weight norm", "weight norm"],
)
def test_a_grouped_convolution_that_is_wrong_in_bfloat16_is_refused_by_name(wrong, make):
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), make())
    check_grouped_convolutions(module)
    with pytest.raises(SourceError, match=r"'1', a convolution of 2 groups, wrongly") as caught:
        check_grouped_convolutions(module.to(torch.bfloat16))
    assert "--dtype float32" in caught.value.hint


def test_one_that_gives_no_numbers_is_refused_too():
    layer = torch.nn.Conv2d(8, 8, 3, groups=2)
    torch.nn.init.constant_(layer.weight, torch.nan)
    with pytest.raises(SourceError, match="wrongly in bfloat16"):
        check_grouped_convolutions(layer.to(torch.bfloat16))


@pytest.mark.parametrize(
    "layer",
    [
        torch.nn.Conv1d(96, 96, 9, groups=2, dilation=2),
        torch.nn.Conv2d(64, 64, 3, groups=64),
        torch.nn.Conv2d(64, 32, 3, groups=4),
        torch.nn.Conv3d(8, 8, 2, groups=8),
        torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(96, 96, 9, groups=2)),
    ],
    ids=["dilated", "depthwise", "narrowing", "3d", "weight norm"],
)
def test_layers_of_published_shapes_pass_and_stay_what_they_are(layer):
    layer = layer.to(torch.bfloat16)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    drawn = torch.get_rng_state()
    check_grouped_convolutions(layer)
    assert torch.equal(torch.get_rng_state(), drawn)
    for name, value in layer.state_dict().items():
        assert value.dtype == torch.bfloat16
        assert torch.equal(value, before[name])


def test_layers_without_groups_are_not_run(wrong):
    check_grouped_convolutions(torch.nn.Conv1d(8, 8, 3).to(torch.bfloat16))
