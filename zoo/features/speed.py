"""Remembers how fast a backbone ran, so that a dry run can say how long the rest will take."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.engine.files import write_file

_log = logging.getLogger(__name__)

_FEWEST = 8  # samples: fewer measure how long starting takes
_NOTE_BYTES = 1 << 16


@contextmanager
def measured(
    folder: Path, conditions: dict[str, Any], threads: int
) -> Iterator[Callable[[int], None]]:
    """Note in a store's folder how many samples a second its backbone takes, also on Ctrl-C.

    Gives a function to be called with the number of samples that are done each time.
    """
    done: list[int] = []
    start = time.perf_counter()
    try:
        yield done.append
    finally:
        seconds = time.perf_counter() - start
        if sum(done) >= _FEWEST and seconds > 0:
            _write(_note(folder, conditions, threads), sum(done) / seconds)


def recorded(folder: Path, conditions: dict[str, Any], threads: int) -> float | None:
    """Samples a second as last measured under the same versions, device and threads, or None."""
    path = _note(folder, conditions, threads)
    try:
        if not path.is_file():  # a pipe would be waited for
            return None
        with path.open("rb") as file:
            note = json.loads(file.read(_NOTE_BYTES))
        speed = float(note["samples_per_second"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        _log.debug("%s is ignored: %s", path, error)
        return None
    return speed if 0 < speed < float("inf") else None


def _write(path: Path, speed: float) -> None:
    try:
        content = json.dumps({"samples_per_second": speed}).encode() + b"\n"
        write_file(path, content, replace=True)
    except OSError as error:
        _log.debug("the speed is not noted: %s", error)


def _note(folder: Path, conditions: dict[str, Any], threads: int) -> Path:
    text = json.dumps([conditions, threads], sort_keys=True)
    return folder / f"speed-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
