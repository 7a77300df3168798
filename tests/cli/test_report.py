"""``zoo report`` as its users run it."""

from __future__ import annotations

import json
import shutil

import click
import pytest

import zoo as package
from zoo.cli import main
from zoo.errors import DataError


@pytest.fixture
def run(zoo, tmp_path, photos):
    done = zoo("transfer", "--model", "builtin:tinyconv", "--data", photos, "--out", "run")
    assert done.code == 0, done.err
    return tmp_path / "run"


def test_a_run_becomes_one_file_and_what_is_left_out_is_said(zoo, run):
    done = zoo("report", "run")
    assert done.code == 0, done.err
    assert done.out.startswith("report    run/report.html (0.")
    html = (run / "report.html").read_text(encoding="utf-8")
    assert "builtin:tinyconv" in html
    assert 'id="figure-confusion"' in html
    assert "Traceback" not in done.err
    assert all(line.startswith("left out: ") for line in done.err.splitlines())


def test_json_says_where_it_is_and_what_it_lacks(zoo, run, tmp_path):
    found = zoo("report", "run", "--out", "page.html", "--json").json
    assert found["schema"] == 1
    assert found["report"] == "page.html"
    assert found["bytes"] == (tmp_path / "page.html").stat().st_size
    assert found["runs"] == ["run"]
    assert all(isinstance(line, str) for line in found["absent"])


def test_several_runs_are_compared(zoo, run, tmp_path):
    shutil.copytree(run, tmp_path / "again")
    done = zoo("report", "run", "again", "--quiet")
    assert done.out.startswith("report    comparison.html")
    assert "Differences on the same rows" in (tmp_path / "comparison.html").read_text("utf-8")


def test_what_is_set_for_all_verbs_is_not_meant_for_a_report(zoo, run, tmp_path):
    shutil.copytree(run, tmp_path / "again")
    done = zoo("report", "run", "again", env={"ZOO_DATA": "photos", "ZOO_OUT": "other"})
    assert done.code == 0, done.err
    assert (tmp_path / "comparison.html").is_file()


def test_a_folder_that_is_no_run_is_one_line(zoo, tmp_path):
    done = zoo("report", "nothing")
    assert done.code == 4
    assert done.err == "zoo: 'nothing' is not a run\nhint: zoo runs lists the runs below ./runs\n"


def test_open_shows_it_in_the_browser(run, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(click, "launch", opened.append)
    assert main(["report", str(run), "--open", "--quiet"]) == 0
    assert opened == [str(run / "report.html")]
    assert "report.html" in capsys.readouterr().out


def test_the_python_front_door_takes_runs_and_folders(run, tmp_path):
    assert package.report(run) == run / "report.html"
    loaded = package.load_run(str(run))
    assert package.report([loaded, run], out=tmp_path / "both.html") == tmp_path / "both.html"
    assert (tmp_path / "both.html").stat().st_size > 10_000


def test_a_transfer_writes_its_report_where_it_is_asked_to(zoo, photos, tmp_path):
    words = ("transfer", "--model", "builtin:tinyconv", "--data", photos, "--out", "run")
    done = zoo(*words, "--report")
    assert done.code == 0, done.err
    *_, run, report = done.out.splitlines()
    assert run == "run       run"
    assert report.startswith("report    run/report.html (0.")
    assert 'id="figure-confusion"' in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert zoo(*words, "--report", "--json").json["report"] == "run/report.html"
    assert "report" not in zoo(*words, "--json").json
    assert not (tmp_path / "run" / "report.html").exists(), "it would speak for another run"


def test_ctrl_c_during_a_report_costs_the_report_alone(photos, tmp_path, monkeypatch, capsys):
    def pressed(runs):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zoo.reports.write_report", pressed)
    words = ["transfer", "--model", "builtin:tinyconv", "--data", "photos", "--out", "run"]
    assert main([*words, "--report"]) == 130
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "run       run"
    assert "the run is kept in 'run'; zoo report 'run' writes its report" in err
    assert main([*words, "--report", "--json"]) == 130
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["report"]) == ("run", None)


@pytest.mark.parametrize("error", [DataError("the disk is full"), ZeroDivisionError("zero")])
def test_a_report_that_fails_costs_a_line_and_not_the_run(
    photos, tmp_path, monkeypatch, capsys, error
):
    def failing(runs):
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zoo.reports.write_report", failing)
    words = ["transfer", "--model", "builtin:tinyconv", "--data", "photos", "--out", "run"]
    assert main([*words, "--report", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["report"] is None
    assert [line for line in err.splitlines() if "report" in line] == [
        f"warning: no report: {error}"
    ]
    assert main([*words, "--report", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "run       run"
    assert "warning: no report" in err


def test_the_gate_closes_after_the_report_is_written(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("ZOO_NO_VERDICT")
    monkeypatch.chdir(tmp_path)
    words = ["transfer", "--model", "builtin:tinyconv", "--data", "photos", "--out", "run"]
    budget = ["--scratch-budget", "0"]
    assert main([*words, *budget, "--gate", "--report", "--json"]) == 7
    assert json.loads(capsys.readouterr().out)["report"] == "run/report.html"
    assert (tmp_path / "run" / "report.html").is_file()
