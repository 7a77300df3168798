from __future__ import annotations

import pytest

from zoo.data import from_items, open_dataset, usable
from zoo.data.folder import FolderReader
from zoo.data.table import TableReader
from zoo.data.toy import ToyReader
from zoo.errors import DataError
from zoo.plugin import DataOptions

READERS = [("table", TableReader()), ("folder", FolderReader()), ("sklearn", ToyReader())]


def test_a_reader_is_called_by_name_or_by_what_it_claims(tmp_path, monkeypatch):
    (tmp_path / "d.csv").write_text("text,label\na,b\n")
    (tmp_path / "c:olon").mkdir()
    (tmp_path / "c:olon/train.csv").write_text("text,label\na,b\n")
    monkeypatch.chdir(tmp_path)
    for data in ("d.csv", tmp_path / "d.csv", "table:d.csv", "./d.csv", "c:olon"):
        assert open_dataset(data, iter(READERS), DataOptions()).modality == "text"
    assert len(open_dataset("sklearn:digits", READERS, DataOptions())) == 1797


def test_a_pattern_goes_to_the_reader_of_its_first_file(tmp_path):
    for number in range(2):
        (tmp_path / f"s-{number}.made").write_text("")

    class Made(TableReader):
        def claims(self, path):
            return path.suffix == ".made"

        def read(self, reference, options):
            return reference

    readers = [("made", Made())]
    for reference in (f"{tmp_path}/s-{{0..1}}.made", f"{tmp_path}/s-0.made"):
        assert open_dataset(reference, readers, DataOptions()) == reference
    with pytest.raises(DataError, match=r"s-2\.made'"):
        open_dataset(f"{tmp_path}/s-{{2..3}}.made", readers, DataOptions())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("nothing", "no such file"),
        ("sklern:digits", "'sklern'"),
        ("C:\\x", "no such file"),
        ("x" * 5000, "xxx"),
        ("", "empty folder"),
    ],
)
def test_data_that_is_not_there_is_named(data, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=says) as caught:
        open_dataset(data, READERS, DataOptions())
    assert caught.value.exit_code == 4


def test_a_file_that_nobody_claims_is_named(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"")
    with pytest.raises(DataError, match="no reader knows"):
        open_dataset(tmp_path / "a.pdf", READERS, DataOptions())


@pytest.mark.parametrize("name", ["photos.zip", "photos.tar.gz", "a.TGZ", "d.csv.xz", "x.7z"])
def test_an_archive_is_refused_as_what_it_is(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK no archive at all")
    with pytest.raises(DataError, match="is an archive") as caught:
        open_dataset(tmp_path / name, READERS, DataOptions())
    assert "unpack it" in caught.value.hint


def test_rare_classes_are_warned_of_by_name():
    labels = ["many"] * 10 + ["few"] * 3 + ["one"] + [None]
    warnings = usable(from_items(["t"] * 15, labels))
    assert warnings == ("class 'few' has 3 samples only", "class 'one' has 1 sample only")


@pytest.mark.parametrize(
    ("labels", "says"),
    [(["lonely", None], "one class only, 'lonely'"), ([None, ""], "none of 2"), (None, "none of")],
)
def test_fewer_than_two_classes_are_an_error(labels, says):
    with pytest.raises(DataError, match=says):
        usable(from_items(["a", "b"], labels))


def test_rare_labels_are_warned_of_and_numbers_are_not():
    labels = [["many", "few"]] * 3 + [["many"]] * 9 + [[]] + [None]
    assert usable(from_items(["t"] * 14, labels)) == ("label 'few' has 3 samples only",)
    assert usable(from_items(["t"] * 2, [0.5, 1.5])) == ()


@pytest.mark.parametrize(
    ("labels", "says"),
    [([0.5, 0.5], "one number"), ([["a"], ["a"]], "one set of labels"), ([[None]], "missing")],
)
def test_numbers_and_labels_that_do_not_differ_are_an_error(labels, says):
    with pytest.raises(DataError, match=says):
        usable(from_items(["a", "b"][: len(labels)], labels))
