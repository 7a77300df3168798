"""Numbers and several labels of real texts: what scikit-learn says of the same features."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

pytestmark = pytest.mark.real


def run_and_features(zoo, tmp_path, *options):
    """The run's summary, its predictions by item, and what `zoo extract` exports."""
    common = [*options, "--json"]
    run = zoo("transfer", *common, "--out", tmp_path / "run", timeout=900).json
    with (tmp_path / "run" / "predictions.csv").open(encoding="utf-8") as file:
        rows = {row["item"]: row for row in csv.DictReader(file)}
    path = tmp_path / "features.npz"
    got = zoo("extract", *common, "--export", path, timeout=900).json
    assert got["features"]["forwards"] == 0
    with np.load(path) as file:
        return run, rows, {name: file[name] for name in file.files}


def test_ratings_are_predicted_as_by_scikit_learns_ridge(zoo, asset, minilm, tmp_path):
    from scipy.stats import spearmanr
    from sklearn.linear_model import Ridge, RidgeCV
    from sklearn.metrics import r2_score, root_mean_squared_error

    table = asset("text-amazon-books-kitchen/kitchen.csv")
    chosen = ("--target", "rating", "--task", "regression", "--limit", "1100")
    run, rows, data = run_and_features(
        zoo, tmp_path, "--model", f"hf:{minilm}", "--data", table, *chosen
    )
    assert run["data"]["splits"] == {"train": 880, "test": 220}
    train, test = data["split"] == "train", data["split"] == "test"
    x, y = data["features"].astype(np.float64), data["labels"]
    reference = Ridge(alpha=run["head"]["strength"] * train.sum()).fit(x[train], y[train])
    theirs = reference.predict(x[test])
    ours = np.array([float(rows[item]["prediction"]) for item in data["items"][test]])
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    metrics = {name: metric["value"] for name, metric in run["evaluation"]["metrics"].items()}
    assert metrics["r2"] == pytest.approx(r2_score(y[test], theirs), abs=1e-6)
    assert metrics["rmse"] == pytest.approx(root_mean_squared_error(y[test], theirs), abs=1e-6)
    assert metrics["spearman"] == pytest.approx(spearmanr(y[test], theirs).statistic, abs=1e-6)
    searched = RidgeCV(np.logspace(-3, 3, 25)).fit(x[train], y[train]).predict(x[test])
    assert metrics["r2"] > 0.25
    assert metrics["r2"] == pytest.approx(r2_score(y[test], searched), abs=0.02)


def test_coarse_and_fine_labels_together_as_by_scikit_learn(zoo, asset, minilm, tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score, f1_score

    folder = tmp_path / "trec"
    folder.mkdir()
    for part, limit in (("train", 1500), ("test", 500)):
        with (asset("text-trec6") / f"{part}.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))[:limit]
        lines = [
            json.dumps({"text": row["text"], "label": [row["label"], row["fine_label"]]})
            for row in rows
        ]
        (folder / f"{part}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run, rows, data = run_and_features(zoo, tmp_path, "--model", f"hf:{minilm}", "--data", folder)
    assert run["task"] == "multilabel"
    assert run["head"]["converged"]
    train, test = data["split"] == "train", data["split"] == "test"
    x, marks, names = data["features"].astype(np.float64), data["labels"], data["names"]
    theirs = np.full((test.sum(), len(names)), -9.0)
    for label in range(len(names)):
        if 0 < marks[train, label].sum() < train.sum():
            strength = 1 / (run["head"]["strength"] * train.sum())
            reference = LogisticRegression(C=strength, tol=1e-8, max_iter=5000)
            reference.fit(x[train], marks[train, label])
            theirs[:, label] = reference.decision_function(x[test])
    ours = np.array(
        [[float(rows[item][f"p:{name}"]) for name in names] for item in data["items"][test]]
    )
    assert ((ours > 0.5) == (theirs > 0)).mean() > 0.999
    told = [set(filter(None, rows[item]["prediction"].split("|"))) for item in data["items"][test]]
    assert told == [set(names[row > 0.5]) for row in ours]
    metrics = {name: metric["value"] for name, metric in run["evaluation"]["metrics"].items()}
    wanted = f1_score(marks[test], theirs > 0, average="micro")
    assert metrics["micro_f1"] == pytest.approx(wanted, abs=0.01)
    known = marks[test].any(axis=0)
    wanted = average_precision_score(marks[test][:, known], theirs[:, known])
    assert metrics["mean_average_precision"] == pytest.approx(wanted, abs=0.01)
    assert metrics["micro_f1"] > 0.6
