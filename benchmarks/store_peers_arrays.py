"""The peers that keep arrays: rows are found by their number."""
# ruff: noqa: D102 - the base class says what each method does

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from store_peers import SCAN_ROWS, Peer, Reader, renamed, sync
from store_rows import DIM, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from store_peers import Block


class Npy(Peer):
    """One memory-mapped array, made at its full size."""

    name = "npy"
    settings = "open_memmap of all rows, flushed at each commit; read by mmap"
    durable = "commit"

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        path.mkdir()
        whole = np.lib.format.open_memmap(
            path / "rows.npy", mode="w+", dtype=np.float16, shape=(plan.rows, DIM)
        )
        start = 0
        for _, rows in plan.blocks():
            whole[start : start + len(rows)] = rows
            whole.flush()
            start += len(rows)
            yield
        sync(path)

    def open(self, path: Path) -> Reader:
        return _Sliced(np.load(path / "rows.npy", mmap_mode="r"))


class _Sliced(Reader):
    """Any array that NumPy's slices read from."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        del keys
        return self.rows[numbers]

    def blocks(self) -> Iterator[Block]:
        for start in range(0, self.rows.shape[0], SCAN_ROWS):
            yield None, self.rows[start : start + SCAN_ROWS]


class Zarr(Peer):
    """A folder of chunks."""

    name = "zarr"
    package = module = "zarr"
    settings = "format 3, uncompressed chunks of 1,024 rows (1.5 MB) or of a commit, by append()"
    filters: tuple[str, ...] = ()

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        import zarr
        from zarr.codecs import Crc32cCodec

        rows = zarr.create_array(
            path,
            shape=(0, DIM),
            chunks=(min(1024, plan.batch), DIM),
            dtype="float16",
            compressors=Crc32cCodec() if "crc32c" in self.filters else None,
        )
        for _, block in plan.blocks():
            rows.append(block)
            yield
        sync(path)

    def open(self, path: Path) -> Reader:
        import zarr

        return _ZarrReader(zarr.open_array(path, mode="r"))


class ZarrChecked(Zarr):
    """The same with a checksum a chunk."""

    name = "zarr-crc"
    settings = "as zarr, with the crc32c codec"
    filters = ("crc32c",)


class _ZarrReader(_Sliced):
    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        del keys
        order = np.argsort(numbers)
        out = np.empty((len(numbers), DIM), np.float16)
        out[order] = self.rows.oindex[numbers[order], :]
        return out


class Hdf5(Peer):
    """One chunked dataset in one file."""

    name = "hdf5"
    package = module = "h5py"
    settings = "fletcher32, chunks of 32 rows (48 KiB), SWMR and a flush at each commit"

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        import h5py

        path.mkdir()
        with h5py.File(path / "rows.h5", "w", libver="latest") as file:
            whole = file.create_dataset(
                "rows", (0, DIM), "f2", maxshape=(None, DIM), chunks=(32, DIM), fletcher32=True
            )
            file.swmr_mode = (
                True  # metadata is then written in an order that a crash leaves readable
            )
            for _, rows in plan.blocks():
                start = len(whole)
                whole.resize(start + len(rows), axis=0)
                whole[start:] = rows
                whole.flush()
                yield
        sync(path)

    def open(self, path: Path) -> Reader:
        return _Hdf5Reader(path / "rows.h5")


class _Hdf5Reader(_Sliced):
    def __init__(self, path: Path) -> None:
        import h5py

        self.file = h5py.File(path, "r", libver="latest", swmr=True)
        super().__init__(self.file["rows"])

    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        """By chunk, as h5py's documentation warns of long lists of indices."""
        del keys
        order = np.argsort(numbers)
        wanted = numbers[order]
        rows = self.rows.chunks[0]
        starts = np.flatnonzero(np.diff(wanted // rows, prepend=-1))
        out = np.empty((len(numbers), DIM), np.float16)
        for places in np.split(np.arange(len(wanted)), starts[1:]):
            first = wanted[places[0]] // rows * rows
            out[order[places]] = self.rows[first : first + rows][wanted[places] - first]
        return out

    def close(self) -> None:
        self.file.close()


class Safetensors(Peer):
    """A file a commit, each with its rows' keys."""

    name = "safetensors"
    package = module = "safetensors"
    settings = "a file a commit, under a temporary name until written; lazy slices when read"

    def write(self, path: Path, plan: Plan) -> Iterator[None]:
        from safetensors.numpy import save_file

        path.mkdir()
        for number, (keys, rows) in enumerate(plan.blocks()):
            with renamed(path / f"{number:06}.safetensors") as part:
                save_file({"key": keys, "row": rows}, part)
            yield
        sync(path)

    def open(self, path: Path) -> Reader:
        return _SafetensorsReader(path)


class _SafetensorsReader(Reader):
    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self.files = [safe_open(part, "numpy") for part in sorted(path.glob("*.safetensors"))]
        counts = [file.get_slice("row").get_shape()[0] for file in self.files]
        self.ends = np.cumsum(counts)

    def take(self, keys: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        del keys
        out = np.empty((len(numbers), DIM), np.float16)
        homes = np.searchsorted(self.ends, numbers, side="right")
        for home in np.unique(homes):
            rows = self.files[home].get_slice("row")
            first = int(self.ends[home]) - rows.get_shape()[0]
            for place in np.flatnonzero(homes == home):
                row = int(numbers[place]) - first
                out[place] = rows[row : row + 1]
        return out

    def blocks(self) -> Iterator[Block]:
        for file in self.files:
            keys, rows = file.get_tensor("key"), file.get_slice("row")
            for start in range(0, len(keys), SCAN_ROWS):
                stop = min(start + SCAN_ROWS, len(keys))
                yield keys[start:stop], rows[start:stop]
