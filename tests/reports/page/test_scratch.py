"""How learning from scratch went: its curves, the epoch kept, and whether it was cut."""

from __future__ import annotations

import copy
import re

import pytest

from zoo.errors import DataError
from zoo.reports import write_report
from zoo.reports.scratch import scratch_figure


def figure(html):
    found = re.search(r'<figure id="figure-scratch".*?</figure>', html, re.DOTALL)
    return None if found is None else found[0]


def read(report):
    return report.path.read_text(encoding="utf-8").replace("\u00a0", " ")


def curve(*values):
    return [
        {"epoch": i + 1, "train_loss": 1 / (i + 1), "validation": v} for i, v in enumerate(values)
    ]


def test_the_curve_stands_under_the_arms_with_its_numbers(class_run, rich, computed):
    html = read(write_report([class_run(summary=rich)]))
    assert html.index('"figure-arms"') < html.index('"figure-scratch"')
    assert html.index('"figure-scratch"') < html.index('"figure-confusion"')
    part = figure(html)
    assert "of each of 4 epochs of the first of 5 folds." in part
    assert "Its budget cut it short" in part
    assert ">kept: epoch 3<" in part
    rows = re.findall("<tr>(.*?)</tr>", part.split("<details>")[1], re.DOTALL)
    cells = [re.findall("<bdi>(.*?)</bdi>", row) for row in rows]
    assert cells[0] == ["epoch", "accuracy, validation", "loss, training"]
    assert cells[1:3] == [["1", "0.350", "1.500"], ["2", "0.500", "1.250"]]
    assert 'data-tip="epoch 4: loss, training 0.750"' in part


def test_a_learner_that_had_its_time_says_so(class_run, rich, computed):
    verdict = copy.deepcopy(rich["verdict"])
    verdict["convergence"]["scratch"]["converged"] = True
    verdict["protocol"] = "holdout"
    part = figure(read(write_report([class_run(summary={**rich, "verdict": verdict})])))
    assert "of each of 4 epochs. Its budget did not cut it." in part


@pytest.mark.parametrize("convergence", [None, {}, {"scratch": {"curve": []}}])
def test_without_a_curve_there_is_no_figure_and_no_fault(class_run, rich, computed, convergence):
    verdict = {**rich["verdict"], "convergence": convergence}
    html = read(write_report([class_run(summary={**rich, "verdict": verdict})]))
    assert figure(html) is None
    assert "Learning from scratch" not in html


def test_an_odd_curve_costs_the_figure_alone(class_run, rich, computed):
    verdict = copy.deepcopy(rich["verdict"])
    verdict["convergence"]["scratch"]["curve"] = [{"epoch": "one"}]
    report = write_report([class_run(summary={**rich, "verdict": verdict})])
    assert any("Learning from scratch: cannot be shown" in line for line in report.absent)
    assert 'id="figure-arms"' in read(report)


def test_both_curves_run_through_all_epochs_in_their_own_half():
    told = {"curve": curve(0.2, 0.6, 0.4), "best_epoch": 2, "converged": True}
    drawn = str(scratch_figure(told, "accuracy").drawing)
    paths = re.findall('<path d="M([^"]*)" class="curve"', drawn)
    places = [[tuple(map(float, point.split())) for point in path.split("L")] for path in paths]
    (worth, loss) = places
    assert [x for x, _ in worth] == [x for x, _ in loss] == sorted(x for x, _ in loss)
    assert worth[1][1] < worth[2][1] < worth[0][1], "higher is better, and higher up"
    assert loss[0][1] < loss[1][1] < loss[2][1], "the loss falls"
    assert max(y for _, y in worth) < min(y for _, y in loss)


def test_one_epoch_is_a_dot_and_none_is_an_error():
    drawn = str(scratch_figure({"curve": curve(0.5), "best_epoch": 1}, "r2").drawing)
    assert drawn.count("<circle") == 2
    assert "<path" not in drawn
    with pytest.raises(DataError, match="no epoch"):
        scratch_figure({"curve": [{"epoch": 1, "train_loss": None}]}, "r2")
