"""Flip single bits of shards and cut shards short: always found, and never read as rows."""

from __future__ import annotations

import os
import random
from pathlib import Path

from proofs import rows
from proofs.outcome import Outcome
from zoo.engine import FeatureStore
from zoo.errors import StoreError

ROWS = 24


def flips(root: Path, *, count: int, seed: int, resident: bool = False) -> Outcome:
    """Flip a bit at `count` random places of a store with every form of column, one at a time.

    `resident` lets the stores that were open before keep columns in memory.
    """
    outcome = Outcome("flips of resident columns" if resident else "flips", seed)
    outcome.counts.update(flips=0, found=0, missed=0, wrong_reads=0, refused_reads=0)
    random_ = random.Random(seed)
    folder = _sound(root, ROWS, shards=2)
    paths = sorted(folder.glob("*.safetensors"))
    outcome.counts["shards"] = len(paths)
    ends = [path.stat().st_size for path in paths]
    outcome.counts["bytes"] = sum(ends)
    for _ in range(count):
        place, bit = random_.randrange(sum(ends)), random_.randrange(8)
        which = 0
        while place >= ends[which]:
            place, which = place - ends[which], which + 1
        # A store that was open before has checked the shard's seal already.
        before = FeatureStore(folder, resident_bytes=1 << 20 if resident else 0)
        if random_.random() < 0.5:
            _read(before, outcome, "before")
        _flip(paths[which], place, bit)
        here = f"bit {bit} of byte {place} of shard {which}"
        outcome.counts["flips"] += 1
        _expect_found(folder, outcome, here, paths[which])
        _read(before, outcome, here)
        _read(FeatureStore(folder), outcome, here)
        _flip(paths[which], place, bit)
    return outcome


def truncations(root: Path, *, step: int, seed: int) -> Outcome:
    """Cut small shards to every `step`-th length, under a store that is open and a fresh one."""
    outcome = Outcome("truncations", seed)
    outcome.counts.update(truncations=0, found=0, missed=0, wrong_reads=0, refused_reads=0)
    folder = _sound(root, 3, shards=1)
    for path in sorted(folder.glob("*.safetensors")):
        content = path.read_bytes()
        for length in range(seed % step, len(content), step):
            before = FeatureStore(folder)
            if length % 2:
                _read(before, outcome, "before")
            os.truncate(path, length)
            here = f"{length} of {len(content)} bytes"
            outcome.counts["truncations"] += 1
            _expect_found(folder, outcome, here, path)
            _read(before, outcome, here)
            _read(FeatureStore(folder), outcome, here)
            path.write_bytes(content)
    _expect_sound(folder, outcome)
    return outcome


def _sound(root, count, *, shards):
    """A store with all forms of columns, and these rows spread over so many shards of each."""
    with FeatureStore.create(root, rows.KEY) as store:
        for part in range(shards):
            rows.put(store, range(part, count, shards), rows.FORMS)
            store.flush()
    return store.folder


def _flip(path, place, bit):
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << bit]))


def _expect_found(folder, outcome, here, path):
    named = [shard for shard, _ in FeatureStore(folder).verify().damaged]
    if named == [path.name]:
        outcome.counts["found"] += 1
    else:
        outcome.counts["missed"] += 1
        outcome.fault(f"verify names {named} after {here}")


def _expect_sound(folder, outcome):
    if FeatureStore(folder).verify().damaged:
        outcome.fault("the restored shard is not sound: the proof itself is wrong")


def _read(store, outcome, here):
    """Read everything in every way; what is given must be right."""
    known = rows.numbers_by_key(range(ROWS))
    for column in rows.FORMS:
        attempts = (
            lambda column=column: _wrong_rows(store, column),
            lambda column=column: rows.judge_stream(store, known, column, block_rows=5)[2],
            lambda column=column: _wrong_copies(store, known, column),
        )
        for attempt in attempts:
            try:
                bad = attempt()
            except StoreError:
                outcome.counts["refused_reads"] += 1
                continue
            outcome.counts["reads"] += 1
            if bad:
                outcome.counts["wrong_reads"] += 1
                outcome.fault(f"{bad} wrong rows of {column} after {here}")


def _wrong_rows(store, column):
    there = [n for n in range(ROWS) if store.contains(rows.keys_of([n]), column)[0]]
    return rows.wrong(there, rows.get(store, there, column), column)


def _wrong_copies(store, known, column):
    bad = 0
    for view in store.views(column, copy=True):
        numbers = [known.get(key.tobytes(), -1) for key in view.keys]
        if -1 in numbers:
            return len(numbers)
        want = rows.column_of(numbers, column)
        flat = want.values if view.offsets is not None else want
        flat = flat.values if view.scales is not None else flat
        bad += view.values.tobytes() != flat.tobytes()
    return bad
