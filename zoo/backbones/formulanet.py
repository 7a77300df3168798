"""The small residual network that comes with zoo, pretrained on pictures that formulas draw.

Its model card is formulanet.md beside it; benchmarks/pretrain/ makes the weights anew.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

VERSION = "formulanet-1"
ABOUT = "pretrained on drawn strokes, fractals and textures; 32 pixels"
CHANNELS = (32, 64, 128, 192)
SIZE = 32  # pixels of its square input
DIM = CHANNELS[-1]  # features it gives
_WEIGHTS = Path(__file__).with_suffix(".safetensors")


def weights() -> dict[str, np.ndarray]:
    """Parameters and statistics by name, float32; they are kept as float16."""
    from safetensors.numpy import load_file

    return {name: array.astype(np.float32) for name, array in load_file(_WEIGHTS).items()}


def build(arrays: dict[str, np.ndarray]) -> Any:
    """The torch module with these weights; takes (b, 3, 32, 32) and returns (b, 192)."""
    import torch

    module = network()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return module


def network() -> Any:
    """The same with random weights: a strided convolution and three residual blocks, pooled.

    A block is that of He et al. 2016 (two convolutions of 3 by 3, batch normalisation); maps are
    16, 16, 8 and 4 pixels square, so that two cores pass a thousand pictures a second through it.
    """
    from torch import nn

    def convolution(fan_in: int, fan_out: int, size: int, stride: int) -> list[nn.Module]:
        plain = nn.Conv2d(fan_in, fan_out, size, stride, padding=size // 2, bias=False)
        return [plain, nn.BatchNorm2d(fan_out)]

    class Residual(nn.Module):  # type: ignore[misc]  # torch is not typed here
        """What two convolutions add to one of 1 by 1."""

        def __init__(self, fan_in: int, fan_out: int, stride: int) -> None:
            super().__init__()
            self.residual = nn.Sequential(
                *convolution(fan_in, fan_out, 3, stride),
                nn.ReLU(),
                *convolution(fan_out, fan_out, 3, 1),
            )
            self.shortcut = nn.Sequential(*convolution(fan_in, fan_out, 1, stride))
            self.activation = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.activation(self.residual(x) + self.shortcut(x))

    blocks = [
        Residual(fan_in, fan_out, 1 if fan_in == CHANNELS[0] else 2)
        for fan_in, fan_out in pairwise(CHANNELS)
    ]
    return nn.Sequential(
        *convolution(3, CHANNELS[0], 5, 2),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(1),
    )
