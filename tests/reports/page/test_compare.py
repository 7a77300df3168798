"""Several runs side by side: who is best, by how much on the same rows, and when that is open."""

from __future__ import annotations

import copy

import pytest

from zoo.reports import write_report


def read(report):
    return report.path.read_text(encoding="utf-8").replace("\u00a0", " ")


def better(cells):
    """The same rows, all predicted right."""
    return [[*row[:3], row[2], row[4]] for row in cells]


def test_the_best_run_and_its_difference_are_said(class_run, class_cells, write_run, tmp_path):
    names = ("cat", "dog", "fox")
    first = class_run(folder="first")
    header = ["label", "prediction", "probability"]
    metrics = {"accuracy": {"value": 1.0, "low": 0.94, "high": 1.0}}
    cells = better(class_cells(names))
    second = write_run("class", names, header, cells, folder="second", metrics=metrics)
    html = read(write_report([first, second], out=tmp_path / "both.html"))
    assert "second has the highest accuracy: 1.000" in html
    assert "it is shown to be better than first: +25.0 points" in html
    assert '<header class="top positive">' in html
    assert "first: \u221225.0 (95 % interval" in html  # less than the best
    assert "0.750 (0.627 to 0.842)" in html


def test_runs_of_other_rows_are_shown_and_their_difference_is_left_open(
    class_run, class_cells, write_run, tmp_path
):
    names = ("cat", "dog", "fox")
    first = class_run(folder="first")
    header = ["label", "prediction", "probability"]
    second = write_run("class", names, header, class_cells(names)[:30], folder="second")
    report = write_report([first, second], out=tmp_path / "both.html")
    assert any("was judged on" in line for line in report.absent)
    assert "The scores" in read(report)


def test_runs_of_different_scores_are_not_ranked(class_run, write_run, tmp_path):
    first = class_run(folder="first")
    cells = [[f"item {i}", "test", repr(float(i)), repr(float(i))] for i in range(9)]
    second = write_run("regression", ["size"], ["label", "prediction"], cells, folder="second")
    report = write_report([first, second], out=tmp_path / "both.html")
    html = read(report)
    assert "2 runs side by side" in html
    assert "judged by different scores (R², accuracy)" in html
    assert "figure-scores" not in html


def test_verdicts_stand_beside_each_other(class_run, rich, tmp_path):
    runs = [class_run(folder=name, summary={"verdict": rich["verdict"]}) for name in ("a", "b")]
    html = read(write_report(runs, out=tmp_path / "both.html"))
    assert 'id="figure-verdicts"' in html
    assert "a: +12.3 (95 % interval +9.1 to +15.4)" in html


BROKEN = {
    "a score that is no number": lambda run: run.summary["evaluation"]["metrics"][
        "accuracy"
    ].update(value="high"),
    "a metric that is no object": lambda run: run.summary["evaluation"]["metrics"].update(ece=0.5),
    "metrics that are none": lambda run: run.summary["evaluation"].update(metrics=None),
    "half a verdict": lambda run: run.summary.update(verdict={"delta": 1.0}),
    "an odd head": lambda run: run.summary.update(head={"name": "logistic", "strength": "much"}),
    "no options": lambda run: run.plan.pop("options"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_run_is_a_line_and_the_others_are_compared(class_run, rich, tmp_path, how):
    runs = [
        class_run(folder=name, summary={"verdict": copy.deepcopy(rich["verdict"])})
        for name in ("first", "broken", "last")
    ]
    BROKEN[how](runs[1])
    report = write_report(runs, out=tmp_path / "all.html")
    (line,) = [line for line in report.absent if "broken: " in line]
    assert "cannot be shown" in line
    html = read(report)
    assert "first has the highest accuracy: 0.750" in html
    for name in ("scores", "verdicts", "differences"):
        assert f'id="figure-{name}"' in html
    assert html.count('<th scope="col"><bdi>last</bdi></th>') == 1
    assert '<th scope="col"><bdi>broken</bdi></th>' not in html


def test_of_broken_runs_alone_each_is_a_line(class_run, tmp_path):
    runs = [class_run(folder=name) for name in ("a", "b", "c")]
    for run in runs[:2]:
        run.summary["evaluation"]["metrics"] = None
    html = read(write_report(runs, out=tmp_path / "one.html"))
    assert "Fewer than two of 3 runs can be shown." in html
    assert "0.750 (0.627 to 0.842)" in html  # of the one that can
    runs[2].summary["evaluation"]["metrics"] = None
    report = write_report(runs, out=tmp_path / "none.html")
    assert sum("cannot be shown" in line for line in report.absent) == 3


def test_a_run_without_its_predictions_lacks_its_difference_alone(class_run, tmp_path):
    runs = [class_run(folder=name) for name in ("a", "b", "c")]
    (runs[2].folder / "predictions.csv").write_text("item,split\n")
    report = write_report(runs, out=tmp_path / "all.html")
    assert any("c: " in line for line in report.absent)
    html = read(report)
    assert html.count('<th scope="col"><bdi>c</bdi></th>') == 1
    assert 'id="figure-differences"' in html
