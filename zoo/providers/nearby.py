"""Finds model files in the working folder, for searches: two folders deep and no further."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_DEPTHS = ("", "*/", "*/*/")


def files(pattern: str) -> Iterator[Path]:
    """Files by a pattern of names, relative to the working folder, those near it first.

    Hidden folders are left out, and so is what cannot be listed.
    """
    for depth in _DEPTHS:
        for path in sorted(Path().glob(depth + pattern)):
            if path.is_file() and not any(part.startswith(".") for part in path.parts):
                yield path


def reference(path: Path) -> str:
    """A relative path as a source spells it: ``./folder/file``."""
    return f"./{path.as_posix()}" if path.parts else "."
