"""``--slice`` as its users meet it: a line a column, and what is amiss with a column's name."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.cli.summary import _weakest
from zoo.metrics import Confusions


@pytest.fixture
def towns(tmp_path):
    """120 short texts told by one word, which the rows of one town have wrong half of the time."""
    lines = ["text,label,town,colour"]
    for i in range(120):
        town = ("Rom", "Oslo", "=Wien")[i % 3]
        label = ("pos", "neg")[i // 3 % 2]
        shown = label if town != "Oslo" or i % 4 else ("neg", "pos")[i // 3 % 2]
        word = "good" if shown == "pos" else "bad"
        lines.append(f"it was a {word} film {i},{label},{town},c{i}")
    (tmp_path / "towns.csv").write_text("\n".join(lines))
    return tmp_path / "towns.csv"


def test_each_column_has_its_line_and_its_metrics(zoo, tiny_bert, towns):
    command = ("transfer", "--model", f"hf:{tiny_bert}", "--data", towns, "--head", "knn")
    got = zoo(*command, "--slice", "town", "--slice", "colour", "--json").json["evaluation"]
    town, colour = got["slices"]
    assert {v["value"]: v["rows"] for v in town["values"]} == {"=Wien": 40, "Oslo": 40, "Rom": 40}
    assert (len(colour["values"]), len(colour["left_out"])) == (20, 100)
    assert [entry["name"] for entry in got["classes"]] == ["neg", "pos"]
    assert sum(map(sum, got["confusion"]["counts"])) == pytest.approx(120)
    shown = zoo(*command, "--slice", "town", env={"ZOO_SLICE": "colour"}).out
    assert "sliced    by town: 3 values, lowest" in shown
    assert "colour" not in shown


def test_the_class_that_is_found_least_is_told_with_what_it_is_taken_for():
    codes = np.repeat([0, 1, 2], 10)
    told = np.array([0] * 10 + [1] * 6 + [2] * 3 + [0] + [2] * 10)
    names = ["ant", "b\x1bee", "cat"]
    found = Confusions.of(np.eye(3)[told], codes, names)
    part = {"classes": found.classes(), "confusion": found.as_dict()}
    ((label, line),) = _weakest(part)
    assert label == "weakest"
    assert line == ("'b\\x1bee': recall 0.600 (0.313 to 0.832) of 10 rows, taken for 'cat' most")
    right = Confusions.of(np.eye(3)[codes], codes, names)
    assert _weakest({"classes": right.classes(), "confusion": right.as_dict()}) == []
    assert _weakest({"classes": part["classes"][:2], "confusion": part["confusion"]}) == []
    assert _weakest({}) == []  # a run from before


def test_an_unknown_column_is_exit_code_2_and_the_columns_are_listed(zoo, towns, photos):
    got = zoo("transfer", "--model", "builtin:tinyconv", "--data", towns, "--slice", "tow")
    assert got.code == 2
    assert "--slice 'tow': 'towns.csv' has no such column to slice by" in got.err
    assert "hint: it has 'label', 'town', 'colour'" in got.err
    got = zoo("transfer", "--model", "builtin:tinyconv", "--data", photos, "--slice", "town")
    assert got.code == 2
    assert "--slice 'town' names a column, and a folder has none" in got.err
