"""Rows as Arrow record batches, out and in: what .parquet files are made of.

bfloat16, which Arrow lacks, stands as float32 and is named in the metadata; int8 has its scales in
a column of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine.bfloat16 import from_bfloat16, to_bfloat16
from zoo.engine.exchange.columns import Column, Content, Parts
from zoo.engine.keys import KEY_BYTES
from zoo.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from zoo.engine.rows import Rows

_BFLOAT16 = "zoo.bfloat16"  # metadata: the columns that are float32 in the file alone


def parquet() -> Any:
    """The module pyarrow.parquet; raises MissingExtraError where it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError("pyarrow", "arrow") from error
    return pyarrow.parquet


def to_schema(content: Content, metadata: Mapping[str, str]) -> pa.Schema:
    """`key` as fixed-size binary; a vector as fixed-size list, a ragged row as a list of them."""
    import pyarrow as pa

    kinds = {"float32": pa.float32(), "bfloat16": pa.float32()}
    kinds |= {"float16": pa.float16(), "int8": pa.int8()}
    fields = [pa.field("key", pa.binary(KEY_BYTES), nullable=False)]
    for name, column in content.columns.items():
        vector = pa.list_(pa.field("item", kinds[column.dtype], nullable=False), column.dim)
        scale = pa.float32()
        if column.ragged:
            vector = pa.list_(pa.field("item", vector, nullable=False))
            scale = pa.list_(pa.field("item", scale, nullable=False))
        fields.append(pa.field(name, vector, nullable=False))
        if column.dtype == "int8":
            fields.append(pa.field(f"scale:{name}", scale, nullable=False))
    rounded = [name for name, column in content.columns.items() if column.dtype == "bfloat16"]
    return pa.schema(fields, {**metadata, _BFLOAT16: json.dumps(rounded, ensure_ascii=False)})


def to_batch(
    schema: pa.Schema, keys: NDArray[np.uint8], table: Mapping[str, Rows]
) -> pa.RecordBatch:
    """A block of rows."""
    import pyarrow as pa

    arrays = [pa.Array.from_buffers(pa.binary(KEY_BYTES), len(keys), [None, pa.py_buffer(keys)])]
    for name, rows in table.items():
        parts = Parts.of(rows)
        values = parts.values
        if values.dtype == np.uint16:
            values = from_bfloat16(values)
        kind = schema.field(name).type
        vector = kind.value_type if parts.offsets is not None else kind
        flat = pa.array(np.ascontiguousarray(values).reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(flat, type=vector)
        scales = None if parts.scales is None else pa.array(parts.scales)
        if parts.offsets is not None:
            ends = pa.array(parts.offsets.astype(np.int32))
            column = pa.ListArray.from_arrays(ends, column, type=kind)
            if scales is not None:
                kind = schema.field(f"scale:{name}").type
                scales = pa.ListArray.from_arrays(ends, scales, type=kind)
        arrays += [column] if scales is None else [column, scales]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def to_columns(schema: pa.Schema) -> dict[str, Column]:
    """The columns of a file; those that are of no type of ours are left out."""
    bits = _rounded(schema)
    columns = {}
    for field in schema:
        if field.name == "key" or field.name.startswith("scale:"):
            continue
        column = _column(field.type, in_bfloat16=field.name in bits)
        if column is not None:
            columns[field.name] = column
    return columns


def to_keys(batch: pa.RecordBatch) -> NDArray[np.uint8]:
    """The (n, 16) keys of a batch."""
    import pyarrow as pa

    column = batch.column(batch.schema.get_field_index("key"))
    if column.type != pa.binary(KEY_BYTES):
        raise DataError(f"its column 'key' is {column.type}, not fixed_size_binary[{KEY_BYTES}]")
    _no_nulls("key", column)
    if not len(column):
        return np.empty((0, KEY_BYTES), np.uint8)
    flat = np.frombuffer(column.buffers()[1], np.uint8)
    start = column.offset * KEY_BYTES
    return flat[start : start + len(column) * KEY_BYTES].reshape(-1, KEY_BYTES)


def to_rows(batch: pa.RecordBatch, name: str, column: Column) -> Rows:
    """The rows of a column in a batch."""
    flat, offsets = _peeled(
        name, batch.column(batch.schema.get_field_index(name)), ragged=column.ragged
    )
    _no_nulls(name, flat)
    values = flat.flatten()
    _no_nulls(name, values)
    table = np.asarray(values.to_numpy(zero_copy_only=False)).reshape(-1, column.dim)
    if column.dtype == "bfloat16":
        bits = to_bfloat16(table)
        if not np.array_equal(from_bfloat16(bits).view(np.uint32), table.view(np.uint32)):
            raise DataError(f"its column '{name}' has values that are no bfloat16")
        table = bits
    scales = None
    if column.dtype == "int8":
        number = batch.schema.get_field_index(f"scale:{name}")
        if number < 0:
            raise DataError(f"its column '{name}' is int8 and has no 'scale:{name}'")
        given, places = _peeled(f"scale:{name}", batch.column(number), ragged=column.ragged)
        same = places is None or offsets is None or np.array_equal(places, offsets)
        if str(given.type) != "float" or len(given) != len(table) or not same:
            raise DataError(f"its 'scale:{name}' is not float32, one a vector")
        _no_nulls(f"scale:{name}", given)
        scales = np.asarray(given.to_numpy(zero_copy_only=False))
    return Parts(table, offsets, scales).rows()


def _peeled(name: str, array: Any, *, ragged: bool) -> tuple[Any, NDArray[np.int64] | None]:
    """What a list's rows are made of and where each begins, or the array itself."""
    import pyarrow as pa

    _no_nulls(name, array)
    if not ragged:
        return array, None
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
        raise DataError(f"its column '{name}' is {array.type} and not a list")
    offsets = np.asarray(array.offsets.to_numpy(), dtype=np.int64)
    return array.flatten(), offsets - offsets[0]


def _column(kind: pa.DataType, *, in_bfloat16: bool) -> Column | None:
    import pyarrow as pa

    ragged = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    vector = kind.value_type if ragged else kind
    if not pa.types.is_fixed_size_list(vector) or vector.list_size < 1:
        return None
    names = {pa.float32(): "float32", pa.float16(): "float16", pa.int8(): "int8"}
    dtype = names.get(vector.value_type)
    if dtype is None:
        return None
    return Column(
        "bfloat16" if in_bfloat16 and dtype == "float32" else dtype, vector.list_size, ragged
    )


def _rounded(schema: pa.Schema) -> list[str]:
    try:
        names = json.loads((schema.metadata or {}).get(_BFLOAT16.encode(), b"[]"))
    except (ValueError, RecursionError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _no_nulls(name: str, array: Any) -> None:
    if array.null_count:
        raise DataError(f"its column '{name}' has nulls", hint="leave such rows out")
