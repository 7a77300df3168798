"""Reads a folder of image or audio files whose labels stand in a table beside them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.columns import FILE_COLUMNS
from zoo.data.folder import FolderReader, media_below
from zoo.data.home import Home
from zoo.data.names import existing, listed, modality_of, shown, split_of, text_name
from zoo.data.table import is_table, read_tables
from zoo.errors import DataError
from zoo.plugin import DataOptions, Dataset, DatasetReader
from zoo.plugin.dataset import SPLITS

if TYPE_CHECKING:
    from zoo.data.table import File

_STEMS = ("metadata", "labels")


class ListedReader(DatasetReader):
    """Files named by ``metadata.csv`` or ``labels.csv`` (or .tsv, .jsonl) at the folder's top.

    There may be one in each of the folders train, val and test instead. Class folders whose files
    the table labels as they do are read as such, and so they are where the table names no files;
    options that name columns ask for the table in any case.
    """

    def claims(self, path: Path) -> bool:
        """A folder with such a table and something else than tables."""
        if not path.is_dir() or not _tables(path):
            return False
        return any(e.is_dir() or modality_of(e.name) for e in _entries(path) if e.name[0] != ".")

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The rows in the table's order; for prediction every file of the folder."""
        root = existing(reference)
        if options.input or options.target or options.group or options.slices:
            return _listed(root, options)
        if not options.labelled:
            return FolderReader().read(reference, options)
        folders = _class_folders(reference, options)
        if folders is None:
            return _listed(root, options)
        names = listed(name for name, _, _ in _tables(root))
        try:
            data = _listed(root, options)
        except DataError as error:
            return _noted(folders, f"classes are folders, and {names} is not used: {error}")
        if not _agree(folders, data):
            return _noted(data, f"labels are those of {names}, which the folders' names are not")
        return _noted(
            folders,
            f"classes are folders, and {names} says the same: --target label reads it, with its "
            "splits and groups",
        )


def _listed(root: Path, options: DataOptions) -> Dataset:
    files = _tables(root)
    data = read_tables(root, files, options, inputs=FILE_COLUMNS)
    named = {item.name for item in data.items}
    others = [name for name in media_below(root, data.modality) if name not in named]
    if not others:
        return data
    tables = listed(name for name, _, _ in files)
    return _noted(
        data,
        f"{len(others)} {data.modality} files are not named in {tables}, such as "
        f"{shown(others[0])}: not used",
    )


def _class_folders(reference: str, options: DataOptions) -> Dataset | None:
    """The folder by its class folders; None where they are no classes."""
    try:
        data = FolderReader().read(reference, options)
    except DataError:
        return None
    return data if len(data.target.names) > 1 else None


def _agree(folders: Dataset, table: Dataset) -> bool:
    """Whether every row of the table has the label of its folder."""
    known = dict(zip((i.name for i in folders.items), _labels(folders), strict=True))
    return all(
        known.get(item.name) == label
        for item, label in zip(table.items, _labels(table), strict=True)
    )


def _labels(data: Dataset) -> list[str | None]:
    return [data.target.names[code] if code >= 0 else None for code in data.target.values.tolist()]


def _noted(data: Dataset, note: str) -> Dataset:
    return replace(data, notes=(*data.notes, note))


def _tables(root: Path) -> list[File]:
    """The folder's own table, or those of its split folders; empty where there are none.

    Raises:
        DataError: two tables stand beside each other, or a link leads out.
    """
    if top := _table_in(root, root):
        return [(top, root / top, None)]
    found: dict[str, File] = {}
    for folder in sorted(e.name for e in _entries(root) if e.is_dir()):
        split = split_of(folder)
        if split is None or split in found:
            continue
        if name := _table_in(root / folder, root):
            found[split] = (f"{text_name(folder)}/{name}", root / folder / name, split)
    return [found[split] for split in SPLITS if split in found]


def _table_in(folder: Path, root: Path) -> str | None:
    names = sorted(
        entry.name
        for entry in _entries(folder)
        if is_table(entry.name) and os.path.splitext(entry.name)[0].lower() in _STEMS  # noqa: PTH122 - a name
    )
    if not all(Home(root).holds(folder / name) for name in names):
        raise DataError(f"data: the link {listed(names)} leads out of the data folder")
    if len(names) > 1:
        raise DataError(
            f"data {shown(str(folder))}: {listed(names)} both say what the files are",
            hint="keep one of them, or name one as --data",
        )
    return names[0] if names else None


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"data folder {shown(str(path))} cannot be read: {error}") from error
