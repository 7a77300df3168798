"""``--dtype auto``: the store is followed, an empty one makes a trial, the choice is kept."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from zoo import settings
from zoo.engine import FeatureStore
from zoo.features import ExtractOptions, Model, dtypes, extract, look
from zoo.features.dtypes import compared
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
from zoo.registry import Registry
from zoo.runs.extract import run_extract
from zoo.runs.plan import RunOptions
from zoo.runs.predict import run_predict
from zoo.runs.transfer import run_transfer


class Trunk(Backbone):
    """Rows of 4 features of a text's number; in bfloat16 as far off as it is told."""

    def __init__(self, provider, options):
        self.contract, self.provider = provider.contract, provider
        self.half = options.compute_dtype == "bfloat16"

    def module(self):
        import torch

        return torch.nn.Linear(1, 1).eval()

    def prepare(self, sample):
        return int(sample.split()[-1])

    def collate(self, prepared):
        return np.array(prepared)

    def forward(self, batch):
        self.provider.log += [("bfloat16" if self.half else "float32", int(n)) for n in batch]
        if self.half and self.provider.fails:
            raise RuntimeError("not implemented for 'BFloat16'\nat line 7")
        rows = np.stack([batch + 1, batch % 7, batch % 5, np.ones_like(batch)], axis=1)
        rows = rows.astype(np.float32)
        if self.half:
            rows[:, 1] += self.provider.off * rows[:, 0]
        return {"t": Features(rows)}


class Trunks(Provider):
    contract = Contract("text", {}, {}, "w" * 64, "t")

    def __init__(self, off=0.02, *, fails=False):
        self.off, self.fails, self.log, self.loads = off, fails, [], []

    def describe(self, source, options):
        return self.contract

    def load(self, source, options):
        self.loads.append(options.dtype)
        return Trunk(self, options)


@pytest.fixture(autouse=True)
def gains(monkeypatch):
    """A processor that computes in bfloat16, so many times as fast as in float32."""
    told = {"times": 2.0}

    def seconds(model, some, items):
        return 1.0 if model.options.compute_dtype == "bfloat16" else told["times"]

    monkeypatch.setattr("zoo.backbones.torch_dtypes.computes_bfloat16", lambda module: True)
    monkeypatch.setattr(dtypes, "_seconds", seconds)
    monkeypatch.setattr(dtypes, "_WORTH", 0.0)
    return told


def run(provider, count=300, lines=None, start=0, **loading):
    items = tuple(Item(f"i{n}", f"text {n}") for n in range(start, start + count))
    data = Dataset("d", "text", items, Target("none", np.full(count, -1, np.int64)))
    model = Model(Source("trunks", "m"), provider, LoadOptions(**loading))
    say = None if lines is None else lines.append
    got = extract(data, model, ExtractOptions(settings.store_root(), threads=2, say=say))
    assert len(got.features) == count
    return got


def test_bfloat16_is_taken_where_it_is_faithful_and_fast():
    provider, lines = Trunks(), []
    got = run(provider, lines=lines)
    assert got.key["dtype"] == "bfloat16"
    assert got.forwards == 300
    assert got.fidelity["chosen"] == "bfloat16"
    assert (got.fidelity["rows"], got.fidelity["speedup"]) == (32, 2.0)
    assert 0.999 < got.fidelity["least_cosine"] < 1
    assert 0.01 < got.fidelity["greatest_difference"] < 0.03
    (line,) = lines
    assert line.startswith(
        "computing in bfloat16: 2.00 times as fast as float32, least cosine 0.99"
    )
    halves = [n for dtype, n in provider.log if dtype == "bfloat16"]
    assert sorted(halves) == list(range(300))
    assert len([n for dtype, n in provider.log if dtype == "float32"]) == 32


def test_the_next_run_finds_the_rows_and_loads_nothing():
    first = run(Trunks())
    provider, lines = Trunks(), []
    again = run(provider, lines=lines)
    assert (again.forwards, provider.loads, lines) == (0, [], [])
    assert (again.features == first.features).all()
    assert again.fidelity == first.fidelity
    few = run(provider, 3, start=1000)
    assert (few.key, few.forwards, provider.loads) == (first.key, 3, ["bfloat16"])


def test_the_choice_stands_in_key_json():
    got = run(Trunks())
    with FeatureStore.open(settings.store_root(), got.key) as store:
        content = json.loads((store.folder / "key.json").read_text())
    assert content["provenance"]["fidelity"] == got.fidelity


@pytest.mark.parametrize(
    ("off", "times", "why"),
    [(0.02, 1.1, "1.10 times as fast"), (0.2, 3.0, "least cosine 0.98")],
)
def test_float32_stays_without_a_gain_or_where_rows_turn(gains, off, times, why):
    gains["times"] = times
    provider, lines = Trunks(off), []
    got = run(provider, lines=lines)
    assert got.key["dtype"] == "float32"
    assert got.fidelity["chosen"] == "float32"
    (line,) = lines
    assert line.startswith("computing in float32: bfloat16 is")
    assert why in line
    floats = [n for dtype, n in provider.log if dtype == "float32"]
    assert sorted(floats) == list(range(300))
    gains["times"] = 9.0
    lines.clear()
    more = run(Trunks(), start=500, lines=lines)  # the choice binds other samples, too
    assert (more.key, more.forwards, lines) == (got.key, 300, [])


def test_a_trunk_that_cannot_compute_in_bfloat16_stays_in_float32():
    lines = []
    got = run(Trunks(fails=True), lines=lines)
    assert (got.key["dtype"], got.forwards, got.fidelity) == ("float32", 300, None)
    assert lines == [
        "computing in float32: bfloat16 does not work here (not implemented for 'BFloat16')"
    ]


def test_little_to_do_is_not_worth_a_trial(monkeypatch):
    provider, lines = Trunks(), []
    assert run(provider, 255, lines).key["dtype"] == "float32"
    monkeypatch.setattr(dtypes, "_WORTH", 1e6)  # seconds
    assert run(provider, 396, lines, start=500).key["dtype"] == "float32"
    assert provider.loads == ["auto", "auto"]
    assert lines == []
    assert len(provider.log) == 255 + 396  # each sample once


def test_a_few_rows_do_not_bind_and_many_do():
    assert run(Trunks(), 20).key["dtype"] == "float32"
    assert run(Trunks()).key["dtype"] == "bfloat16"
    assert run(Trunks(), 20).key["dtype"] == "bfloat16"  # both have them: the choice decides


def test_rows_enough_are_followed():
    assert run(Trunks(), 256, dtype="float32").fidelity is None
    lines = []
    assert run(Trunks(), 600, lines).key["dtype"] == "float32"
    assert lines == []


def test_an_explicit_dtype_is_obeyed():
    assert run(Trunks()).key["dtype"] == "bfloat16"
    got = run(Trunks(), dtype="float32")
    assert (got.key["dtype"], got.forwards) == ("float32", 268)  # the trial's rows were kept
    half = run(Trunks(), dtype="bfloat16")
    assert (half.key["dtype"], half.forwards) == ("bfloat16", 0)


def test_deterministic_features_are_float32_and_untried():
    provider = Trunks()
    assert run(provider, deterministic=True).key["dtype"] == "float32"
    assert provider.loads == ["auto"]


def test_looking_follows_without_weights():
    run(Trunks())
    items = tuple(Item(f"i{n}", f"text {n}") for n in range(310))
    data = Dataset("d", "text", items, Target("none", np.full(310, -1, np.int64)))
    model = Model(Source("trunks", "m"), Trunks(), LoadOptions())
    seen = look(data, model, settings.store_root())
    assert (seen.key["dtype"], len(seen.missing)) == ("bfloat16", 10)
    assert not model.loaded


def test_samples_of_a_trial_that_cannot_be_read_are_bad_once(tmp_path):
    values = [f"text {n}" for n in range(300)]
    values[0] = "text nought"

    def prepare(self, sample):
        from zoo.errors import DataError

        if sample.endswith("nought"):
            raise DataError("no number")
        return int(sample.split()[-1])

    items = tuple(Item(f"i{n}", value) for n, value in enumerate(values))
    data = Dataset("d", "text", items, Target("none", np.full(300, -1, np.int64)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trunk, "prepare", prepare)
        model = Model(Source("trunks", "m"), Trunks(), LoadOptions())
        got = extract(data, model, ExtractOptions(settings.store_root()))
    assert [bad.name for bad in got.bad] == ["i0"]
    assert (got.forwards, got.key["dtype"]) == (299, "bfloat16")


def test_a_trial_that_is_stopped_keeps_the_batches_that_were_done(monkeypatch):
    """So that a process that is killed meanwhile has one batch to do again."""

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(dtypes, "_seconds", stop)
    with pytest.raises(KeyboardInterrupt):
        run(Trunks())
    monkeypatch.setattr(dtypes, "_WORTH", 1e6)
    assert run(Trunks()).forwards == 300 - 32


def test_what_is_compared_are_the_rows_as_they_are_stored():
    exact = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    found = compared(exact, exact, speedup=1.2, column="t/none")
    assert (found.chosen, found.least_cosine, found.greatest_difference) == ("bfloat16", 1.0, 0.0)
    fine = np.array([[1.0, 1 + 2**-9]], np.float32)  # between two numbers of bfloat16
    assert compared(fine, fine, speedup=1.2, column="").greatest_difference == pytest.approx(
        2**-9 / np.linalg.norm(fine), rel=1e-3
    )
    assert compared(exact, -exact, speedup=9.0, column="").chosen == "float32"


def test_a_run_keeps_its_dtype_for_predictions(tiny_bert, tmp_path):
    """A real trunk: transfer settles on bfloat16, and predict computes in it and asks nothing."""
    lines = []
    rows = "\n".join(f"good film {'very ' * (n % 13)}{n},{'ab'[n % 2]}" for n in range(300))
    (tmp_path / "t.csv").write_text(f"text,label\n{rows}\n")
    registry = Registry(lines.append, disabled=frozenset())
    options = RunOptions(say=lines.append, device="cpu", out=tmp_path / "run", threads=1)
    run = run_transfer(registry, f"hf:{tiny_bert}", tmp_path / "t.csv", options=options)
    assert run.summary["features"]["dtype"] == "bfloat16"
    assert run.summary["features"]["fidelity"]["least_cosine"] > 0.999
    assert any(line.startswith("computing in bfloat16") for line in lines)
    lines.clear()
    got = run_predict(registry, run, ["a good film"], options=replace(options, out=None))
    assert got.forwards == 1
    assert lines == []


@pytest.mark.parametrize(("features", "compared_rows"), [("pooled", 8), ("tokens", 8 * 16)])
def test_every_tap_and_every_patch_is_compared(
    monkeypatch, tiny_vit, photos, features, compared_rows
):
    monkeypatch.setattr(dtypes, "FEWEST", 20)
    monkeypatch.setattr(dtypes, "_SAMPLED", 8)
    tap = "#cls,mean" if features == "pooled" else ""
    options = RunOptions(features=features)
    source = f"hf:{tiny_vit}{tap}"
    first = run_extract(Registry(pytest.fail), source, photos, options=options).extracted
    pooled = "last_hidden_state/cls,last_hidden_state/mean"
    assert first.fidelity["column"] == (pooled if tap else "last_hidden_state/tokens")
    assert (first.fidelity["rows"], first.fidelity["chosen"]) == (compared_rows, "bfloat16")
    assert (first.key["dtype"], first.forwards) == ("bfloat16", 24)
    again = run_extract(Registry(pytest.fail), source, photos, options=options).extracted
    assert (again.key, again.forwards) == (first.key, 0)
