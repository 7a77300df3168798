"""Reads Parquet files, and data sets that Hugging Face's `datasets` saved, through pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.cells import (
    ArrowColumn,
    Cell,
    Column,
    ParquetColumn,
    Shelf,
    modality_of_bytes,
    need_pyarrow,
    open_arrow,
    open_parquet,
    refused,
)
from zoo.data.columns import DEFAULT_TARGET, FILE_COLUMNS, TEXT_COLUMN, Columns
from zoo.data.hf_features import Features, from_folder, from_metadata
from zoo.data.home import Home
from zoo.data.named_files import are_files, named_files, one_modality, split_by_folder
from zoo.data.names import existing, listed, short_name, shown, split_of
from zoo.data.rows import Row, dataset_of
from zoo.data.shards import Shard, expanded, holds, shards
from zoo.data.targets import check_task, label_cell, label_text, slice_text
from zoo.errors import DataError
from zoo.plugin import DataOptions, Dataset, DatasetReader, Item
from zoo.plugin.dataset import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".parquet",)
_INPUTS = (TEXT_COLUMN, "image", "audio", *FILE_COLUMNS)
_ROWS = 1 << 16  # of small columns at a time
_STATE, _SPLITS_FILE = "state.json", "dataset_dict.json"


class ParquetReader(DatasetReader):
    """Rows of texts, of encoded images or recordings, or of names of files, with their labels.

    A file, ``train-00000-of-00003.parquet`` and its like in a folder, or a folder that
    `datasets.save_to_disk` wrote. Images and recordings are bytes or Hugging Face's struct of
    ``bytes`` and ``path``, read when they are needed; a ClassLabel's codes become its names.
    """

    def claims(self, path: Path) -> bool:
        """A file called .parquet, a folder of them, or a saved data set."""
        if not path.is_dir():
            return path.name.lower().endswith(SUFFIXES)
        saved = any((path / name).is_file() for name in (_STATE, _SPLITS_FILE))
        return saved or holds(path, SUFFIXES)

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The rows in file order, train first; items are called ``file.parquet:1``, and so on."""
        check_task(options)
        need_pyarrow()
        root = existing(expanded(reference)[0])
        saved = _saved(root) if root.is_dir() else []
        found, notes = (saved, ()) if saved else shards(reference, SUFFIXES)
        folder = root if root.is_dir() else root.parent
        told = from_folder(folder)
        shelf = Shelf()
        rows: list[Row] = []
        kinds: dict[str, str] = {}
        used: list[Columns] = []
        for shard in found:
            with refused(shard.name):
                table = _Table(shard, told, shelf)
                columns = table.columns(options)
                kind, part = table.rows(columns, folder)
                used.append(columns)
                if table.are_classes(columns.targets):  # whatever their names look like
                    options = replace(options, task="class")
            if part:
                kinds.setdefault(kind, shard.name)
            rows += [replace(row, split=shard.split) for row in part] if shard.split else part
        if not rows:
            raise DataError(f"data {shown(str(root))} holds no rows")
        if len(kinds) > 1:
            raise DataError(f"data {shown(str(root))}: {listed(kinds.values())} differ in kind")
        (kind,) = kinds
        if kind == "file":
            rows, kind, more = one_modality(split_by_folder(rows))
            notes += more
        return dataset_of(
            rows,
            options,
            name=short_name(root),
            modality=kind,
            targets=used[0].targets,
            group=next((columns.group for columns in used if columns.group), None),
            notes=notes,
        )


class _Table:
    """One Parquet or Arrow file."""

    def __init__(self, shard: Shard, told: Features, shelf: Shelf) -> None:
        self._shard, self._shelf = shard, shelf
        self._mapped = shard.path.suffix.lower() not in SUFFIXES
        self._open = (
            open_arrow(shard.path, shard.name)
            if self._mapped
            else open_parquet(shard.path, shard.name)
        )
        self._schema: pa.Schema = self._open.schema if self._mapped else self._open.schema_arrow
        own = from_metadata(self._schema.metadata)
        self._told = own if own.classes or own.media else told

    def columns(self, options: DataOptions) -> Columns:
        """By the options, by name, or as the only column of images, recordings or classes."""
        names = self._schema.names
        inputs: tuple[str, ...] = _INPUTS
        if not set(names) & set(inputs):
            media = [n for n in names if n in self._told.media or self._is_bytes(n)]
            inputs = tuple(media) if len(media) == 1 else inputs
        classes = [n for n in names if n in self._told.classes]
        only = classes[0] if len(classes) == 1 and DEFAULT_TARGET not in names else DEFAULT_TARGET
        return Columns.among(names, options, shown(self._shard.name), inputs=inputs, labels=only)

    def are_classes(self, columns: tuple[str, ...]) -> bool:
        """Whether the data says that the one column holds codes of classes."""
        return len(columns) == 1 and columns[0] in self._told.classes

    def rows(self, columns: Columns, folder: Path) -> tuple[str, list[Row]]:
        """What the inputs are (``text``, ``image``, ``audio`` or ``file``) and every row."""
        encoded = self._is_bytes(columns.input)
        if not encoded and not self._is_text(columns.input):
            kind = self._type(columns.input)
            raise DataError(
                f"{shown(self._shard.name)}: column {shown(columns.input)} is {kind}",
                hint="an input is text, or an encoded image or recording as bytes",
            )
        small = columns.names[1:] if encoded else columns.names
        count = self._open.num_rows if self._mapped else self._open.metadata.num_rows
        values = self._values(small) if small else ({} for _ in range(count))
        column = self._column(columns.input)
        called = shown(self._shard.name)
        rows: list[Row] = []
        for at, row in enumerate(values):
            where = f"{called} row {at + 1}"
            targets = tuple(
                label_cell(self._told.label(name, row[name], where), where=where)
                for name in columns.targets
            )
            group, split = (
                "" if name is None else (self._label(name, row, where) or "").strip()
                for name in (columns.group, columns.split)
            )
            sample = Cell(self._shelf, column, at) if encoded else row[columns.input]
            if sample is None:
                raise DataError(f"{where}: {shown(columns.input)} is empty")
            slices = tuple(
                slice_text(self._told.label(name, row[name], where), where=where)
                for name in columns.slices
            )
            item = Item(f"{self._shard.name}:{at + 1}", sample)
            rows.append(Row(item, targets, group, split, slices))
        if len(rows) != count:
            raise DataError(f"{called} promises {count} rows, not {len(rows)}")
        if encoded:
            return self._modality(columns.input, rows), rows
        if are_files(columns.input, [str(row.item.value) for row in rows]):
            return "file", named_files(rows, self._shard.path, folder, called)
        return "text", rows

    def _values(self, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """Every row's values of some columns, read a batch at a time."""
        for batch in self._batches(names):
            columns = [batch.column(name).to_pylist() for name in names]
            for row in zip(*columns, strict=True):
                yield dict(zip(names, row, strict=True))

    def _batches(self, names: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        if self._mapped:
            table = self._open.select(list(names))
            table.validate(full=True)  # offsets, before they are followed
            yield from table.to_batches(max_chunksize=_ROWS)
            return
        for group in range(self._open.num_row_groups):  # asked for all, it keeps what it read
            yield from self._open.iter_batches(
                _ROWS, row_groups=[group], columns=list(names), use_threads=False
            )

    def _label(self, column: str, row: dict[str, Any], where: str) -> str | None:
        return label_text(self._told.label(column, row[column], where), where=where)

    def _modality(self, column: str, rows: list[Row]) -> str:
        if told := self._told.media.get(column):
            return told
        for row in rows[:100]:
            try:
                head = row.item.content()
            except DataError:
                continue
            if isinstance(head, bytes) and (found := modality_of_bytes(head[:16])):
                return found
        return "image"  # decoding says of each what is amiss

    def _type(self, column: str) -> pa.DataType:
        return self._schema.field(self._schema.names.index(column)).type  # names may repeat

    def _column(self, name: str) -> Column:
        kind = ArrowColumn if self._mapped else ParquetColumn
        return kind(self._shard.path, self._shard.name, name)

    def _is_bytes(self, column: str) -> bool:
        from pyarrow import types

        kind = self._type(column)
        if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        return any(f(kind) for f in (types.is_binary, types.is_large_binary, types.is_binary_view))

    def _is_text(self, column: str) -> bool:
        from pyarrow import types

        kind = self._type(column)
        if types.is_dictionary(kind):
            kind = kind.value_type
        return any(f(kind) for f in (types.is_string, types.is_large_string, types.is_string_view))


def _saved(root: Path) -> list[Shard]:
    """The Arrow files of a folder that `datasets.save_to_disk` wrote; empty for any other."""
    if (root / _STATE).is_file():
        return _saved_files(root, "", "")
    if not (root / _SPLITS_FILE).is_file():
        return []
    named = _json(root / _SPLITS_FILE).get("splits")
    found: dict[str, list[Shard]] = {}
    for name in named if isinstance(named, list) else []:
        if split := split_of(str(name)):
            found.setdefault(split, []).extend(_saved_files(root, str(name), split))
    if not found:
        raise DataError(
            f"data {shown(str(root))} holds no split called train, val or test",
            hint="name one of its folders as --data",
        )
    return [shard for split in SPLITS for shard in found.get(split, [])]


def _saved_files(root: Path, folder: str, split: str) -> list[Shard]:
    state = _json(root / folder / _STATE)
    if state.get("_indices_data_files"):
        raise DataError(
            f"data {shown(str(root / folder))} is a selection of rows of its files",
            hint="save it again after flatten_indices()",
        )
    files = state.get("_data_files")
    names = [f.get("filename") for f in files if isinstance(f, dict)] if files else []
    out = []
    for name in names:
        path = root / folder / str(name)
        if not Home(root).holds(path):
            raise DataError(f"data: {shown(str(name))} leads out of the data folder")
        out.append(Shard(f"{folder}/{name}".lstrip("/"), existing(path), split))
    if not out:
        raise DataError(f"data {shown(str(root / folder))}: {_STATE} names no files")
    return out


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{shown(path.name)} cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise DataError(f"{shown(path.name)} is no JSON object")
    return told
