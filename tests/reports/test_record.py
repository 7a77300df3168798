"""The command that repeats a run: every option of ``zoo transfer`` that its result hangs on."""

from __future__ import annotations

import shlex
from types import SimpleNamespace

import click
import pytest

from zoo.cli.transfer import command
from zoo.reports.record import command_of, record_part
from zoo.runs import RunOptions

# Options that change no result, each with the reason; of others none may be forgotten.
NO_RESULT = {
    "out": "where the run lies",
    "report": "a file beside the run",
    "gate": "the exit code alone",
    "dry_run": "nothing is run",
    "as_json": "what is printed",
    "quiet": "what is printed",
    "debug": "what is printed",
    "features": "a head takes pooled ones alone",
    "threads": "the machine's affair",
    "offline": "the revision is pinned: it only decides whether it may be downloaded",
    "trust_repo": "trust is said by who runs the command, and read from no run",
}
PINNED = {"model", "data"}  # a run has them resolved, beside its options
CHANGED = {
    "input": "text",
    "target": "a,b",
    "group": "who is it",
    "task": "regression",
    "slices": ("one", "an other"),
    "head": "knn",
    "coverage": 0.8,
    "co2_g_per_kwh": 30.5,
    "no_verdict": True,
    "scratch_budget": 7.5,
    "seed": 4,
    "device": "cpu",
    "dtype": "float32",
    "preprocess": "input=image,size=8;9,mean=0.5,std=0.25;0.5;1,filter=box",
    "deterministic": True,
    "batch_size": 5,
    "limit": 60,
    "on_bad": "max=1%",
}


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv("ZOO_NO_VERDICT")


def run_of(options, **plan):
    told = {"resolved": "builtin:tinyconv", "contract": {}, "data_path": "./some photos"}
    return SimpleNamespace(plan={**told, "options": options.as_dict(), **plan})


def read(line):
    """The options of a command line, read as `zoo transfer` reads them."""
    program, verb, *words = shlex.split(line)
    assert (program, verb) == ("zoo", "transfer")
    given = command.make_context("transfer", words).params
    kept = given.keys() - NO_RESULT.keys() - PINNED
    return given, RunOptions(**{name: given[name] for name in kept})


def options():
    return [one.name for one in command.params if isinstance(one, click.Option)]


def test_every_option_is_repeated_or_has_a_reason_not_to_be():
    # There is no other run time to choose yet.
    assert set(options()) == NO_RESULT.keys() | PINNED | CHANGED.keys() | {"runtime"}
    assert RunOptions().as_dict().keys() == CHANGED.keys() | {"runtime"}


@pytest.mark.parametrize("name", CHANGED)
def test_the_command_says_an_option_as_it_was_chosen(name):
    chosen = RunOptions(**{name: CHANGED[name]})
    assert chosen.as_dict() != RunOptions().as_dict()
    given, again = read(command_of(run_of(chosen)))
    assert again.as_dict() == chosen.as_dict()
    assert (given["model"], given["data"]) == ("builtin:tinyconv", "./some photos")


def test_all_options_together_are_one_line():
    chosen = RunOptions(**CHANGED)
    line = command_of(run_of(chosen))
    assert "\n" not in line
    assert read(line)[1].as_dict() == chosen.as_dict()


def test_what_is_as_always_is_not_said():
    line = command_of(run_of(RunOptions()))
    assert line == "zoo transfer --model builtin:tinyconv --data './some photos' --head auto"


def test_a_run_of_an_earlier_version_has_what_it_recorded():
    run = run_of(RunOptions(seed=3))
    del run.plan["options"]["scratch_budget"]
    assert read(command_of(run))[1].seed == 3


def test_the_revision_is_pinned():
    run = run_of(RunOptions(), resolved="hf:org/name#layer/cls", contract={"revision": "abc"})
    assert read(command_of(run))[0]["model"] == "hf:org/name@abc#layer/cls"


def test_samples_in_memory_have_no_command():
    assert command_of(run_of(RunOptions(), data_path=None)) == ""


def test_local_files_are_found_from_any_folder():
    local = {"path": "/models/one of mine", "weights_path": "/models/w.safetensors"}
    run = run_of(RunOptions(), resolved="hf:./mine?weights=../w.safetensors#layer/cls", **local)
    model = read(command_of(run))[0]["model"]
    assert model == "hf:/models/one of mine?weights=/models/w.safetensors#layer/cls"


def test_that_code_has_to_be_trusted_again_is_said(transfer, pictures):
    run = transfer(pictures(20))
    assert "--trust-repo" not in record_part(run).lead
    run.plan["resolved"] = "torchhub:pytorch/vision/resnet18"
    assert "(--trust-repo)" in record_part(run).lead
