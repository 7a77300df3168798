"""Writers of rows: .safetensors, .parquet and .npy, block by block and whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from zoo.engine.bfloat16 import from_bfloat16
from zoo.engine.exchange.columns import Block, Column, Content, Parts
from zoo.engine.exchange.safetensors_header import build_header
from zoo.engine.keys import KEY_BYTES
from zoo.files import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

Writer = Callable[[Path, Content, Iterator[Block]], None]

# Longer than any number of vectors: a header with it has room for the true one.
_MANY = 1 << 50
_PARTS = {"offsets:": ("I64", 8), "": ("", 0), "scale:": ("F32", 4)}


def keys_beside(path: Path) -> Path:
    """The keys' file of a .npy: FILE.keys.npy."""
    return path.with_name(f"{path.stem}.keys.npy")


def metadata(content: Content) -> dict[str, str]:
    """What names the store in a file: the key and the provenance as JSON."""
    return {
        "zoo.export": "1",
        "zoo.key": json.dumps(content.key, ensure_ascii=False, allow_nan=False),
        "zoo.provenance": json.dumps(content.provenance, ensure_ascii=False, allow_nan=False),
    }


def _write_safetensors(path: Path, content: Content, blocks: Iterator[Block]) -> None:
    """Tensors by falling size of their values, so that each is aligned without any padding.

    A tensor whose place depends on how many vectors the ragged columns have waits in a file
    without a name; the first of them, and all that stands before it, is written in place.
    """
    order = _tensors(content)
    room = len(build_header(metadata(content), _shapes(order, content, {})))
    with replacing(path) as temporary, ExitStack() as stack:
        file = stack.enter_context(temporary.open("w+b"))
        sinks: dict[str, _Sink] = {}
        at: int | None = room
        for name, (column, part) in order.items():
            if at is None:
                spool = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - the stack closes it
                sinks[name] = _Sink(stack.enter_context(spool), 0)
                continue
            sinks[name] = _Sink(file, at)
            size = _size(column, part, content)
            at = None if size is None else at + size
        vectors = dict.fromkeys(content.columns, 0)
        for keys, table in blocks:
            sinks["key"].put(keys)
            for name, rows in table.items():
                parts = Parts.of(rows)
                sinks[name].put(parts.values)
                if parts.scales is not None:
                    sinks[f"scale:{name}"].put(parts.scales)
                if parts.offsets is not None:
                    first = sinks[f"offsets:{name}"]
                    shifted = parts.offsets + vectors[name]
                    first.put(shifted if not vectors[name] and first.empty else shifted[1:])
                vectors[name] += len(parts.values)
        end = max(sink.at for sink in sinks.values() if sink.file is file)
        for sink in sinks.values():
            if sink.file is not file:
                file.seek(end)
                sink.file.seek(0)
                shutil.copyfileobj(sink.file, file, 1 << 20)
                end += sink.at
        file.seek(0)
        file.write(build_header(metadata(content), _shapes(order, content, vectors), room))
        _to_disk(file)


class _Sink:
    """A place in a file that is written from its start on, by turns with other places."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        self.file = file
        self.at = start
        self.empty = True

    def put(self, values: NDArray[Any]) -> None:
        self.file.seek(self.at)
        self.at += self.file.write(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
        self.empty = False


def _tensors(content: Content) -> dict[str, tuple[Column, str]]:
    """Name to (column, kind of part), in the order of the file; of `key` the column is moot."""
    some = next(iter(content.columns.values()))
    sized: list[tuple[int, str, Column, str]] = [(KEY_BYTES, "key", some, "key")]
    for name, column in content.columns.items():
        for prefix, (_, size) in _PARTS.items():
            if (prefix == "offsets:" and not column.ragged) or (
                prefix == "scale:" and column.dtype != "int8"
            ):
                continue
            sized.append((size or _value_size(column), prefix + name, column, prefix))
    sized.sort(key=lambda each: -each[0])  # stable: columns keep their order
    return {name: (column, part) for _, name, column, part in sized}


def _value_size(column: Column) -> int:
    return {"F32": 4, "F16": 2, "BF16": 2, "I8": 1}[column.native]


def _size(column: Column, part: str, content: Content) -> int | None:
    """Bytes of a tensor; None where they depend on the number of vectors."""
    if part == "key":
        return content.rows * KEY_BYTES
    if part == "offsets:":
        return (content.rows + 1) * 8
    if column.ragged:
        return None
    return content.rows * (4 if part == "scale:" else column.dim * _value_size(column))


def _shapes(
    order: Mapping[str, tuple[Column, str]], content: Content, vectors: Mapping[str, int]
) -> dict[str, tuple[str, tuple[int, ...]]]:
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, (column, part) in order.items():
        count = content.rows
        if column.ragged:
            count = vectors.get(name.removeprefix(part), _MANY)
        if part == "key":
            shapes[name] = ("U8", (content.rows, KEY_BYTES))
        elif part == "offsets:":
            shapes[name] = ("I64", (content.rows + 1,))
        elif part == "scale:":
            shapes[name] = ("F32", (count,))
        else:
            shapes[name] = (column.native, (count, column.dim))
    return shapes


def _write_npy(path: Path, content: Content, blocks: Iterator[Block]) -> None:
    """One column's vectors, and the keys beside them; values as float32, or float16 as they are."""
    ((name, column),) = content.columns.items()
    kind = "<f2" if column.dtype == "float16" else "<f4"
    beside = keys_beside(path)
    with (
        replacing(path) as to_values,
        replacing(beside) as to_keys,
        to_values.open("wb") as values,
        to_keys.open("wb") as keys,
    ):
        _npy_header(values, kind, (content.rows, column.dim))
        _npy_header(keys, "|u1", (content.rows, KEY_BYTES))
        for block, table in blocks:
            keys.write(block.data)
            values.write(np.ascontiguousarray(_floats(table[name]), dtype=kind).data)
        _to_disk(keys)
        _to_disk(values)
        # The two take their names one after the other: never may old values stand beside new keys.
        path.unlink(missing_ok=True)


def _npy_header(file: IO[bytes], descr: str, shape: tuple[int, ...]) -> None:
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _floats(rows: Any) -> NDArray[Any]:
    parts = Parts.of(rows)
    if parts.scales is not None:
        scaled: NDArray[Any] = rows.to_float32()
        return scaled
    return from_bfloat16(parts.values) if parts.values.dtype == np.uint16 else parts.values


def _write_parquet(path: Path, content: Content, blocks: Iterator[Block]) -> None:
    from zoo.engine.exchange.arrow import parquet, to_batch, to_schema

    writer_of = parquet().ParquetWriter
    schema = to_schema(content, metadata(content))
    # Parquet has no type of one byte: without a dictionary int8 takes four. Floats gain nothing.
    small = any(column.dtype == "int8" for column in content.columns.values())
    with replacing(path) as temporary, temporary.open("wb") as file:
        with writer_of(file, schema, use_dictionary=small) as writer:
            for keys, table in blocks:
                writer.write_batch(to_batch(schema, keys, table))
        _to_disk(file)


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


WRITERS: Mapping[str, Writer] = {
    ".safetensors": _write_safetensors,
    ".parquet": _write_parquet,
    ".npy": _write_npy,
}
