"""What the store's benchmark asks of every store, and the answer of zoo's own."""
# ruff: noqa: D102 - the base class says what each method does

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Self

import numpy as np

from zoo.engine import FeatureStore, build_info

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from store_rows import Plan

    Block = tuple[NDArray[np.uint8] | None, NDArray[np.float16]]

COLUMN = "x"
SCAN_ROWS = 8192


class Reader(ABC):
    """An open store."""

    @abstractmethod
    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        """The rows with these keys or, where the store has no keys, with these numbers."""

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Every (keys, rows), a block at a time; keys are None where a row's place is its name."""

    def close(self) -> None:  # noqa: B027 - most have nothing to do
        """Let go of files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Peer(ABC):
    """One way to keep rows, set up as its own documentation recommends.

    Attributes:
        name: what the table calls it.
        package: the distribution that brings it; empty for the standard library and NumPy.
        module: what is imported, so that it can be loaded before anything is timed.
        by: whether `Reader.take` looks rows up by ``key`` or by ``row number``.
        durable: when rows survive a loss of power: at each ``commit``, or at the ``end``, with
            ``end+`` where this benchmark has to fsync because the library does not.
        settings: what was chosen, and where its documentation left a choice.
    """

    name: str
    package = ""
    module = "numpy"
    by = "row number"
    durable = "end+"
    settings = ""

    def version(self) -> str:
        """The library's version; raises where it is not installed."""
        import_module(self.module)
        return metadata.version(self.package) if self.package else np.__version__

    @abstractmethod
    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        """Write the plan's rows, yielding after each commit; at the end they are durable."""

    @abstractmethod
    def open(self, path: Path) -> Reader:
        """Open for reading."""

    def check(self, path: Path) -> None:  # noqa: B027 - most have none
        """Raise when the store's own check finds damage; nothing where it has none."""


def sync(path: Path) -> None:
    """Fsync a file, or a folder with all that is in it."""
    for entry in [*(path.rglob("*") if path.is_dir() else ()), path]:
        descriptor = os.open(entry, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def renamed(path: Path) -> Iterator[Path]:
    """A name that readers pass over, given up for `path` once all is written."""
    part = path.with_name("_" + path.name.replace(path.suffix, ".part"))
    yield part
    part.rename(path)


class Zoo(Peer):
    """The store this benchmark is for."""

    name = "zoo"
    by = "key"
    durable = "end"
    settings = "CRC-32C of every row checked by every read; journal at each commit, fsync at shards"

    def __init__(self, *, shard_bytes: int | None = None) -> None:
        self.options = {"seal_seconds": 3600.0}
        if shard_bytes is not None:
            self.options["shard_bytes"] = shard_bytes

    def version(self) -> str:
        return build_info()["version"]

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        with FeatureStore.create(path, {"benchmark": "store"}) as store:
            folder = store.folder
        with FeatureStore(folder, **self.options) as store:
            for keys, rows in plan.blocks():
                store.append(keys, {COLUMN: rows})
                yield

    def open(self, path: Path) -> Reader:
        return _ZooReader(zoo_folder(path))

    def check(self, path: Path) -> None:
        with FeatureStore.at(zoo_folder(path)) as store:
            damaged = store.verify().damaged
        if damaged:
            raise ValueError(damaged[0][1])


def zoo_folder(path: Path) -> Path:
    """The one store under `path`."""
    return next(path.glob("*/key.json")).parent


class _ZooReader(Reader):
    def __init__(self, folder: Path) -> None:
        self.store = FeatureStore.at(folder)

    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        del numbers
        return self.store.rows(keys, COLUMN)

    def blocks(self) -> Iterator[Block]:
        yield from self.store.stream(COLUMN)
        if damaged := self.store.info().damaged:  # shards that opening passed over with a warning
            raise ValueError(damaged[0][1])

    def close(self) -> None:
        self.store.close()
