"""What makes another key, what does not, and rows made under other versions."""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import fields, replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo import settings
from zoo.engine import FeatureStore
from zoo.errors import DataError
from zoo.features import ExtractOptions, Model, extract, provenance
from zoo.features.provenance import CHECKED_ROWS, conditions, distance, spread
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
from zoo.runs import open_data
from zoo.runs.plan import RunOptions

CONTRACT = Contract("image", {"size": 4}, {"arch": "sum"}, "w" * 64, "t", "none", "channels_last")
OLD = {"device": "cpu", "machine": "m", "versions": {"torch": "2.0"}}
NEW = {"device": "cpu", "machine": "m", "versions": {"torch": "3.0"}}


class Sum(Backbone):
    """Features that depend on pixels alone, times what this version makes of them."""

    def __init__(self, contract, log, factor):
        self.contract, self.log, self.factor = contract, log, factor

    def prepare(self, sample):
        return np.asarray(sample, np.float32)

    def collate(self, prepared):
        return prepared

    def forward(self, batch):
        self.log.append(len(batch))
        rows = np.array([[x.mean() + 1, x.max() + 1] for x in batch], np.float32)
        return {self.contract.tap: Features(rows * np.float32(self.factor))}


class Sums(Provider):
    def __init__(self, contract=CONTRACT, factor=1.0):
        self.contract, self.factor, self.log = contract, factor, []

    def describe(self, source, options):
        return self.contract

    def load(self, source, options):
        return Sum(self.contract, self.log, self.factor)


def model(provider, made_with=OLD, **options):
    found = Model(Source("sums", "m"), provider, LoadOptions(**options))
    found.__dict__["conditions"] = made_with
    return found


def run(count, provider=None, made_with=OLD, lines=None, start=0, **options):
    """Extract images number `start` to `count`; the result."""
    values = [np.full((3, 3, 3), n, np.uint8) for n in range(start, count)]
    items = tuple(Item(f"i{n}", value) for n, value in enumerate(values))
    data = Dataset("d", "image", items, Target("none", np.full(len(items), -1, np.int64)))
    say = None if lines is None else lines.append
    wanted = ExtractOptions(settings.store_root(), batch_size=4, say=say)
    return extract(data, model(provider or Sums(), made_with, **options), wanted)


OTHER = {
    "modality": None,  # the data must be of it: see test_a_modality_is_part_of_the_key
    "preprocess": {"size": 5},
    "model": {"arch": "other"},
    "weights": "v" * 64,
    "tap": "u",
    "pooling": "mean",
    "layout": "channels_first",
}


@pytest.mark.parametrize("name", [name for name, value in OTHER.items() if value])
def test_each_field_that_decides_features_is_a_miss(name):
    assert run(6).forwards == 6
    changed = replace(CONTRACT, **{name: OTHER[name]})
    assert run(6, Sums(changed)).forwards == 6
    assert run(6, Sums(changed)).forwards == run(6).forwards == 0


@pytest.mark.parametrize(
    "change",
    [{"revision": "abc"}, {"info": {"licence": "mit"}}, {"rules": {"padding": "none"}}],
)
def test_what_decides_nothing_is_a_hit(change):
    assert run(6).forwards == 6
    assert run(6, Sums(replace(CONTRACT, **change))).forwards == 0


def test_every_field_of_the_contract_was_tried():
    assert {field.name for field in fields(Contract)} == {*OTHER, "revision", "rules", "info"}


def test_a_modality_is_part_of_the_key():
    keys = [model(Sums(replace(CONTRACT, modality=kind))).key for kind in ("image", "audio")]
    assert keys[0] != keys[1]


def test_dtype_augmentation_and_numerics_are_part_of_the_key(monkeypatch):
    assert run(6).forwards == 6
    assert run(6, dtype="bfloat16").forwards == 6
    assert run(6, dtype="float32").forwards == 0
    from zoo.features import model as room

    monkeypatch.setitem(room.NUMERICS, "image", {**room.NUMERICS["image"], "decode": 2})
    assert run(6).forwards == 6
    key = model(Sums()).key
    assert set(key) == {"weights", "contract", "augment", "dtype", "numerics"}


def test_an_augmentation_is_part_of_the_key(monkeypatch):
    run(6)
    plain = model(Sums()).key
    monkeypatch.setattr(Model, "key", property(lambda _: {**plain, "augment": "flip, seed 0"}))
    assert run(6).forwards == 6


@pytest.mark.parametrize("modality", ["image", "text", "audio"])
def test_numerics_are_those_that_the_modality_uses(modality):
    numerics = model(Sums(replace(CONTRACT, modality=modality))).key["numerics"]
    assert set(numerics) == {"decode", "preprocess", "pooling"}
    assert all(type(number) is int for number in numerics.values())


def test_rows_are_stored_in_the_dtype_that_they_were_computed_in():
    got = run(6, dtype="bfloat16")
    assert got.features.dtype == np.float32
    assert run(6, dtype="bfloat16").forwards == 0
    (folder,) = settings.store_root().iterdir()
    assert FeatureStore.at(folder).columns() == {"t/none/bfloat16": ("bfloat16", 2, 6)}


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    for split, count in (("train", 6), ("test", 3)):
        for label in ("a", "b"):
            place = root / split / label
            place.mkdir(parents=True)
            for n in range(count):
                level = 10 * n + (100 if label == "b" else 0) + (5 if split == "test" else 0)
                Image.new("RGB", (4, 4), (level, level, level)).save(place / f"{n}.png")
    return root


def forwards(root):
    data = open_data(Registry(warn=print), str(root), None, RunOptions())
    return extract(data, model(Sums()), ExtractOptions(settings.store_root())).forwards


def test_files_are_known_by_their_content_wherever_they_are(folder):
    assert forwards(folder) == 18
    (folder / "train/a/0.png").rename(folder / "train/a/renamed.png")
    (folder / "train/a/1.png").rename(folder / "train/b/moved.png")
    (folder / "train/a/2.png").touch()
    (folder / "train/b/copy.png").write_bytes((folder / "train/b/3.png").read_bytes())
    (folder / "test/a/0.png").rename(folder / "train/a/from-test.png")
    (folder / "val").mkdir()
    (folder / "val" / "a").mkdir()
    (folder / "val" / "b").mkdir()
    (folder / "train/a/3.png").rename(folder / "val/a/3.png")
    (folder / "train/b/4.png").rename(folder / "val/b/4.png")
    assert forwards(folder) == 0
    Image.new("RGB", (4, 4), (1, 2, 3)).save(folder / "train/a/4.png")
    assert forwards(folder) == 1


def notes():
    found = settings.store_root().glob("*/vouched-*.json")
    return [json.loads(path.read_text()) for path in found]


def test_new_versions_that_agree_are_vouched_for_once():
    run(20)
    lines = []
    assert run(24, Sums(factor=1 + 1e-6), NEW, lines).forwards == CHECKED_ROWS + 4
    assert lines == []
    (note,) = notes()
    assert note["serves"] is True
    assert note["rows"] == CHECKED_ROWS
    assert 0 < note["distance"] < 1e-5
    assert run(30, Sums(), NEW).forwards == 6
    assert len(list(settings.store_root().iterdir())) == 1


def test_new_versions_that_differ_have_a_key_of_their_own():
    old = run(20).features
    lines = []
    first = run(24, Sums(factor=1.01), NEW, lines)
    assert first.forwards == 24  # those compared are not computed twice
    assert np.allclose(first.features[:20], 1.01 * old, rtol=1e-6)
    (line,) = lines
    assert "torch 2.0 -> 3.0" in line
    assert "8 stored rows" in line
    assert notes()[0]["serves"] is False
    assert run(26, Sums(factor=1.01), NEW, lines).forwards == 2
    assert len(lines) == 1
    assert run(20, Sums(), OLD).forwards == 0
    assert np.array_equal(run(20, Sums(), OLD).features, old)


def test_a_run_that_is_stored_checks_nothing():
    run(20)
    provider = Sums(factor=9.0)
    assert run(20, provider, NEW).forwards == 0
    assert provider.log == []
    assert notes() == []


def test_without_a_stored_sample_nothing_is_compared_and_nothing_mixed():
    run(20)
    lines = []
    assert run(40, Sums(), NEW, lines, start=30).forwards == 10
    assert "not known" in lines[0]
    assert notes() == []
    assert run(40, Sums(), NEW, lines, start=30).forwards == 0
    # Later data that can be compared decides; and the first key serves then.
    assert run(22, Sums(), NEW).forwards == CHECKED_ROWS + 2
    assert notes()[0]["serves"] is True
    assert run(40, Sums(), NEW, lines, start=30).forwards == 0  # their own key has them all
    assert run(41, Sums(), NEW, lines, start=30).forwards == 11
    assert len(lines) == 1


def test_rows_of_their_own_key_are_used_where_the_first_store_is_gone():
    run(20)
    run(40, Sums(), NEW, start=30)
    store = model(Sums()).open_store(settings.store_root(), model(Sums()).key)
    for path in store.folder.iterdir():
        path.unlink()
    store.folder.rmdir()
    assert run(40, Sums(), NEW, start=30).forwards == 0


@pytest.mark.parametrize(
    ("dtype", "factor", "serves"),
    [
        ("float32", 1 + 5e-5, True),
        ("float32", 1 + 2e-4, False),
        ("bfloat16", 1 + 4e-3, True),  # with half a unit of bfloat16, 2 ** -9, still below 1e-2
        ("bfloat16", 1 + 2e-2, False),
        ("float16", 1 + 9e-3, True),
        ("float16", 1 + 2e-2, False),
    ],
)
def test_the_tolerance_is_that_of_the_dtype(dtype, factor, serves):
    run(20, dtype=dtype)
    assert run(21, Sums(factor=factor), NEW, dtype=dtype).forwards == (9 if serves else 21)
    assert notes()[0]["serves"] is serves


def test_a_row_counts_by_its_own_norm():
    stored = np.array([[1e4, 0], [1, 0]], np.float32)
    again = np.array([[1e4, 0], [1.01, 0]], np.float32)
    assert distance(stored, again) == pytest.approx(0.01)
    zero = np.zeros((1, 2), np.float32)
    assert distance(zero, zero) == 0
    assert distance(zero, zero + 1) > 1
    assert distance(np.full((1, 2), np.inf, np.float32), zero) == math.inf


def test_compared_rows_are_spread_over_all_stored_ones():
    assert spread(np.arange(3)).tolist() == [0, 1, 2]
    assert spread(np.arange(100, 171)).tolist() == [100, 110, 120, 130, 140, 150, 160, 170]


class Wide(Sums):
    def load(self, source, options):
        backbone = super().load(source, options)
        short = backbone.forward
        backbone.forward = lambda batch: {
            tap: Features(np.tile(got.values, 2)) for tap, got in short(batch).items()
        }
        return backbone


def test_rows_of_another_length_go_to_their_own_key():
    run(20)
    assert run(21, Wide(), NEW).features.shape == (21, 4)
    assert (notes()[0]["serves"], notes()[0]["distance"]) == (False, None)
    assert run(20).features.shape == (20, 2)


class Picky(Sums):
    def load(self, source, options):
        backbone = super().load(source, options)
        prepare = backbone.prepare

        def fails(sample):
            if np.asarray(sample).max() < 20:
                raise DataError("no longer read")
            return prepare(sample)

        backbone.prepare = fails
        return backbone


def test_stored_samples_that_are_no_longer_read_decide_nothing():
    run(20)
    lines = []
    got = run(25, Picky(), NEW, lines)
    assert (got.forwards, len(got.bad)) == (5, 20)
    assert len(lines) == 1
    assert notes() == []


class Overtaken(Sums):
    def load(self, source, options):
        run(5)  # another process, under other versions
        return super().load(source, options)


def test_a_store_that_others_made_meanwhile_is_not_joined_unseen():
    lines = []
    assert run(25, Overtaken(factor=1.01), NEW, lines, start=20).forwards == 5
    assert len(lines) == 1
    first = model(Sums()).open_store(settings.store_root(), model(Sums()).key)
    assert first.columns() == {"t/none/float32": ("float32", 2, 5)}
    assert run(25, Sums(), NEW, start=20).forwards == 0


def test_columns_of_a_key_are_vouched_for_together():
    other = replace(CONTRACT, tap="u")
    run(20)
    lines = []
    assert run(20, Sums(other), NEW, lines).forwards == 20  # nothing to compare in this column
    assert len(lines) == 1
    assert notes() == []
    run(21, Sums(), NEW)
    assert notes()[0]["serves"] is True
    assert run(22, Sums(other), NEW, lines).forwards == 22
    first = model(Sums()).open_store(settings.store_root(), model(Sums()).key)
    assert first.columns()["u/none/float32"] == ("float32", 2, 22)
    assert len(lines) == 1


def test_few_stored_samples_are_all_compared():
    run(3)
    assert run(5, Sums(), NEW).forwards == 3 + 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"serves": 1, "made_with": {}}',
        b'{"serves": true}',
        b'{"serves": true, "made_with": [1]}',
        b'{"serves": true, "made_with": {"versions": 3, "device": []}}',
        b"\xff",
        b"[" * 60000,
        b" " * 200000 + b"{}",
    ],
)
def test_a_note_that_cannot_be_read_is_ignored(content):
    run(20)
    run(21, Sums(), NEW)
    (path,) = settings.store_root().glob("*/vouched-*.json")
    path.write_bytes(content)
    assert run(22, Sums(), NEW).forwards == CHECKED_ROWS + 1
    assert notes()[0]["serves"] is True


def test_a_folder_or_a_pipe_in_place_of_a_note_is_ignored():
    run(20)
    run(21, Sums(), NEW)
    (path,) = settings.store_root().glob("*/vouched-*.json")
    path.unlink()
    path.mkdir()
    assert run(22, Sums(), NEW).forwards == CHECKED_ROWS + 1
    assert run(22, Sums(), NEW).forwards == 0
    if sys.platform != "win32":
        path.rmdir()
        os.mkfifo(path)
        assert run(23, Sums(), NEW).forwards == CHECKED_ROWS + 1


@pytest.mark.parametrize("made_with", [None, [], "torch", {"versions": []}, {"device": {}}])
def test_a_store_that_does_not_say_what_made_it_is_compared(made_with):
    run(20)
    (path,) = settings.store_root().glob("*/key.json")
    content = json.loads(path.read_text())
    content["provenance"]["made_with"] = made_with
    path.write_text(json.dumps(content))
    assert run(21, Sums(), OLD).forwards == CHECKED_ROWS + 1
    assert run(22, Sums(), OLD).forwards == 1


def test_conditions_are_versions_device_and_machine(monkeypatch):
    def version(name):
        if name != "torch":
            raise metadata.PackageNotFoundError(name)
        return "9.9"

    monkeypatch.setattr(metadata, "version", version)
    found = conditions("mps")
    assert (found["device"], found["versions"]) == ("mps", {"torch": "9.9"})
    assert found["machine"]


def test_an_automatic_device_is_told_from_the_driver(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(provenance, "_DRIVERS", (tmp_path / "none",))
    assert conditions("auto")["device"] == "cpu"
    monkeypatch.setattr(provenance, "_DRIVERS", (tmp_path / "none", Path(tmp_path)))
    assert conditions("auto")["device"] == "cuda"
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert conditions("auto")["device"] == "cpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert conditions("auto")["device"] == "cuda"
