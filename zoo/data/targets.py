"""The rule that makes a target out of labels: what ``--task auto`` decides, and says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.data.names import shown
from zoo.errors import DataError, UsageError
from zoo.plugin import Target

if TYPE_CHECKING:
    from zoo.plugin import DataOptions

MAX_INTEGER_CLASSES = 20
SUPPORTED_TASKS = ("auto", "class")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def check_task(options: DataOptions) -> None:
    """Refuse tasks and targets that are not supported yet."""
    if options.task not in SUPPORTED_TASKS:
        raise UsageError(
            f"--task {shown(options.task)} is not supported",
            hint=f"supported today: {', '.join(SUPPORTED_TASKS)}",
        )


def unlabelled(n: int) -> Target:
    """The target of n samples that have none."""
    return Target("none", np.full(n, -1, dtype=np.int64))


def class_target(labels: Sequence[str | None], *, where: str, task: str) -> tuple[Target, str]:
    """A class target and the rule that was applied, in one line.

    Text is classes; integers with at most 20 values are classes; other numbers are a regression
    target unless `task` is ``class``. None and blank labels are unlabelled.

    Args:
        labels: n labels as text.
        where: the column or array, for messages.
        task: ``auto`` or ``class``.

    Raises:
        DataError: the labels are a regression target.
    """
    cleaned = [label if label and not label.isspace() else None for label in labels]
    values = {label for label in cleaned if label}
    if task == "class":
        return Target.from_labels(cleaned), f"task class, as asked: {where}"
    if not values or not all(_NUMBER.fullmatch(value) for value in values):
        return Target.from_labels(cleaned), f"task class: {where} holds text"
    whole = all(float(value).is_integer() for value in values)
    if whole and len(values) <= MAX_INTEGER_CLASSES:
        return Target.from_labels(cleaned), f"task class: {where} holds {len(values)} integers"
    kind = f"{len(values)} integers" if whole else "numbers that are not whole"
    raise DataError(
        f"{where} holds {kind}: a regression target, which comes in a later version",
        hint="--task class takes every distinct value as a class",
    )


def label_text(value: object, *, where: str) -> str | None:
    """One label from Python, NumPy or JSON as text; None, NaN and masked are unlabelled.

    Raises:
        DataError: the label is a list, an object or something else that is not one value.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
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
    raise DataError(
        f"{where}: a label is a {type(value).__name__}, not one value",
        hint="targets of several values come in a later version",
    )
