"""Writes a file whole or not at all: a temporary neighbour that takes the name when it is done."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.errors import DataError


@contextmanager
def replacing(path: Path, *, hint: str = "") -> Iterator[Path]:
    """A temporary path to write to; it replaces `path` at the end, and is gone after an error.

    Raises:
        DataError: the operating system said no.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise DataError(f"cannot write '{path}': {error.strerror or error}", hint=hint) from error
    finally:
        # Where even the folder is missing or refused, there is nothing to remove.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
