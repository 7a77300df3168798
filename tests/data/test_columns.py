from __future__ import annotations

import pytest

from zoo.data.columns import FILE_COLUMNS, Columns
from zoo.errors import DataError, UsageError
from zoo.plugin import DataOptions


def among(there, *, inputs=("text", *FILE_COLUMNS), **options):
    return Columns.among(there.split(), DataOptions(**options), "'d.csv'", inputs=inputs)


def test_names_decide_where_nobody_does():
    assert among("split label path text group") == Columns("text", ("label",), "group", "split")
    assert among("label path file_name") == Columns("file_name", ("label",), None, None)
    assert among("text image label", inputs=FILE_COLUMNS).input == "image"
    assert among("text group split", labelled=False) == Columns("text", (), None, None)


def test_options_win_and_what_they_name_is_not_taken_for_something_else():
    got = among("q group split who", input="q", target="group", group="who")
    assert got == Columns("q", ("group",), "who", "split")
    assert among("q split", input="q", target="split").split is None


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ("q label", "no column 'text'; it has 'q', 'label'"),
        ("text", "no column 'label'"),
        ("text label split split", "two columns 'split'"),
    ],
)
def test_missing_and_repeated_columns_are_named(there, says):
    with pytest.raises(DataError, match=says) as caught:
        among(there)
    assert caught.value.hint


def test_several_inputs_are_a_usage_error():
    with pytest.raises(UsageError):
        among("a b label", input="a,b")
