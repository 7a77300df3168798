"""What a run cost is told with how it is known, and savings with what they are against."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo as package
from zoo import settings
from zoo.errors import UsageError
from zoo.runs.ledger import ledger_line, peak_memory, saved


def transfer(**options):
    arrays = [np.full((9, 9), 40 + 3 * i, np.uint8) for i in range(60)]
    labels = ["dark" if i < 30 else "light" for i in range(60)]
    return package.transfer("builtin:tinyconv", arrays, labels, out="run", **options)


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_run_keeps_its_ledger_in_result_and_file():
    run = transfer()
    ledger = json.loads(Path("run/ledger.json").read_text())
    assert run.summary["ledger"] == ledger
    seconds = ledger["seconds"]
    assert {"data", "features", "health", "head", "evaluation", "total"} <= seconds.keys()
    assert sum(took for name, took in seconds.items() if name != "total") <= seconds["total"] + 0.01
    assert ledger["cpu_seconds"] > 0
    assert ledger["energy"]["joules"] == ledger["energy_joules"] > 0
    told = ledger["energy"]["sources"].values()
    assert ledger["energy"]["measured"] == all(source["measured"] for source in told)
    assert sum(source["joules"] for source in told) == pytest.approx(
        ledger["energy_joules"], abs=0.01
    )
    assert ledger["co2"]["g_per_kwh"] == 480.0
    assert "Ember" in ledger["co2"]["source"]
    grams = ledger["energy_joules"] / 3.6e6 * 480
    assert ledger["co2"]["grams"] == pytest.approx(grams, abs=2e-6)


def test_a_second_run_tells_what_the_store_saved():
    first, again = transfer(), transfer()
    own, before = again.summary["ledger"]["saved"], first.summary["ledger"]["saved"]
    each = own["store"]["assumed"]["seconds_per_sample"]
    assert before["store"]["seconds"] == 0.0
    assert own["store"]["seconds"] == pytest.approx(60 * each, abs=2e-3)
    assert own["rerun"]["assumed"]["fits"] == 6  # five folds and the last fit
    assert all(one["estimate"] for one in own.values())


def test_the_intensity_is_stated_by_option_variable_or_file(zoo, photos):
    run = ("transfer", "--model", "builtin:tinyconv", "--data", photos, "--head", "prototype")
    assert zoo(*run, "--json").json["ledger"]["co2"]["g_per_kwh"] == 480.0
    stated = zoo(*run, "--json", "--co2-g-per-kwh", "20").json["ledger"]["co2"]
    assert (stated["g_per_kwh"], stated["source"]) == (20.0, "stated")
    Path("zoo.toml").write_text("co2-g-per-kwh = 30\n")
    by_file = zoo(*run, "--json").json["ledger"]["co2"]
    by_variable = zoo(*run, "--json", env={"ZOO_CO2_G_PER_KWH": "40"}).json["ledger"]["co2"]
    assert (by_file["g_per_kwh"], by_variable["g_per_kwh"]) == (30.0, 40.0)
    wrong = zoo(*run, "--co2-g-per-kwh", "-1")
    assert (wrong.code, wrong.err.splitlines()[0]) == (
        2,
        "zoo: '-1.0' is no number of grams of CO2 a kilowatt-hour",
    )
    told = zoo(*run).out
    (line,) = [line for line in told.splitlines() if line.startswith("ledger  ")]
    assert " g CO2" in line


def test_the_variable_holds_in_python_too(monkeypatch):
    monkeypatch.setenv("ZOO_CO2_G_PER_KWH", "0")
    assert settings.co2_g_per_kwh() == (0.0, "stated")
    assert settings.co2_g_per_kwh(55) == (55.0, "stated")
    for text in ("much", "nan", "inf", "-3"):
        monkeypatch.setenv("ZOO_CO2_G_PER_KWH", text)
        with pytest.raises(UsageError, match="kilowatt-hour"):
            settings.co2_g_per_kwh()


def test_savings_are_reckoned_by_what_they_say():
    told = {"features_seconds": 3.0, "folds": 5, "speed": 10.0}
    found = saved(samples=100, fitted=80, forwards=30, **told)
    by_name = {name: one["seconds"] for name, one in found.items()}
    assert by_name == {"store": 7.0, "rerun": (80 * 6 * 10 + 20) / 10 - 3.0}
    assert saved(samples=100, fitted=80, forwards=0, **{**told, "speed": None}) == {}
    # Rows that were computed again to compare them are no saving, and none is below zero.
    found = saved(samples=10, fitted=10, forwards=18, **told)
    assert found["store"]["seconds"] == 0.0


def test_scratch_is_compared_where_the_verdict_timed_it():
    arms = {"scratch": {"seconds": 50.0}, "transfer": {"seconds": 2.0}}
    told = {"samples": 10, "fitted": 10, "forwards": 0, "features_seconds": 0.0, "folds": 5}
    verdict = {"arms": arms, "train_rows": 80, "rows": 20}
    found = saved(**told, speed=10.0, verdict=verdict)["scratch"]
    assert (found["seconds"], found["estimate"]) == (50.0 - 2.0 - 100 / 10.0, True)
    assert saved(**told, speed=None, verdict=verdict) == {}
    for none in (None, {}, {"arms": {"scratch": {}}}, {"arms": {"scratch": None}}):
        assert "scratch" not in saved(**told, speed=10.0, verdict=none)


def test_the_line_marks_what_is_estimated():
    ledger = {
        "seconds": {"total": 12.34},
        "peak_memory_bytes": 2_100_000_000,
        "energy": {"joules": 148.2, "measured": False},
        "co2": {"grams": 0.0198},
        "saved": saved(
            samples=1000, fitted=1000, forwards=0, features_seconds=1.0, folds=5, speed=10.0
        ),
    }
    assert ledger_line(ledger) == (
        "12.3 s, 2.10 GB, ~148 J, ~0.02 g CO2 (estimated); ~1.7 h less than the backbone run in 6"
        " fits of 10 epochs"
    )
    ledger.update(energy={"joules": 148.2, "measured": True}, saved={}, peak_memory_bytes=None)
    assert ledger_line(ledger) == "12.3 s, 148 J, ~0.02 g CO2"


@pytest.mark.skipif(sys.platform == "win32", reason="counts the children of POSIX systems")
def test_memory_is_in_bytes_and_children_have_their_own():
    block = np.ones(100_000_000, np.uint8)
    own, _ = peak_memory()
    assert len(block) < own < 1e12
    subprocess.run([sys.executable, "-c", "x = b'x' * 150_000_000"], check=True)
    assert peak_memory()[1] > 150_000_000
