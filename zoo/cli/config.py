"""Reads zoo.toml: defaults for options, below flags and ZOO_* variables.

Keys are the options' long names. At the top they hold for every verb that has them, in a table
``[verb]`` or ``[verb.subcommand]`` for that one. What has no ZOO_* variable, such as what
``cache prune`` removes, is named on the command line alone and is refused here, too.
"""

from __future__ import annotations

import difflib
import importlib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from zoo.errors import PluginError, UsageError

_Table = dict[str, Any]


def defaults(
    path: Path,
    verbs: Iterable[str],
    foreign: Mapping[str, Any] | None = None,
) -> _Table:
    """Click's default map from a file.

    Args:
        path: the file.
        verbs: the built-in verbs.
        foreign: entry points of plugins' commands, by name; only those with a table are loaded.

    Raises:
        UsageError: the file is not valid TOML, names an option or a verb that there is not, or
            gives a value of another kind than the option takes.
    """
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"'{path}' cannot be read: {error}") from error
    commands = {verb: importlib.import_module(f"zoo.cli.{verb}").command for verb in verbs}
    for name in sorted((foreign or {}).keys() & stated.keys()):
        if (command := _foreign_command(name, (foreign or {})[name])) is None:
            del stated[name]
        else:
            commands.setdefault(name, command)
    common = {key: value for key, value in stated.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in stated.items() if isinstance(value, dict)}
    everywhere = sorted({name for command in commands.values() for name in _all_options(command)})
    for key in common:
        if key not in everywhere:
            hint = _meant(key, everywhere, "zoo VERB --help lists the options")
            raise UsageError(f"'{path}': no verb has an option '{key}'", hint=hint)
    for key in tables:
        if key not in commands:
            hint = _meant(key, commands, "zoo --help lists the verbs")
            raise UsageError(f"'{path}': [{key}] is no verb", hint=hint)
    return {
        verb: _of_command(path, verb, command, common, tables.get(verb, {}))
        for verb, command in commands.items()
    }


def _foreign_command(name: str, entry_point: Any) -> click.Command | None:
    """A plugin's command; None where it is broken, which is told to those who call it."""
    from zoo.cli.foreign import load

    try:
        return load(name, entry_point)
    except PluginError:
        return None


def _of_command(
    path: Path, name: str, command: click.Command, common: _Table, own: _Table
) -> _Table:
    """The default map of one command and, in it, of its subcommands."""
    known = _options(command)
    children = command.commands if isinstance(command, click.Group) else {}
    for key, value in own.items():
        if isinstance(value, dict):
            if key not in children:
                hint = _meant(key, children, f"zoo {name} --help")
                raise UsageError(f"'{path}': [{name}.{key}] is no command", hint=hint)
        elif key not in known:
            hint = _meant(key, known, f"zoo {name} --help lists its options")
            raise UsageError(f"'{path}': {name} has no option '{key}'", hint=hint)
    chosen = {key: value for key, value in {**common, **own}.items() if key in known}
    out: _Table = {
        str(known[key].name): _checked(path, key, value, known[key])
        for key, value in chosen.items()
    }
    for child, subcommand in children.items():
        out[child] = _of_command(path, f"{name} {child}", subcommand, common, own.get(child, {}))
    return out


def _options(command: click.Command) -> dict[str, click.Option]:
    """The options of a command that a file may set, by long name without dashes.

    What no variable can set, no file can: trust is said on the command line alone.
    """
    return {
        option[2:]: parameter
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.envvar
        for option in parameter.opts
        if option.startswith("--")
    }


def _all_options(command: click.Command) -> set[str]:
    children = command.commands.values() if isinstance(command, click.Group) else ()
    return set(_options(command)).union(*map(_all_options, children))


def _checked(path: Path, key: str, value: Any, option: click.Option) -> Any:
    """The value, of the option's kind: click would cut 1.5 to 1 and take any text for a flag."""
    if option.multiple:
        values = value if isinstance(value, list) else [value]
        return [_one(path, key, each, option) for each in values]
    return _one(path, key, value, option)


def _one(path: Path, key: str, value: Any, option: click.Option) -> Any:
    if option.is_flag:
        fits, wanted = isinstance(value, bool), "true or false"
    elif isinstance(option.type, click.types.IntParamType):
        fits, wanted = type(value) is int, "a whole number"
    elif isinstance(option.type, click.types.FloatParamType):
        fits, wanted = type(value) in (int, float), "a number"
    else:
        fits, wanted = isinstance(value, str), "a text in quotes"
    if not fits:
        raise UsageError(f"'{path}': {key} = {value!r}", hint=f"{key} takes {wanted}")
    return value


def _meant(key: str, known: Iterable[str], otherwise: str) -> str:
    close = difflib.get_close_matches(key, list(known), 1)
    return f"did you mean '{close[0]}'?" if close else otherwise
