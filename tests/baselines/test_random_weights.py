"""Random weights: the same architecture, nothing of what was learnt, and the model untouched."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from zoo.backbones import tinyconv
from zoo.baselines import random_rows
from zoo.baselines import random_weights as made_anew
from zoo.baselines.random_weights import randomise
from zoo.baselines.unfit import OverBudgetError, UnfitError
from zoo.errors import DataError
from zoo.features import ExtractOptions, Model, extract, open_model
from zoo.plugin import Dataset, Item, LoadOptions, Target
from zoo.registry import Registry


def registry():
    return Registry(lambda line: None, disabled=frozenset())


def images(count=12):
    rng = np.random.default_rng(0)
    return [Item(str(i), rng.integers(0, 256, (40, 36, 3)).astype(np.uint8)) for i in range(count)]


def test_a_transformers_model_is_made_anew_and_the_loaded_one_stays(tiny_vit, tmp_path):
    model = open_model(registry(), f"hf:{tiny_vit}", LoadOptions())
    before = {name: value.clone() for name, value in model.backbone.module().named_parameters()}
    items = images()
    rows = random_rows(model, items, seed=3, threads=1, batch_size=5)  # 0 made the fixture
    data = Dataset("d", "image", tuple(items), Target("none", np.zeros(12)))
    own = extract(data, model, ExtractOptions(tmp_path, batch_size=5)).features
    assert rows.shape == own.shape
    assert rows.dtype == np.float32
    assert np.corrcoef(rows.ravel(), own.ravel())[0, 1] < 0.9
    assert len(np.unique(rows.round(4), axis=0)) == 12  # samples still differ
    for name, value in model.backbone.module().named_parameters():
        assert torch.equal(value, before[name])


def test_seeds_and_batches(tiny_vit):
    model = open_model(registry(), f"hf:{tiny_vit}", LoadOptions())
    one = random_rows(model, images(), seed=0, threads=1, batch_size=5)
    state = torch.get_rng_state()
    again = random_rows(model, images(), seed=0, threads=1, batch_size=3)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_allclose(one, again, rtol=1e-4, atol=1e-5)
    other = random_rows(model, images(), seed=1, threads=1, batch_size=5)
    assert np.abs(one - other).max() > 0.1


def test_texts_of_many_lengths_keep_their_order(tiny_bert):
    model = open_model(registry(), f"hf:{tiny_bert}", LoadOptions())
    texts = ["good film", "a bad film " * 5, "the", "very good"]
    items = [Item(str(i), text) for i, text in enumerate(texts)]
    rows = random_rows(model, items, seed=0, threads=1, batch_size=2)
    turned = random_rows(model, items[::-1], seed=0, threads=1, batch_size=2)
    np.testing.assert_allclose(rows, turned[::-1], rtol=1e-4, atol=1e-5)


def test_what_is_no_torch_module_has_none(make_onnx):
    path = make_onnx()
    options = LoadOptions(
        preprocess={"input": "image", "size": 8, "resize": "exact", "mean": [0.5], "std": [0.5]}
    )
    model = open_model(registry(), f"onnx:{path}#embedding", options)
    assert random_rows(model, images(), seed=0, threads=1, batch_size=4) is None
    assert model.backbone.module() is None
    assert random_rows(model, images(), seed=0, threads=1, batch_size=4) is None


def test_a_sample_that_cannot_be_read_is_named(tiny_vit):
    model = open_model(registry(), f"hf:{tiny_vit}", LoadOptions())
    items = [*images(3), Item("broken.png", b"no image")]
    with pytest.raises(DataError, match=r"broken\.png"):
        random_rows(model, items, seed=0, threads=1, batch_size=2)


class Odd(nn.Module):
    """A module with everything that initialises itself otherwise, or not at all."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2)
        self.norm = nn.BatchNorm1d(8)
        self.position = nn.Parameter(torch.full((1, 5, 8), 9.0))
        self.kernel = nn.Parameter(torch.full((6, 40), 9.0))
        self.scale = nn.Parameter(torch.full((8,), 9.0))
        self.bias = nn.Parameter(torch.full((8,), 9.0))


def test_every_parameter_is_drawn_anew():
    torch.manual_seed(0)
    module = Odd()
    with torch.no_grad():
        for value in module.parameters():
            value.fill_(9.0)
    module.norm.running_mean.fill_(9.0)
    randomise(module)
    for name, value in module.named_parameters():
        assert (value != 9.0).all(), name
    assert module.position.std().item() == pytest.approx(0.02, rel=0.4)
    assert module.kernel.std().item() == pytest.approx(40**-0.5, rel=0.2)
    assert (module.scale == 1).all()
    assert (module.bias == 0).all()
    assert (module.norm.running_mean == 0).all()
    assert (module.attention.out_proj.bias == 0).all()


class Deep(nn.Sequential):
    """Convolutions and batch normalisation, whose learnt statistics are absurd."""

    def __init__(self):
        layers = []
        for _ in range(6):
            layers += [nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        for part in self:
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.fill_(50.0)


def test_batch_normalisation_is_set_by_the_samples(monkeypatch):
    from zoo.backbones import tinyconv

    monkeypatch.setattr(tinyconv, "build", lambda arrays: Deep())
    loaded = []
    own = Model.backbone.fget

    def backbone(model):
        loaded.append(own(model))
        return loaded[-1]

    monkeypatch.setattr(Model, "backbone", property(backbone))
    model = open_model(registry(), "builtin:tinyconv", LoadOptions())
    rows = random_rows(model, images(40), seed=0, threads=1, batch_size=20)
    module = loaded[-1].module()
    assert not module.training
    assert not any(part.training for part in module.modules())
    assert all(part.momentum == 0.1 for part in module if isinstance(part, nn.BatchNorm2d))
    assert rows.std(axis=0).max() > 0.02  # it would be 0 behind a mean of 50
    again = random_rows(model, images(40)[:5], seed=0, threads=1, batch_size=20)
    assert np.isfinite(again).all()


def test_batch_normalisation_of_vectors_has_batches_of_two_at_least(monkeypatch):
    class Vectors(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm1d(4)

        def forward(self, **inputs):
            return self.norm(self.convolution(inputs["input"]).mean((2, 3)))

    monkeypatch.setattr(tinyconv, "build", lambda arrays: Vectors())
    model = open_model(registry(), "builtin:tinyconv", LoadOptions())
    rows = random_rows(model, images(33), seed=0, threads=1, batch_size=5)  # the last is alone
    assert rows.shape == (33, 4)
    assert np.isfinite(rows).all()


def test_an_architecture_that_does_not_run_untrained_is_unfit(monkeypatch):
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Linear(3, 2)

        def reset_parameters(self):
            raise TypeError("made by its factory alone\nand a trace")

        def forward(self, **inputs):
            return self.scale(inputs["input"].mean((2, 3)))

    monkeypatch.setattr(tinyconv, "build", lambda arrays: Picky())
    model = open_model(registry(), "builtin:tinyconv", LoadOptions())
    with pytest.raises(UnfitError, match=r"random weights: made by its factory alone$"):
        random_rows(model, images(), seed=0, threads=1, batch_size=5)


@pytest.fixture
def slow(monkeypatch):
    """A backbone that loads in 5 s by the clock of what is tested, and forwards ten a second."""
    clock = SimpleNamespace(now=0.0, loaded=0, forwarded=0)

    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Linear(3, 2)
            clock.loaded += 1
            clock.now += 5.0

        def forward(self, **inputs):
            clock.forwarded += len(inputs["input"])
            clock.now += len(inputs["input"]) / 10
            return self.scale(inputs["input"].mean((2, 3)))

    monkeypatch.setattr(tinyconv, "build", lambda arrays: Slow())
    monkeypatch.setattr(made_anew, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    clock.model = open_model(registry(), "builtin:tinyconv", LoadOptions())
    return clock


def test_rows_that_would_take_longer_than_the_budget_are_given_up_early(slow):
    chosen = {"seed": 0, "threads": 1, "batch_size": 10}
    with pytest.raises(OverBudgetError, match=r"^it would take 25 s: more than --scratch-budget$"):
        random_rows(slow.model, images(200), **chosen, budget=24.0)
    assert slow.forwarded == 50, "no more than tell"
    assert slow.loaded == 1


def test_no_sample_is_waited_for_beyond_the_budget(slow):
    """Fewer samples than tell a pace: the budget ends them all the same."""
    chosen = {"seed": 0, "threads": 1, "batch_size": 10}
    with pytest.raises(OverBudgetError, match=r"^it would take 25 s: more than"):
        random_rows(slow.model, images(200), **chosen, budget=7.5)
    assert slow.forwarded == 30, "5 s to load, and 3 s"


def test_batch_normalisation_is_set_within_the_budget(slow, monkeypatch):
    class Normed(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2))

        def forward(self, **inputs):
            slow.forwarded += len(inputs["input"])
            slow.now += len(inputs["input"])
            return super().forward(inputs["input"]).mean((2, 3))

    monkeypatch.setattr(tinyconv, "build", lambda arrays: Normed())
    with pytest.raises(OverBudgetError, match=r"^it would take 400 s: more than"):  # each twice
        random_rows(slow.model, images(200), seed=0, threads=1, batch_size=10, budget=100.0)
    assert slow.forwarded == 64


@pytest.mark.parametrize("batch_size", [1, 7])
def test_the_batch_size_of_a_run_decides_no_statistics(monkeypatch, batch_size):
    monkeypatch.setattr(tinyconv, "build", lambda arrays: Deep())
    model = open_model(registry(), "builtin:tinyconv", LoadOptions())
    rows = random_rows(model, images(40), seed=0, threads=1, batch_size=batch_size)
    whole = random_rows(model, images(40), seed=0, threads=1, batch_size=40)
    np.testing.assert_allclose(rows, whole, rtol=1e-4, atol=1e-6)


def test_rows_are_those_of_no_budget_where_they_are_in_time(slow):
    chosen = {"seed": 0, "threads": 1, "batch_size": 10}
    rows = random_rows(slow.model, images(200), **chosen, budget=26.0)
    assert slow.loaded == 1
    np.testing.assert_array_equal(rows, random_rows(slow.model, images(200), **chosen))


def test_a_pace_is_not_believed_before_a_tenth_of_the_budget(slow):
    """The first batch waits for 10 s: of 50 samples alone, 185 s would be told."""
    waits, forward = [10.0], nn.Linear.forward

    def cold(layer, rows):
        slow.now += waits.pop() if waits else 0.0
        return forward(layer, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Linear, "forward", cold)
        rows = random_rows(slow.model, images(600), seed=0, threads=1, batch_size=10, budget=180.0)
    assert len(rows) == 600
