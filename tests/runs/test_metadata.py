from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo.plugin import Blob, Item
from zoo.runs.metadata import attributes, telling_attributes


class Member(Blob):
    def __init__(self, size):
        self.size = size

    def read(self):
        raise AssertionError("nothing may be read")


def members(sizes, names=None):
    names = names or [f"{i:03}.png" for i in range(len(sizes))]
    return [Item(name, Member(int(size))) for name, size in zip(names, sizes, strict=True)]


def test_sizes_of_one_class_tell_it():
    codes = np.arange(200) % 2
    sizes = np.random.default_rng(0).normal(1000, 50, 200) + 400 * codes
    (told,) = telling_attributes(members(sizes), codes, 0)
    assert (told.attribute, told.rows, told.majority) == ("file size", 200, 0.5)
    assert told.accuracy > 0.97
    assert told.lift == pytest.approx(2 * told.accuracy - 1)
    assert told.p < 1e-20


def test_extensions_of_one_class_tell_it():
    codes = np.resize([0, 1, 2, 0], 120)
    names = [f"{i}.{'PNG' if code == 1 else 'jpg'}" for i, code in enumerate(codes)]
    (told,) = telling_attributes(members([7] * 120, names), codes, 0)
    assert (told.attribute, told.accuracy) == ("file extension", 0.75)


def test_shapes_of_arrays_tell_their_class():
    codes = np.arange(80) % 2
    items = [Item(f"d:{i}", np.zeros((8, 8 + code), np.uint8)) for i, code in enumerate(codes)]
    (told,) = telling_attributes(items, codes, 0)
    assert (told.attribute, told.accuracy) == ("shape", 1.0)


def test_what_is_unlike_by_chance_is_hardly_ever_told():
    rng = np.random.default_rng(1)
    alarms = 0
    for seed in range(300):
        n = int(rng.integers(40, 300))
        codes = rng.integers(int(rng.integers(2, 6)), size=n)
        names = [f"{i}.{'png' if rng.random() < 0.3 else 'jpg'}" for i in range(n)]
        items = members(rng.lognormal(10, 1, n), names)
        alarms += bool(telling_attributes(items, codes, seed))
    assert alarms <= 2  # 0.3 are expected at most


def test_files_are_not_opened(tmp_path, monkeypatch):
    items = []
    for i in range(60):
        path = tmp_path / f"{i}.png"
        path.write_bytes(b"x" * (10 + i % 2))
        items.append(Item(path.name, path))
    monkeypatch.setattr(Path, "read_bytes", None)
    monkeypatch.setattr("builtins.open", None)
    monkeypatch.setattr(Path, "open", None)
    (told,) = telling_attributes(items, np.arange(60) % 2, 0)
    assert told.accuracy == 1.0


def test_what_some_items_lack_or_all_share_is_no_attribute(tmp_path):
    gone = Item("b.jpg", tmp_path / "gone.jpg")
    assert list(attributes([*members([1, 2]), gone])) == ["file extension"]
    assert attributes(members([5, 5])) == {}
    assert attributes([Item("t.csv:1", "a text"), Item("t.csv:2", "b")]) == {}
    assert attributes([Item("a.png", b"12"), Item("b.png", b"1")])["file size"].tolist() == [2, 1]


def test_few_samples_and_single_classes_say_nothing():
    assert telling_attributes(members(range(30)), np.arange(30) // 15, 0) == []
    assert telling_attributes(members(range(90)), np.zeros(90, np.int64), 0) == []
