"""The formulas of the pretraining pictures: strokes, fractals and textures, each against itself."""

from __future__ import annotations

import math
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
FOLDER = Path(__file__).parents[2] / "benchmarks" / "pretrain"


@pytest.fixture(scope="module")
def made():
    sys.path.insert(0, str(FOLDER))
    try:
        names = ("glyphs", "fractals", "textures", "pictures")
        return SimpleNamespace(**{name: import_module(name) for name in names})
    finally:
        sys.path.remove(str(FOLDER))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def apart(rows, labels):
    """Mean distance of rows of one class, and of rows of two."""
    distances = torch.cdist(rows, rows)
    same = labels[:, None] == labels
    itself = torch.eye(len(rows), dtype=torch.bool)
    return float(distances[same & ~itself].mean()), float(distances[~same].mean())


def straight_line():
    """(1, 81, 3) points of a line at height 16 from 6 to 26, and the length of each."""
    x = torch.linspace(6, 26, 81)
    return torch.stack([x, torch.full_like(x, 16), torch.full_like(x, 20 / 81)], dim=-1)[None]


# Strokes


def test_a_program_without_shaking_is_the_same_run_every_time(made):
    programs = made.glyphs.programs(30, seeded(0))
    classes = torch.arange(30)
    still = [made.glyphs.strokes(programs, classes, 0.0, seeded(seed)) for seed in (1, 2)]
    shaken = made.glyphs.strokes(programs, classes, 1.0, seeded(1))
    assert torch.equal(*still)
    assert float((shaken[..., :2] - still[0][..., :2]).abs().amax((1, 2)).min()) > 0.02


def test_glyphs_are_decided_by_the_seed(made):
    def drawn(seed):
        generator = seeded(seed)
        programs = made.glyphs.programs(20, generator)
        return made.glyphs.drawn(programs, torch.arange(20), generator)

    assert torch.equal(drawn(3), drawn(3))
    assert not torch.equal(drawn(3), drawn(4))


def test_a_joined_stroke_starts_on_the_point_of_an_earlier_one(made):
    programs = made.glyphs.programs(200, seeded(0))
    points = made.glyphs.strokes(programs, torch.arange(200), 0.0, seeded(0))
    long = made.glyphs.ARCS * made.glyphs.POINTS
    there = (programs.lengths.sum(2) > 0) & (programs.parents >= 0)
    for figure, stroke in torch.nonzero(there).tolist():
        begin = points[figure, stroke * long, :2]
        parent = points[figure, programs.parents[figure, stroke], :2]
        # A stroke's first point lies one step, at most 2.6 / POINTS long, from where it starts.
        assert float((begin - parent).norm()) <= 2.7 / made.glyphs.POINTS
        assert float(points[figure, programs.parents[figure, stroke], 2]) > 0
    assert int(there.sum()) > 50


def test_every_figure_stays_inside_its_frame(made):
    generator = seeded(0)
    programs = made.glyphs.programs(300, generator)
    points = made.glyphs.strokes(programs, torch.arange(300), 1.0, generator)
    framed = made.glyphs.framed(made.glyphs.warped(points, 1.0, generator), generator)
    place = framed[..., :2][framed[..., 2] > 0]
    # 1e-3 of a pixel for the rounding of float32.
    assert float(place.min()) > -1e-3
    assert float(place.max()) < made.glyphs.SIDE + 1e-3


def test_a_line_is_inked_where_it_runs_and_nowhere_else(made):
    ink = made.glyphs.inked(straight_line().expand(40, -1, -1), seeded(0))
    assert ink.shape == (40, 32, 32)
    assert float(ink[:, 15:17, 8:24].amax(1).min()) > 0.5
    assert float(ink[:, :6].max()) == 0.0  # 10 pixels off are 5 deviations of the widest pen
    assert float(ink[:, 26:].max()) == 0.0


def test_pens_differ_in_width(made):
    ink = made.glyphs.inked(straight_line().expand(40, -1, -1), seeded(0))
    wide = (ink[:, :, 16] > 0.5).sum(1)
    assert int(wide.min()) <= 2
    assert int(wide.max()) >= 4


# Fractals


def test_the_chaos_game_draws_the_triangle_of_sierpinski(made):
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    maps = torch.zeros(1, 6, 2, 3)
    maps[0, :3, :, :2] = 0.5 * torch.eye(2)
    maps[0, :3, :, 2] = corners / 2
    chances = torch.tensor([[1 / 3, 1 / 3, 1 / 3, 0, 0, 0]])
    ink = made.fractals.rendered(maps, chances, seeded(0))[0]
    y, x = torch.meshgrid(*[torch.linspace(0, 1, len(ink))] * 2, indexing="ij")
    # Margins of a tenth for pixels and for the two hundredth that the frame cuts off.
    hole = (x + y > 0.6) & (x < 0.4) & (y < 0.4)
    outside = x + y > 1.1
    assert int(hole.sum()) > 20
    assert float(ink[hole].max()) == 0.0
    assert float(ink[outside].max()) == 0.0
    assert float((ink[x + y < 0.4] > 0).float().mean()) > 0.4


def test_systems_are_decided_by_the_seed_and_fill_a_picture_in_part(made):
    maps, chances = made.fractals.systems(12, seeded(0))
    again, _ = made.fractals.systems(12, seeded(0))
    others, _ = made.fractals.systems(12, seeded(1))
    assert torch.equal(maps, again)
    assert not torch.equal(maps, others)
    assert chances.sum(1).tolist() == pytest.approx([1.0] * 12, abs=1e-6)
    assert ((chances > 0).sum(1) >= 2).all()
    ink = made.fractals.rendered(maps, chances, seeded(5))
    assert (float(ink.min()), float(ink.max())) == (0.0, 1.0)
    filled = (ink > 0.15).float().mean((1, 2))
    # Chosen between 0.12 and 0.6 by another run of the game, which moves a few pixels of 1,600.
    assert 0.08 < float(filled.min()) <= float(filled.max()) < 0.65


def test_shaken_fractals_are_nearer_to_their_own_class(made):
    generator = seeded(0)
    maps, chances = made.fractals.systems(12, generator)
    labels = torch.arange(12).repeat_interleave(5)
    shaken = made.fractals.shaken(maps[labels], generator)
    ink = made.fractals.rendered(shaken, chances[labels], generator)
    within, between = apart(ink.flatten(1), labels)
    assert within < 0.9 * between


# Textures


def one_wave(textures, *, fold):
    """One class: a narrow bump at 8 cycles a picture, along x, in black, grey and white."""
    zero = torch.zeros(1, 3)
    return textures.Spectra(
        frequencies=zero + 8,
        angles=zero,
        widths=torch.full((1, 3, 2), 0.4),
        sizes=torch.tensor([[1.0, 0, 0]]),
        slopes=torch.tensor([1.0]),
        folds=torch.tensor([fold]),
        colours=torch.tensor([[0.0, 0.5, 1.0]])[..., None].expand(-1, -1, 3),
    )


def test_a_bump_of_the_spectrum_is_a_wave_of_its_frequency(made):
    of = one_wave(made.textures, fold=0)
    images = made.textures.woven(of, torch.zeros(64, dtype=torch.long), seeded(0))
    grey = images.mean(1)
    power = torch.fft.rfft2(grey - grey.mean((1, 2), keepdim=True)).abs().square().mean(0)
    down, across = divmod(int(power.argmax()), power.shape[1])
    # A picture's own frequency and angle are off by about a tenth.
    assert 7 <= across <= 9
    assert min(down, 32 - down) <= 1


def test_a_fold_of_two_levels_leaves_little_between_them(made):
    def between(fold):
        of = one_wave(made.textures, fold=fold)
        values = made.textures.woven(of, torch.zeros(64, dtype=torch.long), seeded(0)).mean(1)
        return float(((values > 0.3) & (values < 0.7)).float().mean())

    assert between(2) < 0.15 < between(0)


def test_textures_are_decided_by_the_seed_and_told_by_their_statistics(made):
    def woven(seed):
        generator = seeded(seed)
        of = made.textures.spectra(20, generator)
        return made.textures.woven(of, labels, generator)

    labels = torch.arange(20).repeat_interleave(6)
    images = woven(0)
    assert torch.equal(images, woven(0))
    assert not torch.equal(images, woven(1))
    assert images.shape == (120, 3, 32, 32)
    assert 0.0 <= float(images.min()) <= float(images.max()) <= 1.0
    power = torch.fft.rfft2(images.mean(1)).abs().log1p().flatten(1)
    colour = images.mean((2, 3))
    for rows in (power, colour):
        within, between = apart(rows, labels)
        assert within < 0.9 * between


def test_colours_run_from_the_first_through_the_middle_to_the_last(made):
    values = torch.tensor([[[0.0, 0.25, 0.5, 0.75, 1.0]]])
    colours = torch.tensor([[[0.0, 0.2, 1.0], [1.0, 0.4, 0.0], [0.0, 0.8, 0.5]]])
    out = made.textures.coloured(values, colours)[0, :, 0]
    assert out[0].tolist() == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])
    assert out[1].tolist() == pytest.approx([0.2, 0.3, 0.4, 0.6, 0.8])
    assert out[2].tolist() == pytest.approx([1.0, 0.5, 0.0, 0.25, 0.5])


# Pictures


def test_pen_and_ground_can_be_told_apart(made):
    counts = made.pictures.Counts(glyphs=5, fractals=2, textures=4, each_fractal=1)
    pictures = made.pictures.Pictures(counts, 0)
    ink = torch.zeros(400, 32, 32)
    ink[:, :, 16:] = 1
    painted = pictures._painted(ink)
    left, right = painted[..., :16].flatten(2), painted[..., 16:].flatten(2)
    plain = left.std(2).amax(1) < 1e-4  # the others have a texture below
    far = (left.mean(2) - right.mean(2)).norm(dim=1)
    assert 300 < int(plain.sum()) < 400
    # Colours are pushed a quarter apart each, and clipping leaves one of the two.
    assert float(far[plain].min()) > 0.249


def test_some_pictures_are_coarse_and_some_are_not(made):
    counts = made.pictures.Counts(glyphs=40, fractals=2, textures=4, each_fractal=1)
    pictures = made.pictures.Pictures(counts, 0)
    noise = torch.rand(160, 3, 32, 32, generator=seeded(0))
    spoilt = torch.cat([pictures._spoilt(noise) for _ in range(4)])
    assert 0.0 <= float(spoilt.min()) <= float(spoilt.max()) <= 1.0
    # What an 8 by 8 picture is blown up to changes little from one pixel to the next.
    steps = spoilt.diff(dim=3).abs().mean((1, 2, 3))
    assert float(steps.min()) < 0.25 * float(steps.max())
    assert math.isclose(float(steps.max()), 1 / 3, abs_tol=0.03)  # of independent values
