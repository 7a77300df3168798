"""Makes textures: each class is a power spectrum, a fold of the values and three colours.

Random phases give every picture of a class other details of the same statistics (as in the
random-phase textures of Galerne, Gousseau and Morel 2011); folds turn waves into stripes, ridges
and spots, which a spectrum alone can't tell apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 32  # pixels
_BUMPS = 3


@dataclass(frozen=True, eq=False)
class Spectra:
    """The statistics of k classes.

    Attributes:
        frequencies: (k, bumps) cycles a picture.
        angles: (k, bumps) radians.
        widths: (k, bumps, 2) along and across, cycles a picture.
        sizes: (k, bumps) amplitudes, 0 where there is no bump.
        slopes: (k,) exponents of the noise below, amplitude f ** -slope.
        folds: (k,) 0 plain, 1 ridges, 2 two levels, 3 spots.
        colours: (k, 3, 3) of low, middle and high values, 0..1.
    """

    frequencies: Tensor
    angles: Tensor
    widths: Tensor
    sizes: Tensor
    slopes: Tensor
    folds: Tensor
    colours: Tensor

    def __len__(self) -> int:
        return len(self.slopes)


def spectra(count: int, generator: torch.Generator) -> Spectra:
    """So many classes, drawn from a generator."""

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return torch.rand(count, *size, generator=generator) * (high - low) + low

    number = torch.randint(0, _BUMPS + 1, (count, 1), generator=generator)
    sizes = uniform(0.5, 1.0, _BUMPS) * (torch.arange(_BUMPS) < number)
    return Spectra(
        frequencies=torch.exp(uniform(math.log(1.5), math.log(12), _BUMPS)),
        angles=uniform(0, math.pi, _BUMPS),
        widths=torch.exp(uniform(math.log(0.3), math.log(3), _BUMPS, 2)),
        sizes=sizes,
        slopes=uniform(0.5, 2.5),
        folds=torch.randint(0, 4, (count,), generator=generator),
        colours=uniform(0, 1, 3, 3),
    )


def woven(of: Spectra, classes: Tensor, generator: torch.Generator) -> Tensor:
    """(b, 3, side, side) float32 in 0..1: one picture of each class."""
    b = len(classes)

    def normal(scale: float, *size: int) -> Tensor:
        return torch.randn(b, *size, generator=generator) * scale

    across = torch.fft.rfftfreq(SIDE) * SIDE
    down = torch.fft.fftfreq(SIDE) * SIDE
    angles = of.angles[classes] + normal(0.12, 1)
    frequencies = of.frequencies[classes] * torch.exp(normal(0.1, 1))
    cosine, sine = torch.cos(angles)[..., None, None], torch.sin(angles)[..., None, None]
    along = across * cosine + down[:, None] * sine
    aside = down[:, None] * cosine - across * sine
    width = of.widths[classes][..., None, None]
    # A real field's spectrum is even: a bump stands on both sides of zero.
    bump = torch.exp(-0.5 * ((along.abs() - frequencies[..., None, None]) / width[:, :, 0]) ** 2)
    bump = bump * torch.exp(-0.5 * (aside / width[:, :, 1]) ** 2)
    bump = bump / bump.square().sum((2, 3), keepdim=True).sqrt().clamp(min=1e-6)
    radius = (across**2 + down[:, None] ** 2).sqrt().clamp(min=1)
    noise = radius ** -of.slopes[classes][:, None, None]
    noise = noise / noise.square().sum((1, 2), keepdim=True).sqrt()
    amplitude = (bump * of.sizes[classes][..., None, None]).sum(1) + 0.35 * noise
    amplitude[:, 0, 0] = 0
    phases = torch.randn(b, SIDE, SIDE, generator=generator)
    field = torch.fft.irfft2(torch.fft.rfft2(phases) * amplitude, s=(SIDE, SIDE))
    field = field / field.std((1, 2), keepdim=True).clamp(min=1e-6)
    fold = of.folds[classes][:, None, None]
    folded = torch.sigmoid(1.5 * field)
    folded = torch.where(fold == 1, 1 - field.abs().clamp(max=1.5) / 1.5, folded)
    folded = torch.where(fold == 2, torch.sigmoid(12 * field), folded)
    folded = torch.where(fold == 3, torch.sigmoid(8 * (field - 1)), folded)
    colours = (of.colours[classes] + normal(0.08, 3, 3)).clamp(0, 1)
    return coloured(folded, colours)


def coloured(values: Tensor, colours: Tensor) -> Tensor:
    """(b, 3, h, w): values in 0..1 on the way from the first of (b, 3, 3) colours to the last."""
    share = values[:, None] * 2
    low, middle, high = (colours[:, i, :, None, None] for i in range(3))
    return torch.where(
        share < 1, low + (middle - low) * share, middle + (high - middle) * (share - 1)
    )
