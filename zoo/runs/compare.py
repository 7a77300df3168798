"""Compares two finished runs on the rows that judged both, or refuses where those differ."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError
from zoo.metrics.paired import Paired

if TYPE_CHECKING:
    from zoo.runs.folder import Run

_COLUMNS = {"item", "split", "label", "prediction"}
_HINT = "transfer both on the same data with the same --seed, --limit and --group"


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same rows.

    Attributes:
        first: the run compared with.
        second: the run compared.
        paired: how often which of them is right, by the predictions of their folders.
    """

    first: Run
    second: Run
    paired: Paired

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` is the second where the interval is clear of zero, else none."""
        low, high = self.paired.interval()
        return "better" if low > 0 else "worse" if high < 0 else "none"

    def as_dict(self) -> dict[str, Any]:
        """The object that ``--json`` prints; differences are the second's minus the first's."""
        paired = self.paired
        low, high = paired.interval()
        right = paired.both + paired.first, paired.both + paired.second
        return {
            "schema": 1,
            "runs": [run.summary["run"] for run in (self.first, self.second)],
            "rows": paired.rows,
            "metric": "accuracy",
            "values": [count / paired.rows for count in right],
            "difference": {"value": paired.difference, "low": low, "high": high},
            "right": {
                "both": paired.both,
                "only_first": paired.first,
                "only_second": paired.second,
                "neither": paired.neither,
            },
            "test": {"name": "mcnemar-exact", "p": paired.p_value()},
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class _Row:
    """What a run said of one row; `key` is its content's digest, empty where that is not told."""

    key: str
    item: str
    label: str
    right: bool


def compare_runs(first: Run, second: Run) -> Comparison:
    """Compare the predictions of two runs, row by row.

    Rows are the same where their content and label are. A repeated cross-validation's prediction of
    a row is that of its repeats together, so accuracies may be a little above those of the run.

    Raises:
        DataError: the runs were not judged on the same rows, or don't predict classes.
    """
    rows = [_rows(run) for run in (first, second)]
    names = [f"'{run.folder}'" for run in (first, second)]
    if len(rows[0]) != len(rows[1]):
        raise DataError(
            f"{names[0]} was judged on {len(rows[0])} rows and {names[1]} on {len(rows[1])}",
            hint=_HINT,
        )
    by_key = all(row.key for part in rows for row in part)

    def identity(row: _Row) -> tuple[str, str]:
        return (row.key if by_key else row.item), row.label

    ordered = [sorted(part, key=lambda row: (*identity(row), row.item)) for part in rows]
    for one, other in zip(*ordered, strict=True):
        if identity(one) != identity(other):
            raise DataError(
                f"{names[0]} and {names[1]} were not judged on the same rows:"
                f" one has '{one.item}' ({one.label}), the other '{other.item}' ({other.label})",
                hint=_HINT,
            )
    right = [np.array([row.right for row in part], np.bool_) for part in ordered]
    return Comparison(first, second, Paired.of(*right))


def _rows(run: Run) -> list[_Row]:
    """The judged rows of a run; with keys where its plan tells them for just these rows."""
    task = run.summary.get("task", "class")
    if task != "class":
        raise DataError(
            f"'{run.folder}' is a run of task '{task}'", hint="runs that predict classes compare"
        )
    path = run.folder / "predictions.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            cells = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"'{path}' is missing or damaged: {error}") from error
    if not cells or not cells[0].keys() >= _COLUMNS or any(None in row.values() for row in cells):
        raise DataError(f"'{path}' is missing or damaged: it lacks rows or columns")
    keys = _keys(run.plan, {row["split"] for row in cells}, len(cells))
    return [
        _Row(key, row["item"], row["label"], row["label"] == row["prediction"])
        for key, row in zip(keys, cells, strict=True)
    ]


def _keys(plan: dict[str, Any], splits: set[str], count: int) -> list[str]:
    """Content digests of the judged rows: predictions and plan list them in the data's order.

    Empty strings where a split has rows that did not judge, such as unlabelled ones.
    """
    stated = plan.get("splits")
    keys = stated.get(next(iter(splits))) if isinstance(stated, dict) and len(splits) == 1 else None
    if not isinstance(keys, list) or len(keys) != count:
        return [""] * count
    return [str(key) for key in keys]
