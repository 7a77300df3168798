"""Turns rows as tables and archives give them into a dataset: splits, groups and the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.names import listed, shown, split_of
from zoo.data.targets import Cell, columns_named, target_of, unlabelled
from zoo.plugin import Dataset, Item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo.plugin import DataOptions


@dataclass(frozen=True)
class Row:
    """One row before the target is made of all of them.

    Attributes:
        item: its sample.
        cells: of each target column as text, several of a list; None or blank is unlabelled.
        group: rows of one group never straddle a split; blank is no group.
        split: as the data calls it, such as ``dev``; blank for none.
        slices: of each column that the user slices by, as text.
    """

    item: Item
    cells: tuple[Cell, ...] = ()
    group: str = ""
    split: str = ""
    slices: tuple[str, ...] = ()


def dataset_of(
    rows: Sequence[Row],
    options: DataOptions,
    *,
    name: str,
    modality: str,
    targets: Sequence[str],
    group: str | None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """The dataset of rows in their own order.

    Where some rows are of a split, those of none or of an unknown one are left out, with a note.

    Args:
        rows: at least one.
        options: the task, and whether labels are wanted at all.
        name: what the data is called.
        modality: of every item.
        targets: the columns of the labels.
        group: the column of the groups; None: there are none.
        notes: what people should know already.

    Raises:
        DataError: the labels are unfit for the task.
    """
    if not options.labelled:
        items = tuple(row.item for row in rows)
        return Dataset(name, modality, items, unlabelled(len(items)), notes=notes)
    rows, split, told = _by_split(rows)
    columns = {target: [row.cells[i] for row in rows] for i, target in enumerate(targets)}
    made, rules = target_of(columns, where=columns_named(targets), task=options.task)
    groups = None
    if group is not None:
        groups = np.array([row.group for row in rows], dtype=np.str_)
        if not options.group:
            told += (f"column {shown(group)}: rows of one group never straddle a split",)
    items = tuple(row.item for row in rows)
    slices = {
        column: np.array([row.slices[i] for row in rows], dtype=np.str_)
        for i, column in enumerate(options.slices)
    }
    return Dataset(name, modality, items, made, split, groups, (*rules, *notes, *told), slices)


def _by_split(
    rows: Sequence[Row],
) -> tuple[Sequence[Row], tuple[str, ...] | None, tuple[str, ...]]:
    """The rows that are used, their canonical splits if any, and what people should know."""
    named = sorted({row.split for row in rows if row.split})
    canonical = {name: split for name in named if (split := split_of(name))}
    others = [name for name in named if name not in canonical]
    if not canonical:
        note = f"splits {listed(others, 4)} are none of train, val and test: not used"
        return rows, None, (note,) if others else ()
    kept = [row for row in rows if row.split in canonical]
    if len(kept) == len(rows):
        return rows, tuple(canonical[row.split] for row in rows), ()
    which = f"of {listed(others, 4)}" if others else "of no split"
    note = f"left out {len(rows) - len(kept)} rows {which}: only train, val and test are used"
    return kept, tuple(canonical[row.split] for row in kept), (note,)
