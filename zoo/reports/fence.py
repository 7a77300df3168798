"""Keeps what cannot be shown of a run from costing the rest of its report.

Runs are read from folders that other versions and other people wrote, so that anything may be
missing or odd in them; the rest of a report is worth having all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from zoo.errors import ZooError
from zoo.reports.figure import Part
from zoo.reports.words import shown

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Absent(Exception):  # noqa: N818 - it says why a part is empty, and is no fault
    """Why there is nothing to show."""


def fenced(name: str, title: str, make: Callable[[], Part]) -> Part:
    """A part, or the line that says why there is none."""
    part, why = attempt(make, name)
    if part is None:
        return Part(name, title, absent=f"{why}.")
    return replace(part, name=name, title=title)


def attempt(make: Callable[[], _T], what: str) -> tuple[_T | None, str]:
    """What is made and an empty text, or None and why it can't be, without a full stop."""
    try:
        return make(), ""
    except Absent as absent:
        return None, str(absent)
    except Exception as error:  # noqa: BLE001 - see above
        _log.debug("'%s' of a report", what, exc_info=True)
        kind = "" if isinstance(error, ZooError) else f"{type(error).__name__}: "
        return None, f"cannot be shown: {kind}{shown(error, 300)}"
