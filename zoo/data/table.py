"""Reads labelled texts and files from CSV, TSV and JSON lines: one file, or one for each split."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from zoo.data.columns import DEFAULT_INPUTS, Columns
from zoo.data.home import Home
from zoo.data.named_files import are_files, named_files, one_modality, split_by_folder
from zoo.data.names import existing, listed, modality_of, short_name, shown, split_of, text_name
from zoo.data.rows import Row, dataset_of
from zoo.data.targets import check_task, label_cell, label_text, slice_text
from zoo.errors import DataError
from zoo.plugin import DataOptions, Dataset, DatasetReader, Item
from zoo.plugin.dataset import SPLITS

_DELIMITED = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
_Choose = Callable[[list[str], str], Columns]
File = tuple[str, Path, str | None]  # the table's name for items, its path, its split


class TableReader(DatasetReader):
    """Rows of named columns: an input, one target or several, perhaps a group and a split.

    Files are UTF-8, with or without a byte order mark; the first line of a CSV or TSV file names
    its columns. A blank target is unlabelled; a blank group is no group. Inputs are texts, or image
    or audio files by their path from the table's folder: see `zoo.data.named_files`.
    """

    def claims(self, path: Path) -> bool:
        """A table by its extension, or a folder of tables that are splits or stand alone."""
        if not path.is_dir():
            return is_table(path.name)
        entries = [entry for entry in _entries(path) if not entry.name.startswith(".")]
        folders = [entry.name for entry in entries if entry.is_dir()]
        tables = [entry.name for entry in entries if entry.is_file() and is_table(entry.name)]
        if any(split_of(_stem(name)) for name in tables):
            return not any(split_of(name) for name in folders)
        return bool(tables) and not folders and not any(modality_of(e.name) for e in entries)

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The rows in file order, the files in the order train, val, test."""
        root = existing(reference)
        return read_tables(root, _files(root), options)


def read_tables(
    root: Path,
    files: Sequence[File],
    options: DataOptions,
    *,
    inputs: Sequence[str] = DEFAULT_INPUTS,
) -> Dataset:
    """The rows of some tables below a folder, or of one table, as one dataset.

    Args:
        root: the data as it was named: a folder that holds the tables, or the only one.
        files: what is read, in this order.
        options: what the user says of columns and task.
        inputs: default columns of the inputs, the first that is there.
    """
    check_task(options)
    rows: list[Row] = []
    kinds: set[bool] = set()
    used: list[Columns] = []
    for name, path, split in files:
        columns, part = _read_file(name, path, options, inputs)
        if columns is None or not part:
            continue
        used.append(columns)
        kinds.add(are := are_files(columns.input, [str(row.item.value) for row in part]))
        if are:
            part = named_files(part, path, root if root.is_dir() else root.parent, shown(name))
        rows += [replace(row, split=split) for row in part] if split else part
    if not used:
        raise DataError(f"data {shown(str(root))} holds no rows")
    if len(kinds) > 1:
        raise DataError(f"data {shown(str(root))}: some tables name files, others hold texts")
    modality = "text"
    notes: tuple[str, ...] = ()
    if kinds == {True}:
        rows, modality, notes = one_modality(split_by_folder(rows))
    return dataset_of(
        rows,
        options,
        name=short_name(root),
        modality=modality,
        targets=used[0].targets,
        group=next((columns.group for columns in used if columns.group), None),
        notes=notes,
    )


def _files(root: Path) -> list[tuple[str, Path, str | None]]:
    """(name for items, path, split) of each file to read."""
    if not root.is_dir():
        return [(text_name(root.name), root, None)]
    tables = sorted(e.name for e in _entries(root) if is_table(e.name) and e.name[0] != ".")
    by_split: dict[str, list[str]] = {}
    for name in tables:
        if split := split_of(_stem(name)):
            by_split.setdefault(split, []).append(name)
    for split, names in by_split.items():
        if len(names) > 1:
            raise DataError(
                f"data {shown(str(root))}: {listed(names)} are all the {split} split",
                hint="keep one of them",
            )
    if by_split:
        names = [by_split[split][0] for split in SPLITS if split in by_split]
    elif len(tables) == 1:
        return [(text_name(tables[0]), root / tables[0], None)]
    else:
        raise DataError(
            f"data {shown(str(root))} holds {listed(map(text_name, tables)) or 'no tables'}",
            hint="name one as --data, or call the files train, val and test",
        )
    for name in names:
        if not Home(root).holds(root / name):
            raise DataError(f"data: the link {shown(name)} leads out of the data folder")
    return [(text_name(name), root / name, split_of(_stem(name))) for name in names]


def _read_file(
    name: str, path: Path, options: DataOptions, inputs: Sequence[str]
) -> tuple[Columns | None, list[Row]]:
    text = _decoded(path, name)
    suffix = path.suffix.lower()

    def choose(there: list[str], where: str) -> Columns:
        return Columns.among(there, options, where, inputs=inputs)

    if suffix in _JSON_LINES:
        return _json_rows(name, text, choose)
    return _delimited_rows(name, text, choose, _DELIMITED.get(suffix, ","))


def _decoded(path: Path, name: str) -> str:
    try:
        if not path.is_file():
            raise DataError(f"data {shown(name)} is not a file")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"data {shown(name)} cannot be read: {error.strerror}") from error
    hint = "save the file as UTF-8 (for example: iconv -f ENCODING -t UTF-8)"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{shown(name)} line {line}: not UTF-8", hint=hint) from error
    if (nul := text.find("\0")) >= 0:
        line = text.count("\n", 0, nul) + 1
        raise DataError(f"{shown(name)} line {line}: holds a NUL character", hint=hint)
    return text.removeprefix("\ufeff")


def _delimited_rows(
    name: str, text: str, choose: _Choose, delimiter: str
) -> tuple[Columns, list[Row]]:
    # The limit is the process's own: raised while the fields are read, then put back.
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        # strict: an unclosed quote would else swallow the rest of the file in silence
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        end = 0
        header: list[str] | None = None
        columns: Columns | None = None
        at: list[int | None] = []
        last = 0
        rows: list[Row] = []
        for cells in _lines(reader, name):
            start, end = end + 1, reader.line_num
            if not cells:
                continue
            if header is None:
                header = cells
                columns = choose(header, shown(name))
                wanted = (columns.input, columns.group, columns.split, *columns.targets)
                wanted += columns.slices
                last = len(wanted) - len(columns.slices)
                at = [None if c is None else header.index(c) for c in wanted]
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{shown(name)} line {start}: {len(cells)} fields, the header has "
                    f"{len(header)}",
                    hint="put fields that hold the delimiter in double quotes",
                )
            got = ["" if i is None else cells[i] for i in at]
            item = Item(f"{name}:{len(rows) + 1}", got[0])
            targets = tuple(cell or None for cell in got[3:last])
            slices = tuple(cell.strip() for cell in got[last:])
            rows.append(Row(item, targets, got[1].strip(), got[2].strip(), slices))
    finally:
        csv.field_size_limit(limit)
    if columns is None:
        raise DataError(f"{shown(name)} is empty", hint="its first line names the columns")
    return columns, rows


def _lines(reader: Iterator[list[str]], name: str) -> Iterator[list[str]]:
    while True:
        start = reader.line_num + 1  # type: ignore[attr-defined]
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{shown(name)} line {start}: {error}",
                hint='inside a quoted field a double quote is written twice: ""',
            ) from error


def _json_rows(name: str, text: str, choose: _Choose) -> tuple[Columns | None, list[Row]]:
    columns: Columns | None = None
    rows: list[Row] = []
    for line, content in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        if not content.strip():
            continue
        where = f"{shown(name)} line {line}"
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: not JSON: {error}") from error
        if not isinstance(value, dict):
            raise DataError(f"{where}: not a JSON object", hint="one object a line")
        if columns is None:
            columns = choose(list(value), where)
        columns.check(list(value), where)
        sample = value[columns.input]
        if not isinstance(sample, str):
            kind = type(sample).__name__
            raise DataError(f"{where}: {shown(columns.input)} is not a text but {kind}")
        targets = tuple(label_cell(value[column], where=where) for column in columns.targets)
        group, split = (
            None if column is None else label_text(value[column], where=where)
            for column in (columns.group, columns.split)
        )
        slices = tuple(slice_text(value[column], where=where) for column in columns.slices)
        item = Item(f"{name}:{len(rows) + 1}", sample)
        rows.append(Row(item, targets, (group or "").strip(), (split or "").strip(), slices))
    return columns, rows


def is_table(name: str) -> bool:
    """Whether a file's name ends like a table's."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a name, not a path
    return suffix in _DELIMITED or suffix in _JSON_LINES


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 - a name, not a path


def _entries(path: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(f"data folder {shown(str(path))} cannot be read: {error}") from error
