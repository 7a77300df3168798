"""Finds the folder of a key by the start of its name."""

from __future__ import annotations

import logging
from pathlib import Path

from zoo.errors import StoreError, UsageError


def find(start: str) -> Path:
    """The folder of the one key that starts so; UsageError for none or several."""
    from zoo import settings

    root = settings.store_root()
    check_home()
    names = sorted(path.parent.name for path in root.glob("*/key.json")) if start else []
    found = [name for name in names if name.startswith(start)]
    if len(found) != 1:
        raise UsageError(f"{len(found)} keys start with '{start}'", hint="zoo cache list")
    return root / found[0]


def check_home() -> None:
    """Raise StoreError where the home is no folder."""
    from zoo import settings

    home = settings.home()
    if home.exists() and not home.is_dir():
        raise StoreError(f"'{home}' is no folder", hint="set ZOO_HOME to a folder")


def say_damage_once() -> None:
    """The verbs tell of damage themselves: the engine need not log it as well."""
    logging.getLogger("zoo.engine").setLevel(logging.ERROR)
