"""What makes another key, what does not, and rows made under other versions."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image

from zoo import settings
from zoo.features import ExtractOptions, Model, extract
from zoo.features.provenance import CHECKED_ROWS
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


@pytest.mark.parametrize("change", [{"revision": "abc"}, {"info": {"licence": "mit"}}])
def test_what_decides_nothing_is_a_hit(change):
    assert run(6).forwards == 6
    assert run(6, Sums(replace(CONTRACT, **change))).forwards == 0


def test_every_field_of_the_contract_was_tried():
    assert {field.name for field in fields(Contract)} == {*OTHER, "revision", "info"}


def test_a_modality_is_part_of_the_key():
    keys = [model(Sums(replace(CONTRACT, modality=kind))).key for kind in ("image", "audio")]
    assert keys[0] != keys[1]


def test_dtype_augmentation_and_numerics_are_part_of_the_key(monkeypatch):
    assert run(6).forwards == 6
    assert run(6, dtype="bfloat16").forwards == 6
    assert run(6, dtype="float32").forwards == 0
    from zoo.features import model as room

    monkeypatch.setitem(room.NUMERICS, "image", {"preprocess": 2, "pooling": 1})
    assert run(6).forwards == 6
    key = model(Sums()).key
    assert set(key) == {"weights", "contract", "augment", "dtype", "numerics"}


def test_rows_are_stored_in_the_dtype_that_they_were_computed_in():
    got = run(6, dtype="bfloat16")
    assert got.features.dtype == np.float32
    assert run(6, dtype="bfloat16").forwards == 0
    (folder,) = settings.store_root().iterdir()
    from zoo.engine import FeatureStore

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
    assert first.forwards == CHECKED_ROWS + 24
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


def test_few_stored_samples_are_all_compared():
    run(3)
    assert run(5, Sums(), NEW).forwards == 3 + 2


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"serves": 1, "made_with": {}}', b'{"serves": true}', b"\xff"]
)
def test_a_note_that_cannot_be_read_is_ignored(content):
    run(20)
    run(21, Sums(), NEW)
    (path,) = settings.store_root().glob("*/vouched-*.json")
    path.write_bytes(content)
    assert run(22, Sums(), NEW).forwards == CHECKED_ROWS + 1
    assert notes()[0]["serves"] is True
