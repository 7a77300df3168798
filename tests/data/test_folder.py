from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.data.folder import FolderReader
from zoo.errors import DataError, UsageError
from zoo.plugin import DataOptions

SCRIPTS = ["Ångström", "кошка", "猫", "עברית", "العربية", "हिन्दी", "क़", "🐈‍⬛", "a b", "x'y\"z"]


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def read(root: Path, **options):
    return FolderReader().read(str(root), DataOptions(**options))


def labels(dataset) -> dict[str, str]:
    names = dataset.target.names
    codes = dataset.target.values
    return {i.name: names[c] for i, c in zip(dataset.items, codes, strict=True)}


def test_folders_are_classes_and_nested_files_count_to_the_top(tmp_path):
    make(tmp_path, "b/1.png", "a/x/y/2.JPG", "a/.hidden.png", "b/notes.txt", ".git/3.png")
    data = read(tmp_path)
    assert labels(data) == {"a/x/y/2.JPG": "a", "b/1.png": "b"}
    assert data.modality == "image"
    assert data.split is None
    assert data.name == tmp_path.name
    assert data.items[0].value.read_bytes() == b"a/x/y/2.JPG"


def test_split_folders_are_canonical_and_ordered(tmp_path):
    make(tmp_path, "testing/a/1.png", "Training/b/9.png", "dev/a/5.png", "Training/a/10.png")
    data = read(tmp_path)
    assert data.split == ("train", "train", "val", "test")
    assert [i.name for i in data.items] == [
        "Training/a/10.png",
        "Training/b/9.png",
        "dev/a/5.png",
        "testing/a/1.png",
    ]
    assert data.target.names == ("a", "b")


def test_a_class_may_be_called_train(tmp_path):
    data = read(make(tmp_path, "train/1.png", "car/2.png", "bus/test/3.png"))
    assert data.target.names == ("bus", "car", "train")
    assert data.split is None
    assert "hold train or test" in data.notes[0]


def test_other_folders_beside_splits_are_noted(tmp_path):
    data = read(make(tmp_path, "train/a/1.png", "test/a/2.png", "extra/3.png"))
    assert len(data) == 2
    assert "'extra/3.png'" in data.notes[0]


@pytest.mark.parametrize(
    "names",
    [["train/1.png", "test/2.png"], ["train/a/1.png", "training/a/2.png"], ["1.png", "2.png"]],
)
def test_layouts_without_clear_classes_are_refused(tmp_path, names):
    with pytest.raises(DataError) as caught:
        read(make(tmp_path, *names))
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labelled", [True, False])
def test_empty_missing_and_foreign_folders_are_refused(tmp_path, labelled):
    (tmp_path / "empty").mkdir()
    make(tmp_path / "tables", "books.csv")
    for name, says in (
        ("empty", "empty folder"),
        ("missing", "no such file"),
        ("tables", "no image or audio"),
        ("a\0b", "no such"),
        ("x" * 5000, "a"),
    ):
        with pytest.raises(DataError, match=says) as caught:
            read(tmp_path / name, labelled=labelled)
        assert caught.value.hint or name.startswith("x")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "tables")
    assert "books.csv" in caught.value.hint


def test_the_majority_decides_the_modality(tmp_path):
    data = read(make(tmp_path, "a/1.wav", "a/2.flac", "b/3.ogg", "b/cover.jpg"))
    assert data.modality == "audio"
    assert len(data) == 3
    assert "ignored 1 file" in data.notes[0]


def test_prediction_takes_any_layout_and_a_single_file(tmp_path):
    make(tmp_path, "z.png", "b/1.png", "train/a/2.png")
    data = read(tmp_path, labelled=False)
    assert [i.name for i in data.items] == ["b/1.png", "train/a/2.png", "z.png"]
    assert data.split is None
    assert data.target.task == "none"
    assert data.target.values.tolist() == [-1, -1, -1]
    assert [i.name for i in read(tmp_path / "z.png", labelled=False).items] == ["z.png"]
    with pytest.raises(DataError):
        read(tmp_path / "z.png")


def test_links_inside_are_followed_and_links_outside_refused(tmp_path):
    make(tmp_path / "out", "secret.png")
    root = make(tmp_path / "data", "a/1.png", "b/2.png")
    (root / "b/same.png").symlink_to(root / "a/1.png")
    (root / "c").symlink_to("a")
    assert set(labels(read(root))) == {"a/1.png", "b/2.png", "b/same.png", "c/1.png"}
    for target in ("../../out/secret.png", "../../out"):
        link = root / "a" / ("l.png" if target.endswith("png") else "l")
        link.symlink_to(target)
        with pytest.raises(DataError, match="out of the data folder"):
            read(root)
        link.unlink()


@pytest.mark.parametrize("target", [".", "..", "../b"])
def test_circles_of_links_end(tmp_path, target):
    root = make(tmp_path / "data", "a/1.png", "b/2.png")
    (root / "a/loop").symlink_to(target)
    (root / "b/loop").symlink_to("../a")
    with pytest.raises(DataError, match="circle"):
        read(root)


def test_a_link_to_nothing_is_named(tmp_path):
    root = make(tmp_path / "data", "a/1.png")
    (root / "a/gone.png").symlink_to("nowhere.png")
    with pytest.raises(DataError, match=r"gone\.png"):
        read(root)


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders there")
def test_a_pipe_is_not_waited_for(tmp_path):
    make(tmp_path, "a/1.png")
    os.mkfifo(tmp_path / "a/2.png")
    assert len(read(tmp_path)) == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read anything")
def test_a_folder_without_permission_is_named(tmp_path):
    make(tmp_path, "a/1.png")
    (tmp_path / "a").chmod(0)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "a").chmod(0o700)


def test_columns_are_refused(tmp_path):
    with pytest.raises(UsageError, match="--group"):
        read(make(tmp_path, "a/1.png"), group="speaker")


def test_it_claims_folders_and_media_files_alone(tmp_path):
    reader = FolderReader()
    assert reader.claims(tmp_path)
    assert reader.claims(tmp_path / "a.WAV")
    assert not reader.claims(tmp_path / "a.csv")


def test_class_names_in_any_script_survive(tmp_path):
    data = read(make(tmp_path, *(f"{name}/{name}.png" for name in SCRIPTS)))
    assert data.target.names == tuple(sorted(SCRIPTS))
    assert {i.name for i in data.items} == {f"{name}/{name}.png" for name in SCRIPTS}


@pytest.mark.skipif(sys.platform == "win32", reason="no such locale there")
@pytest.mark.parametrize("utf8", ["0", "1"])
def test_class_names_are_the_same_in_the_c_locale(tmp_path, utf8):
    make(tmp_path / "日本", *(f"{name}/{name}.png" for name in SCRIPTS))
    (tmp_path / "日本" / "b").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "日本" / "b") + b"/\xff.png")).write_bytes(b"")
    code = (
        "import json, sys; from zoo.data.folder import FolderReader; "
        "from zoo.plugin import DataOptions; "
        "d = FolderReader().read(sys.argv[1], DataOptions()); "
        "assert all(i.value.is_file() for i in d.items); "
        "print(json.dumps([d.name, d.target.names, [i.name for i in d.items]]))"
    )
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": utf8, "PYTHONCOERCECLOCALE": "0"}
    env["PYTHONPATH"] = str(Path(zoo.__file__).parents[1])
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "日本")],
        env=env,
        capture_output=True,
        check=True,
    )
    name, classes, items = json.loads(out.stdout)
    assert name == "日本"
    assert classes == sorted([*SCRIPTS, "b"])
    assert items == sorted([*(f"{n}/{n}.png" for n in SCRIPTS), r"b/\xff.png"])
