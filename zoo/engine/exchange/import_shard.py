"""Reads a sealed shard that lies outside any store, with every check that a store makes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.engine.exchange.rows_file import RowsFile, chosen
from zoo.engine.exchange.store_blocks import blocks, columns_of
from zoo.engine.keys import store_folder, write_key
from zoo.engine.store import FeatureStore
from zoo.errors import DataError, StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.engine.exchange.columns import Block

_KEY = {"import": "a sealed shard"}


def open_shard(stack: ExitStack, path: Path, columns: Sequence[str], threads: int) -> RowsFile:
    """A store of the one shard, verified; raises DataError where it is damaged."""
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zoo-import-")))
    folder = store_folder(root, _KEY)
    write_key(folder, _KEY, {})
    (folder / "shard.safetensors").symlink_to(path.absolute())
    store = stack.enter_context(FeatureStore(folder, read_only=True))
    damaged = store.verify(threads=threads).damaged
    if damaged:
        raise DataError(
            f"it is a damaged shard: {damaged[0][1]}", hint="copy it anew, or compute its rows anew"
        )
    return _Shard(store, columns, threads)


class _Shard(RowsFile):
    """The rows of one sound shard: all columns have the same keys."""

    def __init__(self, store: FeatureStore, wanted: Sequence[str], threads: int) -> None:
        known = columns_of(store)
        self._store = store
        self._threads = threads
        self.columns = {name: known[name] for name in chosen(list(known), wanted)}
        self.rows = store.info().rows

    def keys(self) -> NDArray[np.uint8]:
        first = next(iter(self.columns))
        return np.concatenate([view.keys for view in self._store.views(first)])

    def blocks(self) -> Iterator[Block]:
        try:
            yield from blocks(self._store, self.columns, threads=self._threads)
        except StoreError as error:
            raise DataError(f"it is a damaged shard: {error}") from error
