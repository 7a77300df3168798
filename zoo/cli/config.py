"""Reads zoo.toml: defaults for options, below flags and ZOO_* variables."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.errors import UsageError

NAME = "zoo.toml"


def defaults(path: Path, verbs: Iterable[str]) -> dict[str, Any]:
    """Click's default map from a file: options by long name, for all verbs or in a [verb] table.

    Raises:
        UsageError: the file is not valid TOML, or a value is neither text, number nor true/false.
    """
    if not path.is_file():
        return {}
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"'{path}' cannot be read: {error}") from error
    common = {key: value for key, value in stated.items() if not isinstance(value, dict)}
    tables = {verb: {**common, **stated.get(verb, {})} for verb in verbs}
    unknown = [key for key in stated if key not in common and key not in tables]
    if unknown:
        raise UsageError(f"'{path}': [{unknown[0]}] is no verb", hint="zoo --help lists the verbs")
    return {verb: _parameters(table, path) for verb, table in tables.items()}


def _parameters(table: dict[str, Any], path: Path) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in table.items():
        if not isinstance(value, str | int | float | bool):
            raise UsageError(f"'{path}': {key} is no text, number or true/false")
        name = {"json": "as_json", "export": "export_to"}.get(key, key.replace("-", "_"))
        out[name] = value
    return out
