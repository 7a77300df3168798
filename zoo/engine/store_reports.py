"""What a store tells of itself: its content, its health, its shards as they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
class CompactReport:
    """What merging small shards did.

    Attributes:
        before: shards that were merged and removed.
        after: shards that hold their rows now.
        rows: rows in those.
    """

    before: int
    after: int
    rows: int


@dataclass(frozen=True)
class ShardView:
    """A column of one sealed shard as it lies in the file: arrays over a read-only mapping.

    They stay good when the shard is removed. They are not checked (`FeatureStore.verify` is what
    checks), and a file that somebody truncates under a mapping ends the process: where that can
    happen take ``copy=True``.

    Attributes:
        shard: file name.
        keys: (n, 16) uint8.
        values: (n, d), or (sum t, d) of a ragged column; uint16 bits of a bfloat16 one.
        offsets: (n + 1,) int64 of a ragged column, else None.
        scales: float32, one a vector of an int8 column, else None.
    """

    shard: str
    keys: NDArray[np.uint8]
    values: NDArray[Any]
    offsets: NDArray[np.int64] | None
    scales: NDArray[np.float32] | None
    _native: Any = field(default=None, repr=False)

    def __dlpack__(self, *, max_version: tuple[int, int] | None = None, **_: Any) -> Any:
        """The values for any consumer of DLPack 1.0, bfloat16 as such; read-only."""
        if self._native is None:
            return self.values.__dlpack__(max_version=max_version)
        return self._native.dlpack(max_version)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # the CPU


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
