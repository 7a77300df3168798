"""Renders the attractors of iterated function systems: each class is a system, shaken a little.

After FractalDB (Kataoka et al. 2020): two to six random contractions, run as a chaos game, and
classes of which the picture is neither empty nor full; a picture of a class varies the parameters.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SIDE = 40  # pixels, of which a crop is shown
_WALKERS, _STEPS, _SKIPPED = 48, 90, 12


def systems(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Maps and probabilities of so many systems whose attractor is worth a look.

    Returns:
        (k, 6, 2, 3) float32 affine maps, (k, 6) probabilities, 0 where there is no map.
    """
    maps, chances = _random(6 * count, generator)
    ink = rendered(maps, chances, generator)
    filled = (ink > 0.15).float().mean((1, 2))
    good = torch.nonzero((filled > 0.12) & (filled < 0.6)).flatten()[:count]
    if len(good) < count:
        raise ValueError(f"{len(good)} systems of {count} fill a picture as they should")
    return maps[good], chances[good]


def shaken(maps: Tensor, generator: torch.Generator) -> Tensor:
    """Each map of (b, 6, 2, 3) with its parameters scaled by about a tenth."""
    return maps * (1 + 0.08 * torch.randn(maps.shape, generator=generator)).clamp(0.75, 1.25)


def rendered(maps: Tensor, chances: Tensor, generator: torch.Generator) -> Tensor:
    """(b, side, side) float32 in 0..1: how often a chaos game visits each pixel, compressed."""
    return torch.cat(
        [
            _rendered(some, odds, generator)
            for some, odds in zip(maps.split(1024), chances.split(1024), strict=True)
        ]
    )


def _random(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Contractions by singular values, so that none has to be thrown away."""

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return torch.rand(count, 6, *size, generator=generator) * (high - low) + low

    one, two = uniform(-math.pi, math.pi), uniform(-math.pi, math.pi)
    sizes = torch.stack([uniform(0.3, 0.85), uniform(0.1, 0.7)], dim=-1)
    sizes[..., 1] *= torch.where(torch.rand(count, 6, generator=generator) < 0.5, -1.0, 1.0)
    matrix = _turn(one) @ torch.diag_embed(sizes) @ _turn(two)
    maps = torch.cat([matrix, uniform(-1, 1, 2)[..., None]], dim=-1)
    number = torch.randint(2, 7, (count, 1), generator=generator)
    chances = matrix.det().abs().clamp(min=0.03) * (torch.arange(6) < number)
    return maps, chances / chances.sum(1, keepdim=True)


def _turn(angle: Tensor) -> Tensor:
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return torch.stack(
        [torch.stack([cosine, -sine], dim=-1), torch.stack([sine, cosine], dim=-1)], dim=-2
    )


def _rendered(maps: Tensor, chances: Tensor, generator: torch.Generator) -> Tensor:
    b = len(maps)
    point = torch.zeros(b, _WALKERS, 2)
    rows = torch.arange(b)[:, None]
    seen = []
    for step in range(_STEPS):
        chosen = torch.multinomial(chances, _WALKERS, replacement=True, generator=generator)
        by = maps[rows, chosen]
        point = (by[..., :2] @ point[..., None])[..., 0] + by[..., 2]
        point = point.clamp(-20, 20)
        if step >= _SKIPPED:
            seen.append(point)
    points = torch.cat(seen, dim=1)
    low = torch.quantile(points, 0.005, dim=1, keepdim=True)
    high = torch.quantile(points, 0.995, dim=1, keepdim=True)
    share = ((points - low) / (high - low).clamp(min=1e-4)).clamp(0, 1)
    cell = (share * (SIDE - 1)).round().long()
    flat = cell[..., 1] * SIDE + cell[..., 0] + rows * SIDE * SIDE
    count = torch.bincount(flat.flatten(), minlength=b * SIDE * SIDE).view(b, SIDE, SIDE)
    light = torch.log1p(count.float())
    return light / light.amax((1, 2), keepdim=True).clamp(min=1e-6)
