"""Finds the image and audio files that a table names, below the table's folder and nowhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.columns import FILE_COLUMNS, TEXT_COLUMN
from zoo.data.home import Home
from zoo.data.names import modality_of, shown, split_of, text_name
from zoo.errors import DataError
from zoo.plugin import Item

if TYPE_CHECKING:
    from zoo.data.rows import Row


def are_files(column: str, values: Sequence[str]) -> bool:
    """Whether the values of an input column are files' names and not texts.

    They are in a column whose name says so, and where most of them end like image or audio files,
    but never in one called ``text``.
    """
    if column == TEXT_COLUMN:
        return False
    ending = sum(modality_of(value.strip()) is not None for value in values)
    return column in FILE_COLUMNS or (ending > 0 and 2 * ending >= len(values))


def named_files(rows: Sequence[Row], table: Path, root: Path, where: str) -> list[Row]:
    r"""The rows with files for items, named by their path from `root`.

    Files that are not there stay: reading them fails one by one, with their name.

    Args:
        rows: items whose value is a path from the table's folder, ``/`` or ``\`` between parts.
        table: the table's own path.
        root: the data's folder; no path and no link may lead out of it.
        where: the table, for messages.

    Raises:
        DataError: a name is blank, of no image or audio file, leads out of the folder or to what
            is no file; or none of the files is there.
    """
    finder = _Finder(table.parent, root)
    found = []
    absent = 0
    for number, row in enumerate(rows, 1):
        name = str(row.item.value).strip()
        if modality_of(name) is None:
            what = f"{shown(name)}, which does not end like" if name else "no"
            raise DataError(
                f"{where} row {number} names {what} image or audio file",
                hint="name the column of the files with --input; the table may not have others",
            )
        path, there = finder.find(name, f"{where} row {number}")
        absent += not there
        found.append(replace(row, item=Item(finder.name(path), path)))
    if rows and absent == len(rows):
        raise DataError(
            f"{where}: none of the {len(rows)} files it names is there, such as "
            f"{shown(found[0].item.name)}",
            hint="paths are taken from the table's own folder",
        )
    return found


def one_modality(rows: Sequence[Row]) -> tuple[list[Row], str, tuple[str, ...]]:
    """The rows of the commoner modality, which that is, and a note on the others."""
    kinds = [modality_of(row.item.name) for row in rows]
    audio = kinds.count("audio")
    modality = "audio" if 2 * audio > len(rows) else "image"
    kept = [row for row, kind in zip(rows, kinds, strict=True) if kind == modality]
    rest = len(rows) - len(kept)
    notes: tuple[str, ...] = ()
    if rest:
        notes += (f"ignored {rest} files that are not {modality} files",)
    again = len(kept) - len({row.item.value for row in kept if isinstance(row.item.value, Path)})
    if again:
        notes += (f"{again} rows name a file that another row names too",)
    return kept, modality, notes


def split_by_folder(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows with their first folders as splits, where the table gives none and all are some."""
    folders = [row.item.name.partition("/")[0] for row in rows]
    splits = {folder: split_of(folder) for folder in folders}
    if any(row.split for row in rows) or None in splits.values() or len(splits) < 2:
        return rows
    return [replace(row, split=folder) for row, folder in zip(rows, folders, strict=True)]


class _Finder:
    """Paths from one folder that stay inside another; what is known of folders is remembered."""

    def __init__(self, base: Path, root: Path) -> None:
        self._base, self._root = str(base), str(root)
        self._home = Home(root)
        self._folders: dict[str, bool] = {}

    def find(self, name: str, where: str) -> tuple[Path, bool]:
        """The file's path and whether it is there; raises DataError where it may not be read."""
        if "://" in name:
            raise DataError(f"{where} names {shown(name)}: files are read, not addresses")
        if "\0" in name:
            raise DataError(f"{where} names {shown(name)}, which holds a NUL character")
        path = self._joined(name)
        if not os.path.lexists(path) and os.sep == "/" and "\\" in name:
            path = self._joined(name.replace("\\", "/"))
        if not self._inside(path):
            raise DataError(
                f"{where}: {shown(name)} leads out of the data folder",
                hint="copy the files beside the table, or the table above all of its files",
            )
        try:
            status = os.stat(path)  # noqa: PTH116 - a str all along, for any locale's bytes
        except OSError:
            return Path(path), False
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise DataError(f"{where}: {shown(name)} is not a file")
        return Path(path), True

    def name(self, path: Path) -> str:
        """A path as people know it: from the data folder, with ``/``."""
        return text_name(os.path.relpath(path, self._root).replace(os.sep, "/"))

    def _joined(self, name: str) -> str:
        # UTF-8 in the table is UTF-8 in the file system, whatever the locale makes of it.
        native = name if os.name == "nt" else os.fsdecode(name.encode())
        return os.path.normpath(os.path.join(self._base, native))  # noqa: PTH118

    def _inside(self, path: str) -> bool:
        """Whether a path and all links on its way stay in the root."""
        folder = os.path.dirname(path)  # noqa: PTH120
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = self._home.holds(folder)
        return known and (not os.path.islink(path) or self._home.holds(path))  # noqa: PTH114
