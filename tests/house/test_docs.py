"""The documentation is under test: options, hooks, exit codes, and every block of the README."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TESTS = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("*.py"))
VERBS = (
    *("transfer", "extract", "predict", "demo", "models", "runs", "cache", "plugins", "doctor"),
    *("verify", "report", "completion"),
)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(command, path=()):
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))


def verbs():
    for verb in VERBS:
        yield from commands(importlib.import_module(f"zoo.cli.{verb}").command, (verb,))


def options():
    return sorted(
        {
            option
            for _, command in verbs()
            for parameter in command.params
            for option in parameter.opts
            if option.startswith("--")
        }
    )


@pytest.mark.parametrize("option", options())
def test_every_option_is_documented_and_reached_by_a_test(option):
    assert f"`{option}`" in README or f"`{option} " in README, f"{option} is not in the README"
    assert f'"{option}"' in TESTS, f"{option} is used by no test"


def test_an_option_has_one_name_one_default_and_one_variable_everywhere():
    seen = {}
    for path, command in verbs():
        for parameter in command.params:
            for option in parameter.opts:
                if not option.startswith("--"):
                    continue
                told = (str(parameter.default), parameter.envvar, parameter.type.name)
                assert seen.setdefault(option, told) == told, (path, option)


def test_every_verb_has_json():
    for path, command in verbs():
        if isinstance(command, click.Group) and not command.invoke_without_command:
            continue
        names = [option for parameter in command.params for option in parameter.opts]
        assert "--json" in names, path


def test_every_verb_is_listed_in_help_and_readme():
    from zoo.cli import _VERBS

    assert set(_VERBS) == set(VERBS)
    for verb in VERBS:
        assert f"`zoo {verb}" in README


def test_every_hook_is_documented_with_its_arguments_and_tested():
    from zoo.plugin import hookspecs

    text = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
    names = [name for name in vars(hookspecs) if name.startswith("zoo_")]
    assert len(names) == 11
    for name in names:
        hook = vars(hookspecs)[name]
        arguments = ", ".join(hook.__code__.co_varnames[: hook.__code__.co_argcount])
        assert f"`{name}({arguments})`" in text, name
        plugins = (ROOT / "tests" / "fixtures" / "plugins").rglob("*.py")
        tests = TESTS + "".join(p.read_text(encoding="utf-8") for p in plugins)
        assert name in tests, name


def test_exit_codes_are_those_of_the_errors():
    from zoo import errors

    codes = {
        c.exit_code
        for c in vars(errors).values()
        if isinstance(c, type) and issubclass(c, errors.ZooError)
    }
    assert codes == {1, 2, 3, 4, 5, 6, 7, 130}
    for code in codes - {1}:
        assert re.search(rf"\b{code} ", README.split("Exit codes:")[1].split("\n\n")[0])


def test_the_readme_has_exactly_two_setup_commands():
    assert len(blocks("sh")) == 2
    first, second = blocks("sh")
    assert first.strip().endswith("zoo demo")
    assert second.strip().endswith(".venv/bin/pytest -n 2 --dist worksteal")
    assert all("-c constraints.txt" in block for block in (first, second))


def demo():
    """What the README says that the demo prints."""
    return next(block for block in blocks("text") if "builtin:formulanet (" in block)


def test_the_demo_output_in_the_readme_is_true(zoo):
    # What the verdict says stands before the score, below it and after the commonest class.
    told = re.sub(r"^(verdict .*\n.*|  \w.*|next .*)\n", "", demo(), flags=re.MULTILINE)
    told = re.sub(r" \(majority .*\)", "", told)
    done = zoo("demo")  # without its verdict
    assert done.code == 0, done.err
    # Times differ from machine to machine; the last bits of a network's features differ between
    # processors, and with them last digits of scores and the choice between near-equal strengths.
    # What a run cost is measured on the spot.
    seconds = re.compile(r"\d+\.\d s|strength [\d.e-]+|(?<=ledger) .*|\d\.\d\d MB")
    digits = re.compile(r"\d\.\d{3}")
    told, out = (seconds.sub("# s", text) for text in (told, done.out))
    assert digits.sub("#", out) == digits.sub("#", told)
    told_scores, scores = (list(map(float, digits.findall(text))) for text in (told, out))
    assert scores == pytest.approx(told_scores, abs=0.015)


def test_the_demo_s_verdict_in_the_readme_is_true(zoo, monkeypatch):
    """Of what hangs on no clock: how far learning from scratch comes is for its budget to say."""
    monkeypatch.delenv("ZOO_NO_VERDICT")
    done = zoo("demo", "--scratch-budget", "0")
    assert done.code == 0, done.err
    told, got = demo().splitlines(), done.out.splitlines()
    for arm in ("transfer", "raw input"):
        (numbers,), (reached,) = (
            [_scores(line) for line in lines if line.startswith(f"  {arm} ")]
            for lines in (told, got)
        )
        assert reached == pytest.approx(numbers, abs=0.015)
    assert got[0].startswith("verdict   ")
    assert any(re.match("  from scratch +left out: --scratch-budget 0", line) for line in got)
    (ours,) = (_scores(line) for line in told if line.startswith("  transfer "))
    (theirs,) = (_scores(line) for line in told if "   compared with" in line)
    (points,) = map(float, re.findall(r"(\d+\.\d) points", told[0]))
    assert points == pytest.approx(100 * abs(ours[0] - theirs[0]), abs=0.11)  # both are rounded
    assert next(i for i, line in enumerate(told) if line.startswith("run ")) == 14


def _scores(line):
    """Value, low and high of an arm."""
    return [float(number) for number in re.findall(r"\d\.\d{3}", line)]


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_python_blocks_of_the_readme_run(tmp_path, number):
    subprocess.run([sys.executable, "-c", blocks("python")[number]], cwd=tmp_path, check=True)


def test_the_preprocess_block_of_the_readme_is_valid(tmp_path):
    from zoo.preprocess import read_toml

    path = tmp_path / "preprocess.toml"
    (block,) = blocks("toml")
    path.write_text(block)
    assert read_toml(path)["mean"] == tomllib.loads(block)["mean"]


def test_no_path_of_a_machine_stands_in_the_tree():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    homes = re.compile("/(?:home|root|Users)/|" + re.escape(str(ROOT)) + "/")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".cpp", ".hpp", ".txt", ".json", ".cu"}:
            found = homes.search(path.read_text(encoding="utf-8"))
            assert found is None or name == os.path.relpath(__file__, ROOT), name


def test_dependencies_have_their_reason_beside_them():
    text = (ROOT / "pyproject.toml").read_text()
    project = text.split("[project.scripts]")[0]
    for line in project.splitlines():
        if re.match(r'\s+"[\w.-]+>=', line):
            assert "# " in line, line
