"""What a run said of the rows that judged it, read from its predictions.csv."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError
from zoo.runs.folder import safe_cell

if TYPE_CHECKING:
    from zoo.runs import Run


_Read = Callable[[list[list[str]], Sequence[str]], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Judged:
    """Rows that the head had not seen, in the order of the data.

    Attributes:
        task: ``class``, ``regression`` or ``multilabel``.
        names: of the classes, numbers or labels.
        items: the m samples' names.
        keys: (m, 16) uint8 content digests; (0, 16) where the run does not tell them.
        truth, predicted: of classes (m,) codes, of numbers (m, t) float64, of labels (m, l) 0 or 1.
        chances: (m,) probability of the predicted class, (m, l) of each label, (m, 0) of numbers.
    """

    task: str
    names: tuple[str, ...]
    items: tuple[str, ...]
    keys: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    chances: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    def sample(self, row: int) -> tuple[str, bytes]:
        """The name and the content's digest of a row, by which it is found again."""
        return self.items[row], self.keys[row].tobytes() if len(self.keys) else b""

    @property
    def wrong(self) -> np.ndarray:
        """(m,) bool: rows of another class than predicted, or with a wrong label; no numbers."""
        if self.task == "regression":
            return np.zeros(len(self), np.bool_)
        wrong = self.truth != self.predicted
        return np.asarray(wrong if wrong.ndim == 1 else wrong.any(axis=1))


def read_judged(run: Run) -> Judged:
    """The judged rows of a run; raises DataError where the file is missing or damaged."""
    path = run.folder / "predictions.csv"
    read = {"class": _classes, "regression": _numbers, "multilabel": _labels}.get(run.task)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *cells = csv.reader(file)
        names = run.names
        truth, predicted, chances = _checked(header, cells, read)([c[2:] for c in cells], names)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise DataError(
            f"'{path}' is missing or damaged: {error}",
            hint="zoo transfer with the same options makes the run anew",
        ) from error
    items = tuple(plain_cell(row[0]) for row in cells)
    keys = _keys(run.plan, {row[1] for row in cells}, len(items))
    return Judged(run.task, names, items, keys, truth, predicted, chances)


def _checked(header: list[str], cells: list[list[str]], read: _Read | None) -> _Read:
    if read is None or not cells or header[:2] != ["item", "split"]:
        raise ValueError("it lacks rows or columns")
    if any(len(row) != len(header) for row in cells):
        raise ValueError("it has rows of different lengths")
    return read


def plain_cell(cell: str) -> str:
    """A cell's text before it was made safe for spreadsheets."""
    return cell[1:] if cell.startswith("'") and safe_cell(cell[1:]) == cell else cell


def _classes(
    cells: list[list[str]], names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    code = {safe_cell(name): i for i, name in enumerate(names)}
    try:
        truth = np.array([code[row[0]] for row in cells], np.int64)
        predicted = np.array([code[row[1]] for row in cells], np.int64)
    except KeyError as error:
        raise ValueError(f"{error} is none of the run's classes") from error
    return truth, predicted, np.array([float(row[2]) for row in cells])


def _numbers(
    cells: list[list[str]], names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = np.array(cells, np.float64).reshape(len(cells), len(names), 2)
    return values[:, :, 0], values[:, :, 1], np.empty((len(cells), 0))


def _labels(
    cells: list[list[str]], names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chances = np.array([row[2:] for row in cells], np.float64).reshape(len(cells), len(names))
    truth = np.array([_named(row[0], names) for row in cells], np.int8)
    return truth, (chances > 0.5).astype(np.int8), chances


def _named(cell: str, names: Sequence[str]) -> list[int]:
    """Which of the names a cell lists, in their order and with ``|`` between them."""
    cell, out = plain_cell(cell), []
    for name in names:
        there = cell == name or cell.startswith(f"{name}|")
        out.append(int(there))
        cell = cell[len(name) + 1 :] if there else cell
    if cell:
        raise ValueError(f"'{cell}' is none of the run's labels")
    return out


def _keys(plan: dict[str, Any], splits: set[str], count: int) -> np.ndarray:
    """Digests of the judged rows: predictions and plan list them in the data's order."""
    stated = plan.get("splits")
    keys = stated.get(next(iter(splits))) if isinstance(stated, dict) and len(splits) == 1 else None
    if isinstance(keys, list) and len(keys) == count:
        try:
            return np.frombuffer(bytes.fromhex("".join(map(str, keys))), np.uint8).reshape(-1, 16)
        except ValueError:
            pass  # as in a run that does not tell them
    return np.empty((0, 16), np.uint8)
