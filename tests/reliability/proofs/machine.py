"""Any sequence of what can befall a store, against a dict: rows put, killed, cut, flipped, merged.

A store may refuse to give rows whose shard was damaged or deleted, and must then say so; it never
gives other bytes, and it never loses rows whose files nobody touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from proofs import rows
from proofs.outcome import Outcome
from zoo.engine import FeatureStore
from zoo.errors import StoreError

NUMBERS = st.lists(st.integers(0, 120), min_size=1, max_size=12, unique=True)
COLUMNS = st.sampled_from([("x",), ("t",), ("x", "h", "t", "q"), ("q",), ("b",)])
PLACES = st.floats(0, 1, exclude_max=True)
SETTINGS = st.fixed_dictionaries(
    {
        "shard_bytes": st.sampled_from([1, 2000, 64 << 20]),
        "seal_seconds": st.sampled_from([0.0, 30.0]),
        "resident_bytes": st.sampled_from([0, 1 << 20]),
    }
)


def machine(root: Path, *, examples: int, steps: int, seed: int, quick: bool = False) -> Outcome:
    """So many sequences of so many steps, the same for the same seed.

    `quick` does not look for the shortest sequence that fails.
    """
    outcome = Outcome("machine", seed)
    outcome.counts.update(examples=examples, steps=steps)

    class Seeded(StoreMachine):
        home = root

    try:
        run_state_machine_as_test(
            with_seed(seed)(Seeded),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                phases=[Phase.generate] if quick else list(Phase),
                suppress_health_check=list(HealthCheck),
            ),
        )
    except Exception as error:  # noqa: BLE001 - whatever a sequence ended with is the fault
        outcome.fault("".join([repr(error), *getattr(error, "__notes__", [])]))
    return outcome


class StoreMachine(RuleBasedStateMachine):
    """`sure` has the rows that must be there; `known` all that were ever put, by column."""

    home: Path | None = None

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=self.home))
        self.sure: dict[str, set[int]] = {column: set() for column in rows.FORMS}
        self.known: dict[str, set[int]] = {column: set() for column in rows.FORMS}
        self.copies = 0

    def teardown(self):
        """Remove all folders."""
        with contextlib.suppress(StoreError):
            self.store.close()
        shutil.rmtree(self.root)

    @initialize(settings=SETTINGS)
    def begin(self, settings):
        """An empty store."""
        self.store = FeatureStore.create(self.root / "0", rows.KEY)
        self.reopen(settings)

    @rule(numbers=NUMBERS, columns=COLUMNS)
    def put(self, numbers, columns):
        """Rows are committed when append returns."""
        rows.put(self.store, numbers, columns)
        for column in columns:
            self.sure[column].update(numbers)
            self.known[column].update(numbers)

    @rule(numbers=NUMBERS, column=st.sampled_from(rows.FORMS))
    def get(self, numbers, column):
        """Right rows, or an error."""
        with contextlib.suppress(StoreError):
            got = rows.get(self.store, numbers, column)
            assert rows.wrong(numbers, got, column) == 0
            assert self.known[column].issuperset(numbers)
            return
        assert not self.sure[column].issuperset(numbers)

    @rule()
    def flush(self):
        """Seal."""
        self.store.flush()

    @rule(settings=SETTINGS)
    def kill(self, settings):
        """What another finds of the folder as it is now, its writer being dead."""
        self.copies += 1
        folder = self.root / str(self.copies) / self.store.folder.name
        shutil.copytree(self.store.folder, folder)
        self.store.close()
        self.store = FeatureStore(folder, **settings)

    @rule(settings=SETTINGS)
    def reopen(self, settings):
        """Close and open."""
        self.store.close()
        self.store = FeatureStore(self.store.folder, **settings)

    @rule()
    def refresh(self):
        """Look at the folder again."""
        self.store.refresh()

    @rule()
    def compact(self):
        """Merge small shards."""
        self.store.compact()

    @rule(numbers=NUMBERS, columns=COLUMNS)
    def merge(self, numbers, columns):
        """Copy another store's shards of the same key into this folder."""
        other = self.root / "other"
        with FeatureStore.create(other, rows.KEY) as store:
            rows.put(store, numbers, columns)
        for path in store.folder.glob("*.safetensors"):
            shutil.copy(path, self.store.folder)
        shutil.rmtree(other)
        self.store.refresh()
        for column in columns:
            self.sure[column].update(numbers)
            self.known[column].update(numbers)

    @rule(place=PLACES)
    def prune(self, place):
        """Delete a shard: its rows are gone, where no other has them."""
        path = self._shard(place)
        if path is not None:
            self._unsure(path)
            path.unlink()
            self.store.refresh()

    @rule(place=PLACES, length=PLACES)
    def truncate(self, place, length):
        """Cut a shard short under the open store."""
        path = self._shard(place)
        if path is not None:
            self._unsure(path)
            os.truncate(path, int(length * path.stat().st_size))
            self._damaged(path)

    @rule(place=PLACES, offset=PLACES, bit=st.integers(0, 7))
    def flip(self, place, offset, bit):
        """Flip a bit of a shard under the open store."""
        path = self._shard(place)
        if path is not None:
            self._unsure(path)
            content = bytearray(path.read_bytes())
            content[int(offset * len(content))] ^= 1 << bit
            with path.open("r+b") as file:
                file.write(content)
            self._damaged(path)

    @invariant()
    def all_that_must_be_there_is_right(self):
        """By rows, and by a stream where nothing is damaged."""
        if not hasattr(self, "store"):
            return
        for column, numbers in self.sure.items():
            wanted = sorted(numbers)
            if wanted:
                got = rows.get(self.store, wanted, column)
                assert rows.wrong(wanted, got, column) == 0

    def _shard(self, place):
        paths = sorted(self.store.folder.glob("*.safetensors"))
        return paths[int(place * len(paths))] if paths else None

    def _unsure(self, path):
        """The rows that only this shard may hold are no longer sure; whoever has them too."""
        self.store.flush()
        by_key = rows.numbers_by_key(range(121))
        for column in self.store.columns():
            for view in self.store.views(column):
                if view.shard == path.name:
                    self.sure[column] -= {by_key[key.tobytes()] for key in view.keys}

    def _damaged(self, path):
        """Verify finds it, and it is deleted as the hint says."""
        assert path.name in [shard for shard, _ in self.store.verify().damaged]
        known = rows.numbers_by_key(range(121))
        for column in self.store.columns():
            with contextlib.suppress(StoreError):
                _, twice, bad = rows.judge_stream(self.store, known, column, block_rows=5)
                assert (twice, bad) == (0, 0)
            for number in self.known[column]:
                with contextlib.suppress(StoreError):
                    assert not rows.wrong([number], rows.get(self.store, [number], column), column)
        path.unlink()
        with contextlib.suppress(StoreError):
            self.store.refresh()
        self.store.refresh()
