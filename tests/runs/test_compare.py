"""Runs are compared on the same rows, found by content, and on no others."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.errors import DataError
from zoo.runs import compare_runs


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def images(count, seed=0):
    rng = np.random.default_rng(seed)
    levels = [100 if i % 2 else 140 for i in range(count)]
    arrays = [np.clip(rng.normal(level, 60, (6, 6)), 0, 255).astype(np.uint8) for level in levels]
    return arrays, ["dark" if i % 2 else "light" for i in range(count)]


def run(arrays, labels, out, **options):
    options = {"head": "prototype", **options}
    return zoo.transfer("builtin:tinyconv", arrays, labels, out=out, **options)


def right(folder):
    with (Path(folder) / "predictions.csv").open(encoding="utf-8") as file:
        return {row["item"]: row["label"] == row["prediction"] for row in csv.DictReader(file)}


def edit(folder, change):
    """Rewrite a run's predictions, row by row."""
    path = Path(folder) / "predictions.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(change(row) for row in rows)


def test_two_heads_are_compared_row_by_row():
    arrays, labels = images(80)
    one, two = run(arrays, labels, "one"), run(arrays, labels, "two", head="knn")
    found = compare_runs(one, two)
    first, second = right("one"), right("two")
    both = sum(first[item] and second[item] for item in first)
    assert (found.paired.both, found.paired.rows) == (both, 80)
    assert found.paired.first == sum(first.values()) - both
    told = found.as_dict()
    assert told["values"] == [sum(first.values()) / 80, sum(second.values()) / 80]
    assert told["difference"]["value"] == pytest.approx(told["values"][1] - told["values"][0])
    assert compare_runs(one, one).as_dict()["test"]["p"] == 1.0


def test_order_and_names_do_not_matter_but_content_does():
    arrays, labels = images(40)
    one = run(arrays, labels, "one")
    turned = run(arrays[::-1], labels[::-1], "turned")
    paired = compare_runs(one, turned).paired
    assert (paired.rows, paired.both + paired.neither) == (40, 40)  # the same rows, the same folds
    others, _ = images(40, seed=1)
    with pytest.raises(DataError, match="not judged on the same rows"):
        compare_runs(one, run(others, labels, "others"))


def test_other_labels_and_other_numbers_of_rows_are_refused():
    arrays, labels = images(40)
    one = run(arrays, labels, "one")
    with pytest.raises(DataError, match="not judged on the same rows"):
        compare_runs(one, run(arrays, ["dark", *labels[1:]], "two"))
    with pytest.raises(DataError, match="on 40 rows and 'three' on 38"):
        compare_runs(one, run(arrays[:38], labels[:38], "three"))


def test_where_a_plan_has_no_keys_names_and_labels_decide():
    arrays, labels = images(40)
    one = run(arrays, labels, "one")
    shutil.copytree("one", "two")
    plan = json.loads(Path("two/run.json").read_text())
    plan["splits"] = {}
    Path("two/run.json").write_text(json.dumps(plan))
    two = zoo.load_run("two")
    assert compare_runs(one, two).paired.rows == 40
    edit("two", lambda row: {**row, "item": f"x{row['item']}"})
    with pytest.raises(DataError, match="not judged on the same rows"):
        compare_runs(one, two)


def test_a_clear_difference_is_told_as_one():
    arrays, labels = images(60)
    one = run(arrays, labels, "one")
    shutil.copytree("one", "two")
    other = {"dark": "light", "light": "dark"}
    edit("two", lambda row: {**row, "prediction": other[row["label"]]})
    two = zoo.load_run("two")
    assert compare_runs(one, two).verdict == "worse"
    assert compare_runs(two, one).verdict == "better"
    assert compare_runs(one, one).verdict == "none"


def test_damaged_predictions_and_other_tasks_are_refused():
    arrays, labels = images(20)
    one = run(arrays, labels, "one")
    shutil.copytree("one", "two")
    two = zoo.load_run("two")
    Path("two/predictions.csv").write_text("item,label\na,b\n")
    with pytest.raises(DataError, match="missing or damaged"):
        compare_runs(one, two)
    Path("two/predictions.csv").unlink()
    with pytest.raises(DataError, match="missing or damaged"):
        compare_runs(one, two)
    two.summary["task"] = "regression"
    with pytest.raises(DataError, match="task 'regression'"):
        compare_runs(one, two)
