from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.data.frames import is_frame
from zoo.data.memory import from_frame, from_items
from zoo.errors import DataError, UsageError
from zoo.plugin import DataOptions

GREY = np.zeros((3, 4, 5), np.uint8)


def test_texts_are_named_by_their_number():
    data = from_items(["a", "b"], ["x", None], name="notes", groups=[1, None])
    assert data.modality == "text"
    assert [(i.name, i.value) for i in data.items] == [("notes:1", "a"), ("notes:2", "b")]
    assert data.target.values.tolist() == [0, -1]
    assert data.groups.tolist() == ["1", ""]


def test_a_str_that_names_an_existing_picture_is_that_file(tmp_path):
    path = tmp_path / "猫.png"
    path.write_bytes(b"")
    for given in ([str(path)], [path], (p for p in [path])):
        data = from_items(given)
        assert data.modality == "image"
        assert data.items[0].value == path
        assert data.items[0].name == path.as_posix()
    assert from_items(["nothing.png"]).modality == "text"
    assert from_items(["x" * 5000 + ".png", "a\0.png"]).modality == "text"


def test_pictures_become_arrays():
    pictures = [Image.new(mode, (5, 4)) for mode in ("L", "RGB", "RGBA", "P", "1", "CMYK")]
    data = from_items(pictures, labels=np.arange(6))
    assert [i.value.shape for i in data.items] == [(4, 5)] + [(4, 5, 3)] * 5
    assert all(i.value.dtype == np.uint8 for i in data.items)
    with pytest.raises(DataError, match="more than 8 bits"):
        from_items([Image.new("I;16", (5, 4))])


def test_arrays_are_images_one_by_one_or_stacked():
    assert len(from_items(GREY)) == 3
    assert len(from_items(list(GREY))) == 3
    assert from_items([GREY[0][..., None]]).items[0].value.shape == (4, 5)
    assert from_items(np.array(["a", "b"])).modality == "text"
    assert from_items(np.array(["a", "b"], dtype=object)).modality == "text"


@pytest.mark.parametrize(
    ("items", "labels", "says"),
    [
        ([], None, "no items"),
        (["a"], ["x", "y"], "1 items and 2 labels"),
        (["a", GREY[0]], None, "number 2 is image"),
        ([1.5], None, "a float is no sample"),
        ([Path("nothing.png")], None, "no such file"),
        ([Path("a.txt")], None, "not an image"),
        ("folder", None, "a list of items"),
        ([GREY[0] / 2], None, "float64"),
        (GREY / 2, None, "float64"),
        ([np.array("text")], None, "array of text"),
        (["a"], [[["x"]]], "a label is a list"),
        (["a", "b"], {"x": [1, 0], "y": [1]}, "2 items and 1 labels"),
        (["a"], {}, "without columns"),
    ],
)
def test_unfit_items_are_refused(items, labels, says):
    with pytest.raises(DataError, match=says) as caught:
        from_items(items, labels)
    assert "\n" not in str(caught.value)


NUMBERS = np.array([[0.5, 1.0], [np.nan, 2.0], [1.5, 3.0]])


@pytest.mark.parametrize(
    ("labels", "task", "names"),
    [
        (NUMBERS, "regression", ("0", "1")),
        (NUMBERS.astype(object), "regression", ("0", "1")),
        (NUMBERS[:, 0], "regression", ("target",)),
        ([0.5, None, 1.5], "regression", ("target",)),
        ([[0.5, 1.0], None, [1.5, 3.0]], "regression", ("target[0]", "target[1]")),
        (np.array([[True, False], [True, True], [False, False]]), "multilabel", ("0", "1")),
        ([["b"], [], ["a", "b"]], "multilabel", ("a", "b")),
        ([[True, False], [True, True], [False, False]], "multilabel", ("target[0]", "target[1]")),
    ],
)
def test_labels_may_be_numbers_and_several_a_sample(labels, task, names):
    target = from_items(["a", "b", "c"], labels).target
    assert (target.task, target.names) == (task, names)
    if task == "regression":
        assert target.labelled.tolist() == [True, False, True]
        assert target.values[2].tolist() == [1.5, 3.0][: len(names)]
    else:
        assert target.values.shape == (3, 2)
        assert target.values.sum() == 3


FRAME = {"words": ["a", "b", "c"], "y": [0.5, None, 1.5], "z": [1, 2, 3], "who": ["p", "q", None]}


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_have_columns_of_inputs_targets_and_groups(library):
    frame = pytest.importorskip(library).DataFrame(FRAME)
    assert is_frame(frame)
    data = from_frame(frame, None, DataOptions("words", "y,z", "who"))
    assert [item.value for item in data.items] == ["a", "b", "c"]
    assert data.target.names == ("y", "z")
    assert data.target.labelled.tolist() == [True, False, True]
    assert data.groups.tolist() == ["p", "q", ""]
    other = from_frame(frame[["words"]], frame[["z", "y"]], DataOptions())
    assert other.target.names == ("z", "y")
    series = from_items(frame["words"], frame["y"])
    assert series.target.names == ("y",)
    assert series.target.labelled.tolist() == [True, False, True]
    assert from_frame(frame, None, DataOptions("words", labelled=False)).target.task == "none"
    with pytest.raises(DataError, match="no column 'text'; it has 'words', 'y', 'z', 'who'"):
        from_frame(frame, None, DataOptions())


def test_what_only_resembles_a_frame_is_none():
    for value in (["a"], "a", np.zeros((2, 2)), {"a": [1]}, None):
        assert not is_frame(value)


def test_a_frame_with_two_columns_of_one_name_is_refused():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["a", "x", "y"]], columns=["text", "label", "label"])
    with pytest.raises(DataError, match="two columns 'label'"):
        from_frame(frame, None, DataOptions())


def test_given_splits_and_tasks_are_checked():
    assert from_items(["a"], ["x"], split=["val"]).split == ("val",)
    with pytest.raises(DataError, match="unknown split 'dev'"):
        from_items(["a"], ["x"], split=["dev"])
    with pytest.raises(UsageError):
        from_items(["a"], ["x"], task="spans")


def test_floating_point_arrays_of_one_axis_are_recordings():
    sounds = [np.linspace(-1, 1, n) for n in (5, 9)]
    data = from_items(sounds, ["a", "b"])
    assert data.modality == "audio"
    assert [item.value.dtype for item in data.items] == [np.float32] * 2
    assert [item.name for item in data.items] == ["data:1", "data:2"]
    with pytest.raises(DataError, match="several kinds"):
        from_items([sounds[0], np.zeros((4, 4), np.uint8)])
    with pytest.raises(DataError, match="float64"):
        from_items([np.zeros((4, 4))])
