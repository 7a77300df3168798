"""Reports of runs whose judged rows are not all of a split, and of searches that spread."""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

import zoo
from zoo.reports import rows, write_report
from zoo.reports.search import learning_figure, strength_figure


def test_a_class_of_one_sample_does_not_hide_map_and_thumbnails(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for label, count in (("a", 20), ("b", 20), ("solo", 1)):
        for i in range(count):
            path = tmp_path / "data" / label / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (12, 12), dtype=np.uint8)).save(path)
    run = zoo.transfer("builtin:tinyconv", "data", out="run", head="knn")
    assert len(run.plan["splits"]["train"]) == 41
    html = write_report([run]).path.read_text(encoding="utf-8")
    assert 'id="figure-map-0"' in html
    mistakes = html.split('<section id="mistakes"')[1].split("</section>")[0]
    assert mistakes.count("<img") == mistakes.count('class="name"') > 0


def test_the_data_is_opened_once_for_all_parts(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = zoo.transfer("builtin:tinyconv", "photos", out="run", head="knn")
    opened, open_data = [], rows.open_data

    def counted(registry, data, labels, options):
        opened.append(data)
        return open_data(registry, data, labels, options)

    monkeypatch.setattr(rows, "open_data", counted)
    html = write_report([run]).path.read_text(encoding="utf-8")
    assert len(opened) == 1
    assert 'id="figure-map-0"' in html
    assert 'id="figure-learning"' in html
    photos.rename(tmp_path / "away")
    report = write_report([run])
    assert len(opened) == 2, "nor is it looked for twice"
    assert sum("cannot be read again" in line for line in report.absent) >= 2


def test_every_folds_curve_is_inside_the_drawing():
    steps = [
        {"strength": 10.0**i, "value": 0.30, "low": 0.27, "high": 0.33}
        | {"folds": [0.22, 0.26, 0.30, 0.34, 0.38 + 0.01 * i]}
        for i in range(4)
    ]
    drawn = str(strength_figure(steps, 1.0, "logistic").drawing)
    paths = [tag for tag in re.findall("<path[^>]*>", drawn) if 'class="curve fold"' in tag]
    heights = [{float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", tag)} for tag in paths]
    assert len(heights) == 5
    middles = [sum(some) / len(some) for some in heights]
    assert len(set(middles)) == 5, "two curves lie on the frame"
    assert len(heights[-1]) == 4, "a slope is drawn as one"


def test_a_curve_that_was_cut_short_says_so():
    points = [{"rows": n, "value": 0.5, "low": 0.4, "high": 0.6} for n in (10, 20)]
    assert "Cut short after 20 s" in learning_figure("accuracy", points, cut=20.0).note
    assert "Cut short" not in learning_figure("accuracy", points).note
