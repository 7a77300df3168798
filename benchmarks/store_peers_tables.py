"""The peers that keep tables: Parquet three ways, and Lance."""
# ruff: noqa: D102 - the base class says what each method does

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from store_peers import SCAN_ROWS, Peer, Reader, renamed, sync
from store_rows import DIM, ROW_BYTES, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from store_peers import Block


class Parquet(Peer):
    """One file, a row group a commit; it has no footer, so no rows, before it is closed."""

    name = "parquet"
    package = module = "pyarrow"
    settings = (
        "one file, a row as FIXED_LEN_BYTE_ARRAY(1536), plain and uncompressed, groups of 8,192 "
        "rows; page checksums written and verified"
    )
    checksums = True

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        path.mkdir()
        with self._writer(path / "rows.parquet") as writer:
            for keys, rows in plan.blocks():
                writer.write_table(_table(keys, rows), row_group_size=SCAN_ROWS)
                yield
        sync(path)

    def open(self, path: Path) -> Reader:
        return _ParquetReader(path, checksums=self.checksums)

    def _writer(self, path: Path) -> Any:
        from pyarrow import parquet

        return parquet.ParquetWriter(
            path,
            _table(np.empty((0, 16), np.uint8), np.empty((0, DIM), np.float16)).schema,
            use_dictionary=False,
            compression="none",
            write_page_checksum=self.checksums,
        )


class ParquetUnchecked(Parquet):
    """The same as pyarrow does it by default."""

    name = "parquet-nocrc"
    settings = "as parquet, without page checksums (pyarrow's default)"
    checksums = False


class ParquetFolder(Parquet):
    """A data set of files, one a commit."""

    name = "parquet-files"
    settings = "as parquet, a file a commit, under a name that data sets ignore until written"

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        path.mkdir()
        for number, (keys, rows) in enumerate(plan.blocks()):
            with renamed(path / f"{number:06}.parquet") as part, self._writer(part) as writer:
                writer.write_table(_table(keys, rows), row_group_size=SCAN_ROWS)
            yield
        sync(path)


class _ParquetReader(Reader):
    def __init__(self, path: Path, *, checksums: bool) -> None:
        import pyarrow as pa
        import pyarrow.dataset as tables

        options = tables.ParquetFragmentScanOptions(
            page_checksum_verification=checksums, pre_buffer=False
        )
        form = tables.ParquetFileFormat(default_fragment_scan_options=options)
        self.table = tables.dataset(path, format=form)
        self.array = pa.array

    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        del keys
        found = self.table.take(self.array(numbers), columns=["row"], use_threads=False)
        return np.concatenate([_values(part) for part in found["row"].chunks])

    def blocks(self) -> Iterator[Block]:
        for batch in self.table.to_batches(batch_size=SCAN_ROWS, use_threads=False):
            yield _values(batch["key"], np.uint8), _values(batch["row"])


def _table(keys: NDArray[np.uint8], rows: NDArray[np.float16]) -> Any:
    import pyarrow as pa

    return pa.table({"key": _bytes(keys, 16), "row": _bytes(rows, ROW_BYTES)})


def _bytes(values: NDArray[Any], width: int) -> Any:
    import pyarrow as pa

    buffers = [None, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(values), buffers)


def _values(part: Any, dtype: Any = np.float16) -> NDArray[Any]:
    width = part.type.byte_width
    raw = np.frombuffer(part.buffers()[1], np.uint8, len(part) * width, part.offset * width)
    return raw.view(dtype).reshape(len(part), -1)


class Lance(Peer):
    """A table of versions, each a manifest and its fragments."""

    name = "lance"
    package = "pylance"
    module = "lance"
    settings = "a row as FixedSizeList<float16>[768], a version a commit; rows taken by number"

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        import lance
        import pyarrow as pa

        for keys, rows in plan.blocks():
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), DIM)
            table = pa.table({"key": _bytes(keys, 16), "row": vectors})
            lance.write_dataset(table, str(path), mode="append" if path.exists() else "create")
            yield
        sync(path)

    def open(self, path: Path) -> Reader:
        import lance

        return _LanceReader(lance.dataset(str(path)))

    def check(self, path: Path) -> None:
        import lance

        lance.dataset(str(path)).validate()


class _LanceReader(Reader):
    def __init__(self, table: Any) -> None:
        self.table = table

    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        del keys
        order = np.argsort(numbers)
        found = self.table.take(numbers[order], columns=["row"])
        out = np.empty((len(numbers), DIM), np.float16)
        out[order] = np.concatenate([_vectors(part) for part in found["row"].chunks])
        return out

    def blocks(self) -> Iterator[Block]:
        for batch in self.table.to_batches(batch_size=SCAN_ROWS):
            yield _values(batch["key"], np.uint8), _vectors(batch["row"])


def _vectors(part: Any) -> NDArray[np.float16]:
    return part.flatten().to_numpy(zero_copy_only=False).reshape(len(part), DIM)
