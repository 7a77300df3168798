"""Makes training batches: a figure, fractal or texture, coloured, coarsened and spoilt in part."""

from __future__ import annotations

from dataclasses import dataclass

import fractals
import glyphs
import textures
import torch
from torch import Tensor
from torch.nn import functional

SIDE = 32
_SIDES = (8, 8, 8, 10, 12, 14, 16, 16, 20, 24, 28, 32, 32, 32)  # what a picture is coarsened to


@dataclass(frozen=True)
class Counts:
    """How many classes there are of each kind, and pictures kept of a fractal."""

    glyphs: int = 20_000
    fractals: int = 500
    textures: int = 500
    each_fractal: int = 24

    @property
    def classes(self) -> int:
        """Of all kinds."""
        return self.glyphs + self.fractals + self.textures


class Pictures:
    """All classes of a seed, and an endless row of pictures of them.

    Labels count glyphs first, then fractals, then textures. Fractals are drawn once, which takes
    seconds; all else is drawn when it is asked for.
    """

    def __init__(self, counts: Counts, seed: int) -> None:
        self.counts = counts
        self._generator = torch.Generator().manual_seed(seed)
        self._programs = glyphs.programs(counts.glyphs, self._generator)
        self._spectra = textures.spectra(counts.textures, self._generator)
        maps, chances = fractals.systems(counts.fractals, self._generator)
        maps = maps.repeat_interleave(counts.each_fractal, 0)
        chances = chances.repeat_interleave(counts.each_fractal, 0)
        ink = fractals.rendered(fractals.shaken(maps, self._generator), chances, self._generator)
        self._fractals = (ink * 255).round().to(torch.uint8)

    def batch(self, classes: int, each: int) -> tuple[Tensor, Tensor]:
        """Pictures of some classes, so many of each; 7 of 10 classes are glyphs.

        Returns:
            (classes * each, 3, 32, 32) float32 in -1..1, and as many int64 labels, mixed.
        """
        glyph = classes * 7 // 10
        fractal = (classes - glyph) // 2
        parts = [
            self._of_glyphs(self._distinct(self.counts.glyphs, glyph, each)),
            self._of_fractals(self._distinct(self.counts.fractals, fractal, each)),
            self._of_textures(
                self._distinct(self.counts.textures, classes - glyph - fractal, each)
            ),
        ]
        order = torch.randperm(classes * each, generator=self._generator)
        images = torch.cat([part[0] for part in parts])[order]
        labels = torch.cat([part[1] for part in parts])[order]
        return self._spoilt(images.clamp(0, 1)) * 2 - 1, labels

    def _distinct(self, of: int, count: int, each: int) -> Tensor:
        """Some of so many numbers, each repeated."""
        return torch.randperm(of, generator=self._generator)[:count].repeat(each)

    def _of_glyphs(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        ink = glyphs.drawn(self._programs, labels, self._generator)
        return self._painted(ink), labels

    def _of_fractals(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        size, each = len(labels), self.counts.each_fractal
        ink = self._fractals[labels * each + self._integers(each, size)].float()[:, None] / 255
        scale = self._uniform(0.75, 1.1, size)
        off = self._uniform(-0.15, 0.15, size, 2)
        flip = torch.where(self._uniform(0, 1, size) < 0.5, -1.0, 1.0)
        to = torch.zeros(size, 2, 3)
        to[:, 0, 0], to[:, 1, 1], to[:, :, 2] = scale * flip, scale, off
        grid = functional.affine_grid(to, [size, 1, SIDE, SIDE], align_corners=False)
        ink = functional.grid_sample(ink, grid, align_corners=False)[:, 0]
        return self._painted(ink), labels + self.counts.glyphs

    def _of_textures(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        images = textures.woven(self._spectra, labels, self._generator)
        return images, labels + self.counts.glyphs + self.counts.fractals

    def _painted(self, ink: Tensor) -> Tensor:
        """Ink of one colour on ground of another: plain in half, else any, some on a texture."""
        b = len(ink)
        kind = self._uniform(0, 1, b)
        light, dark = self._uniform(0.8, 1, b), self._uniform(0, 0.15, b)
        white = kind < 0.45
        pen = torch.where(white, light, dark)[:, None].expand(-1, 3)
        ground = torch.where(white, dark, light)[:, None].expand(-1, 3)
        free = (kind > 0.65)[:, None]
        one, two = self._uniform(0, 1, b, 3), self._uniform(0, 1, b, 3)
        # Colours that are told apart: pushed from each other along their difference.
        away = one - two
        away = away / away.norm(dim=1, keepdim=True).clamp(min=1e-3)
        pen = torch.where(free, one + 0.25 * away, pen).clamp(0, 1)[..., None, None]
        ground = torch.where(free, two - 0.25 * away, ground).clamp(0, 1)[..., None, None]
        cloth = ground.expand(-1, -1, SIDE, SIDE).clone()
        woven = torch.nonzero(kind > 0.85).flatten()
        if len(woven):
            any_ = self._integers(self.counts.textures, len(woven))
            drawn = textures.woven(self._spectra, any_, self._generator)
            share = self._uniform(0.2, 0.6, len(woven))[:, None, None, None]
            cloth[woven] = cloth[woven] * (1 - share) + drawn * share
        return cloth + (pen - cloth) * ink[:, None]

    def _spoilt(self, images: Tensor) -> Tensor:
        """Coarse pictures blown up again, of few levels in part, with noise on some."""
        out = []
        for some in images.chunk(8):
            side = _SIDES[int(self._integers(len(_SIDES), 1))]
            small = functional.adaptive_avg_pool2d(some, side) if side < SIDE else some
            b = len(small)
            noise = torch.randn(small.shape, generator=self._generator)
            size = self._uniform(-0.08, 0.08, b).clamp(min=0)[:, None, None, None]
            small = (small + noise * size).clamp(0, 1)
            levels = torch.where(self._uniform(0, 1, b) < 0.5, 16.0, 255.0)[:, None, None, None]
            small = (small * levels).round() / levels
            if side < SIDE:
                small = functional.interpolate(
                    small, (SIDE, SIDE), mode="bilinear", align_corners=False
                )
            out.append(small)
        return torch.cat(out)

    def _uniform(self, low: float, high: float, *size: int) -> Tensor:
        return torch.rand(*size, generator=self._generator) * (high - low) + low

    def _integers(self, high: int, size: int) -> Tensor:
        return torch.randint(0, high, (size,), generator=self._generator)
