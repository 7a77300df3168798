"""zoo.toml gives defaults below flags and variables, and says what it does not understand."""

from __future__ import annotations

import importlib
import os

import click
import pytest

from zoo.cli import _VERBS
from zoo.cli.config import defaults
from zoo.errors import UsageError

SAMPLES = {
    click.types.IntParamType: (1, 2, 3),
    click.types.FloatParamType: (0.1, 0.2, 0.3),
}


def settable():
    """(path of the command, command, option) of everything that has a ZOO_* variable."""

    def walk(path, command):
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.envvar:
                yield pytest.param(path, parameter, id=f"{' '.join(path)} {parameter.opts[0]}")
        for name, child in getattr(command, "commands", {}).items():
            yield from walk((*path, name), child)

    for verb in _VERBS:
        yield from walk((verb,), importlib.import_module(f"zoo.cli.{verb}").command)


def told(value):
    return str(value).lower() if isinstance(value, bool) else repr(value)


def chosen(tmp_path, path, option, words):
    """What the option of a command comes to, as click decides it."""
    context = click.Context(click.Group("zoo"), default_map=defaults(tmp_path / "zoo.toml", _VERBS))
    command = importlib.import_module(f"zoo.cli.{path[0]}").command
    for i, name in enumerate(path):
        command = command.commands[name] if i else command
        context = click.Context(command, parent=context, info_name=name, resilient_parsing=True)
    stated, _, _ = command.make_parser(context).parse_args(words)
    option.handle_parse_result(context, stated, [])
    return context.params[option.name]


@pytest.mark.parametrize(("path", "option"), list(settable()))
def test_flag_beats_variable_beats_file_beats_default_everywhere(
    tmp_path, monkeypatch, path, option
):
    name, file = option.opts[-1], tmp_path / "zoo.toml"
    by_kind = SAMPLES.get(type(option.type), ("one", "two", "three"))
    in_file, in_variable, by_flag = (True, False, True) if option.is_flag else by_kind
    monkeypatch.delenv(option.envvar, raising=False)

    def got(*words):
        value = chosen(tmp_path, path, option, list(words))
        value = value[0] if option.multiple and value else value
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    file.write_text("")
    assert got() != in_file
    file.write_text(f"[{'.'.join(path)}]\n{name[2:]} = {told(in_file)}\n")
    assert got() == in_file
    monkeypatch.setenv(option.envvar, told(in_variable).strip("'"))
    assert got() == in_variable
    assert got(*([name] if option.is_flag else [name, str(by_flag)])) == by_flag
    monkeypatch.delenv(option.envvar)
    file.write_text(f"{name[2:]} = {told(in_file)}\n")
    assert got() == in_file  # at the top it holds for every verb that has it


def test_precedence_holds_in_a_run(zoo, tmp_path, photos, tiny_vit):
    (tmp_path / "zoo.toml").write_text(
        f'model = "hf:{tiny_vit}"\ndata = "{photos}"\nhead = "knn"\n\n[transfer]\nhead = "ridge"\n'
    )

    def head(*arguments, **env):
        return zoo("transfer", "--json", *arguments, env=env).json["head"]["name"]

    assert head() == "ridge"
    assert head(ZOO_HEAD="prototype") == "prototype"
    assert head("--head", "knn", ZOO_HEAD="prototype") == "knn"


def test_subcommands_have_tables_and_lists_are_for_what_repeats(tmp_path):
    file = tmp_path / "zoo.toml"
    file.write_text('json = true\n[cache]\nexport = {column = ["a", "b"]}\n[runs.list]\njson=false')
    got = defaults(file, _VERBS)
    assert got["cache"]["export"]["columns"] == ["a", "b"]
    assert got["cache"]["list"]["as_json"] is True
    assert (got["runs"]["as_json"], got["runs"]["list"]["as_json"]) == (True, False)


@pytest.mark.parametrize(
    ("text", "named", "hint"),
    [
        ("head = ", "cannot be read", ""),
        ("[transfr]\nseed = 1", "[transfr] is no verb", "'transfer'"),
        ("haed = 'knn'", "no verb has an option 'haed'", "'head'"),
        ("batch_size = 3", "'batch_size'", "'batch-size'"),
        ("[transfer]\nexport = 'f.npz'", "transfer has no option 'export'", ""),
        ("[transfer]\ndtpye = 'float16'", "transfer has no option 'dtpye'", "'dtype'"),
        ("[cache.exprot]\njson = true", "[cache.exprot] is no command", "'export'"),
        ("[cache.verify]\ncolumn = 'a'", "cache verify has no option 'column'", ""),
        ("[cache.prune]\nolder-than = '1d'", "cache prune has no option 'older-than'", ""),
        ("into = 'abc'", "'into'", ""),
        ("seed = [1]", "seed = [1]", "a whole number"),
        ("seed = 1.5", "seed = 1.5", "a whole number"),
        ("seed = '1'", "seed = '1'", "a whole number"),
        ("limit = true", "limit = True", "a whole number"),
        ("coverage = '0.9'", "coverage = '0.9'", "a number"),
        ("json = 'yes'", "json = 'yes'", "true or false"),
        ("head = 3", "head = 3", "a text in quotes"),
        ("[cache.export]\ncolumn = [1]", "column = 1", "a text in quotes"),
    ],
)
def test_what_is_not_understood_is_named_with_what_was_meant(tmp_path, text, named, hint):
    (tmp_path / "zoo.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        defaults(tmp_path / "zoo.toml", _VERBS)
    assert named in str(error.value)
    assert hint in error.value.hint


def test_a_broken_file_is_a_usage_error_of_every_verb(zoo, tmp_path):
    (tmp_path / "zoo.toml").write_text("haed = 'knn'")
    done = zoo("plugins")
    assert (done.code, done.out) == (2, "")
    assert "did you mean 'head'?" in done.err.splitlines()[1]


@pytest.fixture
def plugin_command(tmp_path, monkeypatch):
    """A plugin that adds a verb ``greet`` with an option, or that is broken."""

    def install(code):
        site = tmp_path / "site"
        info = site / "zoo_greet-1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: zoo-greet\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[zoo.commands]\ngreet = zoo_greet:command\n")
        (site / "zoo_greet.py").write_text(code)
        paths = f"{site}{os.pathsep}{os.environ['PYTHONPATH']}"
        monkeypatch.setenv("PYTHONPATH", paths)

    return install


def test_a_plugins_command_has_a_table_too(zoo, tmp_path, plugin_command):
    plugin_command(
        "import click\n@click.command()\n@click.option('--who', envvar='GREET_WHO')\n"
        "def command(who):\n    click.echo(f'hello {who}')\n"
    )
    (tmp_path / "zoo.toml").write_text("[greet]\nwho = 'you'\n")
    assert zoo("greet").out == "hello you\n"
    (tmp_path / "zoo.toml").write_text("[greet]\nwhom = 'you'\n")
    assert "did you mean 'who'?" in zoo("greet").err


def test_a_table_of_a_broken_plugin_harms_no_other_verb(zoo, tmp_path, plugin_command):
    plugin_command("raise RuntimeError('broken')\n")
    (tmp_path / "zoo.toml").write_text("[greet]\nwho = 'you'\n")
    assert zoo("runs").code == 0
    assert zoo("greet").code == 3
