"""The store against what the machine itself does with the same bytes."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from store_peers import COLUMN, Zoo, zoo_folder
from store_rows import ROW_BYTES, Plan
from store_timing import Goal, emptied, in_turns, seconds

from zoo.engine import FeatureStore

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Data = tuple[NDArray[np.uint8], NDArray[np.float16]]

SHARDS = 16
APPEND_ROWS = 256
GATHER_ROWS = 10_000
SEED = 20


def shard_bytes(rows: int) -> int:
    """What makes 16 shards of so many rows appended in batches, whether keys count or not."""
    return -(-rows // SHARDS) * (ROW_BYTES + 16)


def measure_goals(data: Data, folder: Path, repeat: int) -> Iterator[Goal]:
    """Write the rows, `repeat` times, then read them in every way that has a goal."""
    yield from _append(data, folder, repeat)
    path = zoo_folder(folder / "zoo")
    os.sync()
    yield from _open(data, path, repeat)
    yield from _look_up(data, path, repeat)
    yield from _scan(data, path, repeat)
    yield from _gather(data, path, repeat)
    emptied(folder / "zoo")


def _ratio(times: dict[str, list[float]], name: str, base: str) -> float:
    return statistics.median(times[name]) / statistics.median(times[base])


def _append(data: Data, folder: Path, repeat: int) -> Iterator[Goal]:
    if shutil.which("dd") is None:
        raise SystemExit("dd is not installed: the appending goal has nothing to be held against")
    plan = Plan(len(data[0]), APPEND_ROWS, data)
    zoo = Zoo(shard_bytes=shard_bytes(plan.rows))
    size = plan.rows * ROW_BYTES
    target = folder / "dd"
    blocks = f"bs=1M count={size} iflag=count_bytes conv=fsync".split()
    dd = partial(
        subprocess.run,
        ["dd", "if=/dev/zero", f"of={target}", *blocks],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    times: dict[str, list[float]] = {"zoo": [], "dd": []}
    for _ in range(repeat):
        emptied(target)
        os.sync()
        times["dd"].append(seconds(dd))
        emptied(target)
        path = emptied(folder / "zoo")
        os.sync()
        times["zoo"].append(seconds(lambda path=path: list(zoo.write(path, plan))))
    emptied(target)
    yield Goal(
        "durable append, rate / dd conv=fsync",
        1 / _ratio(times, "zoo", "dd"),
        at_least=0.7,
        seconds=times,
        bytes=size,
    )
    for name, taken in times.items():
        print(f"  {name} MB/s: " + ", ".join(f"{size / each / 1e6:.0f}" for each in taken))


def _open(data: Data, path: Path, repeat: int) -> Iterator[Goal]:
    shards = sorted(path.glob("*.safetensors"))
    draw = np.random.default_rng(SEED)
    opened = []

    def zoo() -> None:
        number = draw.integers(len(data[0]))
        opened.append(FeatureStore.at(path))
        opened[-1].rows(data[0][number : number + 1], COLUMN)

    def memmaps() -> list[np.memmap]:
        return [np.memmap(shard, mode="r") for shard in shards]

    times = in_turns(repeat * 3, zoo=zoo, memmaps=memmaps)
    for store in opened:
        store.close()
    yield Goal(
        f"open and look up one row, time / opening {len(shards)} numpy.memmap",
        _ratio(times, "zoo", "memmaps"),
        at_most=5,
        seconds=times,
    )


def _look_up(data: Data, path: Path, repeat: int) -> Iterator[Goal]:
    keys = data[0][np.random.default_rng(SEED).permutation(len(data[0]))]
    first, again = [], []
    for _ in range(repeat):
        with FeatureStore.at(path) as store:
            for times in (first, again):
                times.append(seconds(lambda store=store: store.contains(keys, COLUMN)))
            if not store.contains(keys, COLUMN).all():
                raise ValueError("the store does not have all rows that were appended")
    for name, times in (("just opened", first), ("again", again)):
        each = statistics.median(times) / len(keys) * 1e6
        yield Goal(
            f"look up {len(keys):,} keys, {name}, us a key",
            each,
            at_most=1,
            seconds={"zoo": times},
        )


def _scan(data: Data, path: Path, repeat: int) -> Iterator[Goal]:
    with FeatureStore.at(path) as store:

        def scan(threads: int) -> None:
            rows = sum(len(block) for _, block in store.stream(COLUMN, threads=threads))
            if rows != len(data[0]):
                raise ValueError(f"the scan gave {rows} of {len(data[0])} rows")

        times = in_turns(
            repeat,
            zoo=partial(scan, 1),
            zoo_2_threads=partial(scan, 2),
            verify=store.verify,
            sum=data[1].view(np.uint64).sum,
        )
    for name, text, bound in (
        ("zoo", "verified scan", 0.5),
        ("zoo_2_threads", "verified scan, 2 threads", None),
        ("verify", "verify(), every byte", None),
    ):
        rate = 1 / _ratio(times, name, "sum")
        both = {name: times[name], "sum": times["sum"]}
        yield Goal(
            f"{text}, rate / view(uint64).sum()",
            rate,
            at_least=bound,
            seconds=both,
            bytes=data[1].nbytes,
        )


def _gather(data: Data, path: Path, repeat: int) -> Iterator[Goal]:
    keys, rows = data
    places = np.random.default_rng(SEED).permutation(len(keys))[:GATHER_ROWS]
    wanted = keys[places]
    with FeatureStore.at(path) as store, FeatureStore(path, resident_bytes=1 << 40) as resident:
        for _ in range(len(keys) // len(wanted) + 1):  # until every shard was asked often enough
            resident.rows(wanted, COLUMN)
        if not np.array_equal(
            store.rows(wanted, COLUMN).view(np.uint16), rows[places].view(np.uint16)
        ):
            raise ValueError("the gathered rows are not those that were appended")
        times = in_turns(
            repeat * 3,
            zoo=lambda: store.rows(wanted, COLUMN),
            zoo_2_threads=lambda: store.rows(wanted, COLUMN, threads=2),
            resident=lambda: resident.rows(wanted, COLUMN),
            numpy=lambda: rows[places],
        )
    for name, text, bound in (
        ("zoo", ", from the files", 1.3),
        ("zoo_2_threads", ", from the files, 2 threads", None),
        ("resident", ", columns kept in memory (resident_bytes)", 1.3),
    ):
        both = {name: times[name], "numpy": times["numpy"]}
        yield Goal(
            f"gather {len(places):,} rows warm{text}, time / numpy a[idx]",
            _ratio(times, name, "numpy"),
            at_most=bound,
            seconds=both,
        )
