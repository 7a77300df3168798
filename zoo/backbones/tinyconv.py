"""A small convolutional backbone with random weights: what random features give, in no time."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import Any

import numpy as np

VERSION = "tinyconv-1"
ABOUT = "random weights: not pretrained"
CHANNELS = (3, 32, 64, 128)
SIZE = 32  # pixels of its square input
DIM = 512  # features it gives


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """He-normal kernels and zero biases by layer, the same on every machine."""
    generator = np.random.Generator(np.random.PCG64(seed))
    out: dict[str, np.ndarray] = {}
    for i, (fan_in, fan_out) in enumerate(pairwise(CHANNELS)):
        scale = np.sqrt(2.0 / (fan_in * 9))
        kernel = generator.standard_normal((fan_out, fan_in, 3, 3)) * scale
        out[f"{4 * i}.weight"] = kernel.astype(np.float32)
        out[f"{4 * i}.bias"] = np.zeros(fan_out, np.float32)
    return out


def digest(arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 in hex over names, shapes and bytes."""
    sha = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        sha.update(f"{name}{array.shape}{array.dtype.str}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def build(arrays: dict[str, np.ndarray]) -> Any:
    """The torch module: three blocks of convolution, ReLU, normalisation and pooling.

    Takes (b, 3, 32, 32) and returns (b, 512): 128 channels at 2 by 2 positions.
    """
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(CHANNELS):
        layers += [
            nn.Conv2d(fan_in, fan_out, 3, padding=1),
            nn.ReLU(),
            nn.GroupNorm(8, fan_out, affine=False),
            nn.AvgPool2d(2),
        ]
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(1))
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return module
