"""Kill a writer at random moments: what it was told is kept must be there, and right, ever after.

The writer goes through the batches in order, puts down each before it appends it and after append
has returned, in a file that outlives it. The next one goes on with what the store lacks.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

from proofs import processes, rows
from proofs.outcome import Outcome
from zoo.engine import FeatureStore
from zoo.errors import StoreError

BATCH = 32  # rows
BATCHES = 300
LATEST = 0.060  # seconds after its start that a writer is killed at
# Small shards and short ages, so that kills hit sealing, recovery and compaction too.
SETTINGS = (
    {},
    {"shard_bytes": 64 << 10},
    {"seal_seconds": 0.0},
    {"shard_bytes": 16 << 10, "compact": 25},
    {"seal_seconds": 0.01, "compact": 40},
)


def numbers_of(batch):
    """The rows of a batch."""
    return range(batch * BATCH, (batch + 1) * BATCH)


def write(folder: Path, log: Path, settings, *, honest=True):
    """Append the batches that the store lacks; what a killed child runs."""
    settings = dict(settings)
    compact = settings.pop("compact", 0)
    report = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    store = FeatureStore(folder, **settings)
    os.write(report, b"opened 0\n")
    lacking = rows.lacking(store, range(BATCHES * BATCH)).reshape(BATCHES, BATCH).any(axis=1)
    for count, batch in enumerate(map(int, lacking.nonzero()[0])):
        os.write(report, b"start %d\n" % batch)
        if honest or batch % 50:
            rows.put(store, numbers_of(batch))
        os.write(report, b"done %d\n" % batch)
        if compact and count % compact == compact - 1:
            store.compact()
    store.close()


def kills(root: Path, *, count: int, seed: int, honest: bool = True) -> Outcome:
    """Kill `count` writers, on as many stores as they can fill, and check every reopening."""
    outcome = Outcome("kills", seed)
    random_ = random.Random(seed)
    names = "kills lost_rows wrong_rows unreadable damaged_shards redone_batches stores"
    outcome.counts.update(dict.fromkeys(names.split(), 0))
    with FeatureStore.create(root / "uninterrupted", rows.KEY) as store:
        for batch in range(BATCHES):
            rows.put(store, numbers_of(batch))
        want = rows.digests(store, range(BATCHES * BATCH))
    while outcome.counts["kills"] < count:
        settings = SETTINGS[outcome.counts["stores"] % len(SETTINGS)]
        with FeatureStore.create(root, rows.KEY) as store:
            folder = store.folder
        _one_store(outcome, folder, root / "log", settings, random_, count, honest)
        outcome.counts["stores"] += 1
        if honest and rows.digests(FeatureStore(folder), range(BATCHES * BATCH)) != want:
            outcome.fault(f"{settings}: the rows are not those of an uninterrupted run")
        shutil.rmtree(folder)
        (root / "log").unlink()
    counts = outcome.counts
    if counts["redone_batches"] > counts["kills"]:
        outcome.fault("more than one batch was redone a kill")
    return outcome


def _one_store(outcome, folder, log, settings, random_, count, honest):
    """Kill writers of one store until it is whole or there were enough; then finish it."""
    counts = outcome.counts
    here = f"store {counts['stores']} {settings}"
    started: set[int] = set()
    done: set[int] = set()
    told = 0
    whole = False
    while not whole:
        last = counts["kills"] >= count
        pid = processes.fork(_write_as, folder, log, settings, honest)
        if last:
            if processes.ended(pid) != 0:
                outcome.fault(f"{here}: the finishing writer failed")
            whole = True
        else:
            time.sleep(random_.uniform(0.001, LATEST))
            whole = not processes.kill(pid)
            counts["kills"] += not whole
        lines = log.read_text().splitlines() if log.exists() else []
        fresh, told = lines[told:], len(lines)
        redone = 0
        for what, batch in (line.split() for line in fresh):
            redone += what == "start" and int(batch) in started
            {"start": started, "done": done, "opened": set()}[what].add(int(batch))
        counts["redone_batches"] += redone
        if redone > 1:
            outcome.fault(f"{here}: {redone} batches were redone after one kill")
        if not whole:
            _count_place(counts, folder, fresh)
        # In the other half of the cases the next writer itself must recover, and may die doing so.
        if whole or random_.random() < 0.5:
            _check(outcome, folder, sorted(done), here)
    _check(outcome, folder, range(BATCHES), here)
    counts["batches"] += BATCHES


def _write_as(folder, log, settings, honest):
    write(folder, log, settings, honest=honest)


def _count_place(counts, folder, lines):
    """What the writer was at when it died, as far as its log and its files tell."""
    names = [path.name for path in folder.iterdir()]
    counts["killed_in_opening"] += not lines
    counts["killed_in_append"] += bool(lines) and lines[-1].startswith("start")
    counts["killed_in_sealing_or_merging"] += any(name.endswith(".tmp") for name in names)
    counts["killed_in_recovery"] += any(name.endswith(".recover") for name in names)


def _check(outcome, folder, batches, here):
    """Open the store as a reader would: every acknowledged row is there and right."""
    counts = outcome.counts
    counts["checks"] += 1
    try:
        store = FeatureStore(folder)
        damaged = store.verify().damaged
    except StoreError as error:
        counts["unreadable"] += 1
        outcome.fault(f"{here}: {error}")
        return
    counts["damaged_shards"] += len(damaged)
    if damaged:
        outcome.fault(f"{here}: damaged {damaged}")
    numbers = [number for batch in batches for number in numbers_of(batch)]
    lost, wrong = rows.judge(store, numbers)
    counts["lost_rows"] += lost
    counts["wrong_rows"] += wrong
    counts["rows_checked"] += len(numbers)
    if lost or wrong:
        outcome.fault(f"{here}: {lost} lost and {wrong} wrong of {len(numbers)} acknowledged rows")
    known = rows.numbers_by_key(range(BATCHES * BATCH))
    for column in store.columns():  # none yet where the kill came early
        _, twice, bad = rows.judge_stream(store, known, column)
        if twice or bad:
            outcome.fault(f"{here}: a stream of {column} gave {twice} rows twice, {bad} wrong")
