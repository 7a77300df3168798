from __future__ import annotations

import numpy as np
import pytest

from zoo.data.targets import check_task, class_target, label_text
from zoo.errors import DataError, UsageError
from zoo.plugin import DataOptions


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
    target, note = class_target(labels, where="column 'y'", task="auto")
    assert target.task == "class"
    assert says in note
    assert len(target.values) == len(labels)


@pytest.mark.parametrize("labels", [["0.5", "1"], [str(i) for i in range(21)], ["1e-3", ".5"]])
def test_other_numbers_are_a_regression_target_unless_class_is_asked_for(labels):
    with pytest.raises(DataError, match="later version") as caught:
        class_target(labels, where="column 'y'", task="auto")
    assert "--task class" in caught.value.hint
    assert len(class_target(labels, where="y", task="class")[0].names) == len(labels)


def test_a_task_that_is_not_supported_is_a_usage_error():
    with pytest.raises(UsageError) as caught:
        check_task(DataOptions(task="regression"))
    assert "auto, class" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (np.bool_(0), "false"),
        (np.int8(3), "3"),
        (1.0, "1.0"),
        (float("nan"), None),
        (b"caf\xc3\xa9", "café"),
        (np.str_("x"), "x"),
    ],
)
def test_single_values_become_text(value, text):
    assert label_text(value, where="labels") == text


@pytest.mark.parametrize("value", [[1, 2], {}, b"\xff"])
def test_other_values_are_no_labels(value):
    with pytest.raises(DataError):
        label_text(value, where="labels")
