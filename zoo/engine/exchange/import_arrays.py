"""Reads rows from files of named arrays: .safetensors, .npz and .npy, a block at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from zoo.engine.exchange.columns import Block, Column, Parts
from zoo.engine.exchange.export_formats import keys_beside
from zoo.engine.exchange.import_checks import check_keys
from zoo.engine.exchange.rows_file import BLOCK_BYTES, RowsFile, chosen, json_object
from zoo.engine.exchange.safetensors_header import read_header
from zoo.engine.rows import NAMES
from zoo.errors import DataError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPES = {"U8": "u1", "I8": "i1", "F16": "<f2", "BF16": "<u2", "F32": "<f4", "I64": "<i8"}
_KINDS = {"u1": "U8", "i1": "I8", "f2": "F16", "f4": "F32", "i8": "I64"}
_SHARD = "zoo.shard"  # metadata of our own sealed shards
# What stands beside columns in shards and exports.
_OWN = ("key", "order", "seal")
_PREFIXES = ("pad:", "crc:", "offsets:", "scale:")


@dataclass(frozen=True)
class _Array:
    """An array in a file: dtype as safetensors names it, shape, and its bytes from the first on."""

    kind: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    open: Callable[[], IO[bytes]]

    @property
    def row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize


class _Arrays(RowsFile):
    """Rows in arrays: `key`, a column under its name, `offsets:NAME` and `scale:NAME`."""

    def __init__(
        self, arrays: Mapping[str, _Array], wanted: Sequence[str], metadata: Mapping[str, str]
    ) -> None:
        if "key" not in arrays:
            raise DataError(
                "it has no array 'key'", hint="name the rows: 'key' is U8 (n, 16), see row_keys"
            )
        check_keys(arrays["key"].shape, arrays["key"].kind)
        self.rows = arrays["key"].shape[0]
        names = [n for n in arrays if n not in _OWN and not n.startswith(_PREFIXES)]
        self._arrays = arrays
        self.columns = {name: self._column(name) for name in chosen(names, wanted)}
        self.key = json_object(metadata, "zoo.key")
        self.provenance = json_object(metadata, "zoo.provenance") or {}

    def keys(self) -> NDArray[np.uint8]:
        with closing(self._arrays["key"].open()) as stream:
            keys: NDArray[np.uint8] = _read(stream, self._arrays["key"], self.rows)
        return keys

    def blocks(self) -> Iterator[Block]:
        size = sum(
            array.row_bytes * array.shape[0]
            for name, array in self._arrays.items()
            if name == "key" or name.removeprefix("offsets:").removeprefix("scale:") in self.columns
        )
        step = max(1, BLOCK_BYTES * self.rows // size)
        with ExitStack() as stack:
            streams = {
                name: stack.enter_context(closing(array.open()))
                for name, array in self._arrays.items()
            }
            ends = dict.fromkeys(self.columns, 0)
            for name, column in self.columns.items():
                if column.ragged:
                    first = f"offsets:{name}"
                    if _read(streams[first], self._arrays[first], 1)[0] != 0:
                        raise DataError(f"its '{first}' does not begin with 0")
            for start in range(0, self.rows, step):
                count = min(step, self.rows - start)
                keys = _read(streams["key"], self._arrays["key"], count)
                yield keys, {name: self._rows(streams, name, count, ends) for name in self.columns}
            for name, end in ends.items():
                if self.columns[name].ragged and end != self._arrays[name].shape[0]:
                    raise DataError(f"its 'offsets:{name}' do not end where the values do")

    def _rows(
        self, streams: Mapping[str, IO[bytes]], name: str, count: int, ends: dict[str, int]
    ) -> Any:
        column, offsets, vectors = self.columns[name], None, count
        if column.ragged:
            told = _read(streams[f"offsets:{name}"], self._arrays[f"offsets:{name}"], count)
            offsets = np.concatenate([[ends[name]], told]).astype(np.int64)
            # The order first: differences of hostile numbers overflow.
            if (offsets[1:] < offsets[:-1]).any() or offsets[-1] > self._arrays[name].shape[0]:
                raise DataError(f"its 'offsets:{name}' fall, or lead past the values")
            vectors = int(offsets[-1]) - ends[name]
            offsets = offsets - offsets[0]
            ends[name] += vectors
        values = _read(streams[name], self._arrays[name], vectors)
        scales = None
        if column.dtype == "int8":
            scales = _read(streams[f"scale:{name}"], self._arrays[f"scale:{name}"], vectors)
        return Parts(values, offsets, scales).rows()

    def _column(self, name: str) -> Column:
        array = self._arrays[name]
        offsets, scale = (self._arrays.get(f"{part}:{name}") for part in ("offsets", "scale"))
        if array.kind not in NAMES:
            raise DataError(
                f"its '{name}' is {array.kind}: a column holds F32, F16, BF16 or I8",
                hint="convert it, or choose others with --column",
            )
        if len(array.shape) != 2 or not array.shape[1]:
            raise DataError(
                f"its '{name}' has the shape {list(array.shape)}, not (n, d)",
                hint="reshape it, or choose others with --column",
            )
        if offsets is None and array.shape[0] != self.rows:
            raise DataError(f"its '{name}' has {array.shape[0]} rows, its 'key' {self.rows}")
        if offsets is not None and (offsets.kind, offsets.shape) != ("I64", (self.rows + 1,)):
            raise DataError(f"its 'offsets:{name}' is not I64 ({self.rows + 1},)")
        if array.kind == "I8" and (
            scale is None or (scale.kind, scale.shape) != ("F32", array.shape[:1])
        ):
            raise DataError(f"its '{name}' is I8 without an F32 'scale:{name}', one a vector")
        return Column(NAMES[array.kind], array.shape[1], offsets is not None)


def _read(stream: IO[bytes], array: _Array, count: int) -> NDArray[Any]:
    """The next `count` rows of an array."""
    import zipfile
    import zlib

    out = np.empty((count, *array.shape[1:]), array.dtype)
    view = out.reshape(-1).view(np.uint8).data
    try:
        while view:
            got = cast("Any", stream).readinto(view)
            if not got:
                raise DataError("it ends before its rows do")
            view = view[got:]
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"it cannot be read: {error}") from error
    # Natively: NumPy computes with the other byte order, the core does not.
    return out.astype(array.dtype.newbyteorder("="), copy=False)


def open_safetensors(
    stack: ExitStack, path: Path, columns: Sequence[str], threads: int
) -> RowsFile:
    """Rows in a .safetensors file: an export, a sealed shard, or any with a tensor `key`."""
    file = stack.enter_context(path.open("rb"))
    metadata, tensors = read_header(file)
    if _SHARD in metadata or "seal" in tensors:  # the one may be damaged, and then the other is not
        from zoo.engine.exchange.import_shard import open_shard

        return open_shard(stack, path, columns, threads)

    def opened(start: int) -> Callable[[], IO[bytes]]:
        return lambda: _at(path, start)

    arrays = {
        name: _Array(
            tensor.dtype,
            np.dtype(_DTYPES.get(tensor.dtype, "V1")),
            tensor.shape,
            opened(tensor.start),
        )
        for name, tensor in tensors.items()
    }
    return _Arrays(arrays, columns, metadata)


def _at(path: Path, start: int) -> IO[bytes]:
    file = path.open("rb")
    file.seek(start)
    return file


def open_npz(stack: ExitStack, path: Path, columns: Sequence[str], threads: int) -> RowsFile:
    """Rows in an .npz file, whose arrays are read as they come out of the archive."""
    import zipfile

    del threads
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
        arrays: dict[str, _Array] = {}
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name == entry.filename:
                continue
            if name in arrays:
                raise DataError(f"it has two arrays '{name}'")

            def opened(entry: zipfile.ZipInfo = entry) -> IO[bytes]:
                stream = archive.open(entry)
                _npy_header(stream)
                return stream

            with archive.open(entry) as stream:
                arrays[name] = _npy_array(stream, entry.file_size, opened)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"it is no .npz: {error}") from error
    return _Arrays(arrays, columns, {})


def open_npy(stack: ExitStack, path: Path, columns: Sequence[str], threads: int) -> RowsFile:
    """One column in a .npy file, its keys in NAME.keys.npy beside it."""
    del stack, threads
    if len(columns) != 1:
        raise UsageError("a .npy file does not say which column it holds", hint="--column NAME")
    arrays = {}
    for name, part in ((columns[0], path), ("key", keys_beside(path))):
        if name == "key" and not part.exists():
            raise DataError(
                f"its keys, '{part.name}', are not beside it",
                hint="a .npy needs them as U8 (n, 16): see row_keys",
            )

        def opened(part: Path = part) -> IO[bytes]:
            file = part.open("rb")
            _npy_header(file)
            return file

        with part.open("rb") as file:
            arrays[name] = _npy_array(file, part.stat().st_size, opened)
    return _Arrays(arrays, columns, {})


def _npy_array(stream: IO[bytes], size: int, opened: Callable[[], IO[bytes]]) -> _Array:
    shape, dtype, start = _npy_header(stream)
    kind = _KINDS.get(f"{dtype.kind}{dtype.itemsize}", dtype.name)
    array = _Array(kind, dtype, shape, opened)
    if start + math.prod(shape) * dtype.itemsize != size:
        raise DataError(f"one of its arrays is said to be {list(shape)} {dtype} and is not")
    return array


def _npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, dtype and the first byte of the values; arrays of objects are never unpickled."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in {(1, 0), (2, 0)}:
            raise DataError(f"it is of version {version} of .npy, which is for names of fields")
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, in_columns, dtype = read(stream)
    except ValueError as error:
        raise DataError(f"it is no .npy: {error}") from error
    if in_columns and len(shape) > 1:
        raise DataError(
            "an array of it lies column by column", hint="save np.ascontiguousarray(...) of it"
        )
    return shape, dtype, stream.tell()
