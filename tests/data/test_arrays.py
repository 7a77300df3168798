from __future__ import annotations

import contextlib
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.arrays import ArraysReader
from zoo.errors import DataError
from zoo.plugin import DataOptions

IMAGES = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
LABELS = np.array(["b", "a", "b", ""])


def read(path, **options):
    return ArraysReader().read(str(path), DataOptions(**options))


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("names", [("x", "y"), ("X", "labels"), ("images", "label")])
def test_plain_names_are_found(tmp_path, names):
    data = read(save(tmp_path / "d.npz", **dict(zip(names, (IMAGES, LABELS), strict=True))))
    assert data.modality == "image"
    assert [i.name for i in data.items] == ["d.npz:1", "d.npz:2", "d.npz:3", "d.npz:4"]
    assert np.array_equal(data.items[2].value, IMAGES[2])
    assert data.target.names == ("a", "b")
    assert data.target.values.tolist() == [1, 0, 1, -1]
    assert data.split is None


def test_the_layout_of_keras_gives_splits_in_order(tmp_path):
    colour = np.repeat(IMAGES[..., None], 3, axis=3)
    y = np.array([[0], [1], [10], [1]])
    path = save(
        tmp_path / "d.npz", x_test=colour[:2], y_test=y[:2], x_train=colour, y_train=y,
        x_val=colour[:1], y_val=y[:1],
    )  # fmt: skip
    data = read(path)
    assert data.split == ("train",) * 4 + ("val",) + ("test",) * 2
    assert data.target.names == ("0", "1", "10")
    assert data.items[0].value.shape == (5, 6, 3)
    assert read(path, input="x", target="y").split == data.split


def test_texts_and_other_names_are_read(tmp_path):
    path = save(tmp_path / "d.npz", q=np.array(["猫", "dog"]), kind=np.array([True, False]))
    data = read(path, input="q", target="kind")
    assert data.modality == "text"
    assert [i.value for i in data.items] == ["猫", "dog"]
    assert data.target.names == ("false", "true")


def test_a_single_channel_is_grey(tmp_path):
    data = read(save(tmp_path / "d.npz", x=IMAGES[..., None], y=LABELS))
    assert data.items[0].value.shape == (5, 6)


def test_prediction_needs_no_labels(tmp_path):
    assert read(save(tmp_path / "d.npz", x=IMAGES), labelled=False).target.task == "none"


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"x": IMAGES / 255, "y": LABELS}, "float64"),
        ({"x": IMAGES.astype(np.int64), "y": LABELS}, "int64"),
        ({"x": IMAGES.transpose(0, 2, 1)[:, None].repeat(3, 1), "y": LABELS}, r"\(4, 3, 6, 5\)"),
        ({"x": IMAGES[:, 0], "y": LABELS}, r"\(4, 6\)"),
        ({"x": IMAGES[:, :0], "y": LABELS}, "without pixels"),
        ({"x": IMAGES, "y": LABELS[:3]}, "4 inputs and 3 labels"),
        ({"x": IMAGES, "y": np.zeros((4, 2, 2))}, r"labels have shape \(4, 2, 2\)"),
        ({"x": IMAGES, "y": np.zeros((4, 0))}, r"labels have shape \(4, 0\)"),
        (
            {"x_train": IMAGES, "y_train": np.eye(4), "x_test": IMAGES, "y_test": LABELS},
            "4 and 1 labels a row",
        ),
        ({"x": IMAGES, "y": np.array([1j] * 4)}, "complex"),
        ({"x": IMAGES, "y": np.arange(4).astype(object)}, "pickle"),
        ({"x": IMAGES.astype(object), "y": LABELS}, "pickle"),
        ({"x": IMAGES}, "without labels"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES}, "'test'"),
        ({"pixels": IMAGES, "y": LABELS}, "'pixels', 'y'"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, "no rows"),
        ({}, "has no array"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": LABELS, "y_test": LABELS}, "mixes"),
    ],
)
def test_unfit_arrays_are_refused(tmp_path, arrays, says):
    with pytest.raises(DataError) as caught:
        read(save(tmp_path / "d.npz", **arrays))
    text = f"{caught.value} {caught.value.hint}"
    assert re.search(says, text), text
    assert "\n" not in text


def test_labels_may_be_numbers_or_marks_of_several_columns(tmp_path):
    real = np.arange(8).reshape(4, 2) / 3
    for y, task in ((real, "regression"), (real[:, :1], "regression"), (real > 1, "multilabel")):
        target = read(save(tmp_path / "d.npz", x=IMAGES, y=y)).target
        assert (target.task, target.values.tolist()) == (task, y.tolist())
        assert target.names == (("target",) if y.shape[1] == 1 else ("0", "1"))


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


def test_no_pickle_is_ever_read(tmp_path):
    (tmp_path / "d.npz").write_bytes(pickle.dumps(Trap()))
    (tmp_path / "e.npz").write_bytes(b"")
    np.save(tmp_path / "f.npy", IMAGES)
    (tmp_path / "f.npy").rename(tmp_path / "f.npz")
    for name in ("d.npz", "e.npz", "f.npz"):
        with pytest.raises(DataError, match=name):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("images", "hint"),
    [
        (IMAGES / 255, "these lie in 0..1: (255 * images).round().astype('uint8')"),
        ((IMAGES / 255 - 0.5) / 0.2, "look normalised, which zoo does by itself"),
        (IMAGES.astype(np.float32), "these lie in 0..255: images.round()"),
        (IMAGES.astype(np.uint16) * 257, "as 16-bit images do"),
        (IMAGES * np.nan, "not even finite"),
        (np.zeros((4, 3, 8, 8), np.uint8), "images.transpose(0, 2, 3, 1)"),
        (np.zeros((4, 8), np.float32), "does not say what its range means"),
    ],
)
def test_arrays_that_are_no_pixels_are_refused_with_what_to_do(tmp_path, images, hint):
    with pytest.raises(DataError) as caught:
        read(save(tmp_path / "d.npz", x=images, y=np.arange(len(images))))
    assert hint in caught.value.hint


def test_groups_are_an_array_of_that_name(tmp_path):
    path = save(tmp_path / "d.npz", x=IMAGES, y=LABELS, who=np.arange(len(IMAGES)) % 2)
    assert read(path, group="who").groups.tolist() == [str(i % 2) for i in range(len(IMAGES))]
    assert read(path).groups is None
    path = save(tmp_path / "s.npz", x_train=IMAGES, y_train=LABELS, g_train=LABELS)
    assert read(path, group="g").groups.tolist() == [str(label) for label in LABELS]


@pytest.mark.parametrize("groups", [None, np.zeros((2, 2)), np.zeros(3, np.float32)])
def test_groups_that_are_none_are_refused(tmp_path, groups):
    arrays = {} if groups is None else {"who": groups}
    with pytest.raises(DataError, match=r"'who'|groups are float"):
        read(save(tmp_path / "d.npz", x=IMAGES, y=LABELS, **arrays), group="who")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, data):
    path = save(tmp_path_factory.mktemp("n") / "d.npz", x=IMAGES, y=LABELS)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(DataError):  # and nothing else
        read(path)
