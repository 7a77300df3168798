"""The rule that makes a target out of labels: what ``--task auto`` decides, and says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.names import listed, shown
from zoo.errors import DataError, UsageError
from zoo.plugin import Target
from zoo.plugin.dataset import UNLABELLED

if TYPE_CHECKING:
    from zoo.plugin import DataOptions

MAX_INTEGER_CLASSES = 20
SUPPORTED_TASKS = ("auto", "class", "regression", "multilabel")
Cell = str | tuple[str, ...] | None  # one value as text, several of them, or none
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MARKS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
_SEPARATOR = re.compile(r"[|;]")


def check_task(options: DataOptions) -> None:
    """Refuse tasks that are not supported."""
    if options.task not in SUPPORTED_TASKS:
        raise UsageError(
            f"--task {shown(options.task)} is not supported",
            hint=f"supported today: {', '.join(SUPPORTED_TASKS)}",
        )


def unlabelled(n: int) -> Target:
    """The target of n samples that have none."""
    return Target("none", np.full(n, UNLABELLED, dtype=np.int64))


def target_of(
    columns: Mapping[str, Sequence[Cell]], *, where: str, task: str
) -> tuple[Target, tuple[str, ...]]:
    """A target and what people should know about it: the rule that was applied, first.

    One column: text is classes; integers with at most 20 values are classes; other numbers are a
    regression target; lists are labels, several a sample, unless they hold numbers that are not
    whole. Several columns: 0 and 1 (or false and true) are labels, other numbers are regressed on.
    Any other `task` than ``auto`` says so itself; with ``multilabel`` one column of text holds
    labels with ``|`` or ``;`` between them. None and blank cells are unlabelled; so is a sample
    that lacks one value of several. A list without entries is a sample that no label applies to.

    Args:
        columns: n cells for each column's name, in the order wanted.
        where: the columns or arrays, for messages.
        task: one of SUPPORTED_TASKS.

    Raises:
        DataError: the cells are not what the task needs; names the first that is not.
        UsageError: several columns are to be classes.
    """
    columns = {name: [_cleaned(cell) for cell in cells] for name, cells in columns.items()}
    columns = _unstacked(columns, numbers=task == "regression")
    if task == "auto":
        task, note = _rule(columns, where)
    else:
        note = f"task {task}, as asked: {where}"
    if task == "class":
        return _classes(columns, where), (note,)
    target = _numbers(columns, where) if task == "regression" else _labels(columns, where)
    missing = ~target.labelled
    some = np.isfinite(target.values) if task == "regression" else target.values != UNLABELLED
    partly = int((missing & some.any(axis=1)).sum())
    if partly:
        return target, (note, f"{partly} rows lack some of the targets, and count as unlabelled")
    return target, (note,)


def label_text(value: object, *, where: str) -> str | None:
    """One label from Python, NumPy, pandas or JSON as text; None, NaN and NA are unlabelled.

    Raises:
        DataError: the label is a list, an object or something else that is not one value.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:  # pandas's own None
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return None if value != value else repr(value)  # noqa: PLR0124 - NaN
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: the label {value[:20]!r} is not UTF-8") from error
    raise DataError(f"{where}: a label is a {type(value).__name__}, not one value or a list")


def slice_text(value: object, *, where: str) -> str:
    """A value to slice by as text, blank where there is none; lists have ``|`` between.

    Raises:
        DataError: the value is an object or something else that is neither.
    """
    cell = label_cell(value, where=where)
    return "|".join(cell) if isinstance(cell, tuple) else (cell or "").strip()


def label_cell(value: object, *, where: str) -> Cell:
    """One sample's label, or several of a list, tuple, set or array, as text.

    Raises:
        DataError: the label is neither, or a list lacks a value.
    """
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if not isinstance(value, list | tuple | set | frozenset):
        return label_text(value, where=where)
    entries = [label_text(entry, where=where) for entry in value]
    there = [entry for entry in entries if entry is not None]
    if len(there) < len(entries):
        raise DataError(f"{where}: a list of labels holds one that is missing")
    return tuple(sorted(there)) if isinstance(value, set | frozenset) else tuple(there)


def _cleaned(cell: Cell) -> Cell:
    return cell if isinstance(cell, tuple) or (cell and not cell.isspace()) else None


def _unstacked(
    columns: Mapping[str, Sequence[Cell]], *, numbers: bool
) -> dict[str, Sequence[Cell]]:
    """Columns of lists of one length that hold marks or real numbers, a column for each place.

    Lists of labels stay: no label is a number that is not whole, and [0, 1, 0] would name 0 twice.
    With `numbers` whole ones are not taken for labels either.
    """
    out: dict[str, Sequence[Cell]] = {}
    for name, cells in columns.items():
        lists = [cell for cell in cells if cell is not None]
        lengths = {len(cell) if isinstance(cell, tuple) else 0 for cell in lists}
        width = next(iter(lengths)) if len(lengths) == 1 else 0
        values = [value for cell in lists for value in cell] if width else []
        vectors = (width > 1 and _are_marks(values)) or (
            _are_numbers(values)
            and (numbers or not all(float(value).is_integer() for value in values))
        )
        if not width or not vectors:
            out[name] = cells
            continue
        for i in range(width):
            out[name if width == 1 else f"{name}[{i}]"] = [
                None if cell is None else cell[i] for cell in cells
            ]
    return out


def _rule(columns: Mapping[str, Sequence[Cell]], where: str) -> tuple[str, str]:
    """The task of ``auto`` and the line that says why."""
    cells = [cell for column in columns.values() for cell in column if cell is not None]
    if any(isinstance(cell, tuple) for cell in cells):
        return "multilabel", f"task multilabel: {where} holds lists"
    values = {str(cell) for cell in cells}
    if len(columns) > 1:
        if _are_marks(values):
            rows = zip(*columns.values(), strict=True)
            single = all(_marked(row) == 1 for row in rows if None not in row)
            hint = "; each sample has exactly one, as classes in one column would" if single else ""
            return "multilabel", f"task multilabel: {where} hold nothing but 0 and 1{hint}"
        if _are_numbers(values):
            return "regression", f"task regression: {where} hold numbers"
        raise DataError(
            f"{where} hold text: several targets are either all 0 and 1, or all numbers",
            hint="name one column of text, or columns of numbers",
        )
    if not values or not _are_numbers(values):
        return "class", f"task class: {where} holds text"
    whole = all(float(value).is_integer() for value in values)
    if whole and len(values) <= MAX_INTEGER_CLASSES:
        return "class", f"task class: {where} holds {len(values)} integers"
    kind = f"{len(values)} integers" if whole else "numbers that are not whole"
    return "regression", f"task regression: {where} holds {kind}"


def _classes(columns: Mapping[str, Sequence[Cell]], where: str) -> Target:
    if len(columns) > 1:
        raise UsageError(
            f"{where}: --task class takes one target", hint="--target with one column's name"
        )
    (cells,) = columns.values()
    if any(isinstance(cell, tuple) for cell in cells):
        raise DataError(
            f"{where} holds lists, and a sample has one class",
            hint="--task multilabel takes several labels a sample",
        )
    return Target.from_labels([None if cell is None else str(cell) for cell in cells])


def _numbers(columns: Mapping[str, Sequence[Cell]], where: str) -> Target:
    n = len(next(iter(columns.values())))
    values = np.full((n, len(columns)), np.nan)
    for j, (name, cells) in enumerate(columns.items()):
        for i, cell in enumerate(cells):
            if cell is None:
                continue
            number = float(cell) if isinstance(cell, str) and _are_numbers([cell]) else math.nan
            if not math.isfinite(number):
                what = shown(cell) if isinstance(cell, str) else "a list"
                raise DataError(
                    f"{where}: sample {i + 1} has {what} in {shown(name)}, not a finite number",
                    hint="leave the cell empty where there is no number",
                )
            values[i, j] = number
    return Target("regression", values, tuple(columns))


def _labels(columns: Mapping[str, Sequence[Cell]], where: str) -> Target:
    if len(columns) == 1:
        ((name, cells),) = columns.items()
        if any(isinstance(c, tuple) for c in cells) or not _are_marks(c for c in cells if c):
            return _named_labels(cells, where)
        columns = {name: cells}
    n = len(next(iter(columns.values())))
    values = np.full((n, len(columns)), UNLABELLED, np.int8)
    for j, (name, cells) in enumerate(columns.items()):
        for i, cell in enumerate(cells):
            if cell is None:
                continue
            mark = _MARKS.get(cell.strip().lower()) if isinstance(cell, str) else None
            if mark is None:
                what = shown(cell) if isinstance(cell, str) else "a list"
                raise DataError(
                    f"{where}: sample {i + 1} has {what} in {shown(name)}, neither 0 nor 1",
                    hint="columns of labels hold 0 and 1, or false and true",
                )
            values[i, j] = mark
    return Target("multilabel", values, tuple(columns))


def _named_labels(cells: Sequence[Cell], where: str) -> Target:
    """A target of cells that name the labels that apply: lists, or text with | or ; between."""
    sets: list[frozenset[str] | None] = []
    for cell in cells:
        parts = _SEPARATOR.split(cell) if isinstance(cell, str) else cell
        stripped = None if parts is None else [part.strip() for part in parts]
        sets.append(None if stripped is None else frozenset(filter(None, stripped)))
    names = sorted(frozenset().union(*(labels for labels in sets if labels is not None)))
    if not names:
        raise DataError(f"{where} names no label", hint="labels are text, with | between several")
    place = {name: j for j, name in enumerate(names)}
    values = np.full((len(sets), len(names)), UNLABELLED, np.int8)
    for i, labels in enumerate(sets):
        if labels is not None:
            values[i] = 0
            values[i, [place[label] for label in labels]] = 1
    return Target("multilabel", values, tuple(names))


def _marked(row: Sequence[Cell]) -> int:
    return sum(_MARKS[str(cell).strip().lower()] for cell in row)


def _are_numbers(values: Iterable[str]) -> bool:
    return all(_NUMBER.fullmatch(value.strip()) for value in values)


def _are_marks(values: Iterable[Cell]) -> bool:
    return all(isinstance(value, str) and value.strip().lower() in _MARKS for value in values)


def columns_named(names: Sequence[str]) -> str:
    """Columns for a message: ``column 'a'`` or ``columns 'a', 'b'``."""
    return f"column{'s' if len(names) > 1 else ''} {listed(names)}"
