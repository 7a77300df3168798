"""Many writers, readers, a compactor and a pruner on one store, where flock does nothing.

Lasting rows have every column and nothing removes them; passing rows have column "h" alone, and so
stand in shards of their own, which the pruner unlinks. A writer is stopped for a while now and
then, so that the others take its journal for a dead one's.

``python -m proofs.crowd FOLDER SECONDS SEED`` is all of it, and prints the outcome.
"""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

from proofs import processes, rows, shims
from proofs.outcome import Outcome
from zoo.engine import FeatureStore
from zoo.errors import StoreError

WRITERS = 8
READERS = 4
BATCH = 16
BATCHES = 1200  # lasting ones; the first third is everybody's, the others are one writer's each
SHARED = BATCHES // 3
PASSING = 10_000_000  # numbers of passing rows begin here
PASSING_BATCHES = 200
ABSENT = "absent: "  # begins faults of readers who miss rows for a while that are all there


def crowd(root: Path, *, seconds: float, seed: int, flock: bool = False) -> Outcome:
    """Let the crowd work so long in a process of its own, under the shim unless with flock."""
    env = processes.environment() if flock else shims.environment(root, no_flock=1)
    limit = seconds * 2 + 300
    done = processes.fresh("proofs.crowd", root, seconds, seed, env=env, timeout=limit)
    outcome = Outcome("crowd" if flock else "crowd without flock", seed)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        outcome.fault(f"the crowd ended with {done.returncode}: {done.stderr[-2000:]}")
        return outcome
    outcome.counts.update(told["counts"])
    outcome.counts["absent_reads"] = sum(fault.startswith(ABSENT) for fault in told["faults"])
    for fault in told["faults"]:
        outcome.fault(fault)
    if done.returncode != 0:
        outcome.fault(f"the crowd ended with {done.returncode}: {done.stderr[-2000:]}")
    return outcome


def merged_under_a_stream(root: Path, *, shards: int) -> int:
    """Merge shards under the stream of the store that wrote them; how many rows it gave."""
    store = FeatureStore.create(root, rows.KEY)
    for number in range(shards):
        rows.put(store, [number], ["x"])
        store.flush()
    blocks = store.stream("x", block_rows=1)
    given = len(next(blocks)[0])
    FeatureStore(store.folder).compact()
    return given + sum(len(keys) for keys, _ in blocks)


class Member:
    """A process of the crowd: its random numbers, what it counted and what it found wrong."""

    def __init__(self, root: Path, folder: Path, name: str, seed: int) -> None:
        self.root, self.folder, self.name = root, folder, name
        self.random = random.Random(f"{seed} {name}")
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.done: set[int] = set()

    def work(self, act, until):
        """Act again and again; leave a report behind."""
        try:
            act(self, until)
        except BaseException:  # noqa: BLE001 - told in the report
            self.faults.append(f"{self.name}: {traceback.format_exc()[-1500:]}")
        report = {"counts": self.counts, "faults": self.faults, "done": sorted(self.done)}
        (self.root / f"{self.name}.report").write_text(json.dumps(report))


def numbers_of(batch):
    """The rows of a batch; passing ones have batch numbers below 0."""
    first = batch * BATCH if batch >= 0 else PASSING + (-batch - 1) * BATCH
    return range(first, first + BATCH)


def writing(self, until):
    """Append batches of everybody's and of its own, in any order, by stores of all settings."""
    mine = int(self.name.split("-")[1])
    while time.monotonic() < until:
        store = FeatureStore(
            self.folder,
            shard_bytes=self.random.choice([2 << 10, 32 << 10, 64 << 20]),
            seal_seconds=self.random.choice([0.0, 0.05, 30.0]),
        )
        for _ in range(self.random.randint(1, 40)):
            kind = self.random.random()
            if kind < 0.3:
                batch = -1 - self.random.randrange(PASSING_BATCHES)
            elif kind < 0.6:
                batch = self.random.randrange(SHARED)
            else:
                batch = SHARED + self.random.randrange((BATCHES - SHARED) // WRITERS) * WRITERS
                batch += mine
            rows.put(store, numbers_of(batch), rows.COLUMNS if batch >= 0 else ["h"])
            self.counts["appends"] += 1
            if batch >= 0:
                self.done.add(batch)
            if self.random.random() < 0.02:
                store.flush()
        if self.random.random() < 0.5:
            store.close()
        # Else it is dropped, which seals it too.


def reading(self, until):
    """Read in every way; what was once seen of the lasting rows must stay, and all be right."""
    reader = Reader(self)
    acts = (reader.stream, reader.rows, reader.passing, reader.contains, reader.look)
    while time.monotonic() < until:
        act = self.random.choice(acts)
        try:
            act()
        except StoreError as error:
            self.faults.append(f"{ABSENT}{self.name}: {act.__name__}: {error}")


class Reader:
    """A store that is read, and the lasting rows that it was once seen to have."""

    def __init__(self, member: Member) -> None:
        self.member, self.random, self.counts = member, member.random, member.counts
        self.store = FeatureStore(member.folder)
        self.seen: set[int] = set()
        self.known = rows.numbers_by_key(n for b in range(BATCHES) for n in numbers_of(b))
        numbers = [n for b in range(PASSING_BATCHES) for n in numbers_of(-1 - b)]
        self.known |= rows.numbers_by_key(numbers)
        self.fleeting = np.array(numbers)

    def fault(self, what, kind=""):
        """Say what must not be."""
        self.member.faults.append(f"{kind}{self.member.name}: {what}")

    def look(self):
        """Take up what others did, by the same store or another."""
        if self.random.random() < 0.5:
            self.counts["refresh"] += 1
            self.store.refresh()
        else:
            self.counts["reopen"] += 1
            self.store = FeatureStore(self.member.folder)

    def stream(self):
        """All of a column; it may end with an error when shards of passing rows are pruned.

        Or when any are merged, where there are more than a process keeps open.
        """
        columns = sorted(self.store.columns())
        if not columns:
            return
        self.counts["stream"] += 1
        column = self.random.choice(columns)
        size = self.random.choice([7, 500, 4096])
        try:
            there, twice, bad = rows.judge_stream(self.store, self.known, column, block_rows=size)
        except StoreError as error:
            if column != "h" and os.strerror(errno.ENOENT) not in str(error):
                raise
            self.counts["refused_streams"] += 1
            return
        if twice or bad:
            self.fault(f"a stream of {column} gave {twice} rows twice and {bad} wrong")
        if self.seen - there:
            self.fault(f"a stream of {column} lacked {len(self.seen - there)} rows", ABSENT)
        if column != "h":
            self.seen |= there

    def rows(self):
        """Rows that it has seen before."""
        if not self.seen:
            return
        self.counts["rows"] += 1
        wanted = self.random.sample(sorted(self.seen), min(len(self.seen), 200))
        column = self.random.choice(rows.COLUMNS)
        bad = rows.wrong(wanted, rows.get(self.store, wanted, column), column)
        if bad:
            self.fault(f"{bad} wrong rows of {column}")

    def contains(self):
        """Whether all rows seen before are there."""
        if not self.seen:
            return
        self.counts["contains"] += 1
        lacking = int(rows.lacking(self.store, sorted(self.seen)).sum())
        if lacking:
            self.fault(f"{lacking} of {len(self.seen)} rows are there no more", ABSENT)

    def passing(self):
        """Rows that may be pruned between the question whether they are there and the reading."""
        self.counts["passing"] += 1
        there = self.fleeting[[self.random.random() < 0.05 for _ in self.fleeting]]
        there = there[self.store.contains(rows.keys_of(there), "h")]
        try:
            bad = rows.wrong(there, rows.get(self.store, there, "h"), "h") if len(there) else 0
        except StoreError:
            self.counts["refused_reads"] += 1
            self.store.refresh()
            return
        if bad:
            self.fault(f"{bad} wrong passing rows")


def compacting(self, until):
    """Merge small shards again and again."""
    while time.monotonic() < until:
        report = FeatureStore(self.folder).compact()
        self.counts["compactions"] += 1
        self.counts["shards_merged"] += report.before
        time.sleep(self.random.uniform(0.0, 0.3))


def pruning(self, until):
    """Unlink shards of passing rows; a shard that cannot be looked at any more is left alone."""
    numbers = [n for b in range(PASSING_BATCHES) for n in numbers_of(-1 - b)]
    passing = set(map(bytes, rows.keys_of(numbers)))
    while time.monotonic() < until:
        time.sleep(self.random.uniform(0.05, 0.4))
        store = FeatureStore(self.folder)
        if "h" not in store.columns():
            continue
        try:
            views = store.views("h")
        except StoreError:
            continue
        for view in views:
            if view.keys[0].tobytes() in passing and self.random.random() < 0.7:
                (self.folder / view.shard).unlink(missing_ok=True)
                self.counts["shards_pruned"] += 1


def stopping(pids, until, draw):
    """Stop a writer for a while and let it go on; returns how often."""
    times = 0
    while time.monotonic() < until - 0.6:
        pid = draw.choice(pids)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(draw.uniform(0.1, 0.6))
        os.kill(pid, signal.SIGCONT)
        times += 1
        time.sleep(draw.uniform(0.0, 0.2))
    return times


def run(root: Path, seconds: float, seed: int) -> int:
    """The whole crowd, and the judgement when it is done."""
    with FeatureStore.create(root, rows.KEY) as store:
        folder = store.folder
    until = time.monotonic() + seconds
    members = {}
    acts = [(f"writer-{i}", writing) for i in range(WRITERS)]
    acts += [(f"reader-{i}", reading) for i in range(READERS)]
    acts += [("compactor", compacting), ("pruner", pruning)]
    for name, act in acts:
        member = Member(root, folder, name, seed)
        members[name] = processes.fork(member.work, act, until)
    writers = [members[f"writer-{i}"] for i in range(WRITERS)]
    outcome = Outcome("crowd", seed)
    outcome.counts["stops"] = stopping(writers, until, random.Random(seed))
    done: set[int] = set()
    faults: list[str] = []
    for name, pid in members.items():
        code = processes.ended(pid)
        if code != 0:
            outcome.fault(f"{name} ended with {code}")
            continue
        report = json.loads((root / f"{name}.report").read_text())
        outcome.counts.update(report["counts"])
        done.update(report["done"])
        faults += report["faults"]
    judge(outcome, folder, done)
    faults = outcome.faults + sorted(faults, key=lambda fault: fault.startswith(ABSENT))
    print(json.dumps({"counts": outcome.counts, "faults": faults}))
    return 0


def judge(outcome, folder, done):
    """What is in the store in the end."""
    store = FeatureStore(folder)
    report = store.verify()
    if report.damaged:
        outcome.fault(f"damaged: {report.damaged}")
    left = [path.name for path in folder.iterdir() if path.suffix != ".safetensors"]
    if left != ["key.json"]:
        outcome.fault(f"left behind: {sorted(left)}")
    numbers = [n for batch in sorted(done) for n in numbers_of(batch)]
    lost, wrong = rows.judge(store, numbers)
    outcome.counts.update(lasting_rows=len(numbers), lost_rows=lost, wrong_rows=wrong)
    outcome.counts["shards_in_the_end"] = report.shards
    if lost or wrong:
        outcome.fault(f"{lost} lost and {wrong} wrong of {len(numbers)} rows")
    known = rows.numbers_by_key(n for b in range(-PASSING_BATCHES, BATCHES) for n in numbers_of(b))
    for column in store.columns():
        there, twice, bad = rows.judge_stream(store, known, column)
        if twice or bad or set(numbers) - there:
            outcome.fault(f"in the end {column} has {twice} rows twice, {bad} wrong")


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
