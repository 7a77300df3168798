"""Layers that torch computes wrongly in bfloat16 are refused, and no others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.backbones.torch_dtypes import check_grouped_convolutions
from zoo.errors import SourceError


class Wrong(torch.nn.Conv1d):
    """As oneDNN's kernels for AMX are: right in float32, elsewhere in bfloat16."""

    def forward(self, x):
        out = super().forward(x)
        return out if out.dtype == torch.float32 else out.flip(1)


def test_a_grouped_convolution_that_is_wrong_in_bfloat16_is_refused_by_name():
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), Wrong(96, 96, 5, groups=2))
    check_grouped_convolutions(module)
    with pytest.raises(SourceError, match=r"'1', a convolution of 2 groups, wrongly") as caught:
        check_grouped_convolutions(module.to(torch.bfloat16))
    assert "--dtype float32" in caught.value.hint


def test_one_that_gives_no_numbers_is_refused_too():
    class Nothing(torch.nn.Conv1d):
        def forward(self, x):
            return super().forward(x) * np.nan

    with pytest.raises(SourceError, match="wrongly in bfloat16"):
        check_grouped_convolutions(Nothing(8, 8, 3, groups=2).to(torch.bfloat16))


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


def test_layers_without_groups_are_not_run():
    check_grouped_convolutions(Wrong(8, 8, 3).to(torch.bfloat16))
