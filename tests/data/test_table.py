from __future__ import annotations

import contextlib
import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.table import TableReader
from zoo.errors import DataError, UsageError
from zoo.plugin import DataOptions


def read(path: Path, **options):
    return TableReader().read(str(path), DataOptions(**options))


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Path, **options) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def labels(data) -> list[str | None]:
    return [data.target.names[c] if c >= 0 else None for c in data.target.values]


def test_text_and_label_are_the_default_columns(tmp_path):
    data = read(write(tmp_path / "d.csv", "label,text\npos,fine\n,unknown\nneg,bad\n"))
    assert data.modality == "text"
    assert [(i.name, i.value) for i in data.items] == [
        ("d.csv:1", "fine"),
        ("d.csv:2", "unknown"),
        ("d.csv:3", "bad"),
    ]
    assert labels(data) == ["pos", None, "neg"]
    assert data.split is None
    assert data.name == "d"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_byte_order_marks_and_blank_lines_do_not_matter(tmp_path, end, mark):
    content = end.join(["text,label", "a,1", "", "b,2", ""])
    data = read(write(tmp_path / "d.csv", mark + content.encode()))
    assert labels(data) == ["1", "2"]


def test_quotes_delimiters_and_line_breaks_inside_a_field_are_text(tmp_path):
    data = read(write(tmp_path / "d.tsv", 'text\tlabel\n"a ""b""\t\nc"\tx\n猫, עברית\ty\n'))
    assert [i.value for i in data.items] == ['a "b"\t\nc', "猫, עברית"]


def test_a_field_of_many_megabytes_is_read_and_the_limit_left_alone(tmp_path):
    before = csv.field_size_limit()
    data = read(write(tmp_path / "d.csv", "text,label\n" + "x" * 3_000_000 + ",a\n"))
    assert len(data.items[0].value) == 3_000_000
    assert csv.field_size_limit() == before


def test_a_folder_of_split_files_is_read_in_order(tmp_path):
    for name, label in (("test", "t"), ("train", "r"), ("dev", "v")):
        write(tmp_path / f"{name}.csv", f"text,label\n{name},{label}\n{name} 2,{label}\n")
    write(tmp_path / "SOURCE.md", "not data")
    data = read(tmp_path)
    assert data.split == ("train", "train", "val", "val", "test", "test")
    assert data.items[2].name == "dev.csv:1"
    assert labels(data) == ["r", "r", "v", "v", "t", "t"]
    assert TableReader().claims(tmp_path)


def test_a_lone_table_in_a_folder_is_read_and_several_are_refused(tmp_path):
    write(tmp_path / "a.csv", "text,label\na,b\n")
    assert read(tmp_path).split is None
    write(tmp_path / "b.csv", "text,label\na,b\n")
    assert "'a.csv', 'b.csv'" in str(refused(tmp_path))


def test_a_group_that_only_one_file_has_is_a_group(tmp_path):
    write(tmp_path / "train.csv", "text,label,group\na,x,p\nb,y,q\n")
    write(tmp_path / "test.csv", "text,label\nc,x\n")
    assert read(tmp_path).groups.tolist() == ["p", "q", ""]


def test_two_files_for_one_split_are_refused(tmp_path):
    write(tmp_path / "train.csv", "text,label\na,b\n")
    write(tmp_path / "training.jsonl", "{}")
    assert "train split" in str(refused(tmp_path))


def test_a_split_file_that_leads_out_of_the_folder_is_refused(tmp_path):
    write(tmp_path / "secret.csv", "text,label\na,b\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").symlink_to("../secret.csv")
    assert "out of the data folder" in str(refused(tmp_path / "data"))


def test_columns_are_chosen_and_a_missing_one_is_named(tmp_path):
    path = write(tmp_path / "d.csv", "q,category,who\na,x,p1\nb,y,\n")
    data = read(path, input="q", target="category", group="who")
    assert labels(data) == ["x", "y"]
    assert data.groups.tolist() == ["p1", ""]
    for options, column in (
        ({}, "'text'"),
        ({"input": "q"}, "'label'"),
        ({"input": "q", "target": "category", "group": "speaker"}, "'speaker'"),
    ):
        error = refused(path, **options)
        assert f"'d.csv' has no column {column}; it has 'q', 'category', 'who'" in str(error)
        assert "--input" in error.hint


def test_prediction_needs_no_labels(tmp_path):
    data = read(write(tmp_path / "d.csv", "text\na\nb\n"), labelled=False)
    assert data.target.task == "none"
    assert len(data) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"text,label\n", "no rows"),
        (b"text,label\na,b\nc\n", "line 3: 1 fields, the header has 2"),
        (b'text,label\n"a\nb",x\nc,d,e\n', "line 4: 3 fields"),
        (b'text,label\na,b\n"open,c\nd,e\n', "line 3"),
        (b'text,label\n"a"b,c\n', "line 2"),
        (b"text,label\na,b\ncaf\xe9,c\n", "line 3: not UTF-8"),
        (b"text,label\na\0,b\n", "line 2: holds a NUL"),
        ("text,label\na,b\n".encode("utf-16"), "line 1: not UTF-8"),
        ("text,label\na,b\n".encode("utf-16-le"), "line 1: holds a NUL"),
        (b"text,text,label\na,b,c\n", "two columns 'text'"),
    ],
)
def test_hostile_tables_are_refused_by_line(tmp_path, content, says):
    assert says in str(refused(write(tmp_path / "d.csv", content)))


def test_json_lines_take_the_same_columns(tmp_path):
    rows = [{"text": "a", "label": 1}, {"label": None, "text": "b"}, {"text": "c", "label": True}]
    content = "\ufeff" + "\n\n".join(json.dumps(row) for row in rows)
    data = read(write(tmp_path / "d.jsonl", content))
    assert labels(data) == ["1", None, "true"]
    assert [i.name for i in data.items] == ["d.jsonl:1", "d.jsonl:2", "d.jsonl:3"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("[1]", "not a JSON object"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"text": "a"}', "no column 'label'; it has 'text'"),
        ('{"text": 1, "label": "a"}', "not a text but int"),
        ('{"text": "a", "label": [["a"], "b"]}', "a label is a list"),
        ('{"text": "a", "label": ["a", null]}', "one that is missing"),
    ],
)
def test_hostile_json_lines_are_refused_by_line(tmp_path, line, says):
    path = write(tmp_path / "d.ndjson", '{"text": "a", "label": "b"}\n' + line + "\n")
    error = refused(path)
    assert "'d.ndjson' line 2" in str(error)
    assert says in str(error)


def test_json_text_may_hold_unicode_line_separators(tmp_path):
    path = write(tmp_path / "d.jsonl", '{"text": "a\u2028b\x85c", "label": "x"}\n')
    assert read(path).items[0].value == "a\u2028b\x85c"


def test_numbers_are_decided_over_all_files(tmp_path):
    write(tmp_path / "train.csv", "text,label\na,1\nb,2\n")
    write(tmp_path / "test.csv", "text,label\nc,2.5\n")
    assert read(tmp_path).target.values.tolist() == [[1], [2], [2.5]]
    assert labels(read(tmp_path, task="class")) == ["1", "2", "2.5"]
    write(tmp_path / "test.csv", "text,label\nc,3\n")
    assert "3 integers" in read(tmp_path).notes[0]


def test_several_columns_are_one_target(tmp_path):
    path = write(tmp_path / "d.csv", "b,text,a,g\n1.5,x,2,p\n,y,3,q\n")
    data = read(path, target="a, b", group="g")
    assert data.target.names == ("a", "b")
    assert data.target.values[0].tolist() == [2, 1.5]
    assert data.target.labelled.tolist() == [True, False]
    assert [(i.value, g) for i, g in zip(data.items, data.groups, strict=True)] == [
        ("x", "p"),
        ("y", "q"),
    ]
    assert "columns 'a', 'b' hold numbers" in data.notes[0]
    assert "no column 'c'" in str(refused(path, target="a,c"))
    for target in ("a,", "a,a"):
        with pytest.raises(UsageError, match="twice, or none"):
            read(path, target=target)


def test_labels_of_a_sample_are_separated_or_in_a_json_list(tmp_path):
    path = write(tmp_path / "d.csv", "text,label\nx,b|a\ny,\nz,a\n")
    data = read(path, task="multilabel")
    assert data.target.values.tolist() == [[1, 1], [-1, -1], [1, 0]]
    path = write(
        tmp_path / "d.jsonl",
        '{"text": "x", "label": ["b", "a"]}\n{"text": "y", "label": []}\n',
    )
    assert read(path).target.values.tolist() == [[1, 1], [0, 0]]


def test_tasks_and_inputs_that_come_later(tmp_path):
    path = write(tmp_path / "d.csv", "text,label\na,b\n")
    with pytest.raises(UsageError):
        read(path, task="tokens")
    with pytest.raises(UsageError):
        read(path, input="a,b")


def test_it_claims_tables_and_folders_of_tables(tmp_path):
    claims = TableReader().claims
    assert claims(tmp_path / "a.TSV")
    assert not claims(tmp_path / "a.npz")
    assert not claims(tmp_path)
    write(tmp_path / "metadata.csv", "")
    assert claims(tmp_path)
    write(tmp_path / "photo.jpg", "")
    assert not claims(tmp_path)
    write(tmp_path / "train.csv", "")
    assert claims(tmp_path)
    write(tmp_path / "train" / "a.jpg", "")
    assert not claims(tmp_path)


@given(st.lists(st.lists(st.text(), min_size=2, max_size=3), max_size=6), st.sampled_from(",\t"))
def test_any_text_survives_or_is_refused_by_name(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.mktemp("t") / ("d.csv" if delimiter == "," else "d.tsv")
    with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([["text", "label"], *rows])
    try:
        data = read(path, task="class")
    except DataError:
        bad = "".join("".join(row) for row in rows)
        assert (
            not rows
            or any(len(row) != 2 for row in rows)
            or "\0" in bad
            or any("\ud800" <= c <= "\udfff" for c in bad)
        )
    else:
        assert [i.value for i in data.items] == [row[0] for row in rows]


@given(st.binary(max_size=300), st.sampled_from([".csv", ".tsv", ".jsonl"]))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, suffix):
    path = write(tmp_path_factory.mktemp("t") / f"d{suffix}", b"text,label\n" + content)
    with contextlib.suppress(DataError):  # and nothing else
        read(path)
