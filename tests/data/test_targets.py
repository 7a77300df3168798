from __future__ import annotations

import numpy as np
import pytest

from zoo.data.targets import check_task, label_cell, label_text, target_of
from zoo.errors import DataError, UsageError
from zoo.plugin import DataOptions


def made(*columns, task="auto"):
    named = {"abc"[i]: cells for i, cells in enumerate(columns)}
    return target_of(named, where="column 'a'", task=task)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (["yes", "no", None], "holds text"),
        (["1", "2", "x"], "holds text"),
        (["true", "false"], "holds text"),
        (["1", "2", "10", " "], "holds 3 integers"),
        (["1.0", "5.0"], "holds 2 integers"),
        (["-1", "+1"], "holds 2 integers"),
        (["nan", "inf"], "holds text"),
    ],
)
def test_text_and_few_integers_are_classes(labels, says):
    target, (note,) = made(labels)
    assert target.task == "class"
    assert says in note
    assert len(target.values) == len(labels)


@pytest.mark.parametrize("labels", [["0.5", "1"], [str(i) for i in range(21)], ["1e-3", ".5"]])
def test_other_numbers_are_a_regression_target_unless_class_is_asked_for(labels):
    target, (note,) = made(labels)
    assert (target.task, target.names) == ("regression", ("a",))
    assert target.values.tolist() == [[float(label)] for label in labels]
    assert "task regression: column 'a' holds" in note
    assert len(made(labels, task="class")[0].names) == len(labels)


def test_regression_as_asked_takes_few_integers_and_leaves_empty_cells_unlabelled():
    target, (note,) = made(["1", None, " ", " -2 "], task="regression")
    assert np.array_equal(target.values[:, 0], [1, np.nan, np.nan, -2], equal_nan=True)
    assert target.labelled.tolist() == [True, False, False, True]
    assert "as asked" in note


@pytest.mark.parametrize("cell", ["ten", "nan", "inf", "1e999", ("1", "2")])
def test_what_is_no_finite_number_is_named(cell):
    with pytest.raises(DataError, match=r"sample 2 has .* in 'a', not a finite number"):
        made(["1", cell, "2.5"], task="regression")


def test_several_columns_of_numbers_are_one_target():
    target, notes = made(["1", "2", None, ""], ["0.5", None, "1", None])
    assert (target.task, target.names) == ("regression", ("a", "b"))
    assert target.labelled.tolist() == [True, False, False, False]
    assert "hold numbers" in notes[0]
    assert notes[1].startswith("2 rows lack some of the targets")


def test_several_columns_of_marks_are_labels():
    target, (note,) = made(["1", "0", None], ["true", "FALSE", None], ["0.0", "1.0", None])
    assert (target.task, target.names) == ("multilabel", ("a", "b", "c"))
    assert target.values.tolist() == [[1, 1, 0], [0, 0, 1], [-1, -1, -1]]
    assert target.labelled.tolist() == [True, True, False]
    assert "nothing but 0 and 1" in note
    assert "exactly one" not in note
    assert "exactly one, as classes" in made(["1", "0"], ["0", "1"])[1][0]
    assert made(["1", "0"], ["0", "1"], task="regression")[0].task == "regression"


def test_several_columns_of_text_are_no_target():
    with pytest.raises(DataError, match="all 0 and 1, or all numbers"):
        made(["x", "y"], ["1", "0"])
    with pytest.raises(UsageError, match="one target"):
        made(["x", "y"], ["1", "0"], task="class")
    with pytest.raises(DataError, match="sample 2 has '2' in 'b', neither 0 nor 1"):
        made(["0", "1"], ["1", "2"], task="multilabel")


def test_labels_in_one_cell_are_separated_by_bars_or_semicolons():
    target, _ = made(["b|a", "a", None, "c; a", "|"], task="multilabel")
    assert target.names == ("a", "b", "c")
    assert target.values.tolist() == [[1, 1, 0], [1, 0, 0], [-1, -1, -1], [1, 0, 1], [0, 0, 0]]
    assert made(["b|a", "a"])[0].task == "class", "text is classes unless asked otherwise"
    assert made(["0", "1"], task="multilabel")[0].names == ("a",), "one column of marks, one label"
    with pytest.raises(DataError, match="names no label"):
        made(["|", None], task="multilabel")


def test_lists_are_labels_or_real_numbers():
    target, (note,) = made([("x", "y"), (), None, ("y",)])
    assert (target.task, target.names) == ("multilabel", ("x", "y"))
    assert target.values.tolist() == [[1, 1], [0, 0], [-1, -1], [0, 1]]
    assert "holds lists" in note
    assert made([("3", "4"), ("5", "6")])[0].names == ("3", "4", "5", "6"), "identifiers"
    numbers, _ = made([("0.5", "2"), None, ("1", "1")])
    assert (numbers.task, numbers.names) == ("regression", ("a[0]", "a[1]"))
    assert made([("3", "4"), ("5", "6")], task="regression")[0].values.tolist() == [[3, 4], [5, 6]]
    marks, _ = made([("0", "1", "0"), ("true", "false", "0")])
    assert marks.values.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert marks.names == ("a[0]", "a[1]", "a[2]")
    with pytest.raises(DataError, match="one class"):
        made([("x", "y")], task="class")


def test_a_task_that_is_not_supported_is_a_usage_error():
    with pytest.raises(UsageError) as caught:
        check_task(DataOptions(task="tokens"))
    assert "auto, class, regression, multilabel" in caught.value.hint


class NAType:
    """As pandas calls its own."""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (np.bool_(0), "false"),
        (np.int8(3), "3"),
        (1.0, "1.0"),
        (float("nan"), None),
        (NAType(), None),
        (b"caf\xc3\xa9", "café"),
        (np.str_("x"), "x"),
    ],
)
def test_single_values_become_text(value, text):
    assert label_text(value, where="labels") == text
    assert label_cell(value, where="labels") == text


@pytest.mark.parametrize("value", [[1, 2], {}, b"\xff"])
def test_other_values_are_no_single_labels(value):
    with pytest.raises(DataError):
        label_text(value, where="labels")


def test_lists_arrays_and_sets_are_several_labels():
    for value in (["b", "a"], np.array(["b", "a"]), ("b", "a")):
        assert label_cell(value, where="labels") == ("b", "a")
    assert label_cell({"b", "a"}, where="labels") == ("a", "b")
    assert label_cell([True, 2], where="labels") == ("true", "2")
    for value in (["a", None], [["a"]], {"a": 1}):
        with pytest.raises(DataError, match="labels"):
            label_cell(value, where="labels")
