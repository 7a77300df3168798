"""Batches: prepared once, in bounded memory, and of texts as many as cost the same."""

from __future__ import annotations

import sys
import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from zoo import settings
from zoo.features import ExtractOptions, Model, extract
from zoo.features.bad import OnBad, Unreadable
from zoo.features.batches import batches
from zoo.features.computing import forwarded
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
from zoo.preprocess.decode import decode


class Words(Backbone):
    """Texts as their numbers of words; or images as themselves."""

    def __init__(self, modality="text", most=None, dearest=None, weight=0):
        self.contract = Contract(modality, {}, {}, "w" * 64, "t")
        self.most, self.dearest, self.weight = most, dearest, weight
        self.prepared = 0
        self.lock = threading.Lock()

    max_batch = property(lambda self: self.most)
    max_cost = property(lambda self: self.dearest)

    def prepare(self, sample):
        words = len(sample.split()) if isinstance(sample, str) else 1
        with self.lock:
            self.prepared += 1
        return np.zeros(self.weight + words, np.uint8)

    def cost(self, prepared):
        return len(prepared) - self.weight

    def collate(self, prepared):
        return prepared

    def forward(self, batch):
        return {"t": Features(np.array([[len(one), 1.0] for one in batch], np.float32))}


class Given(Provider):
    def __init__(self, backbone):
        self.backbone = backbone

    def describe(self, source, options):
        return self.backbone.contract

    def load(self, source, options):
        return self.backbone


def model(backbone):
    return Model(Source("given", "m"), Given(backbone), LoadOptions())


def options(**changes):
    return replace(ExtractOptions(settings.store_root(), batch_size=4, threads=2), **changes)


def lengths(counts, backbone, **changes):
    """The numbers of words in each batch."""
    items = [Item(f"t{n}", " ".join(["w"] * count)) for n, count in enumerate(counts)]
    bad = Unreadable(OnBad(), items)
    cut = batches(items, list(range(len(items))), model(backbone), options(**changes), bad)
    return [[len(prepared) for _, prepared in batch] for batch in cut]


def test_a_batch_of_texts_costs_what_so_many_of_mean_length_would():
    """Mean 4, so a batch of 4 may cost 16: eight of 2 words, then two of 8."""
    counts = [2] * 16 + [8] * 8
    random = np.random.default_rng(0)
    got = lengths(random.permutation(counts).tolist(), Words())
    assert [len(batch) for batch in got] == [8, 8, 2, 2, 2, 2]
    assert all(batch == sorted(batch) for batch in got)


def test_texts_of_one_length_come_in_batches_of_the_size():
    assert [len(batch) for batch in lengths([5] * 10, Words())] == [4, 4, 2]


def test_a_batch_is_never_many_times_the_size():
    got = lengths([1] * 60 + [500], Words())
    assert [len(batch) for batch in got] == [32, 28, 1]


@pytest.mark.parametrize(
    ("most", "dearest", "sizes"), [(3, None, [3, 3, 3, 1]), (None, 4, [2] * 5)]
)
def test_what_the_backbone_takes_bounds_it(most, dearest, sizes):
    assert [len(batch) for batch in lengths([2] * 10, Words(most=most, dearest=dearest))] == sizes


def test_each_sample_is_prepared_once_whatever_the_threads():
    backbone = Words()
    got = lengths(list(range(1, 301)), backbone, threads=8)
    assert sorted(n for batch in got for n in batch) == list(range(1, 301))
    assert backbone.prepared == 300


def test_who_stops_early_leaves_no_thread_and_decodes_no_more():
    backbone = Words("image")
    items = [Item(f"i{n}", np.full((2, 2), n, np.uint8)) for n in range(200)]
    bad = Unreadable(OnBad(), items)
    some = batches(items, list(range(200)), model(backbone), options(), bad)
    assert len(next(some)) == 4
    some.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("zoo-decode")]
    assert backbone.prepared <= 8


@pytest.mark.parametrize("modality", ["image", "text"])
def test_memory_does_not_grow_with_the_data(modality):
    """Prepared samples of 20 kB: 1,000 or 5,000 of them, two windows of 4 or 64 are in memory."""

    def peak(count):
        values = [
            f"w {n}" if modality == "text" else np.array([[n >> 8, n & 255]], np.uint8)
            for n in range(count)
        ]
        items = [Item(f"i{n}", value) for n, value in enumerate(values)]
        bad = Unreadable(OnBad(), items)
        opened = model(Words(modality, weight=20_000))
        todo = list(range(count))
        tracemalloc.start()
        try:
            done = sum(len(some) for some, _ in forwarded(items, todo, opened, options(), bad))
            return done, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    (few, small), (many, large) = peak(1000), peak(5000)
    assert (few, many) == (1000, 5000)
    assert small < 140 * 25_000
    assert large < small + 2e6  # of 80 MB that the others are


def test_the_first_sample_alone_is_decoded_twice(monkeypatch):
    """Once to see that there is anything to read the weights for."""
    decoded = []

    def counted(item, modality):
        decoded.append(item.name)
        return decode(item, modality)

    monkeypatch.setattr("zoo.features.batches.decode", counted)
    monkeypatch.setattr(sys.modules["zoo.features.extract"], "decode", counted)
    items = tuple(Item(f"t{n}", f"w {n}") for n in range(40))
    data = Dataset("d", "text", items, Target("none", np.full(40, -1, np.int64)))
    assert extract(data, model(Words()), options()).forwards == 40
    assert sorted(decoded) == sorted([*(item.name for item in items), "t0"])
