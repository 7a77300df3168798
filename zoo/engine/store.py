"""The feature store: rows that a backbone gave, found by what they were made from."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from zoo import _core
from zoo.engine.keys import KEY_BYTES, KEY_FILE, key_problem, read_key, store_folder, write_key
from zoo.engine.native_errors import DAMAGED_HINT, store_errors, translated
from zoo.engine.rows import (
    NAMES,
    Ragged,
    Rows,
    Scaled,
    check_dtype,
    empty,
    given,
    stored,
)
from zoo.engine.store_reports import CompactReport, ShardView, StoreInfo, VerifyReport
from zoo.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)


class FeatureStore:
    """The rows of one key: a folder of immutable shards, shared by any number of processes.

    Rows have 16-byte keys (`row_keys`) and stand in named columns; a row may be in some columns
    and not in others. A row is written once and never replaced.

    When `append` has returned, its rows are committed: they survive the death of the process. They
    are durable, and seen by others, once sealed: on `flush`, on `close`, and by the append that
    makes the unsealed rows 64 MiB, or finds the first of them 30 seconds old. Whoever opens a store
    seals what a dead writer had committed.

    A column holds float32, float16, bfloat16 or int8 with a scale a vector, and one vector a row or
    any number (`Ragged`). NumPy has no bfloat16: such rows go in and come out as float32, or with
    ``dtype="bfloat16"`` as their bits in uint16. int8 rows come out as float32, or with
    ``dtype="int8"`` as `Scaled`.

    Make one with `create`, `open` or `at`. Every failure is a StoreError.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shard_bytes: int = 64 << 20,
        seal_seconds: float = 30.0,
        resident_bytes: int = 0,
        read_only: bool = False,
    ) -> None:
        """Open the store in an existing folder.

        Args:
            folder: with its key.json.
            shard_bytes: rows that `append` committed are sealed once they are so many bytes,
            seal_seconds: or so old.
            resident_bytes: columns that `rows` asks often are kept in memory, once checked, up to
                so many bytes: random rows then cost what they cost in an array. 0 keeps none.
            read_only: change nothing in the folder: `append` is an error, and rows that a dead
                writer left unsealed are read from memory.
        """
        self.folder = folder
        self.key, self.provenance = read_key(folder)
        self._closed = False
        self._appended = False
        with store_errors(folder):
            self._native = _core.Store(
                os.fsencode(folder),
                shard_bytes=shard_bytes,
                seal_seconds=seal_seconds,
                resident_bytes=resident_bytes,
                read_only=read_only,
            )
        for shard, why in self._native.damaged():
            _log.warning("shard %s is damaged and not used: %s", folder / shard, why)

    @classmethod
    def create(
        cls, root: Path | str, key: Mapping[str, Any], provenance: Mapping[str, Any] | None = None
    ) -> Self:
        """Open the store of `key` under `root`, made if it is not there yet.

        `key` and `provenance` are JSON objects. Where the store exists its own provenance stays.
        """
        folder = store_folder(root, key)
        if not _exists(folder):
            write_key(folder, key, provenance or {})
        return cls(folder)

    @classmethod
    def open(cls, root: Path | str, key: Mapping[str, Any]) -> Self:
        """Open the store of `key` under `root`; raises StoreError where there is none."""
        folder = store_folder(root, key)
        if not _exists(folder):
            raise StoreError(f"no features of this key are stored under {root}")
        return cls(folder)

    @classmethod
    def find(
        cls, root: Path | str, key: Mapping[str, Any], *, read_only: bool = False
    ) -> Self | None:
        """Open the store of `key` under `root`, or None where there is none."""
        folder = store_folder(root, key)
        return cls(folder, read_only=read_only) if _exists(folder) else None

    @classmethod
    def at(cls, folder: Path) -> Self:
        """Open the store in a folder whose key is not known."""
        return cls(folder)

    def contains(self, keys: NDArray[np.uint8], column: str) -> NDArray[np.bool_]:
        """Which of the (n, 16) keys the column has, as (n,) bool; none of an unknown column."""
        with self._errors():
            return self._native.contains(_checked_keys(keys), column)

    def append(
        self,
        keys: NDArray[np.uint8],
        columns: Mapping[str, Rows],
        *,
        dtype: str | None = None,
    ) -> int:
        """Commit the rows that each column lacks; returns how many were added, over all columns.

        Args:
            keys: (n, 16) uint8; of equal keys the first row counts.
            columns: name to (n, d) float32 or float16, d at least 1, or a `Ragged` of n rows. The
                first rows of a column fix its dtype, d and raggedness.
            dtype: what to store float32 values as: ``float32``, ``float16``, ``bfloat16`` (rounded
                to nearest, ties to even) or ``int8`` (with a scale a vector). uint16 arrays are the
                bits of bfloat16 and need ``dtype="bfloat16"``; a `Scaled` is int8 already.
                Default: the arrays' own dtype.
        """
        parts = [(name, *stored(name, rows, dtype)) for name, rows in columns.items()]
        checked = _checked_keys(keys)
        with self._errors():
            self._appended = True
            self._keep_folder()
            return self._native.append(checked, parts)

    def rows(
        self,
        keys: NDArray[np.uint8],
        column: str,
        *,
        dtype: str | None = None,
        threads: int = 1,
    ) -> Rows:
        """The rows of the (n, 16) keys in their order, each checked against its checksum.

        (n, d), or a `Ragged`; ``dtype`` is the column's own or ``float32``. Raises StoreError when
        rows are missing (how many) or damaged (in which shard).
        """
        native, dim, ragged = self._spec(column)
        check_dtype(column, native, dtype)
        checked = _checked_keys(keys)
        vectors, offsets, missing = len(checked), None, 0
        with self._errors():
            if ragged:
                offsets = np.zeros(len(checked) + 1, np.int64)
                missing = self._native.lengths(checked, column, offsets[1:])
                np.cumsum(offsets, out=offsets)
                vectors = int(offsets[-1])
            if not missing:
                values, scales = empty(native, vectors, dim)
                missing = self._native.gather(
                    checked, column, values, offsets, scales, threads=threads
                )
        if missing:
            raise self._missing(
                f"{missing} of {len(checked)} rows are missing from column '{column}' of "
                f"{self.folder}"
            )
        return given(native, values, offsets, scales, dtype)

    def native_rows(self, column: str, keys: NDArray[np.uint8]) -> _core.Rows:
        """What `StoredRows` gives the core; raises as `rows` does, and for a ragged column."""
        with self._errors():
            return _core.Rows.of_store(self._native, column, _checked_keys(keys))

    def stream(
        self,
        column: str,
        *,
        block_rows: int = 4096,
        dtype: str | None = None,
        threads: int = 1,
    ) -> Iterator[tuple[NDArray[np.uint8], Rows]]:
        """Blocks of (keys, rows), every row of the column once, in the order of the files.

        A block has 1 to `block_rows` rows, each checked against its checksum; the next is read
        ahead. Rows that are appended while it runs are not seen. Raises as `rows` does.
        """
        native, dim, ragged = self._spec(column)
        check_dtype(column, native, dtype)
        with self._errors():
            scan = self._native.scan(column)
        while True:
            with store_errors(self.folder):
                count, vectors = scan.next(block_rows)
                if not count:
                    return
                keys = np.empty((count, KEY_BYTES), np.uint8)
                offsets = np.empty(count + 1, np.int64) if ragged else None
                values, scales = empty(native, vectors, dim)
                scan.read(keys, values, offsets, scales, threads=threads)
            yield keys, given(native, values, offsets, scales, dtype)

    def views(self, column: str, *, copy: bool = False) -> list[ShardView]:
        """The column as it lies in each sealed shard, without reading it: see `ShardView`.

        A row that two shards hold is in two views, and rows that are not sealed are in none. With
        ``copy=True`` the arrays are copies in memory, every row checked.
        """
        self._spec(column)
        if not copy:
            with self._errors():
                return [
                    ShardView(v.shard, v.keys, v.values, v.offsets, v.scales, v)
                    for v in self._native.views(column)
                ]
        blocks = self.stream(column, block_rows=1 << 20, dtype=NAMES[self._spec(column)[0]])
        copies = []
        for number, (keys, rows) in enumerate(blocks):
            offsets = rows.offsets if isinstance(rows, Ragged) else None
            flat = rows.values if isinstance(rows, Ragged) else rows
            scales = flat.scales if isinstance(flat, Scaled) else None
            values = flat.values if isinstance(flat, Scaled) else flat
            copies.append(ShardView(f"copy {number}", keys, values, offsets, scales))
        return copies

    def columns(self) -> dict[str, tuple[str, int, int]]:
        """Each column's (dtype, dim, rows), by name; rows not sealed yet included."""
        with store_errors(self.folder):
            return {
                name: (NAMES[native], dim, rows)
                for name, native, dim, rows, _ in self._native.columns()
            }

    def flush(self) -> None:
        """Seal what was appended; on return it survives a loss of power."""
        with self._errors():
            self._keep_folder()
            self._native.flush()

    def close(self) -> None:
        """Flush and end; a second close does nothing."""
        if self._closed:
            return
        with self._errors():
            self._keep_folder()
            self._native.close()
        self._closed = True

    def refresh(self) -> None:
        """Take up what other processes have sealed or removed since."""
        with self._errors():
            self._native.refresh()

    def compact(self) -> CompactReport:
        """Merge small shards of the same columns; safe beside other readers and writers.

        Close does so by itself when a writer leaves many.
        """
        with self._errors():
            return CompactReport(*self._native.compact())

    def verify(self, *, threads: int = 1) -> VerifyReport:
        """Read every byte of every shard and the key; changes nothing."""
        with self._errors():
            shards, rows, size, damaged = self._native.verify(threads=threads)
        why = key_problem(self.folder)
        found = ([(KEY_FILE, why)] if why else []) + damaged
        return VerifyReport(shards, rows, size, tuple(found))

    def info(self) -> StoreInfo:
        """What `zoo cache list` shows of this store."""
        columns = self.columns()
        return StoreInfo(
            self.folder,
            self.key,
            self.provenance,
            rows=max((rows for _, _, rows in columns.values()), default=0),
            bytes=self._native.byte_count(),
            shards=self._native.shard_count(),
            columns=columns,
            damaged=tuple(self._native.damaged()),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FeatureStore({str(self.folder)!r}, columns={self.columns()})"

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        if self._closed:
            raise StoreError(f"the store {self.folder} is closed")
        with store_errors(self.folder):
            yield

    def _spec(self, column: str) -> tuple[str, int, bool]:
        """Native dtype, d and whether it is ragged; StoreError for an unknown column."""
        spec = self._native.spec(column)
        if spec is None:
            known = ", ".join(self.columns()) or "none"
            raise self._missing(f"column '{column}' is not in {self.folder}; it has: {known}")
        return spec

    def _keep_folder(self) -> None:
        """Make the folder again where it was pruned since: rows in hand need a place."""
        if self._appended and not (self.folder / KEY_FILE).exists():
            write_key(self.folder, self.key, self.provenance)
            self._native.refresh()  # what was pruned with it is to be written anew

    def _missing(self, what: str) -> StoreError:
        damaged = ", ".join(shard for shard, _ in self._native.damaged())
        if not damaged:
            return StoreError(what)
        return StoreError(f"{what}; damaged shards: {damaged}", hint=DAMAGED_HINT)


def list_stores(root: Path) -> list[StoreInfo]:
    """The stores under `root` by folder name, broken ones with what is wrong; none where absent."""
    try:
        folders = sorted(path.parent for path in root.glob(f"*/{KEY_FILE}"))
    except OSError as error:
        raise translated(root, error) from error
    return [_info(folder) for folder in folders]


def _info(folder: Path) -> StoreInfo:
    try:
        return FeatureStore(folder, read_only=True).info()
    except StoreError as error:
        what = KEY_FILE if key_problem(folder) else folder.name
        return StoreInfo(folder, {}, {}, damaged=((what, str(error)),))


def _exists(folder: Path) -> bool:
    with store_errors(folder):
        return (folder / KEY_FILE).is_file()


def _checked_keys(keys: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if keys.dtype != np.uint8 or keys.ndim != 2 or keys.shape[1] != KEY_BYTES:
        raise StoreError(f"keys must be (n, {KEY_BYTES}) uint8, not {keys.shape} {keys.dtype}")
    return np.ascontiguousarray(keys)
