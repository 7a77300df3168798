"""zoo in Python: the functions of the front door on data in memory."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from zoo.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def images(count=30):
    rng = np.random.default_rng(0)
    levels = [60 if i % 2 else 190 for i in range(count)]
    arrays = [np.clip(rng.normal(level, 30, (12, 12)), 0, 255).astype(np.uint8) for level in levels]
    return arrays, ["dark" if i % 2 else "light" for i in range(count)]


def test_transfer_and_predict_on_arrays_in_memory():
    from PIL import Image

    arrays, labels = images()
    run = zoo.transfer("builtin:tinyconv", arrays, labels, head="prototype")
    assert run.features.shape == (30, 512)
    assert run.metrics["accuracy"]["value"] == 1.0
    predicted = run.predict([Image.fromarray(arrays[0]), Image.fromarray(arrays[1])])
    assert [p.label for p in predicted] == ["light", "dark"]
    again = zoo.load_run(str(run.folder)).predict(arrays[:2])
    assert [p.label for p in again] == ["light", "dark"]
    assert again[0].probabilities == pytest.approx(predicted[0].probabilities)


def test_texts_in_memory_and_paths_do_the_same_as_files(tiny_bert, reviews):
    import csv

    with reviews.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    one = zoo.transfer(f"hf:{tiny_bert}", texts, labels)
    two = zoo.transfer(f"hf:{tiny_bert}", reviews)
    assert two.summary["features"]["forwards"] == 0
    assert one.metrics == two.metrics


def test_extract_returns_rows_in_the_order_of_the_items(tiny_bert):
    texts = ["good", "bad", "good"]
    got = zoo.extract(f"hf:{tiny_bert}", texts, ["a", "b", "a"])
    assert got.extracted.features.shape == (3, 16)
    assert np.array_equal(got.extracted.features[0], got.extracted.features[2])
    assert got.summary["features"]["forwards"] == 2


def test_errors_are_raised_as_they_are():
    with pytest.raises(DataError):
        zoo.transfer("builtin:tinyconv", "nowhere")
    with pytest.raises(UsageError):
        zoo.transfer("builtin:tinyconv", *images(), head="none")
    with pytest.raises(DataError):
        zoo.transfer("builtin:tinyconv", images()[0], ["one", "two"])


def test_a_run_that_observers_hear_of(monkeypatch):
    heard = []
    from zoo.registry import Registry

    monkeypatch.setattr(Registry, "observe", lambda self, hook, **kw: heard.append(hook))
    zoo.transfer("builtin:tinyconv", *images(), head="prototype")
    with pytest.raises(DataError):
        zoo.transfer("builtin:tinyconv", "nowhere", head="prototype")
    assert heard == [
        "zoo_run_started",
        "zoo_run_finished",
        "zoo_run_started",
        "zoo_run_failed",
    ]


def test_numbers_are_classes_where_the_task_says_so():
    arrays = [np.full((9, 9), 8 * i, np.uint8) for i in range(30)]
    labels = list(range(30))
    with pytest.raises(UsageError, match="head 'prototype' takes classes only") as caught:
        zoo.transfer("builtin:tinyconv", arrays, labels, head="prototype")
    assert "which is ridge here" in caught.value.hint
    got = zoo.extract("builtin:tinyconv", arrays, labels, task="class")
    assert len(got.extracted.dataset.target.names) == 30
    with pytest.raises(UsageError):
        zoo.extract("builtin:tinyconv", arrays, labels, task="bogus")
