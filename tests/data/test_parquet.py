from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from zoo.data.parquet import ParquetReader  # noqa: E402
from zoo.errors import DataError, UsageError  # noqa: E402
from zoo.plugin import Blob, DataOptions  # noqa: E402

BYTES = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def read(path: Path, **options):
    return ParquetReader().read(str(path), DataOptions(**options))


def labels(data) -> list[str | None]:
    return [data.target.names[code] if code >= 0 else None for code in data.target.values]


def write(path: Path, columns: dict, *, features: dict | None = None, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if features is not None:
        told = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": told})
    pq.write_table(table, path, **options)
    return path


def pictures(n: int) -> list[bytes]:
    out = []
    for i in range(n):
        file = io.BytesIO()
        Image.new("L", (4, 4), i).save(file, "png")
        out.append(file.getvalue())
    return out


def cells(contents: list[bytes | None]):
    return pa.array([{"bytes": c, "path": "x.png"} for c in contents], BYTES)


def test_texts_and_labels_are_read_by_column(tmp_path):
    path = write(
        tmp_path / "d.parquet",
        {
            "label": ["x", None, "y"],
            "text": pa.array(["a", "b", "a"]).dictionary_encode(),
            "who": [1, 2, None],
            "split": ["train", "train", "dev"],
        },
    )
    data = read(path, group="who")
    assert data.modality == "text"
    assert [(i.name, i.value) for i in data.items] == [
        ("d.parquet:1", "a"),
        ("d.parquet:2", "b"),
        ("d.parquet:3", "a"),
    ]
    assert labels(data) == ["x", None, "y"]
    assert data.groups.tolist() == ["1", "2", ""]
    assert data.split == ("train", "train", "val")
    assert data.name == "d"


@pytest.mark.parametrize("values", [[0.5, 2.0], [3, 4], [True, False]])
def test_numbers_are_given_on_as_their_text(tmp_path, values):
    path = write(tmp_path / "d.parquet", {"text": ["a", "b"], "label": values})
    expected = [repr(v).lower() if isinstance(v, bool) else repr(v) for v in values]
    assert labels(read(path, task="class")) == expected


@pytest.mark.parametrize("form", ["struct", "binary", "large"])
@pytest.mark.parametrize("rows_a_group", [2, 100])
def test_images_are_bytes_in_any_form_and_read_one_by_one(tmp_path, form, rows_a_group):
    contents = pictures(5)
    column = {
        "struct": cells(contents),
        "binary": pa.array(contents),
        "large": pa.array(contents, pa.large_binary()),
    }[form]
    data = read(
        write(
            tmp_path / "d.parquet",
            {"image": column, "label": list("ababa")},
            row_group_size=rows_a_group,
        )
    )
    assert data.modality == "image"
    assert all(isinstance(item.value, Blob) for item in data.items)
    order = [4, 0, 3, 1, 1, 2]
    assert [data.items[i].content() for i in order] == [contents[i] for i in order]


def test_recordings_are_known_by_their_first_bytes_or_by_what_is_told(tmp_path):
    sounds = [b"RIFF\0\0\0\0WAVEfmt ", b"fLaC"]
    column = {"sound": pa.array(sounds), "label": ["a", "b"]}
    assert read(write(tmp_path / "d.parquet", column)).modality == "audio"
    unclear = {"sound": pa.array([b"?", b"?"]), "label": ["a", "b"]}
    told = {"sound": {"_type": "Audio"}}
    assert read(write(tmp_path / "t.parquet", unclear, features=told)).modality == "audio"


def test_codes_of_classes_become_their_names(tmp_path):
    told = {
        "img": {"_type": "Image"},
        "kind": {"_type": "ClassLabel", "names": ["cat", "30"]},
        "other": {"_type": "Value", "dtype": "string"},
    }
    columns = {"other": list("xyz"), "img": cells(pictures(3)), "kind": [1, 0, -1]}
    data = read(write(tmp_path / "d.parquet", columns, features=told))
    assert labels(data) == ["30", "cat", None]
    assert data.target.task == "class"
    columns["kind"] = [1, 2, 0]
    with pytest.raises(DataError, match="row 2: the label 2 is none of 2 classes"):
        read(write(tmp_path / "d.parquet", columns, features=told))


def test_class_names_may_stand_in_the_folder_instead(tmp_path):
    write(tmp_path / "j" / "train.parquet", {"text": ["a", "b"], "label": [0, 1]})
    info = {"features": {"label": {"_type": "ClassLabel", "names": ["neg", "pos"]}}}
    (tmp_path / "j" / "dataset_info.json").write_text(json.dumps({"default": info}))
    assert labels(read(tmp_path / "j")) == ["neg", "pos"]
    write(tmp_path / "y" / "data" / "train-00000-of-00001.parquet", {"text": ["a"], "label": [1]})
    (tmp_path / "y" / "README.md").write_text(
        "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n"
        "  - name: label\n    dtype:\n      class_label:\n        names:\n"
        "          '0': neg\n          '1': pos\n---\n# Data\n"
    )
    assert labels(read(tmp_path / "y")) == ["pos"]


def test_shards_are_read_in_order_and_a_missing_one_is_named(tmp_path):
    for split, number in (("train", 1), ("test", 0), ("train", 0), ("unsupervised", 0)):
        name = f"{split}-{number:05}-of-0000{2 if split == 'train' else 1}.parquet"
        write(tmp_path / "data" / name, {"text": [f"{split}{number}"], "label": [split]})
    data = read(tmp_path)
    assert [i.value for i in data.items] == ["train0", "train1", "test0"]
    assert data.split == ("train", "train", "test")
    assert data.items[0].name == "data/train-00000-of-00002.parquet:1"
    assert "'data/unsupervised-00000-of-00001.parquet'" in data.notes[-1]
    (tmp_path / "data" / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(DataError, match="number 00000 is missing"):
        read(tmp_path)


def test_a_column_may_name_files(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/1.png", "a/2.png"):
        (tmp_path / name).write_bytes(pictures(1)[0])
    path = write(tmp_path / "d.parquet", {"file": ["a/1.png", "a/2.png"], "label": ["x", "y"]})
    data = read(path)
    assert data.modality == "image"
    assert data.items[1].value == tmp_path / "a/2.png"
    write(path, {"file": ["../1.png"], "label": ["x"]})
    with pytest.raises(DataError, match="leads out"):
        read(path)


def test_prediction_needs_no_labels(tmp_path):
    contents = pictures(3)
    data = read(write(tmp_path / "d.parquet", {"image": cells(contents)}), labelled=False)
    assert [item.content() for item in data.items] == contents
    assert data.target.task == "none"


def test_a_cell_without_bytes_is_an_error_of_its_own(tmp_path):
    good = pictures(1)[0]
    path = write(tmp_path / "d.parquet", {"image": cells([None, good]), "label": ["a", "b"]})
    data = read(path)
    assert data.items[1].content() == good
    with pytest.raises(DataError, match="row 1 holds no bytes"):
        data.items[0].content()


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"x": [1]}, "has no column 'text'; it has 'x'"),
        ({"text": [1.5], "label": ["a"]}, "column 'text' is double"),
        ({"text": [[1, 2]], "label": ["a"]}, "column 'text' is list"),
        ({"text": [None, "a"], "label": ["a", "b"]}, "row 1: 'text' is empty"),
        ({"text": ["a"], "label": [[["a"], ["b"]]]}, "a label is a list"),
        ({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}, "no rows"),
    ],
)
def test_unfit_columns_are_named(tmp_path, columns, says):
    with pytest.raises(DataError, match=says) as caught:
        read(write(tmp_path / "d.parquet", columns))
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError):
        read(tmp_path / "d.parquet", task="nonsense")


def test_other_columns_may_repeat_and_have_dots_in_their_names(tmp_path):
    arrays = [["x", "y"], [1, 2], pictures(2), ["a", "b"], ["c", "d"]]
    names = ["blob.size", "blob.size", "blob", "label", "label.fine"]
    table = pa.Table.from_arrays([pa.array(values) for values in arrays], names=names)
    pq.write_table(table, tmp_path / "d.parquet")
    assert labels(read(tmp_path / "d.parquet")) == ["a", "b"]
    assert labels(read(tmp_path / "d.parquet", target="label.fine")) == ["c", "d"]
    assert read(tmp_path / "d.parquet").items[1].content() == arrays[2][1]
    with pytest.raises(DataError, match=r"two columns 'blob\.size'"):
        read(tmp_path / "d.parquet", target="blob.size")


def save_to_disk(folder: Path, columns: dict, *, files: int = 1, features: dict | None = None):
    """The files that `datasets.save_to_disk` writes."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05}-of-{files:05}.arrow" for i in range(files)]
    table = pa.table(columns)
    size = -(-len(table) // files)
    for i, name in enumerate(names):
        part = table.slice(i * size, size)
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, part.schema) as w:
            w.write_table(part)
    (folder / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": n} for n in names]})
    )
    (folder / "dataset_info.json").write_text(json.dumps({"features": features or {}}))
    return folder


def test_a_saved_data_set_is_read_with_its_class_names(tmp_path):
    told = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    contents = pictures(5)
    columns = {"image": cells(contents), "label": [0, 1, 1, -1, 0]}
    root = save_to_disk(tmp_path / "one", columns, files=2, features=told)
    data = read(root)
    assert labels(data) == ["cat", "dog", "dog", None, "cat"]
    assert [item.content() for item in data.items] == contents
    assert data.items[3].name == "data-00001-of-00002.arrow:1"
    assert ParquetReader().claims(root)


def test_a_saved_dictionary_of_splits_is_read_train_first(tmp_path):
    for split in ("test", "train", "extra"):
        save_to_disk(tmp_path / "d" / split, {"text": [split, "b"], "label": ["x", "y"]})
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["test", "extra", "train"]}')
    data = read(tmp_path / "d")
    assert data.split == ("train", "train", "test", "test")
    assert data.items[0].name == "train/data-00000-of-00001.arrow:1"
    assert ParquetReader().claims(tmp_path / "d")


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("[]", "no JSON object"),
        ("{", "cannot be read"),
        ("{}", "names no files"),
        ('{"_data_files": [{"filename": "../../secret.arrow"}]}', "leads out"),
        ('{"_data_files": [{"filename": "gone.arrow"}]}', "no such file"),
        ('{"_data_files": [{"filename": "x"}], "_indices_data_files": [{}]}', "selection of rows"),
    ],
)
def test_hostile_states_are_refused(tmp_path, state, says):
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(DataError, match=says):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_damaged_files_are_one_error_and_never_a_crash(tmp_path, kind):
    told = {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    columns = {"image": cells(pictures(3)), "label": [0, 1, 0], "who": ["a", None, "b"]}
    if kind == "parquet":
        path = root = write(tmp_path / "d.parquet", columns, features=told)
    else:
        root = save_to_disk(tmp_path / "one", columns, features=told)
        path = root / "data-00000-of-00001.arrow"
    good = path.read_bytes()
    refusals = []
    for seed in range(150):
        rng = random.Random(seed)
        damaged = bytearray(good)
        if seed % 3 == 0:
            damaged = damaged[: rng.randrange(len(good))]
        for _ in range(seed % 3):
            damaged[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        path.unlink()  # a new file each time: the old one may still be mapped
        path.write_bytes(damaged)
        try:
            for item in read(root, group="who", task="class").items:
                item.content()
        except DataError as error:
            refusals.append((seed, str(error)))
    assert {seed for seed, _ in refusals} >= set(range(0, 150, 3))  # whatever is cut short
    assert not any("\n" in said for _, said in refusals)


def test_large_row_groups_are_not_held_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("zoo.data.cells.BATCH_BYTES", 1 << 20)
    rng = np.random.default_rng(0)
    contents = [b"BM" + rng.bytes(1 << 20) for _ in range(40)]
    columns = {"image": pa.array(contents), "label": ["a", "b"] * 20}
    path = write(tmp_path / "d.parquet", columns, compression=None, use_dictionary=False)
    del columns
    data = read(path)
    before, most = pa.total_allocated_bytes(), 0
    for item, content in zip(data.items, contents, strict=True):
        assert item.content() == content
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 16 << 20  # 40 MiB in the one row group


def test_it_claims_parquet_and_folders_of_it_alone(tmp_path):
    claims = ParquetReader().claims
    assert claims(tmp_path / "a.PARQUET")
    assert not claims(tmp_path / "a.csv")
    assert not claims(tmp_path)
    write(tmp_path / "hub" / "data" / "train-00000-of-00001.parquet", {"a": [1]})
    assert claims(tmp_path / "hub")
    write(tmp_path / "classes" / "features.parquet", {"a": [1]})
    (tmp_path / "classes" / "cat").mkdir()
    assert not claims(tmp_path / "classes")


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(Exception, match="'pyarrow' is not installed") as caught:
        read(tmp_path / "d.parquet")
    assert "zoo-transfer[arrow]" in caught.value.hint


def test_what_datasets_itself_writes_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    images = [Image.new("RGB", (4, 4), (i, 0, 0)) for i in range(4)]
    made = datasets.Dataset.from_dict({"image": images, "label": [0, 1, 1, 0]}, features=features)
    datasets.disable_progress_bars()
    made.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": made, "test": made}).save_to_disk(tmp_path / "dict")
    made.to_parquet(tmp_path / "d.parquet")
    for name, times in (("one", 1), ("dict", 2), ("d.parquet", 1)):
        data = read(tmp_path / name)
        assert labels(data) == ["cat", "dog", "dog", "cat"] * times
        for item, image in zip(data.items, images * times, strict=True):
            assert np.array_equal(Image.open(io.BytesIO(item.content())), image)


def test_lists_are_labels_and_several_columns_one_target(tmp_path):
    columns = {"text": ["a", "b"], "label": [["y", "x"], []], "u": [0.5, None], "v": [1, 2]}
    path = write(tmp_path / "d.parquet", columns)
    target = read(path).target
    assert (target.task, target.names) == ("multilabel", ("x", "y"))
    assert target.values.tolist() == [[1, 1], [0, 0]]
    target = read(path, target="v,u").target
    assert (target.task, target.names) == ("regression", ("v", "u"))
    assert target.labelled.tolist() == [True, False]
