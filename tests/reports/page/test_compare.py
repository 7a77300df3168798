"""Several runs side by side: who is best, by how much on the same rows, and when that is open."""

from __future__ import annotations

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
