"""Encoded images and recordings in columns of Parquet and Arrow files, read when they are needed.

A file may be larger than memory: of Parquet a few batches of rows are held, Arrow files are mapped.
Rows are asked for nearly in order, by several threads at once.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.data.names import shown
from zoo.errors import DataError, MissingExtraError
from zoo.plugin.dataset import Blob

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES = 8 << 20  # uncompressed, of what is decoded at once
_BATCHES = 4  # that are kept: threads ask for rows a little out of order
_OPEN = 8  # files at a time
_ARROW_FILE = b"ARROW1"
_STREAM_END = b"\xff\xff\xff\xff\0\0\0\0"
_ROWS_PER_BYTE = 64  # a header that promises more rows than that lies


@dataclass(frozen=True, eq=False, slots=True)
class Cell(Blob):
    """One row's bytes."""

    shelf: Shelf
    column: Column
    row: int

    def read(self) -> bytes:
        """The bytes; raises DataError where the cell is empty or the file damaged."""
        return self.shelf.read(self.column, self.row)


class Shelf:
    """Keeps the columns that were read last open, and lets one thread at a time read them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[Column] = []

    def read(self, column: Column, row: int) -> bytes:
        """One cell's bytes; raises DataError where there are none or they cannot be read."""
        with self._lock:
            if column in self._open:
                self._open.remove(column)
            self._open.append(column)
            if len(self._open) > _OPEN:
                self._open.pop(0).close()
            with refused(column.name):
                value = column.value(row)
        if isinstance(value, dict):  # Hugging Face's form
            value = value.get("bytes")
        if value is None:
            raise DataError(f"{shown(column.name)} row {row + 1} holds no bytes")
        return bytes(value)


class Column(ABC):
    """One column of bytes, or of a struct with a field ``bytes``, in one file."""

    def __init__(self, path: Path, name: str, column: str) -> None:
        self.name = name
        self._path, self._column = path, column

    @abstractmethod
    def value(self, row: int) -> Any:
        """The value of a row, as Python has it."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file; the next value opens it again."""


class ParquetColumn(Column):
    """Reads on from where it is; going back begins the row's group again."""

    def __init__(self, path: Path, name: str, column: str) -> None:
        super().__init__(path, name, column)
        self._file: Any = None
        self._batches: Iterator[Any] = iter(())
        self._kept: deque[tuple[int, Any]] = deque(maxlen=_BATCHES)
        self._next = self._end = 0  # the row after the last batch; where the row group ends

    def value(self, row: int) -> Any:
        """As described for `Column`."""
        for first, batch in self._kept:
            if first <= row < first + len(batch):
                return batch[row - first].as_py()
        if not self._next <= row < self._end:
            self._begin(row)
        while row >= self._next:
            read = next(self._batches, None)
            if read is None:
                raise DataError(f"{shown(self.name)} ends before row {row + 1}")
            batch = read.column(self._column)  # a dotted name may bring others
            self._kept.append((self._next, batch))
            self._next += len(batch)
        first, batch = self._kept[-1]
        return batch[row - first].as_py()

    def close(self) -> None:
        """As described for `Column`."""
        self._file, self._batches = None, iter(())
        self._kept.clear()
        self._next = self._end = 0

    def _begin(self, row: int) -> None:
        if self._file is None:
            self._file = open_parquet(self._path, self.name)
        told = self._file.metadata
        self._next = 0
        for group in range(told.num_row_groups):
            rows = told.row_group(group).num_rows
            if row < self._next + rows:
                break
            self._next += rows
        else:
            raise DataError(f"{shown(self.name)} holds no row {row + 1}")
        self._end = self._next + rows
        size = told.row_group(group).total_byte_size
        step = max(1, min(1024, BATCH_BYTES * rows // max(1, size)))
        self._batches = self._file.iter_batches(
            step, row_groups=[group], columns=[self._column], use_threads=False
        )


class ArrowColumn(Column):
    """Of a mapped Arrow file; its offsets are checked before they are followed."""

    def __init__(self, path: Path, name: str, column: str) -> None:
        super().__init__(path, name, column)
        self._values: Any = None

    def value(self, row: int) -> Any:
        """As described for `Column`."""
        if self._values is None:
            values = open_arrow(self._path, self.name).column(self._column)
            values.validate(full=True)
            self._values = values  # only now: unsound ones must not be there the next time
        return self._values[row].as_py()

    def close(self) -> None:
        """As described for `Column`."""
        self._values = None


def open_parquet(path: Path, name: str) -> Any:
    """A pyarrow ParquetFile that reads a page at a time.

    Raises:
        DataError: it promises more rows than it can hold.
    """
    import pyarrow as pa
    from pyarrow import parquet

    source = pa.OSFile(_native(path))
    file = parquet.ParquetFile(source, pre_buffer=False, buffer_size=1 << 20)
    _believable(file.metadata.num_rows, source.size(), name)
    return file


def open_arrow(path: Path, name: str) -> pa.Table:
    """The table of an Arrow IPC file or stream, mapped, not read.

    Its buffers are as the file has them: validate(full=True) must go before any use.

    Raises:
        DataError: it is a stream without its end mark, or promises too many rows.
    """
    import pyarrow as pa

    source = pa.memory_map(_native(path))
    size = source.size()
    if source.read(len(_ARROW_FILE)) == _ARROW_FILE:
        table = pa.ipc.open_file(source).read_all()
    else:
        source.seek(max(0, size - len(_STREAM_END)))
        if source.read() != _STREAM_END:  # a reader would take a cut at a batch's end for the end
            raise DataError(
                f"{shown(name)} has no end: it is cut short or no Arrow file",
                hint="fetch or write it again",
            )
        source.seek(0)
        table = pa.ipc.open_stream(source).read_all()
    _believable(table.num_rows, size, name)
    return table


def _believable(rows: int, size: int, name: str) -> None:
    if rows > _ROWS_PER_BYTE * size:
        raise DataError(f"{shown(name)} promises {rows} rows in {size} bytes")


def need_pyarrow() -> None:
    """Raise MissingExtraError where pyarrow is not installed."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError("pyarrow", "arrow") from error
    del pa


@contextmanager
def refused(name: str) -> Iterator[None]:
    """Turns what pyarrow raises on damaged, foreign or hostile files into one DataError."""
    import pyarrow as pa

    try:
        yield
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        KeyError,
        IndexError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{shown(name)} cannot be read: {what[:200]}",
            hint="it is damaged, cut short or no such file: fetch or write it again",
        ) from error


def modality_of_bytes(head: bytes) -> str | None:
    """``audio`` or ``image`` by how encoded bytes begin; None for anything else."""
    if head[:4] in {b"fLaC", b"OggS"} or head[:3] == b"ID3":
        return "audio"
    if head[:4] in {b"RIFF", b"RF64"}:
        return {b"WAVE": "audio", b"WEBP": "image"}.get(head[8:12])
    if head[:1] == b"\xff" and head[1:2] and head[1] & 0xE6 == 0xE2:  # MPEG layer III, no header
        return "audio"
    begins = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP")
    netpbm = head[:1] == b"P" and head[1:2] in b"123456"
    return "image" if head.startswith(begins) or netpbm else None


def _native(path: Path) -> bytes | str:
    # bytes, as pyarrow would encode a str as UTF-8 whatever the locale decoded it from
    return str(path) if os.name == "nt" else os.fsencode(path)
