"""The data readers on real data: layouts, counts and known traps."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from zoo.data import open_dataset, plan_splits, usable
from zoo.data.arrays import ArraysReader
from zoo.data.folder import FolderReader
from zoo.data.listed import ListedReader
from zoo.data.table import TableReader
from zoo.errors import DataError
from zoo.plugin import DataOptions

pytestmark = pytest.mark.real
READERS = [
    ("arrays", ArraysReader()),
    ("listed", ListedReader()),
    ("table", TableReader()),
    ("folder", FolderReader()),
]


def read(path: Path, **options):
    return open_dataset(path, READERS, DataOptions(**options))


def digests(data) -> np.ndarray:
    blobs = (
        item.value.read_bytes() if isinstance(item.value, Path) else item.value.encode()
        for item in data.items
    )
    joined = b"".join(hashlib.sha256(blob).digest()[:16] for blob in blobs)
    return np.frombuffer(joined, np.uint8).reshape(-1, 16)


@pytest.mark.parametrize(
    ("name", "splits", "classes"),
    [
        ("img-hymenoptera", {"train": 244, "val": 153}, 2),
        ("img-flowers5", {"train": 500, "test": 250}, 5),
        ("img-cifar10-jpeg", {"train": 1500, "test": 1000}, 10),
        ("img-digits-mnist-usps/mnist", {"train": 1000, "test": 500}, 10),
        ("img-pacs-photo-cartoon/photo", None, 3),
        ("text-sst2", {"train": 6920, "val": 872, "test": 1821}, 2),
        ("text-trec6", {"train": 5452, "test": 500}, 6),
        ("text-sms-spam", {"train": 4000, "test": 1572}, 2),
        ("text-amazon-books-kitchen/books.csv", None, 2),
        ("audio-fsdd", None, 10),
    ],
)
def test_layouts_are_understood(asset, name, splits, classes):
    data = read(asset(name))
    assert data.modality == {"img": "image", "tex": "text", "aud": "audio"}[name[:3]]
    assert (dict(Counter(data.split)) if data.split else None) == splits
    assert len(data.target.names) == classes
    assert usable(data) == ()


def test_items_are_ordered_by_split_and_then_by_path(asset):
    data = read(asset("img-hymenoptera"))
    assert data.items[0].name.startswith("train/ants/")
    assert [i.name for i in data.items] == sorted(i.name for i in data.items)
    assert len(read(asset("img-hymenoptera"), labelled=False)) == 397


def test_fine_labels_are_another_column(asset):
    assert len(read(asset("text-trec6"), target="fine_label").target.names) >= 47


def test_ratings_are_classes_unless_asked_otherwise_and_scores_are_numbers(asset):
    data = read(asset("text-amazon-books-kitchen/books.csv"), target="rating")
    assert "integers" in data.notes[0]
    ratings = read(asset("text-amazon-books-kitchen/books.csv"), target="rating", task="regression")
    assert sorted(set(ratings.target.values[:, 0].tolist())) == [1, 2, 4, 5]
    scores = read(asset("text-stsb"), input="sentence1", target="score")
    assert (scores.target.task, scores.target.labelled.sum()) == ("regression", 5749 + 1500 + 1379)
    assert (scores.target.values.min(), scores.target.values.max()) == (0, 5)
    plan = plan_splits(scores, digests(scores))
    assert (len(plan.train), len(plan.val), len(plan.test)) == (5749, 1500, 1379)
    with pytest.raises(DataError, match="no column 'text'; it has 'sentence1'"):
        read(asset("text-stsb"))


def test_leaks_across_given_splits_are_counted(asset):
    data = read(asset("text-sms-spam"))
    texts = [str(item.value) for item in data.items]
    train = {t for t, s in zip(texts, data.split, strict=True) if s == "train"}
    leaked = sum(t in train for t, s in zip(texts, data.split, strict=True) if s == "test")
    plan = plan_splits(data, digests(data))
    assert 100 < leaked <= 164  # 164 when case is folded
    assert f"{leaked} of 1572 test rows are byte-identical to train rows" in plan.notes


def test_small_data_is_cross_validated_and_large_data_held_out(asset):
    photos = read(asset("img-pacs-photo-cartoon/photo"))
    plan = plan_splits(photos, digests(photos))
    assert plan.protocol == "cv"
    sounds = read(asset("audio-fsdd"))
    plan = plan_splits(sounds, digests(sounds))
    assert (plan.protocol, len(plan.test)) == ("holdout", 240)
    assert np.bincount(sounds.target.values[plan.test]).tolist() == [24] * 10


def test_speakers_never_straddle(asset):
    sounds = read(asset("audio-fsdd"))
    speakers = np.array([i.name.split("_")[1] for i in sounds.items])
    grouped = type(sounds)("fsdd", "audio", sounds.items, sounds.target, None, speakers)
    plan = plan_splits(grouped, digests(grouped))
    assert len(set(speakers[plan.test])) == 1
    assert not set(speakers[plan.test]) & set(speakers[plan.train])


def test_a_table_gives_the_speakers_of_recordings(asset, tmp_path):
    source = asset("audio-fsdd")
    rows = ["sound,digit,speaker"]
    for path in sorted(source.glob("[0-9]/*.wav")):
        digit, speaker, _ = path.name.split("_")
        rows.append(f"{path.parent.name}/{path.name},{digit},{speaker}")
        (tmp_path / digit).mkdir(exist_ok=True)
        (tmp_path / digit / path.name).write_bytes(path.read_bytes())
    (tmp_path / "metadata.csv").write_text("\n".join(rows) + "\n")
    data = read(tmp_path, input="sound", target="digit", group="speaker", task="class")
    assert (data.modality, len(data), len(data.target.names)) == ("audio", 1200, 10)
    assert len(set(data.groups.tolist())) == 6
    plan = plan_splits(data, digests(data))
    judges = set(data.groups[plan.test].tolist())
    assert len(judges) == 1
    assert judges.isdisjoint(data.groups[plan.train].tolist())
    for fit, held in plan.folds:
        assert set(data.groups[fit].tolist()).isdisjoint(data.groups[held].tolist())
    assert len(plan.folds) == 5


def test_the_official_split_of_a_table_is_read_where_it_is_asked_for(asset):
    data = read(asset("audio-fsdd"), target="label", group="speaker")
    assert Counter(data.split) == {"train": 900, "test": 300}
    plan = plan_splits(data, digests(data))
    assert (len(plan.train), len(plan.test)) == (900, 300)
    assert any("300 of 300 test rows are in a group of train rows" in n for n in plan.notes)


def test_without_a_test_split_val_judges(asset):
    data = read(asset("img-hymenoptera"))
    plan = plan_splits(data, digests(data))
    assert len(plan.judge) == 153
    assert any("val judges" in note for note in plan.notes)
