"""Extraction: each content once, bad items named, finished rows kept, nothing left behind."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo import settings
from zoo.errors import DataError, SourceError
from zoo.features import ExtractOptions, Model, extract, look
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


class Mean(Backbone):
    """Features: mean and maximum of an image's pixels; counts what it is asked."""

    def __init__(self, contract, log, fail_at=None, nan_at=None):
        self.contract, self.log, self.fail_at, self.nan_at = contract, log, fail_at, nan_at

    def prepare(self, sample):
        return np.asarray(sample, np.float32)

    def collate(self, prepared):
        return prepared

    def forward(self, batch):
        self.log.append(len(batch))
        if self.fail_at is not None and len(self.log) > self.fail_at:
            raise KeyboardInterrupt
        rows = np.array([[x.mean(), x.max()] for x in batch], np.float32)
        if self.nan_at is not None:
            rows[self.nan_at] = np.nan
        return {"t": Features(rows)}


class Means(Provider):
    def __init__(self, **behaviour):
        self.behaviour, self.log, self.loads = behaviour, [], 0

    def describe(self, source, options):
        return Contract("image", {}, {}, "w" * 64, "t")

    def load(self, source, options):
        self.loads += 1
        return Mean(self.describe(source, options), self.log, **self.behaviour)


def model(provider):
    return Model(Source("means", "m"), provider, LoadOptions())


def options(**changes):
    return replace(ExtractOptions(settings.store_root(), batch_size=4), **changes)


def dataset(values):
    items = tuple(Item(f"i{n}", value) for n, value in enumerate(values))
    return Dataset("d", "image", items, Target("none", np.full(len(items), -1, np.int64)))


def images(count):
    return [np.full((3, 3), n, np.uint8) for n in range(count)]


def test_rows_come_in_the_order_of_the_items_and_each_content_once():
    provider = Means()
    values = [images(10)[n] for n in (3, 1, 3, 9, 1)]
    got = extract(dataset(values), model(provider), options())
    assert got.features[:, 0].tolist() == [3, 1, 3, 9, 1]
    assert (got.forwards, got.distinct, sum(provider.log)) == (3, 3, 3)


def test_what_the_store_has_loads_no_weights():
    extract(dataset(images(6)), model(Means()), options())
    provider = Means()
    got = extract(dataset(images(6)[::-1]), model(provider), options())
    assert (got.forwards, provider.loads) == (0, 0)
    assert got.features[:, 0].tolist() == [5, 4, 3, 2, 1, 0]


def test_an_interrupted_extraction_keeps_what_was_finished():
    with pytest.raises(KeyboardInterrupt):
        extract(dataset(images(20)), model(Means(fail_at=3)), options())
    assert len(look(dataset(images(20)), model(Means()), settings.store_root()).missing) == 8
    provider = Means()
    assert extract(dataset(images(20)), model(provider), options()).forwards == 8


def test_bad_items_are_named_and_their_twins_say_whose(tmp_path):
    good = tmp_path / "good.png"
    Image.new("RGB", (4, 4)).save(good)
    bad, twin = tmp_path / "bad.png", tmp_path / "twin.png"
    bad.write_bytes(b"no image")
    twin.write_bytes(b"no image")
    provider = Means()
    got = extract(dataset([bad, good, twin, tmp_path / "gone.png"]), model(provider), options())
    assert [item.name for item in got.dataset.items] == ["i1"]
    reasons = {item.name: item.reason for item in got.bad}
    assert set(reasons) == {"i0", "i2", "i3"}
    assert "'i0'" in reasons["i0"]
    assert "the same bytes as 'i0'" in reasons["i2"]
    assert "No such file" in reasons["i3"]


def test_only_bad_items_read_no_weights(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    provider = Means()
    with pytest.raises(DataError, match="none of the 1"):
        extract(dataset([bad]), model(provider), options())
    assert provider.loads == 0
    assert not settings.store_root().exists()


def test_values_that_are_not_finite_are_refused_by_name():
    with pytest.raises(SourceError, match="'i2'"):
        extract(dataset(images(4)), model(Means(nan_at=2)), options())


def test_another_kind_of_data_is_refused_before_anything_is_read():
    texts = Dataset("d", "text", (Item("a", "b"),), Target("none", np.array([-1])))
    with pytest.raises(DataError, match="takes image samples"):
        extract(texts, model(Means()), options())


def test_progress_ends_at_the_total():
    told = []
    extract(dataset(images(10)), model(Means()), options(progress=lambda *now: told.append(now)))
    assert told[0] == (0, 10)
    assert told[-1] == (10, 10)


@pytest.mark.parametrize(
    ("most", "batches"), [(None, [4, 4, 2]), (20, [4, 2, 2, 2]), (5, [2, 1, 1, 1, 1, 1, 1, 1, 1])]
)
def test_a_batch_costs_no_more_than_the_backbone_takes(monkeypatch, most, batches):
    """Ten samples that cost 1 to 10, in batches of 4: size times the dearest stays in bounds."""
    monkeypatch.setattr(Mean, "cost", lambda self, prepared: int(prepared.max()) + 1)
    monkeypatch.setattr(Mean, "max_cost", property(lambda self: most))
    provider = Means()
    got = extract(dataset(images(10)), model(provider), options(threads=16))
    assert provider.log == batches
    assert got.features[:, 1].tolist() == list(range(10))


def test_threads_leave_the_filters_of_warnings_as_they_were(tmp_path):
    files = []
    for n in range(40):
        files.append(tmp_path / f"{n}.png")
        Image.new("P", (5, 5), n).save(files[-1])
    before = list(warnings.filters)
    extract(dataset(files), model(Means()), options(threads=8))
    assert list(warnings.filters) == before


def test_a_changed_file_misses_and_a_renamed_one_hits(tmp_path):
    path = Path(tmp_path / "a.png")
    Image.new("RGB", (4, 4), (9, 9, 9)).save(path)
    assert extract(dataset([path]), model(Means()), options()).forwards == 1
    path = path.rename(tmp_path / "b.png")
    assert extract(dataset([path]), model(Means()), options()).forwards == 0
    Image.new("RGB", (4, 4), (8, 8, 8)).save(path)
    assert extract(dataset([path]), model(Means()), options()).forwards == 1
