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


def test_the_second_question_replaces_nothing(zoo, tmp_path):
    (tmp_path / "a run-lda").mkdir()
    (tmp_path / "a run-lda" / "run.json").write_text("a run of somebody's own")
    done = zoo("demo", "--out", "a run")
    assert done.code == 0
    assert (tmp_path / "a run" / "report.html").is_file()
    assert (tmp_path / "a run-lda" / "run.json").read_text() == "a run of somebody's own"
    assert (tmp_path / "a run-lda-2" / "metrics.json").is_file()
    assert "zoo report 'a run' 'a run-lda-2'" in done.out


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
    verdict = zoo("demo", "--json", "--scratch-budget", "600").json["verdict"]
    arms = {name: arm["value"] for name, arm in verdict["arms"].items()}
    assert arms["transfer"] - arms["random_weights"] >= 0.05
    assert arms["transfer"] - arms["raw"] >= 0.03
    assert verdict["rows"] == 1697
