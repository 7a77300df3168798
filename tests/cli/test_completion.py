"""Completion as shells ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest


def asked(zoo, words):
    env = {"_ZOO_COMPLETE": "bash_complete", "COMP_WORDS": words}
    done = zoo(env={**env, "COMP_CWORD": str(len(words.split(" ")) - 1)})
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_is_printed_for_each_shell(zoo, shell):
    script = zoo("completion", shell).out
    assert f"_ZOO_COMPLETE={shell}_complete" in script
    assert zoo("completion", shell, "--json").json["script"] + "\n" == script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_an_unknown_shell_is_a_usage_error(zoo):
    done = zoo("completion", "tcsh")
    assert done.code == 2
    assert "tcsh" in done.err


def test_verbs_options_and_values_are_completed(zoo, tmp_path):
    assert asked(zoo, "zoo tr") == ["plain,transfer"]
    assert asked(zoo, "zoo transfer --cov") == ["plain,--coverage"]
    assert asked(zoo, "zoo transfer --head r") == ["plain,ridge"]
    assert asked(zoo, "zoo transfer --dtype fl") == ["plain,float32", "plain,float16"]
    assert asked(zoo, "zoo transfer --data x") == ["file,x"]
    (tmp_path / "zoo.toml").write_text("this is = no toml")
    assert asked(zoo, "zoo cache ve") == ["plain,verify"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_with_the_script(zoo, tmp_path):
    (tmp_path / "zoo").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zoo "$@"\n')
    (tmp_path / "zoo").chmod(0o755)
    (tmp_path / "script").write_text(zoo("completion", "bash").out)
    lines = "source ./script; COMP_WORDS=(zoo runs co); COMP_CWORD=2; _zoo_completion zoo"
    done = subprocess.run(
        ["bash", "--norc", "-c", f'{lines}; echo "${{COMPREPLY[@]}}"'],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "compare"
