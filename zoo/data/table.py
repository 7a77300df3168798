"""Reads labelled texts from CSV, TSV and JSON lines: one file, or one per split in a folder."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.names import existing, listed, modality_of, short_name, shown, split_of, text_name
from zoo.data.targets import check_task, class_target, label_text, unlabelled
from zoo.errors import DataError, UsageError
from zoo.plugin import DataOptions, Dataset, DatasetReader, Item
from zoo.plugin.dataset import SPLITS

DEFAULT_INPUT = "text"
DEFAULT_TARGET = "label"
_DELIMITED = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
_COLUMN_HINT = "name the columns with --input and --target"


class TableReader(DatasetReader):
    """Rows of named columns: an input, a target and perhaps a group.

    Files are UTF-8, with or without a byte order mark; the first line of a CSV or TSV file names
    its columns. A blank target is unlabelled; a blank group is no group.
    """

    def claims(self, path: Path) -> bool:
        """A table by its extension, or a folder of tables that are splits or stand alone."""
        if not path.is_dir():
            return _is_table(path.name)
        entries = [entry for entry in _entries(path) if not entry.name.startswith(".")]
        folders = [entry.name for entry in entries if entry.is_dir()]
        tables = [entry.name for entry in entries if entry.is_file() and _is_table(entry.name)]
        if any(split_of(_stem(name)) for name in tables):
            return not any(split_of(name) for name in folders)
        return bool(tables) and not folders and not any(modality_of(e.name) for e in entries)

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The rows in file order, the files in the order train, val, test."""
        check_task(options)
        if "," in options.target:
            raise DataError(
                f"--target {shown(options.target)}: several targets come in a later version",
                hint="name one column",
            )
        if "," in options.input:
            raise UsageError(
                f"--input {shown(options.input)}: one input column is supported", hint=_COLUMN_HINT
            )
        root = existing(reference)
        rows, split = [], []
        for name, path, kind in _files(root):
            part = list(_read_file(name, path, options))
            rows += part
            split += [kind] * len(part)
        if not rows:
            raise DataError(f"data {shown(str(root))} holds no rows")
        items = tuple(Item(row.name, row.text) for row in rows)
        given = tuple(s for s in split if s)
        groups = np.array([row.group for row in rows]) if options.group else None
        if not options.labelled:
            target, notes = unlabelled(len(items)), ()
            return Dataset(short_name(root), "text", items, target, None, groups, notes)
        column = options.target or DEFAULT_TARGET
        target, note = class_target(
            [row.label for row in rows], where=f"column {shown(column)}", task=options.task
        )
        return Dataset(short_name(root), "text", items, target, given or None, groups, (note,))


@dataclass(frozen=True)
class _Row:
    name: str
    text: str
    label: str | None
    group: str


@dataclass(frozen=True)
class _Columns:
    input: str
    target: str | None
    group: str | None

    @classmethod
    def choose(cls, options: DataOptions) -> _Columns:
        """The columns that the options ask for, defaults filled in."""
        target = (options.target or DEFAULT_TARGET) if options.labelled else None
        return cls(options.input or DEFAULT_INPUT, target, options.group or None)

    def check(self, there: list[str], where: str) -> None:
        """Raise DataError where one is missing from what there is, or there twice."""
        for column in (self.input, self.target, self.group):
            if column is not None and column not in there:
                raise DataError(
                    f"{where} has no column {shown(column)}; it has {listed(there)}",
                    hint=_COLUMN_HINT,
                )
            if column is not None and there.count(column) > 1:
                raise DataError(
                    f"{where} has two columns {shown(column)}",
                    hint="rename one of them",
                )


def _files(root: Path) -> list[tuple[str, Path, str | None]]:
    """(name for items, path, split) of each file to read."""
    if not root.is_dir():
        return [(text_name(root.name), root, None)]
    tables = sorted(e.name for e in _entries(root) if _is_table(e.name) and e.name[0] != ".")
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
        if not _inside(root / name, root):
            raise DataError(f"data: the link {shown(name)} leads out of the data folder")
    return [(text_name(name), root / name, split_of(_stem(name))) for name in names]


def _read_file(name: str, path: Path, options: DataOptions) -> Iterator[_Row]:
    text = _decoded(path, name)
    columns = _Columns.choose(options)
    suffix = path.suffix.lower()
    if suffix in _JSON_LINES:
        return _json_rows(name, text, columns)
    return _delimited_rows(name, text, columns, _DELIMITED.get(suffix, ","))


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


def _delimited_rows(name: str, text: str, columns: _Columns, delimiter: str) -> Iterator[_Row]:
    # The limit is the process's own: raised while the fields are read, then put back.
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        # strict: an unclosed quote would else swallow the rest of the file in silence
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        end = 0
        header: list[str] | None = None
        at: list[int | None] = []
        rows: list[_Row] = []
        for cells in _lines(reader, name):
            start, end = end + 1, reader.line_num
            if not cells:
                continue
            if header is None:
                header = cells
                columns.check(header, shown(name))
                wanted = (columns.input, columns.target, columns.group)
                at = [None if c is None else header.index(c) for c in wanted]
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{shown(name)} line {start}: {len(cells)} fields, the header has "
                    f"{len(header)}",
                    hint="put fields that hold the delimiter in double quotes",
                )
            got = ["" if i is None else cells[i] for i in at]
            rows.append(_Row(f"{name}:{len(rows) + 1}", got[0], got[1] or None, got[2].strip()))
    finally:
        csv.field_size_limit(limit)
    if header is None:
        raise DataError(f"{shown(name)} is empty", hint="its first line names the columns")
    return iter(rows)


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


def _json_rows(name: str, text: str, columns: _Columns) -> Iterator[_Row]:
    number = 0
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
        columns.check(list(value), where)
        sample = value[columns.input]
        if not isinstance(sample, str):
            kind = type(sample).__name__
            raise DataError(f"{where}: {shown(columns.input)} is not a text but {kind}")
        label = None if columns.target is None else label_text(value[columns.target], where=where)
        group = None if columns.group is None else label_text(value[columns.group], where=where)
        number += 1
        yield _Row(f"{name}:{number}", sample, label, (group or "").strip())


def _is_table(name: str) -> bool:
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


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
