"""What differs from task to task in a run: the head to begin with, the metrics, predictions.csv."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import DataError, UsageError
from zoo.metrics import evaluate_multilabel, evaluate_regression
from zoo.plugin import Target

if TYPE_CHECKING:
    from zoo.metrics import Metrics
    from zoo.plugin import Dataset, Head
    from zoo.runs.assess import Assessment

PRIMARY = {"class": "accuracy", "regression": "r2", "multilabel": "macro_f1"}
_HEADS = {"class": "logistic", "regression": "ridge", "multilabel": "logistic"}
_CALLED = {"class": "classes", "regression": "numbers", "multilabel": "labels"}
_OF_A_LABEL = {
    "macro_f1": "f1",
    "mean_average_precision": "average_precision",
    "auroc": "auroc",
    "log_loss": "log_loss",
}
_TOLD = 100  # outputs whose own metrics are told
Table = list[list[str | float]]  # a header and rows; text is made safe where it is written


def head_for(task: str, head: str) -> str:
    """The name of the head to train: what ``auto`` stands for, else as named.

    Raises:
        DataError: there is nothing to train on.
    """
    if task not in _HEADS:
        raise DataError("the data has no labels", hint="name them with --target, or give labels")
    return _HEADS[task] if head == "auto" else head


def check_head(head: Head, name: str, target: Target) -> None:
    """Raise UsageError where a head does not take what is to be predicted."""
    if target.task not in head.tasks:
        takes = " and ".join(_CALLED.get(task, task) for task in sorted(head.tasks))
        raise UsageError(
            f"head '{name}' takes {takes} only, and the targets are {_CALLED[target.task]}",
            hint=f"--head auto, which is {_HEADS[target.task]} here, or another --task",
        )


def metrics_of(scores: np.ndarray, target: Target, seed: int) -> Metrics:
    """The metrics of (m, k) or (r, m, k) scores of numbers or labels on the m rows of a target."""
    if target.task == "regression":
        return evaluate_regression(scores, target.values, seed)
    return evaluate_multilabel(scores, target.values, target.names, seed)


def metrics_of_outputs(scores: np.ndarray, target: Target, seed: int) -> dict[str, Metrics] | None:
    """The metrics of each of several numbers or labels by its name.

    None where there is but one, and beyond 100, which nobody reads one by one.
    """
    if not 1 < len(target.names) <= _TOLD:
        return None
    out = {}
    for j, name in enumerate(target.names):
        own = Target(target.task, target.values[:, j : j + 1], (name,))
        found = metrics_of(scores[..., j : j + 1], own, seed)
        called = _OF_A_LABEL if target.task == "multilabel" else {key: key for key in found}
        out[name] = {short: found[key] for key, short in called.items() if key in found}
    return out


def predictions_table(dataset: Dataset, split: np.ndarray, assessment: Assessment) -> Table:
    """The rows of predictions.csv: item, split, what is true, what is predicted, how surely.

    Of classes the prediction is the highest of the head's own scores, its probability calibrated;
    of numbers there is a pair of columns for each output; of labels those above one half, and a
    column of probabilities each.
    """
    target = dataset.target.take(assessment.rows)
    start = [[dataset.items[row].name, str(split[row])] for row in assessment.rows]
    if target.task == "regression":
        header, cells = _numbers(target, assessment.scores)
    elif target.task == "multilabel":
        header, cells = _labels(target, assessment.probabilities)
    else:
        header, cells = _classes(target, assessment)
    return [["item", "split", *header], *([*a, *b] for a, b in zip(start, cells, strict=True))]


def named(names: Sequence[str], chosen: np.ndarray) -> tuple[str, ...]:
    """The names that a row of bools chooses, in their order."""
    return tuple(name for name, there in zip(names, chosen.tolist(), strict=True) if there)


def number_columns(names: Sequence[str], what: str) -> list[str]:
    """Column names of numbers: ``prediction``, or ``prediction:NAME`` where there are several."""
    return [what] if len(names) == 1 else [f"{what}:{name}" for name in names]


def _classes(target: Target, assessment: Assessment) -> tuple[list[str], Table]:
    names, chances = target.names, assessment.probabilities
    best = assessment.scores.argmax(axis=1)
    return ["label", "prediction", "probability"], [
        [names[code], names[best[i]], f"{chances[i, best[i]]:.6f}"]
        for i, code in enumerate(target.values)
    ]


def _numbers(target: Target, predictions: np.ndarray) -> tuple[list[str], Table]:
    columns = (number_columns(target.names, what) for what in ("label", "prediction"))
    pairs = np.stack([target.values, predictions], axis=2).reshape(len(predictions), -1)
    return [name for pair in zip(*columns, strict=True) for name in pair], pairs.tolist()


def _labels(target: Target, chances: np.ndarray) -> tuple[list[str], Table]:
    header = ["label", "prediction", *(f"p:{name}" for name in target.names)]
    return header, [
        [
            "|".join(named(target.names, target.values[i] == 1)),
            "|".join(named(target.names, row > 0.5)),
            *(f"{chance:.6f}" for chance in row),
        ]
        for i, row in enumerate(chances)
    ]
