"""Checks of a data reader: it knows its own, reads it the same every time, and says what lacks."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zoo.engine import sample_digest
from zoo.plugin import Blob, DataOptions, Dataset, DatasetReader
from zoo.testing.check import Check, checks_of, expect, made, refused

if TYPE_CHECKING:
    from zoo.plugin import Entry

_MODALITIES = ("image", "text", "audio")


def reader_checks(
    entry: Entry, reference: str, *, options: DataOptions | None = None
) -> list[Check]:
    """The contract of a data reader, checked on one data set; each check may be run alone.

    Args:
        entry: what the plugin registers.
        reference: what `DatasetReader.read` takes: a path, or a name of the reader's own.
        options: columns and task of the data.
    """
    return checks_of(_Case(entry, reference, options or DataOptions()))


class _Case:
    """One data set of one reader."""

    def __init__(self, entry: Entry, reference: str, options: DataOptions) -> None:
        self._entry, self._reference, self._options = entry, reference, options

    def claims_its_own_and_nothing_else(self) -> None:
        """`claims` is true for the data's path, and false for a file of another kind."""
        path = Path(self._reference)
        if path.exists():
            expect(self._reader.claims(path), f"'{path}' is not claimed")
        with tempfile.TemporaryDirectory() as folder:
            foreign = Path(folder) / "file.of-no-known-kind"
            foreign.write_bytes(b"")
            expect(not self._reader.claims(foreign), f"'{foreign.name}' is claimed")

    def gives_a_dataset_of_samples(self) -> None:
        """At least one item, each under a name of its own, of one known modality, readable."""
        data = self._data
        expect(isinstance(data, Dataset), f"read gives a {type(data).__name__}")
        expect(data.modality in _MODALITIES, f"modality '{data.modality}' is not known")
        expect(len(data) > 0, "there are no items")
        names = [item.name for item in data.items]
        expect(len(set(names)) == len(names), "two items have one name")
        for item in data.items:
            expect(
                isinstance(item.value, Path | str | bytes | np.ndarray | Blob),
                f"'{item.name}' is a {type(item.value).__name__}",
            )
            sample_digest(item.content())

    def targets_fit_their_names(self) -> None:
        """Class codes point into names, which are sorted by code point."""
        target = self._data.target
        if target.task != "class":
            return
        expect(list(target.names) == sorted(set(target.names)), "names are not sorted, or repeat")
        inside = (target.values >= -1) & (target.values < len(target.names))
        expect(inside.all(), "codes lie outside the names")

    def reads_the_same_twice(self) -> None:
        """Order, labels, splits and groups do not depend on the day."""
        one, two = self._data, self._reader.read(self._reference, self._options)
        expect(_names(one) == _names(two), "items come in another order, or are others")
        expect(_digests(one) == _digests(two), "samples differ")
        expect(one.target.names == two.target.names, "class names differ")
        expect(np.array_equal(one.target.values, two.target.values), "targets differ")
        expect(one.split == two.split, "splits differ")
        groups = [None if data.groups is None else data.groups.tolist() for data in (one, two)]
        expect(groups[0] == groups[1], "groups differ")

    def reads_without_labels(self) -> None:
        """With ``labelled=False`` the same samples come without a target."""
        bare = self._reader.read(self._reference, replace(self._options, labelled=False))
        expect(_digests(bare) == _digests(self._data), "samples differ without labels")
        unlabelled = bare.target.task == "none" or bool((bare.target.values == -1).all())
        expect(unlabelled, "labels are there though nobody asked for them")

    def missing_data_is_refused(self) -> None:
        """A reference that stands for nothing is an error in one line."""
        reference = f"{self._reference}-that-is-not-there"
        refused(f"'{reference}'", lambda: self._reader.read(reference, self._options))

    def missing_columns_are_refused(self) -> None:
        """So is a column that the data lacks, or a column where there are none."""
        options = replace(self._options, target="no column of that name")
        refused("an unknown column", lambda: self._reader.read(self._reference, options))

    @cached_property
    def _reader(self) -> DatasetReader:
        reader: DatasetReader = made("dataset", self._entry, DatasetReader)
        return reader

    @cached_property
    def _data(self) -> Dataset:
        return self._reader.read(self._reference, self._options)


def _names(data: Dataset) -> list[str]:
    return [item.name for item in data.items]


def _digests(data: Dataset) -> list[bytes]:
    return [sample_digest(item.content()) for item in data.items]
