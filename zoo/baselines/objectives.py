"""What a learner from scratch is trained for and judged by, by the kind of target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import DataError, UsageError

if TYPE_CHECKING:
    from zoo.plugin import Target

PRIMARY = {"class": "accuracy", "multilabel": "macro_f1", "regression": "r2"}


class Objective:
    """The loss, the metric and the outputs of a target.

    Rows are weighted alike, since accuracy counts them alike: rare classes start at their share of
    the training rows, and are not blown up. Labels are judged by macro F1, which rare ones decide
    as much as common ones: a configuration may `lift` them.

    Args:
        target: of all rows that are learnt from or judged; places are its rows.
        known: the values of the training rows.

    Attributes:
        outputs: scores of a sample: classes, labels or numbers.
        metric: the name of the primary metric; higher is better.

    Raises:
        UsageError: the target is of another task.
        DataError: there are fewer than two classes among the training rows.
    """

    def __init__(self, target: Target, known: np.ndarray) -> None:
        if target.task not in PRIMARY:
            raise UsageError(
                f"nothing learns {target.task} targets from scratch",
                hint=f"targets of {', '.join(PRIMARY)} can be learnt",
            )
        self.task = target.task
        self.metric = PRIMARY[target.task]
        self.values = target.values
        self.outputs = len(target.names) if self.task == "class" else target.values.shape[1]
        if self.task == "class" and len(np.unique(known)) < 2:
            raise DataError(
                "fewer than two classes have rows to learn from",
                hint="training needs rows of at least two classes",
            )
        self._mean, self._unit = np.zeros(1), np.ones(1)
        if self.task == "regression":
            deviation = known.std(axis=0)
            self._mean, self._unit = known.mean(axis=0), np.where(deviation > 0, deviation, 1.0)
            self._start = np.zeros(self.outputs)
        elif self.task == "class":
            counts = np.bincount(known, minlength=self.outputs)
            self._start = np.log(counts + 0.5) - np.log(len(known) + 0.5 * self.outputs)
            self._lift = np.ones(self.outputs)
        else:
            there = (known == 1).sum(axis=0)
            self._start = np.log(there + 0.5) - np.log(len(known) - there + 0.5)
            self._lift = np.clip(np.sqrt((len(known) - there) / np.maximum(there, 1)), 1.0, 10.0)

    @property
    def lifts(self) -> bool:
        """Whether labels are rare enough for a configuration that lifts them."""
        return self.task == "multilabel" and bool(self._lift.max() > 1.5)

    def start(self) -> Any:
        """(outputs,) float32 tensor: scores that know the shares of the training rows alone."""
        import torch

        return torch.from_numpy(self._start.astype(np.float32))

    def loss(self, scores: Any, places: np.ndarray, *, lift: bool = False) -> Any:
        """The mean loss of (b, outputs) scores of the rows at some places."""
        import torch
        from torch.nn import functional

        values = self.values[places]
        if self.task == "class":
            return functional.cross_entropy(scores, torch.from_numpy(values.astype(np.int64)))
        if self.task == "regression":
            wanted = ((values - self._mean) / self._unit).astype(np.float32)
            return functional.smooth_l1_loss(scores, torch.from_numpy(wanted))
        weight = torch.from_numpy(self._lift.astype(np.float32)) if lift else None
        return functional.binary_cross_entropy_with_logits(
            scores, torch.from_numpy(values.astype(np.float32)), pos_weight=weight
        )

    def told(self, scores: np.ndarray) -> np.ndarray:
        """(b, outputs) float64: scores as a head's would be, numbers in their own units."""
        return scores.astype(np.float64) * self._unit + self._mean

    def judge(self, scores: np.ndarray, places: np.ndarray) -> float:
        """The primary metric of what `told` gave for the rows at some places."""
        values = self.values[places]
        if self.task == "class":
            return float((scores.argmax(axis=1) == values).mean())
        return macro_f1(scores, values) if self.task == "multilabel" else r2(scores, values)


def macro_f1(scores: np.ndarray, marks: np.ndarray) -> float:
    """The mean F1 of the labels that occur or are told, as `zoo.metrics` has it."""
    told, there = scores > 0.0, marks == 1
    both = told.sum(axis=0) + there.sum(axis=0)
    hits = 2.0 * (told & there).sum(axis=0)
    return float((hits[both > 0] / both[both > 0]).mean()) if (both > 0).any() else 0.0


def r2(numbers: np.ndarray, values: np.ndarray) -> float:
    """The mean share of variance explained, as `zoo.metrics` has it."""
    lost = ((numbers - values) ** 2).mean(axis=0)
    variance = values.var(axis=0)
    met = np.where(lost > 0.0, 0.0, 1.0)
    explained = np.divide(lost, variance, out=1.0 - met, where=variance > 0.0)
    return float((1.0 - explained).mean())
