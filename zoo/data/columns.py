"""Decides which columns of a table are the input, the target, the group and the split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zoo.data.names import listed, shown
from zoo.errors import DataError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from zoo.plugin import DataOptions

TEXT_COLUMN = "text"
FILE_COLUMNS = ("file_name", "file", "path", "image", "audio")
DEFAULT_INPUTS = (TEXT_COLUMN, *FILE_COLUMNS)
DEFAULT_TARGET = "label"
_GROUP = "group"
_SPLIT = "split"
HINT = "name the columns with --input and --target"


@dataclass(frozen=True)
class Columns:
    """Names of columns; None is no such column, and no targets are read where none are wanted."""

    input: str
    targets: tuple[str, ...]
    group: str | None
    split: str | None
    slices: tuple[str, ...] = ()

    @classmethod
    def among(
        cls,
        there: Sequence[str],
        options: DataOptions,
        where: str,
        *,
        inputs: Sequence[str] = DEFAULT_INPUTS,
        labels: str = DEFAULT_TARGET,
    ) -> Columns:
        """The columns that the options ask for; else the first of `inputs`, and `labels`.

        Columns called ``group`` and ``split`` are taken for what they are called, where labels are
        wanted and they are not asked for as something else.

        Raises:
            UsageError: the options name several inputs, or a slice that is not there.
            DataError: a column is missing from what there is, or there twice.
        """
        if "," in options.input:
            raise UsageError(
                f"--input {shown(options.input)}: one input column is supported", hint=HINT
            )
        default = next((column for column in inputs if column in there), inputs[0])
        targets = target_columns(options, labels) if options.labelled else ()
        columns = cls(options.input or default, targets, options.group or None, None)
        columns.check(there, where)
        if not options.labelled:
            return columns
        taken = (columns.input, columns.group, *columns.targets)
        group = _GROUP if _GROUP in there and _GROUP not in taken else None
        split = _SPLIT if _SPLIT in there and _SPLIT not in taken else None
        group = columns.group or group
        columns = replace(columns, group=group, split=split, slices=options.slices)
        for column in columns.slices:
            if column not in there or column == columns.input:
                others = [name for name in there if name != columns.input]
                raise no_slice(column, where, others)
        columns.check(there, where)
        return columns

    def check(self, there: Sequence[str], where: str) -> None:
        """Raise DataError where one is missing from what there is, or there twice."""
        for column in self.names:
            if column not in there:
                raise DataError(
                    f"{where} has no column {shown(column)}; it has {listed(there)}", hint=HINT
                )
            if there.count(column) > 1:
                raise DataError(f"{where} has two columns {shown(column)}", hint="rename one")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns to read: the input first."""
        chosen = (self.input, *self.targets, self.group, self.split, *self.slices)
        return tuple(dict.fromkeys(name for name in chosen if name is not None))


def no_slice(column: str, where: str, there: Iterable[str]) -> UsageError:
    """What to raise where samples cannot be told apart by a column."""
    names = listed(there)
    return UsageError(
        f"--slice {shown(column)}: {where} has no such column to slice by",
        hint=f"it has {names}" if names else "it has no columns: give a table, or leave it out",
    )


def target_columns(options: DataOptions, default: str = DEFAULT_TARGET) -> tuple[str, ...]:
    """The columns that ``--target`` names, with commas between several.

    Raises:
        UsageError: a name is empty or stands twice.
    """
    names = tuple(name.strip() for name in (options.target or default).split(","))
    if not all(names) or len(set(names)) < len(names):
        raise UsageError(
            f"--target {shown(options.target)} names a column twice, or none between commas",
            hint="--target a,b names the columns a and b",
        )
    return names
