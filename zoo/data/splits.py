"""Decides which rows are fitted, which choose a strength and which judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.names import listed, shown
from zoo.data.stratify import fold, hold_out, labels_in_strata, numbers_in_strata, units_of
from zoo.errors import DataError, UsageError
from zoo.plugin.dataset import SPLITS

if TYPE_CHECKING:
    from zoo.plugin import Dataset, Fold, Target

HOLDOUT_FROM = 1_000  # labelled rows; below, one test split would judge on too few
TEST_SHARE = 0.2
FOLDS = 5
REPEATS = 5


@dataclass(frozen=True, eq=False)
class SplitPlan:
    """Row numbers by role; rows without a label have none.

    Attributes:
        protocol: ``holdout``: one part judges; ``cv``: every row judges, once a repeat.
        train: rows for fitting; with ``cv`` all labelled rows.
        val: rows of a given validation split.
        test: rows that only judge. Where there are none but `val`, that judges.
        folds: (fit, held) for the choice of strength; empty where no row can be held.
        repeats: with ``cv``, for each repeat its (fit, held) pairs.
        notes: what people should know, a line each.
    """

    protocol: str
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    folds: tuple[Fold, ...]
    repeats: tuple[tuple[Fold, ...], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def judge(self) -> np.ndarray:
        """The rows that judge: test, else val, else all that are held in a repeat."""
        if self.protocol == "cv":
            return np.sort(np.concatenate([held for _, held in self.repeats[0]]))
        return self.test if len(self.test) else self.val

    @property
    def final(self) -> np.ndarray:
        """The rows of the final head: all that do not judge alone."""
        if self.protocol == "cv" or not len(self.test):
            return self.train
        return np.sort(np.concatenate([self.train, self.val]))

    def inner(self, repeat: int, held: int, codes: np.ndarray | None) -> tuple[Fold, ...]:
        """Folds for the choice of strength inside one outer fit: the repeat's other folds.

        Rows of a class that the inner fit lacks do not judge; `codes` are the dataset's, None where
        its target is not of classes.
        """
        outer = self.repeats[repeat][held][0]
        folds = []
        for i, (_, rows) in enumerate(self.repeats[repeat]):
            if i != held:
                fit = np.setdiff1d(outer, rows, assume_unique=True)
                judge = rows if codes is None else rows[np.isin(codes[rows], codes[fit])]
                folds += [(fit, judge)] if len(judge) else []
        return tuple(folds)


def plan_splits(dataset: Dataset, digests: np.ndarray, seed: int = 0) -> SplitPlan:
    """The roles of all rows, the same for the same samples and seed in any order.

    Given splits win. Else from 1,000 labelled rows on a stratified fifth is the test, and below
    that 5 repeats of 5 folds judge. Strata are the classes, or bins of numbers, or rare labels.
    Byte-identical rows and groups never straddle what is drawn here; where given splits tear them
    apart, a note counts them.

    Args:
        dataset: n items with targets.
        digests: (n, 16) uint8, equal where samples are byte-identical.
        seed: of every draw, at least 0.

    Raises:
        DataError: nothing to train on, nothing to judge on, or training rows of a single class,
            number or set of labels.
    """
    if digests.shape != (len(dataset), 16) or digests.dtype != np.uint8:
        raise UsageError(f"digests must be ({len(dataset)}, 16) uint8, not {digests.shape}")
    if seed < 0:
        raise UsageError(f"seed must be at least 0, not {seed}")
    rows = np.flatnonzero(dataset.target.labelled)
    draw = _Draw(dataset, digests, rows, seed)
    given = dict.fromkeys(SPLITS, rows[:0])
    if dataset.split is not None:
        names = np.array(dataset.split)
        given = {split: rows[names[rows] == split] for split in SPLITS}
        if not len(given["train"]):
            there = [split for split in SPLITS if (names == split).any()]
            raise DataError(
                f"data {shown(dataset.name)}: no labelled train split; there is {listed(there)}",
                hint="put labelled rows into train, or give the data without splits",
            )
    notes = _notes(dataset, rows, draw)
    if len(given["test"]) or len(given["val"]):
        return _given(dataset, given, draw, notes)
    if len(rows) >= HOLDOUT_FROM:
        held = hold_out(draw.units, draw.strata, TEST_SHARE, draw.generator(0), pin=draw.pin)
        if not held.any():
            raise _inseparable(dataset)
        train, test = rows[~held], rows[held]
        notes += _unseen(dataset, train, test)
        _check_varied(dataset, train)
        return SplitPlan("holdout", train, rows[:0], test, draw.folds(train, stream=1), notes=notes)
    _check_varied(dataset, rows)
    repeats = tuple(draw.folds(rows, stream=2 + r) for r in range(REPEATS))
    if not all(repeats):
        raise _inseparable(dataset)
    judged = sum(len(held) for _, held in repeats[0])
    if judged < len(rows):
        notes += (
            f"{len(rows) - judged} rows never judge: alone or as one group they are their class",
        )
    folds = draw.folds(rows, stream=1)
    return SplitPlan("cv", rows, rows[:0], rows[:0], folds, repeats, notes)


class _Draw:
    """Units of the labelled rows, and random streams for one seed."""

    def __init__(self, dataset: Dataset, digests: np.ndarray, rows: np.ndarray, seed: int) -> None:
        groups = None if dataset.groups is None else dataset.groups[rows]
        self.rows = rows
        self.pin = dataset.target.task == "class"
        self.strata = strata_of(dataset.target, rows)
        self.samples = units_of(digests[rows])
        self.units = self.samples if groups is None else units_of(digests[rows], groups)
        self._seed = seed

    def generator(self, stream: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self._seed, stream]))

    def folds(self, rows: np.ndarray, stream: int) -> tuple[Fold, ...]:
        """At most 5 (fit, held) pairs of row numbers inside `rows`."""
        at = np.searchsorted(self.rows, rows)
        units = np.unique(self.units[at], return_inverse=True)[1]
        numbers = fold(units, self.strata[at], FOLDS, self.generator(stream), pin=self.pin)
        return tuple(
            (rows[numbers != f], rows[numbers == f]) for f in range(numbers.max(initial=-1) + 1)
        )


def strata_of(target: Target, rows: np.ndarray) -> np.ndarray:
    """Codes of what is to be even among the parts of some rows, one a row."""
    if target.task == "regression":
        return numbers_in_strata(target.values[rows])
    return (
        labels_in_strata(target.values[rows])
        if target.task == "multilabel"
        else target.values[rows]
    )


def _given(
    dataset: Dataset, given: dict[str, np.ndarray], draw: _Draw, notes: tuple[str, ...]
) -> SplitPlan:
    train, val, test = (given[split] for split in SPLITS)
    _check_varied(dataset, train)
    judge = "test" if len(test) else "val"
    notes += _across(draw, given) + _unseen(dataset, train, given[judge])
    if len(test) and len(val):
        codes, judged = dataset.target.values, val
        if dataset.target.task == "class":
            judged = val[np.isin(codes[val], codes[train])]  # no strength can win an unseen class
        folds = ((train, judged),) if len(judged) else draw.folds(train, stream=1)
        return SplitPlan("holdout", train, val, test, folds, notes=notes)
    if judge == "val":
        notes += ("there is no test split: val judges, and strength is chosen inside train",)
    return SplitPlan("holdout", train, val, test, draw.folds(train, stream=1), notes=notes)


def _notes(dataset: Dataset, rows: np.ndarray, draw: _Draw) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if len(rows) < len(dataset):
        notes += (f"{len(dataset) - len(rows)} of {len(dataset)} rows have no label: not used",)
    values = dataset.target.values[rows]
    same = np.unique(values, axis=0, return_inverse=True)[1].ravel()
    pairs = np.unique(np.stack([draw.samples, same]), axis=1)
    torn = int((np.bincount(pairs[0]) > 1).sum()) if len(rows) else 0
    if torn:
        notes += (f"{torn} samples occur more than once with different labels",)
    return notes


def _across(draw: _Draw, given: dict[str, np.ndarray]) -> tuple[str, ...]:
    """How many rows of a later split are byte-identical to, or in a group of, an earlier one."""
    at = {split: np.searchsorted(draw.rows, rows) for split, rows in given.items()}
    notes: tuple[str, ...] = ()
    for later, earlier in (("val", "train"), ("test", "train"), ("test", "val")):
        there = at[later]
        twins = np.isin(draw.samples[there], draw.samples[at[earlier]])
        kin = np.isin(draw.units[there], draw.units[at[earlier]]) & ~twins
        for count, what in ((twins.sum(), "byte-identical to"), (kin.sum(), "in a group of")):
            if count:
                notes += (f"{count} of {len(there)} {later} rows are {what} {earlier} rows",)
    return notes


def _unseen(dataset: Dataset, train: np.ndarray, judge: np.ndarray) -> tuple[str, ...]:
    target, what = dataset.target, "classes"
    if target.task == "regression":
        return ()
    if target.task == "multilabel":
        what = "labels"
        there, known = target.values[judge].any(axis=0), target.values[train].any(axis=0)
        codes = np.flatnonzero(there & ~known)
    else:
        codes = np.setdiff1d(target.values[judge], target.values[train])
    if not len(codes):
        return ()
    names = listed(target.names[code] for code in codes)
    return (f"{what} that judge but have no row in train: {names}",)


def _check_varied(dataset: Dataset, train: np.ndarray) -> None:
    """Raise DataError where there is nothing to tell apart in the training rows."""
    target = dataset.target
    if target.task != "class":
        values = target.values[train]
        if not len(values) or (values == values[0]).all():
            what = "number" if target.task == "regression" else "set of labels"
            raise DataError(
                f"data {shown(dataset.name)}: all {len(values)} rows to train on have one {what}",
                hint="training needs rows that differ in what is to be predicted",
            )
        return
    codes = np.unique(dataset.target.values[train])
    if len(codes) < 2:
        only = f", {shown(dataset.target.names[codes[0]])}" if len(codes) else ""
        raise DataError(
            f"data {shown(dataset.name)}: {len(codes)} classes to train on{only}",
            hint="there must be at least two classes to tell apart",
        )


def _inseparable(dataset: Dataset) -> DataError:
    return DataError(
        f"data {shown(dataset.name)}: each sample, group or set of duplicates is the only one "
        f"{'of some class' if dataset.target.task == 'class' else 'there is'}, so that nothing can "
        "be held out to judge",
        hint="add samples, or give train and test splits",
    )
