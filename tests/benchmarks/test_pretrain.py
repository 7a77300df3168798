"""What the embedded backbone is pretrained on: seeded pictures of classes that can be told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
FOLDER = Path(__file__).parents[2] / "benchmarks" / "pretrain"
COUNTS = {"glyphs": 60, "fractals": 6, "textures": 6, "each_fractal": 3}


@pytest.fixture(scope="module")
def made():
    sys.path.insert(0, str(FOLDER))
    try:
        import glyphs
        import pictures
        import pretrain
    finally:
        sys.path.remove(str(FOLDER))
    return {"glyphs": glyphs, "pictures": pictures, "pretrain": pretrain}


def test_a_seed_gives_the_same_pictures_and_another_gives_others(made):
    def batch(seed):
        pictures = made["pictures"]
        return pictures.Pictures(pictures.Counts(**COUNTS), seed).batch(10, 4)

    images, labels = batch(0)
    again, again_labels = batch(0)
    others, _ = batch(1)
    assert torch.equal(images, again)
    assert torch.equal(labels, again_labels)
    assert not torch.equal(images, others)
    assert (images.shape, images.dtype) == ((40, 3, 32, 32), torch.float32)
    assert float(images.min()) >= -1.0
    assert 0.5 <= float(images.max()) <= 1.0
    assert torch.bincount(labels)[labels.unique()].tolist() == [4] * 10


def test_every_kind_of_picture_is_in_a_batch(made):
    pictures = made["pictures"]
    counts = pictures.Counts(**COUNTS)
    _, labels = pictures.Pictures(counts, 0).batch(20, 2)
    kinds = [
        (labels < 60).sum(),
        ((labels >= 60) & (labels < 66)).sum(),
        (labels >= 66).sum(),
    ]
    assert [int(kind) for kind in kinds] == [28, 6, 6]
    assert int(labels.max()) < counts.classes == 72


def test_drawings_of_a_program_are_nearer_to_each_other_than_to_those_of_others(made):
    glyphs = made["glyphs"]
    generator = torch.Generator().manual_seed(0)
    programs = glyphs.programs(40, generator)
    of = torch.arange(40).repeat_interleave(6)
    ink = glyphs.drawn(programs, of, generator, shake=0.3)
    assert 0.0 <= float(ink.min()) <= float(ink.max()) <= 1.0
    assert float(ink.flatten(1).sum(dim=1).min()) > 1.0  # none is empty
    blurred = torch.nn.functional.avg_pool2d(ink[:, None], 4).flatten(1)
    apart = torch.cdist(blurred, blurred)
    same = of[:, None] == of
    itself = torch.eye(len(of), dtype=torch.bool)
    assert float(apart[same & ~itself].mean()) < 0.9 * float(apart[~same].mean())


def test_the_loss_is_that_of_khosla_and_others(made):
    rows = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2, 0])
    loss, share = made["pretrain"].contrast(rows, labels)
    unit = rows / rows.norm(dim=1, keepdim=True)
    close = (unit @ unit.T / 0.1).double()
    told, hits = [], 0
    for i in range(8):
        others = [j for j in range(8) if j != i]
        whole = torch.logsumexp(close[i, others], 0)
        alike = [j for j in others if labels[j] == labels[i]]
        told.append(-sum(float(close[i, j] - whole) for j in alike) / len(alike))
        hits += int(max(others, key=lambda j: float(close[i, j])) in alike)
    assert float(loss) == pytest.approx(sum(told) / 8, rel=1e-5)
    assert share == pytest.approx(hits / 8)


def test_training_moves_every_weight_and_keeps_those_of_the_backbone(made, monkeypatch):
    from zoo.backbones import formulanet

    told, made_new = [], formulanet.network()
    before = {name: value.clone() for name, value in made_new.state_dict().items()}
    monkeypatch.setattr(formulanet, "network", lambda: made_new)
    pictures = made["pictures"]
    small = pictures.Counts(glyphs=70, fractals=14, textures=15, each_fractal=2)
    module = made["pretrain"].trained(3, 0, told.append, {}, counts=small)
    arrays = made["pretrain"].kept(module)
    assert arrays.keys() == formulanet.weights().keys()
    assert {array.dtype.name for array in arrays.values()} == {"float16"}
    assert told[-1]["step"] == 3
    same = [name for name, value in module.state_dict().items() if torch.equal(value, before[name])]
    assert same == []
