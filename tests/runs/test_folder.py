"""A run on disk is whole or not there; what was there before survives a failure."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.errors import DataError, UsageError
from zoo.reports import run_rows
from zoo.runs.folder import RunPlace, list_runs, safe_cell


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def transfer(**options):
    arrays = [np.full((9, 9), 40 + 9 * i, np.uint8) for i in range(20)]
    labels = ["dark" if i < 10 else "light" for i in range(20)]
    return zoo.transfer("builtin:tinyconv", arrays, labels, head="prototype", **options)


def test_the_files_of_a_run():
    run = transfer(out="run")
    assert {path.name for path in Path("run").iterdir()} == {
        "head.safetensors",
        "ledger.json",
        "metrics.json",
        "predictions.csv",
        "run.json",
    }
    plan = json.loads(Path("run/run.json").read_text())
    assert plan["names"] == ["dark", "light"]
    assert plan["versions"]["zoo-transfer"]
    assert sum(len(keys) for keys in plan["splits"].values()) == 20
    assert json.loads(Path("run/metrics.json").read_text()) == run.summary
    assert json.loads(Path("run/ledger.json").read_text())["seconds"]["total"] > 0


def test_data_asked_for_by_name_is_opened_by_that_name_again():
    named = "sklearn:digits?shots=2&seed=5"
    run = zoo.transfer("builtin:tinyconv", named, head="prototype", out="run")
    assert run.plan["data_path"] == named
    rows = run_rows(run)
    assert (len(rows), rows.split.tolist().count("train")) == (1797, 20)


def test_a_failed_rewrite_leaves_the_old_run_whole(monkeypatch):
    transfer(out="run")
    Path("run/notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in Path("run").iterdir()}
    real, calls = Path.write_bytes, []

    def full(self, content):
        calls.append(self.name)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(DataError, match="No space left"):
            transfer(out="run", seed=1)
    assert {path.name: path.read_bytes() for path in Path("run").iterdir()} == before
    assert [path.name for path in Path().iterdir()] == ["run"]


def test_a_rewrite_keeps_what_is_not_the_runs():
    transfer(out="run")
    Path("run/notes.txt").write_text("mine")
    transfer(out="run", seed=1)
    assert Path("run/notes.txt").read_text() == "mine"
    assert json.loads(Path("run/run.json").read_text())["options"]["seed"] == 1


def test_parallel_runs_of_one_name_get_folders_of_their_own():
    transfer()  # features once
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: transfer(), range(4)))
    assert len({run.folder for run in runs}) == 4
    assert {run.summary["run"] for run in runs} == {run.folder.as_posix() for run in runs}
    assert len(list_runs(Path("runs"))) == 5


def test_damaged_runs_are_an_error_and_do_not_hide_the_others():
    transfer(out="runs/good")
    transfer(out="runs/bad")
    for name, content in [
        ("metrics.json", '{"schema": 1}'),
        ("metrics.json", "{"),
        ("run.json", "[]"),
    ]:
        transfer(out="runs/bad")
        Path("runs/bad", name).write_text(content)
        with pytest.raises(DataError):
            zoo.load_run("runs/bad")
        assert Path("runs/good") in [folder for folder, _ in list_runs(Path("runs"))]
    transfer(out="runs/bad")
    Path("runs/bad/head.safetensors").write_bytes(b"\x10" * 9)
    with pytest.raises(DataError, match="head"):
        _ = zoo.load_run("runs/bad").head


def test_a_moved_run_is_known_by_its_new_place():
    transfer(out="run")
    Path("run").rename("elsewhere")
    assert zoo.load_run("elsewhere").summary["run"] == "elsewhere"


def test_a_folder_that_is_no_run_is_never_replaced():
    Path("photos").mkdir()
    Path("photos/a.png").write_bytes(b"x")
    with pytest.raises(UsageError, match="not a run"):
        RunPlace.of("photos", "m", "d", "h")
    assert Path("photos/a.png").exists()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_cells_that_a_spreadsheet_would_run_are_prefixed(text):
    assert safe_cell(text) == f"'{text}"
    assert safe_cell(f"a{text}") == f"a{text}"


def test_the_calibration_lies_in_the_heads_file_and_is_told_in_the_summary():
    from safetensors.numpy import load_file

    run = transfer(out="run", coverage=0.8)
    told = json.loads(Path("run/metrics.json").read_text())["calibration"]
    state = load_file("run/head.safetensors")
    assert list(told) == ["method", "temperature", "rows", "coverage", "threshold"]
    assert (told["method"], told["rows"], told["coverage"]) == ("temperature", 20, 0.8)
    for name in ("temperature", "rows", "coverage", "threshold"):
        assert state[f"calibration/{name}"] == told[name]
    again = zoo.load_run("run")
    assert again.calibration.summary() == run.calibration.summary() == told
    assert again.plan["options"]["coverage"] == 0.8


def change_head(change):
    from safetensors.numpy import load_file, save_file

    state = load_file("run/head.safetensors")
    change(state)
    save_file(state, "run/head.safetensors")


def test_a_run_without_a_calibration_still_predicts():
    run = transfer(out="run")
    item = np.full((9, 9), 100, np.uint8)
    (calibrated,) = run.predict([item])

    def older(state):
        for name in [name for name in state if name.startswith("calibration/")]:
            del state[name]

    change_head(older)
    old = zoo.load_run("run")
    assert old.calibration is None
    (plain,) = old.predict([item])
    assert plain.label == calibrated.label
    assert plain.conformal_set is None
    assert calibrated.conformal_set is not None
    temperature = run.calibration.temperature
    odds = np.log(plain.probabilities[0] / plain.probabilities[1])
    assert np.log(calibrated.probabilities[0] / calibrated.probabilities[1]) == pytest.approx(
        odds / temperature
    )


def test_a_hostile_calibration_is_one_clear_error():
    transfer(out="run")
    change_head(lambda state: state.update({"calibration/temperature": np.array(np.nan)}))
    with pytest.raises(DataError, match="'calibration/temperature' holds a value that is not"):
        _ = zoo.load_run("run").head
    transfer(out="run")
    change_head(lambda state: state.update({"calibration/scale": np.ones(5)}))
    with pytest.raises(DataError, match="lacks 'calibration/bias'"):
        _ = zoo.load_run("run").calibration
    change_head(lambda state: state.update({"calibration/bias": np.ones(5)}))
    with pytest.raises(DataError, match="5 classes"):
        zoo.load_run("run").predict([np.full((9, 9), 100, np.uint8)])


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.5, float("nan")])
def test_a_coverage_that_no_set_can_have_is_refused(coverage):
    with pytest.raises(UsageError, match="coverage"):
        transfer(coverage=coverage)


def test_predictions_hold_the_calibrated_probability_of_the_heads_label():
    import csv

    run = transfer(out="run")
    with Path("run/predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    right = np.mean([row["label"] == row["prediction"] for row in rows])
    assert run.metrics["accuracy"]["value"] == pytest.approx(right)
    assert all(0.5 <= float(row["probability"]) <= 1.0 for row in rows)


def test_an_old_runs_report_does_not_speak_for_the_new_one():
    transfer(out="run")
    Path("run/report.html").write_text("old", encoding="utf-8")
    Path("run/notes.txt").write_text("mine", encoding="utf-8")
    transfer(out="run")
    assert not Path("run/report.html").exists()
    assert Path("run/notes.txt").read_text(encoding="utf-8") == "mine"
