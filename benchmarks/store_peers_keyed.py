"""The peers that find rows by their key: LMDB and SQLite."""
# ruff: noqa: D102 - the base class says what each method does

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from store_peers import SCAN_ROWS, Peer, Reader, sync
from store_rows import DIM, ROW_BYTES, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from store_peers import Block


class Lmdb(Peer):
    """Two B+trees in one memory map: keys lead to row numbers, and those to rows.

    One tree of rows by their random keys leaves its pages half empty: 2.7 bytes on disk a byte
    against 1.4, and a third of the rate when appending.
    """

    name = "lmdb"
    package = module = "lmdb"
    by = "key"
    durable = "commit"
    settings = (
        "sync on (the default); keys, sorted in each commit, lead to row numbers; rows by "
        "MDB_INTEGERKEY and MDB_APPEND"
    )

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        import lmdb

        size = plan.rows * ROW_BYTES * 4 + (1 << 26)
        with lmdb.open(str(path), map_size=size, max_dbs=2) as env:
            by_key, by_number = env.open_db(b"key"), env.open_db(b"row", integerkey=True)
            start = 0
            for keys, rows in plan.blocks():
                names = _split(np.arange(start, start + len(keys)), 8)
                values = np.concatenate([keys, rows.view(np.uint8)], axis=1)
                start += len(keys)
                with env.begin(write=True) as transaction:
                    pairs = zip(names, (value.data for value in values), strict=True)
                    transaction.cursor(by_number).putmulti(pairs, append=True)
                    pairs = zip(_split(keys, 16), names, strict=True)
                    transaction.cursor(by_key).putmulti(sorted(pairs))
                yield

    def open(self, path: Path) -> Reader:
        return _LmdbReader(path)


class _LmdbReader(Reader):
    def __init__(self, path: Path) -> None:
        import lmdb

        self.env = lmdb.open(str(path), readonly=True, max_dbs=2)
        self.by_key = self.env.open_db(b"key", create=False)
        self.by_number = self.env.open_db(b"row", integerkey=True, create=False)

    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        del numbers
        with self.env.begin(buffers=True) as transaction:
            get = transaction.get
            found = [get(get(key, db=self.by_key), db=self.by_number) for key in _split(keys, 16)]
            return _rows([value[16:] for value in found])

    def blocks(self) -> Iterator[Block]:
        with self.env.begin(buffers=True) as transaction:
            values = (value for _, value in transaction.cursor(self.by_number))
            yield from _grouped((value[:16], value[16:]) for value in values)

    def close(self) -> None:
        self.env.close()


class Sqlite(Peer):
    """One table in one file."""

    name = "sqlite"
    module = "sqlite3"
    by = "key"
    durable = "commit"
    settings = "WAL, synchronous=FULL (the default), 8 KiB pages, a primary key on the key"
    synchronous = "FULL"

    def version(self) -> str:
        return sqlite3.sqlite_version

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        path.mkdir()
        table = sqlite3.connect(path / "rows.db", isolation_level=None)
        table.execute("PRAGMA page_size=8192")
        table.execute("PRAGMA journal_mode=WAL")
        table.execute(f"PRAGMA synchronous={self.synchronous}")
        table.execute("CREATE TABLE rows (key BLOB PRIMARY KEY, row BLOB NOT NULL)")
        for keys, rows in plan.blocks():
            table.execute("BEGIN")
            pairs = zip(_split(keys, 16), rows, strict=True)
            table.executemany("INSERT OR IGNORE INTO rows VALUES (?, ?)", pairs)
            table.execute("COMMIT")
            yield
        table.close()

    def open(self, path: Path) -> Reader:
        return _SqliteReader(path / "rows.db")

    def check(self, path: Path) -> None:
        table = sqlite3.connect(path / "rows.db")
        found = table.execute("PRAGMA integrity_check").fetchone()[0]
        table.close()
        if found != "ok":
            raise ValueError(found)


class SqliteNormal(Sqlite):
    """SQLite with the promise of zoo's journal: a commit survives the process, not the power."""

    name = "sqlite-normal"
    durable = "end+"
    settings = "as sqlite, with synchronous=NORMAL"
    synchronous = "NORMAL"

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        yield from super().write(path, plan)
        sync(path)


class _SqliteReader(Reader):
    def __init__(self, path: Path) -> None:
        self.table = sqlite3.connect(path)

    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        del numbers
        names, found = _split(keys, 16), {}
        for start in range(0, len(names), 16384):  # SQLite takes 32,766 parameters
            part = names[start : start + 16384]
            marks = ",".join("?" * len(part))
            found.update(
                self.table.execute(f"SELECT key, row FROM rows WHERE key IN ({marks})", part)
            )
        return _rows([found[name] for name in names])

    def blocks(self) -> Iterator[Block]:
        yield from _grouped(iter(self.table.execute("SELECT key, row FROM rows")))

    def close(self) -> None:
        self.table.close()


def _split(values: NDArray[Any], width: int) -> list[bytes]:
    raw = values.tobytes()
    return [raw[i : i + width] for i in range(0, len(raw), width)]


def _rows(values: list[Any]) -> NDArray[np.float16]:
    return np.frombuffer(b"".join(values), np.float16).reshape(len(values), DIM)


def _grouped(pairs: Iterator[tuple[Any, Any]]) -> Iterator[Block]:
    keys, values = [], []
    for key, value in pairs:
        keys.append(key)
        values.append(value)
        if len(keys) == SCAN_ROWS:
            yield np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16), _rows(values)
            keys, values = [], []
    if keys:
        yield np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16), _rows(values)
