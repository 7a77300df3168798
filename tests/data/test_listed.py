from __future__ import annotations

import json
from pathlib import Path

import pytest

from zoo.data.folder import FolderReader
from zoo.data.listed import ListedReader
from zoo.data.locate import open_dataset
from zoo.data.table import TableReader
from zoo.errors import DataError
from zoo.plugin import DataOptions

READERS = [("listed", ListedReader()), ("table", TableReader()), ("folder", FolderReader())]


def make(root: Path, table: str, *names: str, at: str = "metadata.csv") -> Path:
    for name in (*names, at):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (root / at).write_text(table, encoding="utf-8")
    return root


def read(root: Path, **options):
    return open_dataset(root, READERS, DataOptions(**options))


def labels(data) -> dict[str, str | None]:
    names = [data.target.names[code] if code >= 0 else None for code in data.target.values]
    return dict(zip((item.name for item in data.items), names, strict=True))


@pytest.mark.parametrize("column", ["file_name", "file", "path", "image"])
def test_the_table_names_files_labels_groups_and_splits(tmp_path, column):
    table = f"{column},label,group,split\nb.png,x,p1,dev\nd/a.JPG,y,p2,train\nc.png,,p1,train\n"
    data = read(make(tmp_path, table, "b.png", "d/a.JPG", "c.png"))
    assert labels(data) == {"b.png": "x", "d/a.JPG": "y", "c.png": None}
    assert data.modality == "image"
    assert data.items[1].value == tmp_path / "d/a.JPG"
    assert data.split == ("val", "train", "train")
    assert data.groups.tolist() == ["p1", "p2", "p1"]
    assert any("'group'" in note for note in data.notes)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("labels.tsv", "audio\tlabel\ntrim.wav\tx\nb.flac\ty\n"),
        ("metadata.jsonl", '{"audio": "trim.wav", "label": "x"}\n{"audio":"b.flac","label":"y"}'),
    ],
)
def test_recordings_and_other_tables_are_read_too(tmp_path, name, rows):
    data = read(make(tmp_path, rows, "trim.wav", "b.flac", at=name))
    assert data.modality == "audio"
    assert labels(data) == {"trim.wav": "x", "b.flac": "y"}


def test_columns_are_chosen_by_options(tmp_path):
    root = make(tmp_path, "f,kind,who\n1.png,a,p\n2.png,b,q\n", "1.png", "2.png")
    data = read(root, input="f", target="kind", group="who")
    assert labels(data) == {"1.png": "a", "2.png": "b"}
    assert data.groups.tolist() == ["p", "q"]


def test_files_that_are_not_named_are_left_out_with_a_note(tmp_path):
    data = read(make(tmp_path, "file,label\n1.png,a\n2.png,b\n", "1.png", "2.png", "x/3.png"))
    assert len(data) == 2
    assert any("1 image files are not named" in n and "'x/3.png'" in n for n in data.notes)


def test_files_that_are_absent_stay_to_be_named_when_they_are_read(tmp_path):
    data = read(make(tmp_path, "file,label\n1.png,a\ngone.png,b\n", "1.png"))
    assert [item.name for item in data.items] == ["1.png", "gone.png"]
    with pytest.raises(DataError, match=r"none of the 2 files .*'no/1\.png'"):
        read(make(tmp_path, "file,label\nno/1.png,a\nno/2.png,b\n", "1.png"))


def test_a_file_named_twice_is_two_rows_and_a_note(tmp_path):
    data = read(make(tmp_path, "file,label\n1.png,a\n./1.png,b\n2.png,b\n", "1.png", "2.png"))
    assert [item.name for item in data.items] == ["1.png", "1.png", "2.png"]
    assert any("1 rows name a file that another row names" in note for note in data.notes)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../out.png", "leads out of the data folder"),
        ("a/../../out.png", "leads out of the data folder"),
        ("link.png", "leads out of the data folder"),
        ("away/out.png", "leads out of the data folder"),
        ("https://host/1.png", "not addresses"),
        ("1.txt", "does not end like"),
        ("", "names no image"),
        ("d.png", "is not a file"),
    ],
)
def test_names_that_may_not_be_read_are_refused_by_row(tmp_path, name, says):
    (tmp_path / "out.png").write_bytes(b"secret")
    root = make(tmp_path / "data", f'file,label\n1.png,a\n"{name}",b\n', "1.png")
    (root / "link.png").symlink_to("../out.png")
    (root / "away").symlink_to("..")
    (root / "d.png").mkdir()
    with pytest.raises(DataError, match=says) as caught:
        read(root)
    assert "row 2" in str(caught.value)
    assert caught.value.hint


def test_an_absolute_path_inside_and_a_link_inside_are_read(tmp_path):
    root = make(tmp_path, f"file,label\n{tmp_path}/1.png,a\nl.png,b\nd\\2.png,c\n", "1.png")
    make(root, (root / "metadata.csv").read_text(), "d/2.png")
    (root / "l.png").symlink_to("1.png")
    assert list(labels(read(root))) == ["1.png", "l.png", "d/2.png"]


def test_class_folders_that_say_the_same_stay_class_folders(tmp_path):
    root = make(tmp_path, "file,label,split\na/1.png,a,test\nb/2.png,b,train\n", "a/1.png")
    make(root, (root / "metadata.csv").read_text(), "b/2.png", "b/3.png")
    data = read(root)
    assert data.split is None
    assert len(data) == 3
    assert "--target label reads it" in data.notes[-1]
    assert read(root, target="label").split == ("test", "train")
    assert read(root, group="split").groups.tolist() == ["test", "train"]


def test_class_folders_that_say_otherwise_give_way(tmp_path):
    root = make(tmp_path, "file,label\ns1/1.png,cat\ns2/2.png,dog\n", "s1/1.png", "s2/2.png")
    data = read(root)
    assert labels(data) == {"s1/1.png": "cat", "s2/2.png": "dog"}
    assert "labels are those of 'metadata.csv'" in data.notes[-1]


def test_a_table_that_names_no_files_leaves_class_folders_alone(tmp_path):
    data = read(make(tmp_path, "class,title\na,Ant\nb,Bee\n", "a/1.png", "b/2.png"))
    assert data.target.names == ("a", "b")
    assert "has no column 'file_name'" in data.notes[-1]
    with pytest.raises(DataError, match="has no column 'file_name'"):
        read(make(tmp_path / "flat", "class,title\na,Ant\nb,Bee\n", "1.png"))


def test_split_folders_with_a_table_each_and_split_folders_in_names(tmp_path):
    root = tmp_path / "each"
    make(root, "file,label\n1.png,a\n2.png,b\n", "train/1.png", at="train/metadata.csv")
    make(root, "file,label\n1.png,a\n", "test/1.png", "train/2.png", at="test/metadata.csv")
    data = read(root)
    assert labels(data) == {"train/1.png": "a", "train/2.png": "b", "test/1.png": "a"}
    assert data.split == ("train", "train", "test")
    top = "file,label\nval/1.png,a\ntrain/1.png,a\ntrain/2.png,b\n"
    data = read(make(tmp_path / "top", top, "val/1.png", "train/1.png", "train/2.png"))
    assert data.split == ("val", "train", "train")


def test_prediction_takes_the_folders_files_whatever_the_table_says(tmp_path):
    root = make(tmp_path, "file,label\n1.png,a\n", "1.png", "2.png")
    assert len(read(root, labelled=False)) == 2
    assert len(read(root, labelled=False, input="file")) == 1


def test_two_tables_and_tables_out_of_the_folder_are_refused(tmp_path):
    root = make(tmp_path / "data", "file,label\n1.png,a\n", "1.png")
    (root / "labels.csv").write_text("")
    with pytest.raises(DataError, match=r"'labels\.csv', 'metadata\.csv'"):
        read(root)
    (root / "labels.csv").unlink()
    (root / "metadata.csv").rename(tmp_path / "m.csv")
    (root / "metadata.csv").symlink_to("../m.csv")
    with pytest.raises(DataError, match="leads out"):
        read(root)


def test_it_claims_folders_with_a_table_of_files_alone(tmp_path):
    claims = ListedReader().claims
    root = make(tmp_path, "", at="labels.jsonl")
    assert not claims(root)
    assert not claims(root / "labels.jsonl")
    make(root, "", "1.png", at="labels.jsonl")
    assert claims(root)


def test_a_table_alone_may_name_files_in_any_column(tmp_path):
    root = make(tmp_path, "where,label\nd/1.png,a\nd/2.png,b\n", "d/1.png", "d/2.png", at="p.csv")
    data = read(root / "p.csv", input="where")
    assert labels(data) == {"d/1.png": "a", "d/2.png": "b"}
    data = read(
        make(tmp_path, json.dumps({"text": "a.png b", "label": "x"}), at="t.jsonl") / "t.jsonl"
    )
    assert data.modality == "text"
