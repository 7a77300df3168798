"""Opens a file of rows by its ending."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from zoo.engine.exchange.import_arrays import open_npy, open_npz, open_safetensors
from zoo.engine.exchange.import_parquet import open_parquet
from zoo.engine.exchange.rows_file import RowsFile
from zoo.errors import DataError

Opener = Callable[[ExitStack, Path, Sequence[str], int], RowsFile]


@contextmanager
def open_rows(path: Path, columns: Sequence[str], *, threads: int) -> Iterator[RowsFile]:
    """Open a file by its ending; raises DataError for what is no such file."""
    with ExitStack() as stack:
        try:
            opened = READERS[path.suffix](stack, path, columns, threads)
        except OSError as error:
            raise DataError(f"it cannot be read: {error.strerror or error}") from error
        yield opened


READERS: Mapping[str, Opener] = {
    ".safetensors": open_safetensors,
    ".parquet": open_parquet,
    ".npz": open_npz,
    ".npy": open_npy,
}
