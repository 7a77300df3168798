"""A run in a notebook: a table of its metrics in which nothing of anybody's is markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import zoo
from zoo.runs.notebook import html, line


def summary(**changes):
    metric = {"value": 0.9, "low": 0.8, "high": 0.95}
    return {
        "run": "runs/a",
        "task": "class",
        "model": {"source": "hf:org/name", "dim": 384},
        "data": {"rows": 100},
        "head": {"name": "logistic", "strength": 0.01},
        "evaluation": {"primary": "accuracy", "rows": 20, "metrics": {"accuracy": metric}},
        **changes,
    }


class Parts(HTMLParser):
    """Tags and texts, and whether tags nest."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        assert not attrs
        self.tags.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_metrics_are_rows_with_their_intervals():
    parts = Parts(html(summary()))
    assert not parts.open
    assert parts.texts[-3:] == ["accuracy", "0.900", "0.800 to 0.950"]
    assert "hf:org/name (384 features), logistic, strength 0.01, on 20" in parts.texts[0]


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "a&b<b>"])
def test_foreign_text_stays_text(evil):
    hostile = summary(
        run=evil,
        model={"source": evil, "dim": 1},
        head={"name": evil, "strength": None},
        evaluation={
            "primary": evil,
            "rows": 1,
            "metrics": {evil: {"value": 1, "low": evil, "high": None}},
        },
    )
    parts = Parts(html(hostile))
    assert set(parts.tags) == {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert evil.replace("_", " ") in parts.texts


def test_a_run_shows_itself_in_a_line_and_as_a_table(tmp_path, monkeypatch):
    import numpy as np

    monkeypatch.chdir(tmp_path)
    images = [np.full((6, 6), 40 + 5 * i, np.uint8) for i in range(20)]
    labels = ["dark"] * 10 + ["light"] * 10
    run = zoo.transfer("builtin:tinyconv", images, labels, head="prototype", out="run")
    assert repr(run) == line(run.summary)
    assert repr(run).startswith("Run('run': builtin:tinyconv, prototype, accuracy ")
    assert len(repr(run)) < 100  # and not the digests of every row
    assert "<td>accuracy</td>" in zoo.load_run("run")._repr_html_()
    assert "<a " not in run._repr_html_()
    zoo.report(run)
    assert run._repr_html_().endswith('</table><p><a href="run/report.html">report</a></p>')
    got = zoo.extract("builtin:tinyconv", images, labels)
    assert np.array_equal(got.features, run.features)


def test_the_verdict_stands_in_the_caption_as_text():
    verdict = {"level": "positive", "delta": 12.0, "low": 8.0, "high": 16.0, "rows": 20}
    verdict |= {"metric": "accuracy", "reference": "raw"}
    told = html(summary(verdict=verdict))
    assert "12.0 points of accuracy above the raw input" in told
    told = Parts(html(summary(verdict={**verdict, "metric": "<script>"})))
    assert "script" not in told.tags
    assert "worth it" not in html(summary(verdict={"level": "positive"}))
    assert "raw input" not in html(summary(verdict={**verdict, "delta": "x"}))
    assert html(summary(verdict=None)) == html(summary())


@pytest.mark.parametrize(
    ("folder", "href"),
    [
        ("javascript:alert(1)", "javascript%3Aalert%281%29/report.html"),
        ('a"><script>', "a%22%3E%3Cscript%3E/report.html"),
        ("../photos & more", "../photos%20%26%20more/report.html"),
        ("//host/x", None),
    ],
)
def test_a_report_is_linked_by_a_relative_path_alone(folder, href):
    told = html(summary(), Path(folder) / "report.html").partition("</table>")[2]
    found = re.fullmatch('<p><a href="([^"]*)">report</a></p>', told)[1]
    assert "<" not in found
    assert not urlsplit(found).scheme
    assert not urlsplit(found).netloc
    assert found == href or href is None
