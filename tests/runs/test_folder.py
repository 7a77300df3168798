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
