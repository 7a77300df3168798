"""The feature store: rows that a backbone gave, found by what they were made from."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from zoo import _core
from zoo.engine.bfloat16 import from_bfloat16, to_bfloat16
from zoo.engine.keys import KEY_BYTES, KEY_FILE, key_problem, read_key, store_folder, write_key
from zoo.engine.native_errors import DAMAGED_HINT, store_errors, translated
from zoo.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

_STORED = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
_NAMES = {native: name for name, native in _STORED.items()}


@dataclass(frozen=True)
class VerifyReport:
    """What reading every byte of a store found.

    Attributes:
        shards: shard files, damaged ones included.
        rows: rows in sound shards, a row in two shards counted twice.
        bytes: size of all shards.
        damaged: file name and reason of each damaged shard, by name.
    """

    shards: int
    rows: int
    bytes: int
    damaged: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class StoreInfo:
    """One store at a glance, without reading its values.

    Attributes:
        folder: where it is.
        key: what its rows were made from; empty where key.json is unreadable.
        provenance: versions and run time of the first writer.
        rows: rows of the fullest column.
        bytes: size of the sound shards.
        shards: number of sound shards.
        columns: name to (dtype, dim, rows).
        damaged: file name and reason of what could not be opened.
    """

    folder: Path
    key: Mapping[str, Any]
    provenance: Mapping[str, Any]
    rows: int = 0
    bytes: int = 0
    shards: int = 0
    columns: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)
    damaged: tuple[tuple[str, str], ...] = ()


class FeatureStore:
    """The rows of one key: a folder of immutable shards, shared by any number of processes.

    Rows have 16-byte keys (`row_keys`) and stand in named columns; a row may be in some columns
    and not in others. A row is written once and never replaced. What was appended is seen by this
    object at once, and by others once sealed: on flush, on close, and by the append that makes a
    column's unsealed rows 64 MiB, or finds the first of them 30 seconds old.
    Values are float32, float16 or bfloat16; NumPy has no bfloat16, so such rows go in and come out
    as float32, or with ``dtype="bfloat16"`` as their bits in uint16.

    Make one with `create`, `open` or `at`. Every failure is a StoreError.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shard_bytes: int = 64 << 20,
        seal_seconds: float = 30.0,
    ) -> None:
        self.folder = folder
        self.key, self.provenance = read_key(folder)
        self._closed = False
        with store_errors(folder):
            self._native = _core.Store(
                str(folder), shard_bytes=shard_bytes, seal_seconds=seal_seconds
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
    def find(cls, root: Path | str, key: Mapping[str, Any]) -> Self | None:
        """Open the store of `key` under `root`, or None where there is none."""
        folder = store_folder(root, key)
        return cls(folder) if _exists(folder) else None

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
        columns: Mapping[str, NDArray[Any]],
        *,
        dtype: str | None = None,
    ) -> int:
        """Add the rows that each column lacks; returns how many were added, over all columns.

        Args:
            keys: (n, 16) uint8; of equal keys the first row counts.
            columns: name to (n, d) float32 or float16, d at least 1. The first rows of a column fix
                its dtype and d.
            dtype: what to store float32 values as: ``float32``, ``float16`` or ``bfloat16``
                (rounded to nearest, ties to even). uint16 arrays are the bits of bfloat16 and
                need ``dtype="bfloat16"``. Default: the arrays' own dtype.
        """
        given = [(name, *_stored(name, values, dtype)) for name, values in columns.items()]
        with self._errors():
            return self._native.append(_checked_keys(keys), given)

    def rows(
        self,
        keys: NDArray[np.uint8],
        column: str,
        *,
        dtype: str | None = None,
        threads: int = 1,
    ) -> NDArray[Any]:
        """The rows of the (n, 16) keys in their order, (n, d), each checked against its checksum.

        float32 and float16 columns come as they are stored, bfloat16 as float32; ``dtype`` asks for
        ``float32`` or, of bfloat16 columns, for ``bfloat16``: their bits as uint16. Raises
        StoreError when rows are missing (how many) or damaged (in which shard).
        """
        stored, dim, _ = self.columns().get(column, ("", 0, 0))
        if not stored:
            known = ", ".join(self.columns()) or "none"
            raise self._missing(f"column '{column}' is not in {self.folder}; it has: {known}")
        if dtype not in {None, "float32", stored}:
            raise StoreError(f"column '{column}' holds {stored}, not {dtype}")
        checked = _checked_keys(keys)
        out = np.empty((len(checked), dim), "uint16" if stored == "bfloat16" else stored)
        with self._errors():
            missing = self._native.gather(checked, column, out, threads=threads)
        if missing:
            raise self._missing(
                f"{missing} of {len(checked)} rows are missing from column '{column}' of "
                f"{self.folder}"
            )
        if stored == "bfloat16":
            return out if dtype == "bfloat16" else from_bfloat16(out)
        return out if dtype is None else out.astype(dtype, copy=False)

    def columns(self) -> dict[str, tuple[str, int, int]]:
        """Each column's (dtype, dim, rows), by name; rows not sealed yet included."""
        return {
            name: (_NAMES[stored], dim, rows) for name, stored, dim, rows in self._native.columns()
        }

    def flush(self) -> None:
        """Seal what was appended; on return it survives a loss of power."""
        with self._errors():
            self._native.flush()

    def close(self) -> None:
        """Flush and end; a second close does nothing."""
        if self._closed:
            return
        with self._errors():
            self._native.close()
        self._closed = True

    def refresh(self) -> None:
        """Take up what other processes have sealed or removed since."""
        with self._errors():
            self._native.refresh()

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
        return FeatureStore.at(folder).info()
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


def _stored(name: str, values: NDArray[Any], dtype: str | None) -> tuple[str, NDArray[Any]]:
    given = values.dtype.name
    wanted = dtype or given
    if wanted not in _STORED or given not in {"float32", "float16", "uint16"}:
        raise StoreError(
            f"column '{name}': cannot store {given} as {wanted}",
            hint=f"give float32 or float16 values, and a dtype of {', '.join(_STORED)}",
        )
    if given == "uint16" and wanted != "bfloat16":
        raise StoreError(f"column '{name}': uint16 values are the bits of bfloat16 alone")
    if given == "uint16" or wanted != "bfloat16":  # by name, so big-endian arrays are swapped too
        try:
            with np.errstate(over="raise"):
                raw = "uint16" if given == "uint16" else wanted
                return _STORED[wanted], np.ascontiguousarray(values, dtype=raw)
        except FloatingPointError as error:
            raise StoreError(
                f"column '{name}': values past {wanted}'s range",
                hint="store them as float32 or bfloat16",
            ) from error
    return _STORED[wanted], to_bfloat16(np.asarray(values, dtype=np.float32))
