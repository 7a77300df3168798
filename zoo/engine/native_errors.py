"""Turns the native core's errors, and the system's, into StoreErrors that say what to do."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from zoo import _core
from zoo.errors import StoreError

DAMAGED_HINT = "zoo cache verify names what is damaged; delete that shard to compute it anew"


@contextlib.contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Translate what is raised inside; `folder` is named where the error names no file."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise translated(folder, error) from error


@contextlib.contextmanager
def solver_errors(folder: Path) -> Iterator[None]:
    """Translate what reading the store in `folder` raises inside; a solver's own ValueErrors pass.

    Raises:
        StoreError: rows are damaged or gone, or the system can't read them.
    """
    try:
        yield
    except (OSError, _core.CorruptError) as error:
        raise translated(folder, error) from error


def translated(folder: Path, error: OSError | ValueError) -> StoreError:
    """The StoreError for an error of the store in `folder`."""
    if isinstance(error, _core.CorruptError):
        return StoreError(str(error), hint=DAMAGED_HINT)
    if not isinstance(error, OSError):
        return StoreError(f"{folder}: {error}")
    hint = ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        hint = "free space or set ZOO_HOME to another folder"
    elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        hint = "make the folder accessible or set ZOO_HOME to another folder"
    text = error.strerror or str(error)
    return StoreError(text if isinstance(error, _core.IoError) else f"{folder}: {text}", hint=hint)
