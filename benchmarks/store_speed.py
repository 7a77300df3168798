"""One peer beside zoo: both write, open, gather and scan the same rows, in turns."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from store_goals import APPEND_ROWS, GATHER_ROWS, SEED
from store_peers import Peer, Reader, Zoo
from store_rows import ROW_BYTES, Plan
from store_timing import emptied, in_turns, seconds, summary

if TYPE_CHECKING:
    from pathlib import Path

    from store_goals import Data

WRITE_ROWS = 40_960  # 60 MiB, near the size of a shard that zoo writes by default
APPENDS = 64
WRITES = 3


def measure_peer(peer: Peer, data: Data, folder: Path, repeat: int) -> dict[str, Any]:
    """Seconds of each work, by the peer and by zoo beside it, and bytes on disk."""
    sides = {"peer": peer, "zoo": Zoo()}
    paths = {side: folder / side for side in sides}
    rows = len(data[0])
    few = min(rows, APPENDS * APPEND_ROWS)
    appends = _written(sides, paths, Plan(few, APPEND_ROWS, data), min(repeat, WRITES))
    writes = _written(sides, paths, Plan(rows, WRITE_ROWS, data), min(repeat, WRITES))
    os.sync()
    opens = in_turns(
        repeat, **{side: partial(_open_one, sides[side], paths[side], data) for side in sides}
    )
    readers = {side: sides[side].open(paths[side]) for side in sides}
    places = np.random.default_rng(SEED).permutation(rows)[:GATHER_ROWS]
    _same(readers["peer"], data, places)
    gathers = in_turns(
        repeat, **{side: partial(readers[side].take, data[0][places], places) for side in sides}
    )
    scans = in_turns(repeat, **{side: partial(_scan, readers[side], data[1]) for side in sides})
    for reader in readers.values():
        reader.close()
    result = {
        side: {
            "write": summary(writes[side]) | {"bytes": rows * ROW_BYTES},
            "append": summary(appends[side]) | {"bytes": few * ROW_BYTES},
            "open": summary(opens[side]),
            "gather": summary(gathers[side]) | {"rows": len(places)},
            "scan": summary(scans[side]) | {"bytes": rows * ROW_BYTES},
            "disk": _disk(paths[side]),
        }
        for side in sides
    }
    for path in paths.values():
        emptied(path)
    return result


def _written(
    sides: dict[str, Peer], paths: dict[str, Path], plan: Plan, repeat: int
) -> dict[str, list[float]]:
    """Seconds from nothing to durable; what the last round wrote stays."""
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(repeat):
        for side, peer in sides.items():
            path = emptied(paths[side])
            os.sync()
            times[side].append(
                seconds(lambda peer=peer, path=path: sum(1 for _ in peer.write(path, plan)))
            )
    return times


def _open_one(peer: Peer, path: Path, data: Data) -> None:
    number = np.array([len(data[0]) // 3])
    with peer.open(path) as reader:
        reader.take(data[0][number], number)


def _same(reader: Reader, data: Data, places: np.ndarray) -> None:
    found = np.ascontiguousarray(reader.take(data[0][places], places))
    if not np.array_equal(found.view(np.uint16), data[1][places].view(np.uint16)):
        raise ValueError("the gathered rows are not those that were written")


def _scan(reader: Reader, rows: np.ndarray) -> None:
    """Every row, in blocks; each block is added up, so that mapped ones are read too."""
    count = 0
    for _, block in reader.blocks():
        count += len(block)
        block.view(np.uint64).sum()
    if count != len(rows):
        raise ValueError(f"the scan gave {count} of {len(rows)} rows")


def _disk(path: Path) -> int:
    """Bytes that the system has set aside for what lies under `path`."""
    return sum(part.stat().st_blocks * 512 for part in path.rglob("*") if part.is_file())
