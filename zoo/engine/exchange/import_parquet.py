"""Reads rows from .parquet files, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine.exchange.arrow import parquet, to_columns, to_keys, to_rows
from zoo.engine.exchange.import_checks import check_keys
from zoo.engine.exchange.rows_file import BLOCK_BYTES, RowsFile, chosen, json_object
from zoo.engine.keys import KEY_BYTES
from zoo.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.engine.exchange.columns import Block


class _Parquet(RowsFile):
    """Rows in a .parquet file; see `zoo.engine.exchange.arrow` for its columns."""

    def __init__(self, file: Any, wanted: Sequence[str]) -> None:
        schema = file.schema_arrow
        if schema.get_field_index("key") < 0:
            raise DataError("it has no column 'key'", hint="fixed_size_binary[16], see row_keys")
        self._file = file
        self.rows = file.metadata.num_rows
        check_keys((self.rows, KEY_BYTES), "U8")
        known = to_columns(schema)
        others = [n for n in schema.names if n != "key" and not n.startswith("scale:")]
        names = chosen(others, wanted)
        for name in names:
            if name not in known:
                raise DataError(
                    f"its column '{name}' is {schema.field(name).type}, which holds no vectors",
                    hint="fixed_size_list of float, halffloat or int8, or choose with --column",
                )
        self.columns = {name: known[name] for name in names}
        told = {
            k.decode(): v.decode() for k, v in (schema.metadata or {}).items() if k[:4] == b"zoo."
        }
        self.key = json_object(told, "zoo.key")
        self.provenance = json_object(told, "zoo.provenance") or {}

    def keys(self) -> NDArray[np.uint8]:
        return np.concatenate([to_keys(batch) for batch in self._batches(["key"], 1 << 16)])

    def blocks(self) -> Iterator[Block]:
        groups = [self._file.metadata.row_group(i) for i in range(self._file.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        step = max(1, min(1 << 16, BLOCK_BYTES * self.rows // max(1, size)))
        scales = [f"scale:{n}" for n, column in self.columns.items() if column.dtype == "int8"]
        for batch in self._batches(["key", *self.columns, *scales], step):
            rows = {name: to_rows(batch, name, column) for name, column in self.columns.items()}
            yield to_keys(batch), rows

    def _batches(self, columns: list[str], step: int) -> Iterator[Any]:
        import pyarrow as pa

        found = 0
        try:
            for group in range(self._file.num_row_groups):  # asked for all, it keeps what it read
                for batch in self._file.iter_batches(step, row_groups=[group], columns=columns):
                    found += batch.num_rows
                    yield batch
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"it cannot be read: {error}") from error
        if found != self.rows:
            raise DataError(f"it has {found} rows and tells of {self.rows}")


def open_parquet(stack: ExitStack, path: Path, columns: Sequence[str], threads: int) -> RowsFile:
    """Rows in a .parquet file; raises MissingExtraError without pyarrow."""
    del threads
    module = parquet()
    import pyarrow as pa

    file = stack.enter_context(path.open("rb"))
    try:
        return _Parquet(module.ParquetFile(file, pre_buffer=False), columns)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"it is no .parquet: {error}") from error
