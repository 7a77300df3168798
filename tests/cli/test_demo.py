"""The demo: a gain to see, a report, and a second question that costs no forward pass."""

from __future__ import annotations

import json
import re
from pathlib import Path


def test_the_demo_makes_a_run_its_report_and_asks_a_second_question(zoo, tmp_path):
    done = zoo("demo")
    assert done.code == 0, done.err
    run = re.search(r"^run +(\S+)$", done.out, re.MULTILINE)[1]
    report = re.search(r"^report +(\S+)", done.out, re.MULTILINE)[1]
    assert Path(report).parts[:-1] == Path(run).parts
    html = (tmp_path / report).read_text(encoding="utf-8")
    assert html.count("<svg") > 5
    left_out = [line for line in done.err.splitlines() if line.startswith("left out")]
    assert left_out == ["left out: The score against the arms: not measured in this run."]
    told = re.search(r"^again .*\n +(\d+) forward passes", done.out, re.MULTILINE)
    assert told[1] == "0"
    compared = re.search(r"^compare +zoo report (\S+) (\S+)$", done.out, re.MULTILINE)
    first, second = (
        json.loads((tmp_path / one / "metrics.json").read_text()) for one in compared.groups()
    )
    assert (first["head"]["name"], second["head"]["name"]) == ("logistic", "lda")
    assert first["features"]["forwards"] == 1797
    assert re.search(r"^yours +zoo transfer --model \S+ --data \./photos$", done.out, re.MULTILINE)


def test_a_second_question_that_cannot_be_asked_costs_nothing_of_the_first(zoo, tmp_path):
    (tmp_path / "run-lda").mkdir()
    (tmp_path / "run-lda" / "mine.txt").write_text("not a run")
    done = zoo("demo", "--out", "run")
    assert done.code == 2
    assert "'run-lda' exists and is not a run" in done.err
    assert "accuracy 0.9" in done.out
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_result_is_that_of_a_transfer_of_few_labels(zoo):
    got = zoo("demo", "--json", "--out", "run").json
    assert got["model"]["source"] == "builtin:formulanet"
    assert got["data"]["splits"] == {"train": 100, "test": 1697}
    assert got["evaluation"]["protocol"] == "holdout"
    assert got["evaluation"]["metrics"]["accuracy"]["value"] > 0.93
    assert got["report"] == "run/report.html"
    again = zoo("demo", "--json", "--out", "run").json
    assert again["features"]["forwards"] == 0
    assert again["evaluation"] == got["evaluation"]


def test_the_pretrained_backbone_beats_random_weights_and_raw_pixels(zoo, monkeypatch):
    monkeypatch.delenv("ZOO_NO_VERDICT")
    verdict = zoo("demo", "--json", "--scratch-budget", "20").json["verdict"]
    arms = {name: arm["value"] for name, arm in verdict["arms"].items()}
    assert arms["transfer"] - arms["random_weights"] >= 0.05
    assert arms["transfer"] - arms["raw"] >= 0.03
    assert verdict["rows"] == 1697
