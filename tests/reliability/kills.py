"""SIGKILLs at random times of a process that appends: what it had committed is there, and right."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import known_rows
import proof

from zoo.engine import FeatureStore
from zoo.errors import StoreError

ROWS = 600
BATCH = 12
KEY = {"proof": "kills"}


def write(folder: Path, pipe: int, rng: random.Random) -> None:
    """Append what is missing, batch by batch; tell of each before and after."""
    store = FeatureStore(
        folder,
        shard_bytes=rng.choice([2_000, 20_000, 64 << 20]),
        seal_seconds=rng.choice([0.005, 30.0]),
    )
    has = set(range(ROWS))
    for column in known_rows.COLUMNS:
        has &= set(known_rows.present(store, range(ROWS), column))
    for start in range(0, ROWS, BATCH):
        numbers = range(start, start + BATCH)
        if has.issuperset(numbers):
            continue
        os.write(pipe, b"b%04d" % start)
        store.append(known_rows.keys_of(numbers), known_rows.columns_of(numbers))
        os.write(pipe, b"a%04d" % start)
        if rng.random() < 0.1:
            store.compact()
    store.close()


def killed_writer(folder: Path, rng: random.Random) -> tuple[set[int], set[int], bool]:
    """Start a writer and kill it: the batches it began, those it called committed, if it ended."""
    seed = rng.random()
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read_end)
            write(folder, write_end, random.Random(seed))
        except BaseException as error:  # noqa: BLE001 - nothing may leave the child
            print(f"writer: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    os.close(write_end)
    time.sleep(rng.uniform(0.001, 0.06))
    os.kill(child, signal.SIGKILL)
    told = b""
    while piece := os.read(read_end, 1 << 16):
        told += piece
    os.close(read_end)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise AssertionError("a writer failed without being killed")
    marks = [told[i : i + 5] for i in range(0, len(told) - 4, 5)]
    began = {int(mark[1:]) for mark in marks if mark.startswith(b"b")}
    committed = {int(mark[1:]) for mark in marks if mark.startswith(b"a")}
    return began, committed, os.WIFEXITED(status)


def prove(count: int, seed: int) -> dict[str, object]:
    """Kill `count` writers of one store after another and look at each store after each kill."""
    rng = random.Random(seed)
    faults = {"lost": 0, "wrong": 0, "unreadable": 0, "batches_redone": 0, "twice": 0}
    root = Path(tempfile.mkdtemp(prefix="zoo-kills-"))
    kills = stores = acknowledged = whole = 0
    try:
        while kills < count:
            folder = root / str(stores)
            with FeatureStore.create(folder, KEY) as store:
                folder = store.folder
            stores += 1
            known: set[int] = set()
            ended = False
            while not ended and kills < count:
                began, committed, ended = killed_writer(folder, rng)
                kills += not ended
                acknowledged += len(committed)
                faults["batches_redone"] += len(began & known)
                known |= committed
                try:
                    with FeatureStore(folder) as store:
                        rows = [n for start in known for n in range(start, start + BATCH)]
                        for column in known_rows.COLUMNS:
                            there = known_rows.present(store, rows, column)
                            faults["lost"] += len(rows) - len(there)
                        faults["wrong"] += known_rows.wrong_rows(store, range(ROWS))
                        faults["unreadable"] += len(store.verify().damaged)
                except StoreError as error:
                    print(f"unreadable: {error}", file=sys.stderr)
                    faults["unreadable"] += 1
            if ended:
                whole += 1
                with FeatureStore(folder) as store:
                    for column in known_rows.COLUMNS:
                        try:
                            keys = known_rows.streamed_once(store, column)
                        except AssertionError:
                            faults["twice"] += 1
                            continue
                        faults["lost"] += ROWS - len(keys)
                shutil.rmtree(folder)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return {
        "kills": kills,
        "stores_completed": whole,
        "batches_acknowledged": acknowledged,
        "faults": faults,
    }


if __name__ == "__main__":
    proof.main("kills", prove, short=40, long=1000)
