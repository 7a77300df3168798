"""The small convolutional network of images and spectrograms, and how its inputs are varied."""

from __future__ import annotations

from typing import Any

from zoo.baselines.learner import Configuration, Learner

WIDTH = 16  # channels of the first convolution: 62,000 parameters in all for images


class Convolutional(Learner):
    """What images and spectrograms have in common: the end of their network, and the choice."""

    _augmentations: tuple[str, ...]  # how samples may be varied, the safest first

    @property
    def grid(self) -> tuple[Configuration, ...]:
        """A configuration for each way to vary the samples."""
        common = {"learning_rate": 3e-3, "width": WIDTH}
        return tuple({"augmentation": kind, **common} for kind in self._augmentations)

    def output_layer(self, network: Any) -> Any:
        """The last module of the chain."""
        return network[-1]


def convolutional(channels: int, width: int, outputs: int, *, tall: bool, bands: int = 1) -> Any:
    """Four convolutions with batch normalisation, a mean over positions and a linear layer.

    Takes (b, channels, h, w), about 32 by 32, or 64 by 64 where `tall`; the last maps are 4 by 4
    of them. A plain chain without shortcuts: at this depth they gain nothing.

    Args:
        channels: of the input.
        width: channels of the first convolution; the last has four times as many.
        outputs: scores of a sample.
        tall: halve the first maps once more.
        bands: into how many the height is kept apart when positions are averaged.
    """
    import torch
    from torch import nn

    def block(fan_in: int, fan_out: int, *, size: int = 3, stride: int = 1, pool: bool) -> Any:
        convolution = nn.Conv2d(fan_in, fan_out, size, stride=stride, padding=size // 2, bias=False)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        shrink = [nn.MaxPool2d(2, ceil_mode=True)] if pool else []
        return nn.Sequential(convolution, *shrink, nn.BatchNorm2d(fan_out), nn.ReLU(inplace=True))

    made = nn.Sequential(
        block(channels, width, size=5, stride=2, pool=tall),
        block(width, 2 * width, pool=True),
        block(2 * width, 4 * width, pool=False),
        block(4 * width, 4 * width, pool=True),
        nn.AdaptiveAvgPool2d((bands, 1)),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(4 * width * bands, outputs),
    )
    return made.to(memory_format=torch.channels_last)  # twice as fast on processors


def moved(
    values: Any,
    *,
    scale: tuple[float, float],
    shift: float,
    degrees: float = 0.0,
    flip: bool = False,
    upright: bool = False,
) -> Any:
    """Each of (b, c, h, w) under a random similarity, its borders repeated outwards.

    Args:
        values: float32 tensor.
        scale: least and greatest share of width and height that is seen; less than 1 enlarges.
        shift: greatest distance of the centre from the input's own, of half its size. Where it is
            seen in part the whole of what is left over is added to it.
        degrees: greatest angle.
        flip: mirror every other one, left to right.
        upright: scale and shift the width alone.
    """
    import torch
    from torch.nn import functional

    count = len(values)
    angle = torch.deg2rad((torch.rand(count) * 2 - 1) * degrees)
    size = torch.empty(count, 2).uniform_(*scale)
    size[:, 1] = (size[:, 0] * torch.empty(count).uniform_(0.85, 1.18)).clamp(*scale)
    centre = (torch.rand(count, 2) * 2 - 1) * ((1 - size).clamp(min=0.0) + shift)
    if upright:
        size[:, 1], centre[:, 1] = 1.0, 0.0
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0) if flip else torch.ones(count)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    to = torch.stack(
        [
            torch.stack([mirror * size[:, 0] * cosine, -size[:, 1] * sine, centre[:, 0]], dim=1),
            torch.stack([mirror * size[:, 0] * sine, size[:, 1] * cosine, centre[:, 1]], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(to, list(values.shape), align_corners=False)
    return functional.grid_sample(values, grid, padding_mode="border", align_corners=False)
