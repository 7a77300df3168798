"""Reads zoo.toml: defaults for options, below flags and ZOO_* variables."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.errors import UsageError


def defaults(path: Path, verbs: Iterable[str]) -> dict[str, Any]:
    """Click's default map from a file: options by long name, for all verbs or in a [verb] table.

    Raises:
        UsageError: the file is not valid TOML, names no option of a verb, or gives a value that is
            neither text, number nor true/false.
    """
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"'{path}' cannot be read: {error}") from error
    options = {verb: _options(verb) for verb in verbs}
    common = {key: value for key, value in stated.items() if not isinstance(value, dict)}
    for key in stated:
        if key in common and not any(key in known for known in options.values()):
            raise UsageError(f"'{path}': no verb has an option '{key}'", hint="zoo VERB --help")
        if key not in common and key not in options:
            raise UsageError(f"'{path}': [{key}] is no verb", hint="zoo --help lists the verbs")
    out: dict[str, Any] = {}
    for verb, known in options.items():
        own = stated.get(verb, {})
        unknown = [key for key in own if key not in known]
        if unknown:
            raise UsageError(
                f"'{path}': {verb} has no option '{unknown[0]}'", hint=f"zoo {verb} --help"
            )
        chosen = {**{key: value for key, value in common.items() if key in known}, **own}
        out[verb] = {known[key]: _plain(key, value, path) for key, value in chosen.items()}
    return out


def _options(verb: str) -> dict[str, str]:
    """A verb's long options, without dashes, and the parameters they set.

    What no variable can set, no file can: trust is said on the command line alone.
    """
    command = importlib.import_module(f"zoo.cli.{verb}").command
    return {
        option[2:]: parameter.name
        for parameter in command.params
        if getattr(parameter, "envvar", None)
        for option in parameter.opts
        if option.startswith("--")
    }


def _plain(key: str, value: Any, path: Path) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise UsageError(f"'{path}': {key} is no text, number or true/false")
    return value
