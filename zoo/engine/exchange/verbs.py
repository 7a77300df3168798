"""Rows of a store out to a file that other programs read, and from such files into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine.exchange.columns import Block, Content
from zoo.engine.exchange.export_formats import WRITERS, keys_beside
from zoo.engine.exchange.import_checks import Fit, Repeats, check_finite, fitting, same_rows
from zoo.engine.exchange.import_formats import READERS, open_rows
from zoo.engine.exchange.store_blocks import blocks, columns_of, other_rows
from zoo.engine.native_errors import DAMAGED_HINT
from zoo.engine.rows import Ragged, Rows
from zoo.engine.store import FeatureStore
from zoo.errors import DataError, StoreError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.engine.exchange.rows_file import RowsFile

Progress = Callable[[int, int], None]  # rows done, rows to do


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        paths: the files; of .npy the values' and the keys'.
        columns: their names.
        rows: rows in each.
        bytes: size of the files.
    """

    paths: tuple[Path, ...]
    columns: tuple[str, ...]
    rows: int
    bytes: int


@dataclass(frozen=True)
class Imported:
    """What an import found and took.

    Attributes:
        folder: of the store.
        rows: rows in the file.
        new: different rows of which some column was new.
        columns: how many different rows were new, by column.
        different: rows that the store has with other values; it keeps its own.
    """

    folder: Path
    rows: int
    new: int
    columns: Mapping[str, int]
    different: int


def export_rows(
    store: FeatureStore,
    path: Path,
    columns: Sequence[str] = (),
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> Exported:
    """Write a store's rows to a file, in the order of the store's files, a block at a time.

    The file is written whole or not at all. `.safetensors` and `.parquet` hold one column or
    several of the same rows, and the key and provenance of the store; `.npy` holds one column of
    one vector a row as float32 (float16 stays), beside `NAME.keys.npy`.

    Args:
        store: what is exported; damaged shards are refused, or their rows would be left out.
        path: its ending names the format.
        columns: their names; all where none is named.
        threads: threads that read.
        progress: hears of rows done and rows to do.

    Raises:
        UsageError: an unknown ending or column, or columns that do not fit into one file.
        DataError: the file cannot be written.
        StoreError: a shard is damaged, or there are no rows.
        MissingExtraError: .parquet without pyarrow.
    """
    if path.suffix not in WRITERS:
        raise UsageError(f"cannot export to '{path.name}'", hint=f"end it in {_or(WRITERS)}")
    content = _content(store, columns)
    if path.suffix == ".npy":
        _one_fixed(content)
    written = _counted(blocks(store, content.columns, threads=threads), content.rows, progress)
    WRITERS[path.suffix](path, content, written)
    paths = (path, keys_beside(path)) if path.suffix == ".npy" else (path,)
    size = sum(each.stat().st_size for each in paths)
    return Exported(paths, tuple(content.columns), content.rows, size)


def import_rows(
    path: Path,
    root: Path,
    *,
    into: Path | None = None,
    key: Mapping[str, Any] | None = None,
    columns: Sequence[str] = (),
    threads: int = 1,
    progress: Progress | None = None,
) -> Imported:
    """Add a file's rows to a store; rows that the store has are left as they are.

    The whole file is checked before the first row is added: shapes, dtypes, finite values, rows
    given twice, and of a sealed shard every checksum. An interrupted import is gone on with by the
    same call.

    Args:
        path: .safetensors (an export, a sealed shard, or any file with a tensor `key`), .parquet,
            .npz (arrays `key` and columns), or .npy with its `NAME.keys.npy`.
        root: the folder of stores; the file's own key names the one.
        into: the folder of a store to take instead.
        key: or the key of one, made if it is not there yet.
        columns: names of those to take, all where none is named; of .npy its one column's name.
        threads: threads that read a sealed shard or the rows to compare with.
        progress: hears of rows done and rows to do, once for checking and once for adding.

    Raises:
        UsageError: an unknown ending or column, or no key is named.
        DataError: the file is missing, damaged or unfit; nothing was added.
        StoreError: the store is damaged, full or not writable.
        MissingExtraError: .parquet without pyarrow.
    """
    if path.suffix not in READERS:
        raise UsageError(f"cannot import from '{path.name}'", hint=f"it ends in {_or(READERS)}")
    with _naming(path), open_rows(path, columns, threads=threads) as file, ExitStack() as stack:
        target = key if key is not None else file.key
        if into is not None:
            store: FeatureStore | None = FeatureStore.at(into)
        elif target is not None:
            store = FeatureStore.find(root, target)
        else:
            raise UsageError(
                f"'{path.name}' does not say which key its rows belong to",
                hint="--into KEY for one that is there, --key JSON for a new one",
            )
        if store is not None:
            stack.enter_context(store)
        known = columns_of(store) if store is not None else {}
        fit = {n: fitting(n, column, known.get(n)) for n, column in file.columns.items()}
        repeats = _checked(file, fit, progress)
        if store is None:  # made only now: a file that is refused leaves nothing behind
            provenance = file.provenance if key is None else {"imported": path.name}
            store = stack.enter_context(FeatureStore.create(root, target or {}, provenance))
        return _taken(store, file, fit, repeats, threads, progress)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file it is that a DataError tells of."""
    try:
        yield
    except DataError as error:
        raise DataError(f"cannot import '{path}': {error}", hint=error.hint) from error


def _content(store: FeatureStore, columns: Sequence[str]) -> Content:
    """What is to be exported; refuses columns that do not hold equally many rows."""
    damaged = [shard for shard, _ in store.info().damaged]
    if damaged:
        raise StoreError(
            f"{store.folder}: damaged shards: {', '.join(damaged)}; their rows would be left out",
            hint=DAMAGED_HINT,
        )
    known = store.columns()
    if not known:
        raise StoreError(f"{store.folder} holds no rows", hint="zoo cache list shows which do")
    for name in columns:
        if name not in known:
            raise UsageError(f"there is no column '{name}'", hint=f"it has: {', '.join(known)}")
    chosen = tuple(dict.fromkeys(columns)) or tuple(known)
    counts = {name: known[name][2] for name in chosen}
    if len(set(counts.values())) > 1:
        raise other_rows(", ".join(f"{name} ({rows})" for name, rows in counts.items()))
    described = {name: column for name, column in columns_of(store).items() if name in chosen}
    return Content(counts[chosen[0]], described, store.key, store.provenance)


def _one_fixed(content: Content) -> None:
    ragged = [name for name, column in content.columns.items() if column.ragged]
    if len(content.columns) > 1:
        raise UsageError(
            f".npy holds one column, not {', '.join(content.columns)}", hint="--column NAME"
        )
    if ragged:
        raise UsageError(
            f".npy holds one vector a row, and '{ragged[0]}' any number of them",
            hint="end it in .safetensors or .parquet",
        )


def _counted(found: Iterator[Block], total: int, progress: Progress | None) -> Iterator[Block]:
    """The blocks, their rows told to `progress`; StoreError unless there are as many as said."""
    done = 0
    _tell(progress, 0, total)
    for keys, table in found:
        yield keys, table
        done += len(keys)
        _tell(progress, done, total)
    if done != total:
        raise StoreError(f"{done} rows were found and {total} counted", hint="run again")


def _checked(file: RowsFile, fit: Mapping[str, Fit], progress: Progress | None) -> Repeats:
    """Read the file once; DataError unless all of it may be taken."""
    repeats = Repeats(file.keys())
    done = 0
    _tell(progress, 0, file.rows)
    for keys, table in file.blocks():
        for name, rows in table.items():
            check_finite(name, rows, done)
            repeats.check(name, keys, rows)
            fit[name](rows)
        done += len(keys)
        _tell(progress, done, file.rows)
    return repeats


def _taken(  # noqa: PLR0917 - one loop, its state passed as it is
    store: FeatureStore,
    file: RowsFile,
    fit: Mapping[str, Fit],
    repeats: Repeats,
    threads: int,
    progress: Progress | None,
) -> Imported:
    """Add the rows, and count what was new."""
    counts = dict.fromkeys(file.columns, 0)
    new = different = done = 0
    for proof in store.folder.glob("frozen-*.json"):  # of rows that zoo made: not of these
        proof.unlink(missing_ok=True)
    _tell(progress, 0, file.rows)
    for keys, table in file.blocks():
        rows = {name: fit[name](values) for name, values in table.items()}
        fresh = {name: ~store.contains(keys, name) for name in rows}
        other = np.zeros(len(keys), bool)
        for name, values in rows.items():
            there = np.flatnonzero(~fresh[name])
            if len(there):
                dtype = store.columns()[name][0]
                kept = store.rows(keys[there], name, dtype=dtype, threads=threads)
                other[there[~same_rows(values, there, kept)]] = True
            counts[name] += repeats.distinct(keys[fresh[name]])
        new += repeats.distinct(keys[np.any(list(fresh.values()), axis=0)])
        different += int(other.sum())
        _append(store, keys, rows)
        done += len(keys)
        _tell(progress, done, file.rows)
    return Imported(store.folder, file.rows, new, counts, different)


def _append(store: FeatureStore, keys: NDArray[np.uint8], rows: Mapping[str, Rows]) -> None:
    """Append, the bits of bfloat16 for themselves: they need their dtype said."""
    bits = {name: each for name, each in rows.items() if _is_bits(each)}
    rest = {name: each for name, each in rows.items() if name not in bits}
    for columns, dtype in ((bits, "bfloat16"), (rest, None)):
        if columns:
            store.append(keys, columns, dtype=dtype)


def _is_bits(rows: Rows) -> bool:
    flat = rows.values if isinstance(rows, Ragged) else rows
    return isinstance(flat, np.ndarray) and flat.dtype == np.uint16


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _or(names: Mapping[str, object]) -> str:
    *some, last = names
    return f"{', '.join(some)} or {last}"
