from __future__ import annotations

import io
import json
import random
import tarfile
from pathlib import Path

import pytest

from zoo.data.locate import open_dataset
from zoo.data.webdataset import WebDatasetReader
from zoo.errors import DataError
from zoo.plugin import DataOptions


def read(reference, **options):
    return open_dataset(str(reference), [("w", WebDatasetReader())], DataOptions(**options))


def labels(data) -> list[str | None]:
    return [data.target.names[code] if code >= 0 else None for code in data.target.values]


def write(path: Path, members: dict[str, str | bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def test_members_of_one_base_name_are_a_sample(tmp_path):
    path = write(
        tmp_path / "s.tar",
        {
            "d/a.jpg": b"one",
            "d/a.cls": "1\n",
            "./d/b.PNG": b"two",
            "d/b.mask.png": b"no",
            "d/b.cls": "0",
            "d/c.jpeg": b"3",
        },
    )
    data = read(path)
    assert data.modality == "image"
    assert [(i.name, i.content()) for i in data.items] == [
        ("s.tar/d/a.jpg", b"one"),
        ("s.tar/d/b.PNG", b"two"),
        ("s.tar/d/c.jpeg", b"3"),
    ]
    assert labels(data) == ["1", "0", None]
    assert [i.content() for i in read(path, input="mask.png").items] == [b"no"]


def test_class_numbers_are_classes_however_many(tmp_path):
    members = {f"{i}.{kind}": str(i) for i in range(30) for kind in ("wav", "cls")}
    data = read(write(tmp_path / "s.tar", members))
    assert data.modality == "audio"
    assert len(data.target.names) == 30


def test_labels_groups_and_splits_may_be_fields_of_json(tmp_path):
    rows = [("x", "p", "train"), ("y", "q", "dev"), (None, "p", "train")]
    members = {}
    for i, (label, who, split) in enumerate(rows):
        members[f"{i}.flac"] = b"fLaC"
        members[f"{i}.json"] = json.dumps({"label": label, "kind": i, "group": who, "split": split})
    data = read(write(tmp_path / "s.tar", members))
    assert labels(data) == ["x", "y", None]
    assert data.groups.tolist() == ["p", "q", "p"]
    assert data.split == ("train", "val", "train")
    assert labels(read(tmp_path / "s.tar", target="kind")) == ["0", "1", "2"]
    assert read(tmp_path / "s.tar", group="kind").groups.tolist() == ["0", "1", "2"]
    with pytest.raises(DataError, match=r"no \.json has a field 'taste'; they have 'group'"):
        read(tmp_path / "s.tar", target="taste")


def test_lists_in_json_are_several_labels_a_sample(tmp_path):
    members = {}
    for i, labels in enumerate((["cat", "dog"], ["dog"], [], None)):
        members[f"{i}.png"] = b""
        members[f"{i}.json"] = json.dumps({"label": labels})
    data = read(write(tmp_path / "s.tar", members))
    assert (data.target.task, data.target.names) == ("multilabel", ("cat", "dog"))
    assert data.target.values.tolist() == [[1, 1], [0, 1], [0, 0], [-1, -1]]


def test_json_that_nobody_asks_for_may_be_anything(tmp_path):
    path = write(tmp_path / "s.tar", {"a.png": b"", "a.cls": "1", "a.json": "[1, 2]"})
    assert labels(read(path)) == ["1"]
    with pytest.raises(DataError, match="no JSON object"):
        read(path, group="who")


def test_texts_are_labels_beside_images_and_inputs_alone(tmp_path):
    path = write(
        tmp_path / "i.tar", {"a.png": b"x", "a.txt": "cat\n", "b.png": b"y", "b.txt": "dog"}
    )
    assert labels(read(path)) == ["cat", "dog"]
    path = write(tmp_path / "t.tar", {"a.txt": "grüße", "a.cls": "0", "b.txt": "x", "b.cls": "1"})
    data = read(path)
    assert data.modality == "text"
    assert [i.value for i in data.items] == ["grüße", "x"]
    assert labels(data) == ["0", "1"]


def test_shards_by_pattern_and_by_folder(tmp_path):
    for split in ("train", "test"):
        for i in range(2):
            write(tmp_path / f"{split}-{i:03}.tar", {"a.png": f"{split}{i}", "a.cls": str(i)})
    data = read(tmp_path)
    assert data.split == ("train", "train", "test", "test")
    assert [i.content() for i in data.items] == [b"train0", b"train1", b"test0", b"test1"]
    data = read(f"{tmp_path}/train-{{000..001}}.tar")
    assert [i.name for i in data.items] == ["train-000.tar/a.png", "train-001.tar/a.png"]
    assert data.split is None


def test_prediction_needs_no_labels(tmp_path):
    data = read(write(tmp_path / "s.tar", {"a.png": b"x"}), labelled=False)
    assert (len(data), data.target.task) == (1, "none")


def test_samples_without_input_are_counted(tmp_path):
    members = {"a.png": b"", "a.cls": "1", "b.cls": "2", "c.wav": b"", "d.png": b""}
    data = read(write(tmp_path / "s.tar", members))
    assert [i.name for i in data.items] == ["s.tar/a.png", "s.tar/d.png"]
    assert "ignored 1 samples without an input" in data.notes
    assert any("ignored 1 samples that are no" in note for note in data.notes)


@pytest.mark.parametrize(
    ("members", "options", "says"),
    [
        ({}, {}, "no files"),
        ({"a.cls": "1"}, {}, "no images, recordings or .txt; they hold '.cls'"),
        ({"a.png": b""}, {}, "no labels"),
        ({"a.png": b"", "a.cls": "1"}, {"input": "jpg"}, "hold no .jpg"),
        ({"a.png": b"", "a.cls": "1"}, {"target": "kind"}, "hold no .kind"),
        ({"a.png": b"", "a.cls": "1"}, {"group": "who"}, "hold no .who"),
        ({"a.png": b"", "a.jpg": b"", "a.cls": "1"}, {}, "'s.tar/a' holds '.jpg', '.png'"),
        ({"a.png": b"", "a.json": "[1]"}, {}, "is no JSON object"),
        ({"a.png": b"", "a.json": "{"}, {}, "is not JSON"),
        ({"a.png": b"", "a.json": '{"label": {"a": 1}}'}, {}, "not one value or a list"),
        ({"a.png": b"", "a.json": '{"label": [1, null]}'}, {}, "holds one that is missing"),
        ({"a.png": b"", "a.cls": "1", "a.json": '{"group": ["x"]}'}, {}, "not one value"),
        ({"a.png": b"", "a.cls": b"\xff"}, {}, "is not UTF-8"),
        ({"../a.png": b"", "a.cls": "1"}, {}, "leads out of the archive"),
        ({"/etc/a.png": b"", "a.cls": "1"}, {}, "leads out of the archive"),
    ],
)
def test_unfit_archives_are_refused_by_name(tmp_path, members, options, says):
    with pytest.raises(DataError, match=says) as caught:
        read(write(tmp_path / "s.tar", members), **options)
    assert "\n" not in str(caught.value)


def test_long_labels_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.data.webdataset._MAX_TEXT", 3)
    with pytest.raises(DataError, match=r"a\.cls' has 4 bytes"):
        read(write(tmp_path / "s.tar", {"a.png": b"", "a.cls": "1234"}))


def test_damaged_archives_are_refused_or_read_and_nothing_else(tmp_path):
    members = {f"{i}.{kind}": str(i) * 300 for i in range(4) for kind in ("png", "cls")}
    path = write(tmp_path / "s.tar", members)
    good = path.read_bytes()
    used = good.rindex(b"3" * 300) + 300
    refusals = []
    for seed in range(200):
        rng = random.Random(seed)
        damaged = bytearray(good)
        if seed % 2:
            damaged = damaged[: rng.randrange(used)]
        else:
            damaged[rng.randrange(used)] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            for item in read(path, task="class").items:
                item.content()
        except DataError as error:
            refusals.append((seed, str(error)))
    assert {seed for seed, _ in refusals} >= set(range(1, 200, 2))  # whatever is cut short
    assert all("'s.tar" in said and "\n" not in said for _, said in refusals)


def test_it_claims_archives_and_folders_of_them(tmp_path):
    claims = WebDatasetReader().claims
    assert claims(tmp_path / "a.TAR")
    assert claims(tmp_path / "a.tar.gz")
    assert not claims(tmp_path / "a.zip")
    assert not claims(tmp_path)
    write(tmp_path / "x.tar", {})
    assert claims(tmp_path)
