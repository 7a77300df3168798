"""Held-out probabilities are those of heads that did not see the rows."""

from __future__ import annotations

import numpy as np

from zoo.reports import held_out, run_rows


def test_of_a_holdout_judges_are_told_as_in_predictions(pictures, transfer):
    run = transfer(
        pictures(60, ("label", "split"), lambda i: ["ab"[i % 2], "test" if i < 20 else "train"])
    )
    rows = run_rows(run)
    chances = held_out(run, rows)
    assert chances.shape == (60, 2)
    assert np.allclose(chances.sum(axis=1), 1.0)
    told = rows.judged.chances.tolist()
    assert np.allclose(chances[rows.judge].max(axis=1), told, atol=1e-6)


def test_of_repeated_folds_accuracy_is_near_the_runs(pictures, transfer):
    run = transfer(pictures(60, noise=120))
    rows = run_rows(run)
    chances = held_out(run, rows)
    right = (chances.argmax(axis=1) == rows.target.values).mean()
    metric = run.metrics["accuracy"]
    assert metric["low"] <= right <= metric["high"]


def test_no_row_has_a_part_in_what_is_said_of_it(transfer):
    # Labels of noise: a head that saw the rows would be right about nearly all of them.
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 255, (6, 6), dtype=np.uint8) for _ in range(80)]
    labels = ["a" if i % 2 else "b" for i in range(80)]
    run = transfer(arrays, labels, head="knn")
    run.summary["head"]["strength"] = 1.0  # itself would be its nearest neighbour
    chances = held_out(run, run_rows(run, arrays, labels))
    right = (chances.argmax(axis=1) == np.arange(80) % 2 * -1 + 1).mean()
    assert 0.25 < right < 0.75


def test_numbers_are_predicted_and_labels_have_probabilities_each(transfer):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, level, (6, 6), dtype=np.uint8) for level in rng.integers(40, 255, 60)]
    numbers = [float(a.mean()) for a in arrays]
    run = transfer(arrays, numbers)
    rows = run_rows(run, arrays, numbers)
    assert np.corrcoef(held_out(run, rows)[:, 0], numbers)[0, 1] > 0.8
    marks = [["x"] if a.mean() > 80 else ["y", "z"] for a in arrays]
    run = transfer(arrays, marks)
    chances = held_out(run, run_rows(run, arrays, marks))
    assert chances.shape == (60, 3)
    assert ((chances > 0) & (chances < 1)).all()
