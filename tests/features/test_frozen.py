"""Frozen is proven: whatever changes a backbone, or makes it draw lots, is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from zoo import settings
from zoo.backbones import ImageTrunk
from zoo.engine import FeatureStore, export_rows, import_rows
from zoo.errors import SourceError
from zoo.features import ExtractOptions, Model, extract
from zoo.plugin import (
    Backbone,
    Contract,
    Dataset,
    Features,
    Item,
    LoadOptions,
    Provider,
    Source,
    Target,
)
from zoo.preprocess import ImageSpec

SPEC = ImageSpec(size=(4, 4), resize=(4, 4), crop=False, mean=(0.5,) * 3, std=(0.5,) * 3)
CONTRACT = Contract("image", SPEC.as_dict(), {}, "w" * 64, "output")


class Net(nn.Module):
    """Channel means behind a BatchNorm and a dropout: right as long as both are switched off."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.norm(x)).mean((2, 3))


class WritesABuffer(Net):
    def __init__(self, after=0):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.after, self.batches = after, 0

    def forward(self, x):
        self.batches += 1
        if self.batches > self.after:
            self.seen += 1
        return super().forward(x)


class SwitchesBack(Net):
    def forward(self, x):
        self.drop.train()
        return super().forward(x)


class TrainsInSecret(Net):
    """In training mode while it runs, and never when it is looked at."""

    def forward(self, x):
        self.norm.train()
        out = super().forward(x)
        self.norm.eval()
        return out


class DropsAlways(Net):
    def forward(self, x):
        return super().forward(nn.functional.dropout(x, 0.5, training=True))


class DrawsForNothing(Net):
    """As Wav2Vec2 does: a number is drawn for layers to be dropped, and none is."""

    def forward(self, x):
        torch.rand([])
        return super().forward(x)


class NeverEvaluates(Net):
    def train(self, mode):
        return super().train(mode=True)


class Plain(Backbone):
    """A plugin's backbone around a torch module, or around nothing that can be seen."""

    def __init__(self, module, *, shown=True):
        self.contract, self.net, self.shown = CONTRACT, module, shown

    def prepare(self, sample):
        return SPEC.apply(sample)

    def collate(self, prepared):
        return torch.from_numpy(np.stack(prepared))

    def forward(self, batch):
        with torch.inference_mode():
            return {"output": Features(self.net(batch))}

    def module(self):
        return self.net if self.shown else None


class Given(Provider):
    def __init__(self, make):
        self.make = make

    def describe(self, source, options):
        return CONTRACT

    def load(self, source, options):
        return self.make(options)


def trunk(module):
    return lambda options: ImageTrunk(module, CONTRACT, options, spec=SPEC, name="x")


def run(make, count=6, **changes):
    model = Model(Source("given", "m"), Given(make), LoadOptions())
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (count, 5, 5, 3), dtype=np.uint8)
    items = tuple(Item(f"i{n}", picture) for n, picture in enumerate(pictures))
    data = Dataset("d", "image", items, Target("none", np.full(count, -1, np.int64)))
    chosen = replace(ExtractOptions(settings.store_root(), batch_size=2), **changes)
    return extract(data, model, chosen)


def notes(kind):
    return list(settings.store_root().glob(f"*/{kind}-*.json"))


def test_a_frozen_backbone_is_proven_and_its_stored_rows_are_known_to_be():
    computed = run(trunk(Net()))
    cached = run(trunk(Net()))
    assert (computed.forwards, computed.frozen) == (6, True)
    assert (cached.forwards, cached.frozen) == (0, True)
    assert len(notes("frozen")) == 1
    assert notes("unproven") == []


def test_normalisation_and_dropout_are_switched_off_in_depth():
    got = run(trunk(NeverEvaluates()))
    np.testing.assert_array_equal(got.features, run(trunk(Net())).features)
    assert got.frozen


def test_a_buffer_that_forward_writes_is_named_before_a_row_is_stored():
    with pytest.raises(SourceError, match="not frozen: 'seen' changed"):
        run(trunk(WritesABuffer()))
    assert notes("frozen") == []
    assert run(trunk(Net())).forwards == 6


def test_a_change_after_rows_were_stored_makes_them_suspect():
    with pytest.raises(SourceError, match="'seen' changed") as caught:
        run(trunk(WritesABuffer(after=1)))
    assert "zoo cache prune" in caught.value.hint
    cached = run(trunk(Net()))
    assert (cached.forwards, cached.frozen) == (0, None)


def test_a_module_that_switches_itself_to_training_mode_is_named():
    with pytest.raises(SourceError, match="'drop' switches itself to training mode"):
        run(trunk(SwitchesBack()))


def test_statistics_that_drift_while_nobody_looks_are_named():
    with pytest.raises(SourceError, match=r"'norm\.running_mean' and 2 more changed"):
        run(trunk(TrainsInSecret()))


def test_dropout_that_nothing_switches_off_is_found():
    with pytest.raises(SourceError, match=r"come out .* apart when they run twice"):
        run(trunk(DropsAlways()))


def test_random_numbers_that_decide_nothing_are_no_fault():
    assert run(trunk(DrawsForNothing())).frozen


def test_a_plugins_backbone_left_in_training_mode_is_refused_before_it_runs():
    with pytest.raises(SourceError, match="'Net' is in training mode"):
        run(lambda _: Plain(Net()))
    assert run(lambda _: Plain(Net().eval())).frozen


def test_of_a_backbone_that_shows_no_module_nothing_is_claimed():
    computed = run(lambda _: Plain(Net().eval(), shown=False))
    assert computed.frozen is None
    assert run(lambda _: Plain(Net().eval())).frozen is None  # its rows are still among them


def test_rows_of_a_process_that_was_killed_are_not_called_proven():
    run(trunk(Net()))
    (note,) = notes("frozen")
    (note.parent / "unproven-0123456789ab.json").write_text("{}")
    assert run(trunk(Net())).frozen is None


def test_an_interrupted_run_is_proven_as_far_as_it_came():
    def stop(done, total):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(trunk(Net()), progress=stop)
    assert notes("unproven") == []
    rest = run(trunk(Net()))
    assert (rest.forwards, rest.frozen) == (2, True)


def test_rows_from_before_there_was_a_proof_are_not_called_proven():
    run(trunk(Net()))
    (note,) = notes("frozen")
    note.unlink()
    assert run(trunk(Net()), count=9).frozen is None


def test_imported_rows_are_not_called_proven(tmp_path):
    run(trunk(Net()))
    (note,) = notes("frozen")
    with FeatureStore.at(note.parent) as store:
        export_rows(store, tmp_path / "rows.safetensors")
    import_rows(tmp_path / "rows.safetensors", settings.store_root())
    assert run(trunk(Net())).frozen is None


REPOSITORY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.register_buffer("calls", torch.zeros(1))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        self.calls += 1
        return self.head(self.conv(x).mean((2, 3)))

def net(pretrained=False):
    return Net()
"""


def test_a_repository_whose_code_writes_a_buffer_is_refused_at_the_command_line(zoo, tmp_path):
    from PIL import Image

    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hubconf.py").write_text(REPOSITORY)
    (tmp_path / "hub" / "preprocess.toml").write_text("size=8\nresize='exact'\nmean=[0]\nstd=[1]\n")
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "photos" / label).mkdir(parents=True)
        for n in range(3):
            pixels = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{n}.png")
    command = ("extract", "--model", "torchhub:./hub/net", "--data", "photos", "--trust-repo")
    done = zoo(*command)
    assert done.code == 3, done.err
    message, hint = done.err.strip().splitlines()[-2:]
    assert "not frozen: 'calls' changed" in message
    assert hint.startswith("hint:")
    code = REPOSITORY.replace("self.calls += 1", "pass")
    (tmp_path / "hub" / "hubconf.py").write_text(code)
    assert zoo(*command, "--json").json["features"]["frozen"] is True
    assert zoo(*command, "--json").json["features"]["frozen"] is True


def test_the_built_in_backbone_is_proven():
    import zoo

    pictures = np.random.default_rng(0).integers(0, 256, (4, 8, 8), dtype=np.uint8)
    assert zoo.extract("builtin:tinyconv", pictures).extracted.frozen
