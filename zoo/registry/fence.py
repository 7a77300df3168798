"""The fence around foreign code: whatever a plugin raises or prints stays one line on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Literal

from zoo.errors import InterruptedByUser

State = Literal["loaded", "failed", "incompatible", "disabled"]
_LONGEST = 300  # characters of a foreign message that a terminal line should have to bear


class Fault(Exception):  # noqa: N818 - it is caught by the registry and never reaches a user
    """Why a plugin is out, in one line."""

    def __init__(self, state: State, reason: str) -> None:
        self.state: State = state
        self.reason = printable(reason)
        super().__init__(self.reason)


@contextmanager
def fenced(*passing: type[BaseException]) -> Iterator[None]:
    """Turn anything that plugin code raises into a Fault, and send its prints to stderr.

    SystemExit is caught too: a plugin that ends the process is broken. Ctrl-C passes, and so does
    what the caller names. Stdout is closed to plugins because it carries one JSON object under
    ``--json``.
    """
    untouched: tuple[type[BaseException], ...] = (KeyboardInterrupt, InterruptedByUser, Fault)
    untouched += passing
    try:
        with redirect_stdout(sys.stderr):
            yield
    except untouched:
        raise
    except BaseException as error:
        raise Fault("failed", one_line(error)) from error


def one_line(error: BaseException) -> str:
    """An exception as one printable line: its type and the start of its message."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything
        text = ""
    return type(error).__name__ + (f": {printable(text)}" if text.strip() else "")


def printable(text: str) -> str:
    """Foreign text without line breaks and control characters, cut at a bearable length."""
    words = "".join(c if c.isprintable() else " " for c in text).split()
    line = " ".join(words)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
