"""The same samples in every kind of data: the same stored rows, labels and predictions."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest

import zoo
from zoo.data.toy import ToyReader
from zoo.errors import DataError, UsageError
from zoo.plugin import Dataset, Item, Target

MODEL = "builtin:tinyconv"
KINDS = ("folder", "listed", "table", "parquet", "webdataset")


@pytest.fixture
def kinds(photos, tmp_path):
    """The same 24 photos by kind of data, with speakers where there is a table of them."""
    files = sorted(photos.glob("*/*.png"))
    rows = [
        (p.relative_to(photos).as_posix(), p.parent.name, f"g{i % 5}") for i, p in enumerate(files)
    ]
    lines = ["file_name,label,who", *map(",".join, rows)]
    listed = tmp_path / "listed"
    (listed / "all").mkdir(parents=True)
    for i, path in enumerate(files):
        (listed / "all" / f"{i:02}.png").write_bytes(path.read_bytes())
    renamed = [f"all/{i:02}.png,{label},{who}" for i, (_, label, who) in enumerate(rows)]
    (listed / "metadata.csv").write_text("\n".join(["file_name,label,who", *renamed]))
    (photos / "t.csv").write_text("\n".join(lines))
    made = {"folder": photos, "listed": listed, "table": photos / "t.csv"}
    made["webdataset"] = tmp_path / "s-000.tar"
    with tarfile.open(made["webdataset"], "w") as tar:
        for i, (path, (_, label, who)) in enumerate(zip(files, rows, strict=True)):
            (tmp_path / "x.json").write_text(f'{{"label": "{label}", "who": "{who}"}}')
            tar.add(path, f"{i:02}.png")
            tar.add(tmp_path / "x.json", f"{i:02}.json")
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        return made
    image = [{"bytes": path.read_bytes(), "path": None} for path in files]
    table = {"image": image, "label": [r[1] for r in rows], "who": [r[2] for r in rows]}
    made["parquet"] = tmp_path / "d.parquet"
    parquet.write_table(pa.table(table), made["parquet"], row_group_size=7)
    return made


def have(kinds, kind):
    if kind not in kinds:
        pytest.skip("pyarrow is not installed")
    return kinds[kind]


def test_a_picture_is_the_same_sample_wherever_it_lies(kinds):
    first = zoo.extract(MODEL, str(kinds["folder"]))
    assert first.summary["features"]["forwards"] == 24
    for kind, data in kinds.items():
        got = zoo.extract(MODEL, str(data))
        assert got.summary["features"]["forwards"] == 0, kind
        assert (got.extracted.features == first.extracted.features).all(), kind
        assert got.extracted.dataset.target.names == ("dark", "light"), kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_predicts_and_is_limited(kinds, kind, tmp_path):
    data = have(kinds, kind)
    run = zoo.transfer(MODEL, str(data), head="ridge", out=tmp_path / "run")
    assert run.metrics["accuracy"]["value"] > 0.8
    for other in dict.fromkeys((kind, "folder", "webdataset")):
        predictions = run.predict(str(kinds[other]))
        assert len(predictions) == 24
        assert [p.label for p in predictions] == ["dark"] * 12 + ["light"] * 12
        assert all(p.item.startswith(str(tmp_path)) for p in predictions)
    limited = zoo.extract(MODEL, str(data), limit=9)
    assert limited.summary["data"]["rows"] == 9


def test_a_run_on_a_named_column_predicts_for_data_without_it(kinds, tmp_path):
    run = zoo.transfer(
        MODEL, str(kinds["table"]), input="file_name", head="knn", out=tmp_path / "run"
    )
    for kind in ("table", "folder", "webdataset"):
        assert len(run.predict(str(kinds[kind]))) == 24
    with pytest.raises(UsageError, match="--input 'x' names a column, and a folder has none"):
        run.predict(str(kinds["folder"]), input="x")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="has no column 'file_name'"):
        run.predict(str(tmp_path / "other.csv"))


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "folder"])
def test_groups_never_straddle_whatever_the_data(kinds, kind):
    dataset = zoo.extract(MODEL, str(have(kinds, kind)), group="who").extracted.dataset
    assert sorted(set(dataset.groups)) == ["g0", "g1", "g2", "g3", "g4"]
    assert dataset.groups[:6].tolist() == ["g0", "g1", "g2", "g3", "g4", "g0"]


def test_a_folder_has_no_column_of_groups(kinds):
    with pytest.raises(UsageError, match="--group 'who' names a column, and a folder has none"):
        zoo.extract(MODEL, str(kinds["folder"]), group="who")


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "folder"])
def test_metrics_are_told_apart_by_a_column_whatever_the_data(kinds, kind, tmp_path):
    data = str(have(kinds, kind))
    run = zoo.transfer(MODEL, data, head="knn", slices=["who", "label"], out=tmp_path / "run")
    who, label = run.summary["evaluation"]["slices"]
    assert [(v["value"], v["rows"]) for v in who["values"]] == [
        ("g0", 5),
        ("g1", 5),
        ("g2", 5),
        ("g3", 5),
        ("g4", 4),
    ]
    assert [(v["value"], v["rows"]) for v in label["values"]] == [("dark", 12), ("light", 12)]
    assert run.plan["options"]["slices"] == ["who", "label"]
    with pytest.raises(UsageError, match="--slice 'nose'") as error:
        zoo.transfer(MODEL, data, slices=["nose"])
    assert "'who'" in error.value.hint


def test_a_folder_has_no_column_to_slice_by(kinds):
    with pytest.raises(UsageError, match="--slice 'who' names a column, and a folder has none"):
        zoo.transfer(MODEL, str(kinds["folder"]), slices=["who"])


def test_a_reader_that_knows_of_no_slices_is_refused(monkeypatch):
    data = Dataset("d", "text", (Item("1", "a"), Item("2", "b")), Target.from_labels(["x", "y"]))
    monkeypatch.setattr(ToyReader, "read", lambda *_: data)
    with pytest.raises(UsageError, match="--slice 'who': this data has no such column") as error:
        zoo.transfer(MODEL, "sklearn:digits", slices=["who"])
    assert error.value.hint == "it has no columns: give a table, or leave it out"


def test_items_in_memory_are_sliced_by_columns_of_their_frame(kinds, tmp_path):
    pandas = pytest.importorskip("pandas")
    files = sorted(kinds["folder"].glob("*/*.png"))
    frame = pandas.DataFrame(
        {
            "picture": [str(p) for p in files],
            "label": [p.parent.name for p in files],
            "size": [None, 1, 2] * 8,
        }
    )
    run = zoo.transfer(MODEL, frame, input="picture", slices=["size"], out=tmp_path / "run")
    (column,) = run.summary["evaluation"]["slices"]
    assert [v["value"] for v in column["values"]] == ["", "1.0", "2.0"]
    with pytest.raises(UsageError, match="--slice 'nose': the DataFrame") as error:
        zoo.transfer(MODEL, frame, input="picture", slices=["nose"])
    assert error.value.hint == "it has 'picture', 'label', 'size'"
    with pytest.raises(UsageError, match="--slice 'size': this data"):
        zoo.transfer(MODEL, list(frame["picture"]), list(frame["label"]), slices=["size"])


def test_an_npz_file_is_sliced_by_its_arrays(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (30, 8, 8), dtype=np.uint8)
    y, where = np.arange(30) % 2, np.resize(np.array(["a", "b", "c"]), 30)
    np.savez(tmp_path / "d.npz", x=x, y=y, where=where, other=where[:9])
    data = str(tmp_path / "d.npz")
    run = zoo.transfer(MODEL, data, head="knn", slices=["where"], out=tmp_path / "run")
    (column,) = run.summary["evaluation"]["slices"]
    assert [(v["value"], v["rows"]) for v in column["values"]] == [("a", 10), ("b", 10), ("c", 10)]
    with pytest.raises(UsageError, match="--slice 'nose'"):
        zoo.transfer(MODEL, data, slices=["nose"])
    with pytest.raises(DataError, match=r"'other' are <U1 \(9,\)"):
        zoo.transfer(MODEL, data, slices=["other"])


def test_a_column_that_is_the_input_is_none_to_slice_by(kinds):
    with pytest.raises(UsageError, match="--slice 'file_name'") as error:
        zoo.transfer(MODEL, str(kinds["table"]), slices=["file_name"])
    assert error.value.hint == "it has 'label', 'who'"


def test_rows_without_a_label_are_kept_and_not_trained_on(kinds, tmp_path):
    table = kinds["folder"] / "u.csv"
    lines = (kinds["folder"] / "t.csv").read_text().splitlines()
    name, _, who = lines[5].split(",")
    table.write_text("\n".join([*lines[:5], f"{name},,{who}", *lines[6:]]))
    run = zoo.transfer(MODEL, str(table), head="ridge", out=tmp_path / "run")
    assert run.summary["data"]["rows"] == 24
    assert run.summary["evaluation"]["rows"] == 23


def test_what_cannot_be_read_is_named_and_left_out(kinds, tmp_path):
    kinds["listed"].joinpath("all/03.png").unlink()
    kinds["listed"].joinpath("all/04.png").write_bytes(b"no picture")
    got = zoo.extract(MODEL, str(kinds["listed"]))
    assert [bad["item"] for bad in got.summary["data"]["bad"]] == ["all/03.png", "all/04.png"]
    assert len(got.extracted.dataset) == 22
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        for name in ("a.png", "a.txt", "b.png", "b.txt"):
            source = kinds["listed"] / "all" / ("04.png" if name == "a.png" else "05.png")
            if name.endswith("txt"):
                (source := tmp_path / "label").write_text(name[0])
            tar.add(source, name)
    got = zoo.extract(MODEL, str(tmp_path / "b.tar"))
    assert [bad["item"] for bad in got.summary["data"]["bad"]] == ["b.tar/a.png"]


def test_a_pattern_of_shards_needs_every_one(kinds, tmp_path):
    (tmp_path / "s-001.tar").write_bytes((tmp_path / "s-000.tar").read_bytes())
    got = zoo.extract(MODEL, f"{tmp_path}/s-{{000..001}}.tar")
    assert (got.summary["data"]["rows"], got.summary["features"]["rows"]) == (48, 24)
    with pytest.raises(DataError, match=r"s-002\.tar"):
        zoo.extract(MODEL, f"{tmp_path}/s-{{000..002}}.tar")
