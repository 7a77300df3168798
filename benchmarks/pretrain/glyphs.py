"""Draws glyph-like figures: each class is a short turtle program, each picture a shaky run of it.

A stroke is up to three arcs of a length and a turn with a corner before each; a figure has one to
four strokes that start at a point of an earlier one or at a place of their own. A run shakes every
length, turn, corner and start, then shears, turns and stretches the whole, as hands do (after the
generative account of Lake, Salakhutdinov and Tenenbaum 2015, without any of its data). No program
is made after a letter or a digit of any script.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

STROKES, ARCS, POINTS = 4, 3, 16  # a figure's strokes, a stroke's arcs, points drawn of an arc
SIDE = 32  # pixels


@dataclass(frozen=True, eq=False)
class Programs:
    """The programs of k classes.

    Attributes:
        lengths: (k, strokes, arcs) of arcs, 0 where there is none; a figure is about 1 to 2 high.
        turns: (k, strokes, arcs) radians along an arc.
        corners: (k, strokes, arcs) radians before it; the first is the stroke's direction.
        parents: (k, strokes) the point of all earlier ones where a stroke starts; -1 for none.
        starts: (k, strokes, 2) where it starts otherwise, off the middle of what is drawn.
    """

    lengths: Tensor
    turns: Tensor
    corners: Tensor
    parents: Tensor
    starts: Tensor

    def __len__(self) -> int:
        return len(self.lengths)


def programs(count: int, generator: torch.Generator) -> Programs:
    """So many classes, drawn from a generator."""
    shape = (count, STROKES, ARCS)

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return torch.rand(*(size or shape), generator=generator) * (high - low) + low

    strokes = torch.multinomial(
        torch.tensor([0.28, 0.36, 0.24, 0.12]), count, replacement=True, generator=generator
    )
    arcs = torch.multinomial(
        torch.tensor([0.4, 0.35, 0.25]), count * STROKES, replacement=True, generator=generator
    ).view(count, STROKES)
    # One stroke of one arc is an arc like any other: a figure of one stroke has two or three.
    arcs = torch.where((strokes == 0)[:, None], arcs.clamp(min=1), arcs)
    there = (torch.arange(STROKES) <= strokes[:, None])[..., None] & (
        torch.arange(ARCS) <= arcs[..., None]
    )
    straight = uniform(0, 1) < 0.4
    round_ = uniform(0, 1) < 0.25  # three quarters of a circle and more
    turns = uniform(0.6, 2.8) * torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    turns = torch.where(round_, turns.sign() * uniform(3.6, 6.4), turns)
    turns = torch.where(straight, uniform(-0.15, 0.15), turns)
    lengths = torch.where(round_ & ~straight, uniform(1.2, 2.6), uniform(0.4, 1.3)) * there
    smooth = uniform(0, 1) < 0.45
    corners = torch.where(smooth, uniform(-0.15, 0.15), uniform(-2.6, 2.6))
    corners[:, :, 0] = uniform(-math.pi, math.pi, count, STROKES)
    every = STROKES * ARCS * POINTS
    parents = torch.full((count, STROKES), -1)
    for stroke in range(1, STROKES):
        before = torch.randint(0, stroke, (count,), generator=generator)
        # An end, the start, or anywhere on what is there of an earlier stroke.
        last = (arcs[torch.arange(count), before] + 1) * POINTS - 1
        place = (torch.rand(count, generator=generator) * last).long()
        kind = torch.rand(count, generator=generator)
        place = torch.where(kind < 0.3, 0, torch.where(kind < 0.5, last, place))
        joined = torch.rand(count, generator=generator) < 0.7
        parents[:, stroke] = torch.where(joined, before * ARCS * POINTS + place, -1)
    if int(parents.max()) >= every:
        raise ValueError("a stroke starts at a point that no stroke has")
    starts = uniform(-0.7, 0.7, count, STROKES, 2)
    return Programs(lengths, turns, corners, parents, starts)


def strokes(of: Programs, classes: Tensor, shake: float, generator: torch.Generator) -> Tensor:
    """The points of one shaky run of each program, and how much of the line each stands for.

    Args:
        of: the programs.
        classes: (b,) int64.
        shake: 1 for a usual hand, 0 for the program itself.
        generator: of the shaking.

    Returns:
        (b, p, 3) float32: x, y and length; not normalised to any frame.
    """
    b = len(classes)

    def normal(scale: float, *size: int) -> Tensor:
        return torch.randn(*size, generator=generator) * (scale * shake)

    lengths = of.lengths[classes] * torch.exp(normal(0.18, b, STROKES, ARCS))
    turns = of.turns[classes] * (1 + normal(0.13, b, STROKES, ARCS))
    turns = turns + normal(0.12, b, STROKES, ARCS)
    corners = of.corners[classes] + normal(0.14, b, STROKES, ARCS)
    step = torch.arange(POINTS) / POINTS
    heading = torch.cumsum(corners, dim=2) + torch.cumsum(turns, dim=2) - turns
    # A turn that is not even along its arc: tighter at one end.
    uneven = normal(0.2, b, STROKES, ARCS, 1)
    along = step + uneven * step * (1 - step)
    angle = (heading[..., None] + turns[..., None] * along).flatten(2)
    size = (lengths[..., None] / POINTS).expand(-1, -1, -1, POINTS).flatten(2)
    moves = torch.stack([size * torch.cos(angle), size * torch.sin(angle)], dim=-1)
    path = torch.cumsum(moves, dim=2)  # (b, strokes, arcs * points, 2)
    placed = [path[:, 0]]
    rows = torch.arange(b)
    for stroke in range(1, STROKES):
        earlier = torch.cat(placed, dim=1)
        weight = size[:, :stroke].flatten(1)[..., None]
        middle = (earlier * weight).sum(1) / weight.sum(1).clamp(min=1e-6)
        parent = of.parents[classes, stroke]
        joint = earlier[rows, parent.clamp(min=0)] + normal(0.04, b, 2)
        alone = middle + of.starts[classes, stroke] + normal(0.1, b, 2)
        origin = torch.where((parent >= 0)[:, None], joint, alone)
        # Strokes of nothing stay where they disturb no frame: on the first point.
        gone = lengths[:, stroke].sum(1) == 0
        origin = torch.where(gone[:, None], path[:, 0, 0], origin)
        placed.append(path[:, stroke] + origin[:, None])
    return torch.cat([torch.cat(placed, dim=1), size.flatten(1)[..., None]], dim=-1)


def warped(points: Tensor, shake: float, generator: torch.Generator) -> Tensor:
    """(b, p, 3) points slanted, turned and stretched, and bent by slow waves, each run its own."""
    b = len(points)

    def uniform(low: float, high: float, *size: int) -> Tensor:
        return torch.rand(b, *size, generator=generator) * (high - low) + low

    angle = torch.randn(b, generator=generator) * (0.13 * shake)
    slant = torch.randn(b, generator=generator) * (0.22 * shake)
    stretch = torch.exp(torch.randn(b, generator=generator) * (0.18 * shake))
    cosine, sine = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack(
        [
            torch.stack([cosine * stretch, (cosine * slant - sine) * stretch], dim=1),
            torch.stack([sine / stretch, (sine * slant + cosine) / stretch], dim=1),
        ],
        dim=1,
    )
    place = points[..., :2]
    place = (place - place.mean(1, keepdim=True)) @ matrix.transpose(1, 2)
    for _ in range(2):
        frequency = uniform(-2.5, 2.5, 1, 2)
        phase = uniform(0, 2 * math.pi, 1)
        size = torch.randn(b, 1, 2, generator=generator) * (0.05 * shake)
        place = place + torch.sin((place * frequency).sum(-1) + phase)[..., None] * size
    return torch.cat([place, points[..., 2:]], dim=-1)


def framed(points: Tensor, generator: torch.Generator) -> Tensor:
    """Points in pixels: half of the figures fill the frame, others are smaller and off its centre.

    The length that a point stands for grows with the figure.
    """
    b = len(points)
    drawn = points[..., 2:] > 0
    place = points[..., :2]
    low = torch.where(drawn, place, torch.inf).amin(1)
    high = torch.where(drawn, place, -torch.inf).amax(1)
    extent = (high - low).clamp(min=1e-3)
    fills = torch.rand(b, generator=generator) < 0.5
    share = torch.where(
        fills,
        torch.rand(b, generator=generator) * 0.1 + 0.82,
        torch.rand(b, generator=generator) * 0.45 + 0.4,
    )
    scale = share * SIDE / extent.amax(1)
    room = (1 - share)[:, None] * SIDE / 2
    share_of_room = torch.where(fills, 0.35, 0.8)[:, None]
    off = (torch.rand(b, 2, generator=generator) * 2 - 1) * room * share_of_room
    middle = (low + high) / 2
    place = (place - middle[:, None]) * scale[:, None, None] + SIDE / 2 + off[:, None]
    return torch.cat([place, points[..., 2:] * scale[:, None, None]], dim=-1)


def inked(points: Tensor, generator: torch.Generator) -> Tensor:
    """Ink of lines through (b, p, 3) points in pixels, with a pen of its own for each figure.

    The sum over points of length times a Gaussian of the distance is 1 on a line and falls off as
    the pen's profile; being separable it is one product of matrices. A soft threshold makes edges.

    Returns:
        (b, side, side) float32 in 0..1.
    """
    b = len(points)
    width = torch.rand(b, 1, 1, generator=generator) * 3.4 + 1.3  # pixels
    sigma = width / 2.355
    # Pressure swells and fades along the line.
    count = points.shape[1]
    wave = torch.linspace(0, 12, count)[None] * torch.rand(b, 1, generator=generator)
    pressure = 1 + 0.3 * torch.rand(b, 1, generator=generator) * torch.sin(
        wave + 6.3 * torch.rand(b, 1, generator=generator)
    )
    pixel = torch.arange(SIDE) + 0.5
    wide = torch.exp(-0.5 * ((pixel - points[..., :1]) / sigma) ** 2)
    tall = torch.exp(-0.5 * ((pixel - points[..., 1:2]) / sigma) ** 2)
    weight = points[..., 2:] * pressure[..., None] / (sigma * math.sqrt(2 * math.pi))
    density = torch.bmm((tall * weight).transpose(1, 2), wide)
    hardness = torch.exp(torch.rand(b, 1, 1, generator=generator) * 1.6 + 1.4)
    return torch.sigmoid((density - 0.5) * hardness) * (density > 1e-3)


def drawn(
    of: Programs, classes: Tensor, generator: torch.Generator, *, shake: float = 1.0
) -> Tensor:
    """(b, side, side) float32 ink of one picture of each class."""
    points = warped(strokes(of, classes, shake, generator), shake, generator)
    return inked(framed(points, generator), generator)
