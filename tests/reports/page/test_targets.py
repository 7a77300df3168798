"""Runs of numbers and of several labels get the figures that suit them."""

from __future__ import annotations

import re

import pytest

from zoo.reports import write_report
from zoo.reports.judged import read_judged


def read(report):
    return report.path.read_text(encoding="utf-8").replace("\u00a0", " ")


@pytest.fixture
def number_run(write_run):
    cells = [[f"item {i}", "test", repr(float(i)), repr(i + 0.25 * (i % 3))] for i in range(40)]
    cells[7][3] = "27.5"
    metrics = {"r2": {"value": 0.9, "low": 0.85, "high": 0.95}}
    header = ["label", "prediction"]
    return write_run("regression", ["size"], header, cells, metrics=metrics)


@pytest.fixture
def label_run(write_run):
    chances = [(0.9, 0.2), (0.8, 0.7), (0.1, 0.6), (0.3, 0.1)] * 5
    truth = ["=red", "=red|blue", "=red", ""] * 5
    cells = [
        [f"item {i}", "test", told, "", *(f"{chance:.6f}" for chance in pair)]
        for i, (told, pair) in enumerate(zip(truth, chances, strict=True))
    ]
    outputs = {
        "=red": {"f1": {"value": 0.8, "low": 0.6, "high": 0.9}},
        "blue": {"f1": {"value": 0.667, "low": 0.4, "high": 0.8}},
    }
    metric = {"value": 0.733, "low": 0.6, "high": 0.8}
    summary = {
        "evaluation": {
            "protocol": "holdout",
            "rows": 20,
            "primary": "macro_f1",
            "metrics": {"macro_f1": metric},
            "outputs": outputs,
        }
    }
    header = ["label", "prediction", "p:=red", "p:blue"]
    return write_run("multilabel", ["=red", "blue"], header, cells, summary=summary)


def test_numbers_are_read_with_all_their_digits(number_run):
    judged = read_judged(number_run)
    assert judged.truth[:, 0].tolist() == list(range(40))
    assert judged.predicted[7, 0] == 27.5
    assert judged.keys.shape == (40, 16)


def test_a_run_of_numbers_shows_predicted_against_true_and_residuals(number_run, computed):
    html = read(write_report([number_run]))
    figures = re.findall(r'<figure id="figure-([\w-]+)"', html)
    assert figures == ["against-0", "residuals-0", "map-0", "map-1", "learning", "phases"]
    assert "item 7: true 7.000, predicted 27.500" in html
    mistakes = html.split('<section id="mistakes"')[1].split("</section>")[0]
    assert re.findall(r'class="name"><bdi>(.*?)</bdi>', mistakes)[0] == "item 7"
    assert "R² is 0.900 on 40 rows held out (95 % interval 0.850 to 0.950)" in html
    residuals = html.split('id="figure-residuals-0"')[1].split("</figure>")[0]
    counts = [int(n) for n in re.findall(r"data-tip=\"residual [^\"]*: (\d+) row", residuals)]
    assert sum(counts) == 40


def test_labels_are_read_by_the_runs_names(label_run):
    judged = read_judged(label_run)
    assert judged.truth[:4].tolist() == [[1, 0], [1, 1], [1, 0], [0, 0]]
    assert judged.predicted[:4].tolist() == [[1, 0], [1, 1], [0, 1], [0, 0]]
    assert judged.wrong[:4].tolist() == [False, False, True, False]


def test_a_run_of_labels_shows_each_label_and_the_honesty_of_its_chances(label_run, computed):
    html = read(write_report([label_run]))
    figures = re.findall(r'<figure id="figure-([\w-]+)"', html)
    assert figures[:2] == ["labels", "reliability"]
    assert "blue: 0.667 (95 % interval 0.400 to 0.800)" in html
    # 0.9 of red five times, each time there: the last bin.
    reliability = html.split('id="figure-reliability"')[1].split("</figure>")[0]
    assert "stated 90.0 %, happened 100.0 %" in reliability
    mistakes = html.split('<section id="mistakes"')[1].split("</section>")[0]
    assert "5 of 20 rows are predicted wrong" in mistakes
    assert "missed" in mistakes
    assert "=red (10.0 %)" in mistakes
