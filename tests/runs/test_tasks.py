"""Numbers and labels through the whole of a run: evaluation, files, prediction, loading."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def images(n=60):
    """Grey images of rising brightness, with noise, and that brightness in two units, (n, 2)."""
    rng = np.random.default_rng(0)
    levels = np.linspace(40, 200, n)
    arrays = [np.clip(rng.normal(x, 20, (12, 12)), 0, 255).astype(np.uint8) for x in levels]
    return arrays, np.stack([levels / 100, -1e3 * levels], axis=1)


def rows_of(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("head", ["auto", "ridge", "knn"])
def test_numbers_are_trained_on_judged_written_and_predicted(head):
    arrays, values = images()
    labels = [None if i % 10 == 0 else float(v) for i, v in enumerate(values[:, 0])]
    run = zoo.transfer("builtin:tinyconv", arrays, labels, head=head, out="run")
    summary = json.loads(Path("run/metrics.json").read_text())
    assert (summary["task"], summary["calibration"]) == ("regression", None)
    assert summary["head"]["name"] == ("ridge" if head == "auto" else head)
    assert (summary["data"]["classes"], summary["data"]["outputs"]) == (0, 1)
    assert summary["evaluation"]["outputs"] is None
    assert summary["evaluation"]["protocol"] == "cv"
    assert (summary["evaluation"]["rows"], summary["evaluation"]["primary"]) == (54, "r2")
    assert run.metrics["r2"]["value"] > 0.8
    rows = rows_of("run/predictions.csv")
    assert list(rows[0]) == ["item", "split", "label", "prediction"]
    found = {row["item"]: float(row["prediction"]) for row in rows}
    true = {row["item"]: float(row["label"]) for row in rows}
    assert true == {f"data:{i + 1}": x for i, x in enumerate(labels) if x is not None}
    errors = np.array([found[item] - true[item] for item in true])
    # the file holds the mean over repeats, which errs less than the repeats on average
    assert 0.5 < np.abs(errors).mean() / run.metrics["mae"]["value"] <= 1.0
    again = zoo.load_run("run")
    assert (again.task, again.names) == ("regression", ("target",))
    here, there = run.predict(arrays[:3]), again.predict(arrays[:3])
    assert [p.values for p in here] == [p.values for p in there]
    assert here[0].values[0] == pytest.approx(0.4, abs=0.35)
    assert (here[0].label, here[0].probabilities, here[0].labels) == (None, None, None)
    assert (here.task, here.names) == ("regression", ("target",))


def test_several_numbers_have_columns_of_their_own():
    arrays, values = images()
    run = zoo.transfer("builtin:tinyconv", arrays, {"up": values[:, 0], "down": values[:, 1]})
    rows = rows_of(run.folder / "predictions.csv")
    assert list(rows[0])[2:] == ["label:up", "prediction:up", "label:down", "prediction:down"]
    for row in rows:  # negative numbers are numbers, not formulas made safe
        assert float(row["label:down"]) == pytest.approx(-1e5 * float(row["label:up"]))
        assert row["prediction:down"].startswith("-")
    (said,) = run.predict(arrays[:1])
    assert len(said.values) == 2
    own = run.summary["evaluation"]["outputs"]
    assert list(own) == ["up", "down"]
    assert own["down"]["r2"] == pytest.approx(own["up"]["r2"]), "of one another's units"
    assert own["down"]["mae"]["value"] == pytest.approx(1e5 * own["up"]["mae"]["value"])
    for metric, found in run.metrics.items():
        mean = np.mean([own[name][metric]["value"] for name in own])
        assert found["value"] == pytest.approx(mean)
    assert run.summary["data"]["outputs"] == 2


def marks_of(levels):
    return [
        [name for name, there in (("bright", x > 1.2), ("mid", 0.8 < x < 1.6)) if there]
        for x in levels
    ]


def test_labels_are_trained_on_judged_written_and_predicted():
    arrays, values = images()
    labels = marks_of(values[:, 0])
    labels[7] = None
    run = zoo.transfer("builtin:tinyconv", arrays, labels, out="run")
    assert (run.task, run.names) == ("multilabel", ("bright", "mid"))
    assert run.summary["head"]["name"] == "logistic"
    assert run.summary["head"]["converged"] is True
    assert run.summary["evaluation"]["primary"] == "macro_f1"
    assert run.summary["evaluation"]["rows"] == 59
    assert (run.summary["data"]["classes"], run.summary["data"]["outputs"]) == (0, 2)
    assert run.metrics["macro_f1"]["value"] > 0.75
    own = run.summary["evaluation"]["outputs"]
    assert list(own["mid"]) == ["f1", "average_precision", "auroc", "log_loss"]
    f1 = np.mean([own[name]["f1"]["value"] for name in ("bright", "mid")])
    assert run.metrics["macro_f1"]["value"] == pytest.approx(f1)
    rows = rows_of("run/predictions.csv")
    assert list(rows[0])[2:] == ["label", "prediction", "p:bright", "p:mid"]
    assert {row["label"] for row in rows} == {"", "mid", "bright", "bright|mid"}
    for row in rows:
        told = [name for name in ("bright", "mid") if float(row[f"p:{name}"]) > 0.5]
        assert row["prediction"] == "|".join(told)
    again = zoo.load_run("run")
    said = again.predict([arrays[0], arrays[35], arrays[-1]])
    assert [p.labels for p in said] == [(), ("bright", "mid"), ("bright",)]
    assert [p.probabilities for p in said] == [
        p.probabilities for p in run.predict([arrays[0], arrays[35], arrays[-1]])
    ]
    assert said[0].label is None
    assert said[0].values is None


def test_groups_and_columns_of_a_frame_are_heard():
    pandas = pytest.importorskip("pandas")
    arrays, values = images()
    frame = pandas.DataFrame({"picture": arrays, "y": values[:, 0], "who": np.arange(60) // 6})
    chosen = {"input": "picture", "target": "y", "group": "who"}
    run = zoo.transfer("builtin:tinyconv", frame, out="run", **chosen)
    assert (
        run.metrics["r2"]["value"]
        < zoo.transfer("builtin:tinyconv", arrays, values[:, 0]).metrics["r2"]["value"]
    ), "neighbours in brightness are in a group: without them it is harder"
    assert len(run.predict(frame[:2])) == 2
    assert len(run.predict(arrays[:2])) == 2, "lists need no columns"
    series = zoo.transfer("builtin:tinyconv", frame["picture"], frame["y"], out="run")
    assert series.names == ("y",)
    with pytest.raises(UsageError, match="names a column"):
        zoo.transfer("builtin:tinyconv", arrays, values[:, 0], group="who")


def test_from_a_thousand_rows_on_a_fifth_is_held_out():
    rng = np.random.default_rng(0)
    levels = rng.uniform(40, 200, 1200)
    arrays = np.clip(rng.normal(levels[:, None, None], 9, (1200, 8, 8)), 0, 255).astype(np.uint8)
    run = zoo.transfer("builtin:tinyconv", arrays, levels)
    assert run.summary["evaluation"]["protocol"] == "holdout"
    assert run.summary["data"]["splits"] == {"train": 960, "test": 240}
    assert len(rows_of(run.folder / "predictions.csv")) == 240
    errors = [
        float(r["label"]) - float(r["prediction"]) for r in rows_of(run.folder / "predictions.csv")
    ]
    assert run.metrics["mae"]["value"] == pytest.approx(np.abs(errors).mean())
    marks = np.stack([levels > 100, levels > 150], axis=1)
    labelled = zoo.transfer("builtin:tinyconv", arrays, marks)
    assert labelled.summary["features"]["forwards"] == 0
    assert labelled.summary["data"]["splits"] == {"train": 960, "test": 240}
    assert labelled.metrics["mean_average_precision"]["value"] > 0.9


def test_data_that_a_head_or_a_task_cannot_use_is_refused_before_any_forward(monkeypatch):
    from zoo.runs import transfer

    monkeypatch.setattr(transfer, "extract", lambda *_, **__: pytest.fail("a forward pass"))
    arrays, values = images(20)
    for head in ("lda", "prototype", "logistic"):
        with pytest.raises(UsageError, match=f"head '{head}' takes"):
            zoo.transfer("builtin:tinyconv", arrays, values, head=head)
    with pytest.raises(UsageError, match="and the targets are labels"):
        zoo.transfer("builtin:tinyconv", arrays, marks_of(values[:, 0]), head="ridge")
    with pytest.raises(DataError, match="none of 20 samples has a label"):
        zoo.transfer("builtin:tinyconv", arrays)
    with pytest.raises(DataError, match="not a finite number"):
        zoo.transfer("builtin:tinyconv", arrays, ["a", "b"] * 10, task="regression")


def test_a_run_from_before_there_were_tasks_is_of_classes():
    arrays, values = images(20)
    zoo.transfer(
        "builtin:tinyconv", arrays, ["a" if x > 1 else "b" for x in values[:, 0]], out="run"
    )
    plan = json.loads(Path("run/run.json").read_text())
    assert plan.pop("task") == "class"
    Path("run/run.json").write_text(json.dumps(plan))
    assert zoo.load_run("run").predict(arrays[-1:])[0].label == "a"


@pytest.mark.parametrize("task", ["regression", "multilabel"])
def test_exports_hold_numbers_and_marks(task):
    from safetensors import safe_open

    from zoo.runs import RunOptions, run_extract

    arrays, values = images(30)
    labels = values if task == "regression" else marks_of(values[:, 0])
    for name in ("f.npz", "f.safetensors"):
        run_extract(
            zoo._registry(),
            "builtin:tinyconv",
            arrays,
            labels,
            options=RunOptions(),
            export_to=Path(name),
        )
    with np.load("f.npz") as file:
        got, names = file["labels"], file["names"].tolist()
    with safe_open("f.safetensors", "numpy") as file:
        assert np.array_equal(file.get_tensor("labels"), got)
        assert json.loads(file.metadata()["names"]) == names
    if task == "regression":
        assert names == ["0", "1"]
        assert np.array_equal(got, values)
    else:
        assert names == ["bright", "mid"]
        assert got.dtype == np.int8
        assert got.sum() == sum(map(len, labels))
