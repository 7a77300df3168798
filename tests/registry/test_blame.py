"""A plugin that fails while it is used is named, has exit code 3, and harms nothing else."""

from __future__ import annotations

import json

import pytest

from zoo.cli import main

MODEL = ["--model", "builtin:tinyconv"]
DATA = ["--data", "sklearn:digits", "--limit", "60"]
CASES = {
    "head": (["transfer", *MODEL, *DATA, "--head", "late"], "RuntimeError: no fit today"),
    "provider": (["transfer", "--model", "late:x", *DATA], "ZeroDivisionError: describe"),
    "models": (["models", "late:x"], "ZeroDivisionError: describe"),
    "reader": (["transfer", *MODEL, "--data", "late:x"], "LookupError: nothing on the shelf"),
    "constructor": (["transfer", *MODEL, "--data", "unborn:x"], "OSError: no shelf"),
    "command": (["late"], "ArithmeticError: two and two"),
}


@pytest.fixture(autouse=True)
def _inside(install, tmp_path, monkeypatch):
    install(late="zoo_late")
    install(late="zoo_late:command", greet="zoo_late:greet", dist="cmds", group="zoo.commands")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", CASES)
def test_a_failing_plugin_is_blamed_by_name(case, capsys):
    arguments, reason = CASES[case]
    code = main(arguments)
    told = capsys.readouterr()
    assert code == 3
    line, hint = told.err.strip().splitlines()[-2:]
    assert "late" in line or "unborn" in line
    assert "plugin" in line
    assert reason in line
    assert hint.startswith("hint: ")
    assert told.out == "" or case == "command"


def test_a_reader_that_cannot_be_made_does_not_stop_the_others(capsys):
    assert main(["transfer", *MODEL, *DATA, "--head", "prototype", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["data"]["rows"] == 60
    assert "unborn" in told.err


def test_a_command_of_a_plugin_runs_with_its_own_arguments_and_help(capsys):
    assert main(["greet", "you"]) == 0
    assert capsys.readouterr().out == "hello you\n"
    assert main(["greet", "--help"]) == 0
    assert "Greet NAME." in capsys.readouterr().out
    assert main(["greet"]) == 2
    assert "NAME" in capsys.readouterr().err
