"""What labelled data is: items, a target, splits and groups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from zoo.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Task = Literal["class", "multilabel", "regression", "tokens", "spans", "none"]
SPLITS = ("train", "val", "test")
UNLABELLED = -1


class Blob(ABC):
    """An encoded image or recording that lies inside another file: a cell, an archive's member."""

    @abstractmethod
    def read(self) -> bytes:
        """Its bytes, the same each time and from any thread; raises DataError where they can't be.

        They are not kept: a dataset may be larger than memory.
        """


@dataclass(frozen=True, eq=False)
class Item:
    """One sample before it is read.

    Attributes:
        name: what people call it: a path relative to the data, or ``file.csv:row``.
        value: a file to read (Path), its content (bytes, or a Blob where that lies in another
            file), a text (str) or an array (uint8 image or float waveform).
    """

    name: str
    value: Path | str | bytes | np.ndarray | Blob

    def content(self) -> Path | str | bytes | np.ndarray:
        """The value, a Blob read; raises DataError where it cannot be."""
        return self.value.read() if isinstance(self.value, Blob) else self.value


@dataclass(frozen=True, eq=False)  # arrays have no truth value to compare or hash by
class Target:
    """What is to be predicted.

    Attributes:
        task: the kind of target.
        values: for ``class`` (n,) int64 codes into names, UNLABELLED where there is no label; for
            ``regression`` (n, t) float64, NaN where there is no number; for ``multilabel`` (n, l)
            int8 of 0 and 1, UNLABELLED where it is not known whether the label applies.
        names: class names in code-point order, one per code; of the t numbers; of the l labels.
    """

    task: Task
    values: np.ndarray
    names: tuple[str, ...] = ()

    @classmethod
    def from_labels(cls, labels: Sequence[str | None]) -> Target:
        """A ``class`` target; None and the empty string are unlabelled."""
        names = tuple(sorted({label for label in labels if label}))
        code = {name: i for i, name in enumerate(names)}
        values = np.array([code[x] if x else UNLABELLED for x in labels], dtype=np.int64)
        return cls("class", values, names)

    @property
    def labelled(self) -> np.ndarray:
        """(n,) bool: the rows that can be trained and judged on, all their values being there."""
        values = self.values.reshape(len(self.values), -1)
        if self.task == "none" or not values.shape[1]:
            return np.zeros(len(values), np.bool_)
        there = np.isfinite(values) if self.task == "regression" else values != UNLABELLED
        return np.asarray(there.all(axis=1))

    def take(self, rows: np.ndarray) -> Target:
        """The same target for some rows."""
        return Target(self.task, self.values[rows], self.names)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled data, not yet read.

    Attributes:
        name: a short name for folders and listings.
        modality: ``image``, ``text`` or ``audio``.
        items: the n samples, in their own order.
        target: n values.
        split: n given split names (``train``, ``val``, ``test``), or None where none is given.
        groups: (n,) strings that must never straddle a split, empty for none, or None.
        notes: what people should know about how the data was read, a line each.
        slices: by a column's name its n values as text, by which metrics are told apart; no part
            of them reaches a head.
    """

    name: str
    modality: str
    items: tuple[Item, ...]
    target: Target
    split: tuple[str, ...] | None = None
    groups: np.ndarray | None = None
    notes: tuple[str, ...] = field(default=())
    slices: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.items)
        for what, values in (
            ("targets", self.target.values),
            ("splits", self.split),
            ("groups", self.groups),
            *((f"values of {name!r}", values) for name, values in self.slices.items()),
        ):
            if values is not None and len(values) != n:
                raise DataError(f"data '{self.name}': {n} items and {len(values)} {what}")
        if self.split is not None and (unknown := set(self.split) - set(SPLITS)):
            raise DataError(
                f"data '{self.name}': unknown split {min(unknown)!r}",
                hint=f"splits are {', '.join(SPLITS)}",
            )

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: np.ndarray) -> Dataset:
        """The same data with some rows, given as numbers or as a mask, in the order given."""
        rows = np.arange(len(self))[rows]  # a mask would pick items 0 and 1 below
        return Dataset(
            self.name,
            self.modality,
            tuple(self.items[i] for i in rows),
            self.target.take(rows),
            None if self.split is None else tuple(self.split[i] for i in rows),
            None if self.groups is None else self.groups[rows],
            self.notes,
            {name: values[rows] for name, values in self.slices.items()},
        )


@dataclass(frozen=True)
class DataOptions:
    """What the user says about data: the columns of inputs, targets and groups; the task.

    `target` names several columns with commas between them; `slices` are columns to be kept beside
    the samples.
    """

    input: str = ""
    target: str = ""
    group: str = ""
    task: str = "auto"
    labelled: bool = True  # False: labels are neither needed nor read (predict)
    slices: tuple[str, ...] = ()


class DatasetReader(ABC):
    """Reads one kind of data."""

    @abstractmethod
    def claims(self, path: Path) -> bool:
        """Whether this reader is the one for a path that exists; looks at names alone."""

    @abstractmethod
    def read(self, reference: str, options: DataOptions) -> Dataset:
        """The dataset; raises DataError with what is missing and what there is."""


__all__ = [
    "SPLITS",
    "UNLABELLED",
    "Blob",
    "DataOptions",
    "Dataset",
    "DatasetReader",
    "Item",
    "Target",
]
