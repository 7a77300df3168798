from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from zoo.data.cells import (  # noqa: E402
    ArrowColumn,
    Cell,
    ParquetColumn,
    Shelf,
    modality_of_bytes,
    open_arrow,
    open_parquet,
)
from zoo.errors import DataError  # noqa: E402


@pytest.fixture
def columns(tmp_path, monkeypatch):
    """Twelve files of 50 rows each, Parquet and Arrow, read three rows at a time."""
    monkeypatch.setattr("zoo.data.cells.BATCH_BYTES", 1 << 10)
    made = []
    for number in range(12):
        values = [f"{number}/{row}/".encode() * 60 for row in range(50)]
        table = pa.table({"x": pa.array(values)})
        if number % 2:
            path = tmp_path / f"{number}.parquet"
            pq.write_table(table, path, row_group_size=20)
            made.append((ParquetColumn(path, path.name, "x"), values))
        else:
            path = tmp_path / f"{number}.arrow"
            with pa.ipc.new_file(str(path), table.schema) as writer:
                writer.write_table(table, max_chunksize=20)
            made.append((ArrowColumn(path, path.name, "x"), values))
    return made


def test_any_row_of_any_file_is_read_by_any_thread(columns):
    shelf = Shelf()
    wanted = [(column, row) for column in range(12) for row in range(50)]
    random.Random(0).shuffle(wanted)

    def get(which):
        column, row = which
        return Cell(shelf, columns[column][0], row).read()

    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(get, wanted))
    assert got == [columns[column][1][row] for column, row in wanted]


def test_rows_in_order_begin_each_row_group_once(columns, monkeypatch):
    column, values = columns[1]
    begun = []
    begin = ParquetColumn._begin
    monkeypatch.setattr(
        ParquetColumn, "_begin", lambda self, row: (begun.append(row), begin(self, row))
    )
    assert [column.value(row) for row in range(50)] == values
    assert begun == [0, 20, 40]


def test_a_row_beyond_the_end_is_an_error(columns):
    shelf = Shelf()
    for column, _ in columns[:2]:
        with pytest.raises(DataError):
            Cell(shelf, column, 50).read()


def test_headers_that_promise_rows_without_bytes_are_refused(tmp_path):
    lies = pa.table({"x": pa.nulls(10_000_000)})
    pq.write_table(lies, tmp_path / "d.parquet")
    with pytest.raises(DataError, match="promises 10000000 rows"):
        open_parquet(tmp_path / "d.parquet", "d.parquet")
    with pa.ipc.new_stream(str(tmp_path / "d.arrow"), lies.schema) as writer:
        writer.write_table(lies)
    with pytest.raises(DataError, match="promises 10000000 rows"):
        open_arrow(tmp_path / "d.arrow", "d.arrow")


@pytest.mark.parametrize(
    ("head", "modality"),
    [
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\xff\xd8\xff\xe0", "image"),
        (b"GIF89a", "image"),
        (b"RIFF1234WEBP", "image"),
        (b"P6 1 1", "image"),
        (b"RIFF1234WAVE", "audio"),
        (b"OggS", "audio"),
        (b"ID3\x04", "audio"),
        (b"\xff\xfb\x90", "audio"),
        (b"RIFF1234AVI ", None),
        (b"PK\x03\x04", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_first_bytes_tell_recordings_from_images(head, modality):
    assert modality_of_bytes(head) == modality
