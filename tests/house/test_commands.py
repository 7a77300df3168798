"""Commands of tests run in forks where they can, and are what a process of their own is."""

from __future__ import annotations

import importlib
import os
import sys

import pytest

from zoo.cli import main


@pytest.mark.skipif(sys.platform != "linux", reason="commands are forked on Linux alone")
def test_what_a_command_sets_in_this_process_keeps_none_from_a_fork(commands, zoo, monkeypatch):
    for library in ("sklearn.datasets", "torch._inductor.config", "transformers", "onnxruntime"):
        importlib.import_module(library)
    assert main(["runs"]) == 0
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    forked, run = [], commands._forked
    monkeypatch.setattr(commands, "_forked", lambda *given: forked.append(given[0]) or run(*given))
    assert zoo("runs", "--json").json["runs"] == []
    assert zoo("runs", env={"SOMETHING": "else"}).code == 0
    assert forked == [["runs", "--json"]]


def test_a_fork_has_folder_environment_and_exit_code_of_its_own(zoo, tmp_path):
    (tmp_path / "here").mkdir()
    done = zoo("runs", "show", "none", cwd=tmp_path / "here", env={"ZOO_HOME": str(tmp_path)})
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("zoo: ")
    assert zoo("no-such-verb").code == 2
