"""Finished runs written by hand, so that every number of a report is known before it is read."""

from __future__ import annotations

import copy
import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest

from zoo import settings
from zoo.engine import FeatureStore, row_keys, sample_digest
from zoo.registry import Registry
from zoo.reports import maps, numbers, sections
from zoo.reports.rows import open_again, was_in_memory
from zoo.runs import load_run
from zoo.runs.folder import safe_cell

KEY = {"weights": "by hand"}
COLUMN = "output/none/float32"


def metric(value, low=None, high=None):
    return {
        "value": value,
        "low": value - 0.05 if low is None else low,
        "high": value + 0.05 if high is None else high,
    }


@pytest.fixture
def registry():
    return Registry(pytest.fail, disabled=frozenset({"all"}))


@pytest.fixture
def write_run(tmp_path, registry):
    """Writes a run of m judged samples and gives it; `summary` and `plan` change single keys."""

    def write(
        task,
        names,
        header,
        cells,
        *,
        values=None,
        data="",
        folder="run",
        metrics=None,
        summary=None,
        plan=None,
    ):
        place = tmp_path / folder
        place.mkdir()
        values = [f"sample {i}" for i in range(len(cells))] if values is None else values
        keys = row_keys([sample_digest(value) for value in values])
        features = np.random.default_rng(0).normal(size=(len(keys), 6)).astype(np.float32)
        with FeatureStore.create(settings.store_root(), KEY) as store:
            store.append(keys, {COLUMN: features})
        with (place / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["item", "split", *header])
            writer.writerows([safe_cell(str(c)) for c in row] for row in cells)
        primary = {"class": "accuracy", "regression": "r2", "multilabel": "macro_f1"}[task]
        made = {
            "schema": 1,
            "run": "",
            "task": task,
            "model": {
                "source": "builtin:tinyconv",
                "revision": None,
                "dim": 6,
                "parameters": 93248,
            },
            "data": {
                "rows": 5 * len(cells),
                "classes": len(names) if task == "class" else 0,
                "outputs": 1 if task == "class" else len(names),
                "splits": {"train": 4 * len(cells), "test": len(cells)},
                "bad": [],
            },
            "features": {"rows": 5, "dim": 6, "forwards": 5, "seconds": 1.5, "dtype": "float32"},
            "head": {"name": "logistic", "strength": 0.01, "converged": True, "seconds": 0.5},
            "evaluation": {
                "protocol": "holdout",
                "rows": len(cells),
                "primary": primary,
                "metrics": metrics or {primary: metric(0.75, 0.7, 0.8)},
            },
            "verdict": None,
            **(summary or {}),
        }
        told = {
            "schema": 1,
            "task": task,
            "names": list(names),
            "options": {"head": "logistic", "seed": 3, "preprocess": {}, "task": "auto"},
            "source": "builtin:tinyconv",
            "resolved": "builtin:tinyconv",
            "data": str(data) or "60 items in memory",
            "contract": {"weights": "a1b2", "digest": "c3d4", "revision": "", "modality": "text"},
            "key": KEY,
            "column": COLUMN,
            "versions": {"zoo-transfer": "0.1.0", "numpy": "2.4.6"},
            "notes": [],
            "splits": {"test": [key.tobytes().hex() for key in keys]},
            **(plan or {}),
        }
        ledger = {
            "seconds": {"features": 1.5, "head": 0.5, "total": 2.25},
            "peak_memory_bytes": 7e8,
        }
        for name, value in (("metrics", made), ("run", told), ("ledger", ledger)):
            (place / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False), "utf-8")
        return load_run(place, registry)

    return write


@pytest.fixture
def class_cells():
    """60 rows of three classes: 20 each, of which 20, 15 and 10 are predicted right."""

    def make(names):
        cells, right = [], (20, 15, 10)
        for code, name in enumerate(names):
            for i in range(20):
                said = name if i < right[code] else names[(code + 1) % len(names)]
                chance = 0.95 if i < right[code] else 0.55 + i / 100
                cells.append([f"item {code}/{i}", "test", name, said, f"{chance:.6f}"])
        return cells

    return make


@pytest.fixture
def class_run(write_run, class_cells):
    """The run of `class_cells`: accuracy 45 / 60; keyword arguments as of `write_run`."""

    def make(names=("cat", "dog", "fox"), **more):
        header = ["label", "prediction", "probability"]
        metrics = {"accuracy": metric(0.75, 0.627, 0.842), "ece": metric(0.0625, 0.01, 0.12)}
        more = {"metrics": metrics, **more}
        return write_run("class", names, header, class_cells(names), **more)

    return make


VERDICT = {
    "level": "positive",
    "delta": 12.34,
    "low": 9.12,
    "high": 15.43,
    "metric": "accuracy",
    "rows": 60,
    "reference": "raw",
    "protocol": "5-fold",
    "convergence": {
        "scratch": {
            "converged": False,
            "epochs": 4,
            "best_epoch": 3,
            "curve": [
                {"epoch": i + 1, "train_loss": 1.5 - i / 4, "validation": worth}
                for i, worth in enumerate((0.35, 0.5, 0.625, 0.6))
            ],
        }
    },
    "advice": "Keep the backbone frozen.",
    "arms": {
        "transfer": {**metric(0.751, 0.71, 0.79), "seconds": 0.6},
        "raw": {
            **metric(0.628, 0.58, 0.67),
            "seconds": 1.2,
            "delta": {"value": 12.34, "low": 9.12, "high": 15.43},
        },
        "scratch": {**metric(0.601, 0.55, 0.65), "seconds": 120.0},
        "majority": {**metric(0.333, 0.3, 0.37), "seconds": 0.0},
    },
}
PATH = [
    {"strength": 10.0**power, "value": loss, "low": loss - 0.1, "high": loss + 0.1, "folds": folds}
    for power, loss, folds in (
        (-4, 1.25, [1.2, 1.3]),
        (-2, 0.75, [0.7, 0.8]),
        (0, 2.5, [2.4, None]),
    )
]


@pytest.fixture
def rich():
    """Keys of a summary with everything that a run may have."""
    return {
        "verdict": copy.deepcopy(VERDICT),
        "health": [
            {"kind": "duplicates", "level": "warning", "text": "164 rows are twice there."},
            {"kind": "few", "level": "note", "text": "60 samples are few."},
        ],
        "head": {"name": "logistic", "strength": 0.01, "converged": True, "path": PATH},
        "ledger": {
            "seconds": {"features": 1.5, "head": 0.5, "total": 2.25},
            "peak_memory_bytes": 612_000_000,
            "energy": {
                "joules": 1820.5,
                "measured": False,
                "sources": {"12 W a core": {"joules": 1820.5}},
            },
            "co2": {"grams": 0.243, "g_per_kwh": 480.0, "source": "world average"},
            "saved": {
                "rerun": {
                    "seconds": 960.0,
                    "estimate": True,
                    "assumed": {"fits": 6, "epochs": 10},
                }
            },
        },
    }


@pytest.fixture
def computed(monkeypatch):
    """Stands in for what is computed on stored features: two maps, two doubted labels, a curve."""

    def layouts(features, seed, codes, most):
        rows = np.arange(len(features))[:most]
        grid = np.stack([rows % 10, rows // 10], axis=1)[: len(rows)]
        return rows, [
            maps.Layout("Principal components", "By hand.", grid),
            maps.Layout("Neighbours", "By hand.", grid[:, ::-1] * 2.0),
        ]

    def data(run, place):
        return SimpleNamespace() if was_in_memory(run) else open_again(run, place)

    def rows_in(run, dataset):
        from zoo.reports.judged import read_judged

        judged = read_judged(run)
        items = [SimpleNamespace(name=name) for name in judged.items]
        return SimpleNamespace(keys=judged.keys, dataset=SimpleNamespace(items=items), run=run)

    def suspects(run, rows, most):
        told = {"split": "train", "label": run.names[0], "suggestion": run.names[1]}
        chances = {"probability": 0.015, "suggested": 0.965}
        return [SimpleNamespace(row=i, name=f"item 0/{i}", **told, **chances) for i in range(2)]

    def curve(run, rows):
        sizes = ((15, 0.5), (60, 0.625), (240, 0.75))
        return "accuracy", [{"rows": n, **metric(value)} for n, value in sizes], None

    for function in (layouts, rows_in, suspects):
        monkeypatch.setattr(numbers, function.__name__, function)
    monkeypatch.setattr(numbers, "learning_curve", curve)
    monkeypatch.setattr(sections, "open_again", data)
