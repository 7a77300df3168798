"""What a head is: trained on feature rows, scored on them, and stored as named arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.plugin.dataset import Target

Fold = tuple[np.ndarray, np.ndarray]  # row numbers to fit on, row numbers to judge on


class Rows(ABC):
    """Feature rows, in memory or not.

    Attributes:
        shape: (n, d).
        dtype: of the stored values.
    """

    shape: tuple[int, int]
    dtype: np.dtype

    @abstractmethod
    def blocks(self, size: int = 4096) -> Iterator[np.ndarray]:
        """The rows in order, at most `size` at a time, as (b, d) float32 or float64."""

    @abstractmethod
    def gather(self, rows: np.ndarray) -> np.ndarray:
        """The rows of the given numbers, as (m, d)."""

    def array(self) -> np.ndarray:
        """All rows at once, as (n, d), C-contiguous."""
        blocks = list(self.blocks())
        return np.concatenate(blocks) if blocks else np.empty(self.shape, np.float32)


class ArrayRows(Rows):
    """Rows that are an array already."""

    def __init__(self, values: np.ndarray) -> None:
        if values.ndim != 2:
            raise UsageError(f"rows must have shape (n, d), not {values.shape}")
        dtype = np.float64 if values.dtype == np.float64 else np.float32
        self._values = np.ascontiguousarray(values, dtype=dtype)
        self.shape = (values.shape[0], values.shape[1])
        self.dtype = self._values.dtype

    def blocks(self, size: int = 4096) -> Iterator[np.ndarray]:
        """Views, not copies."""
        for start in range(0, self.shape[0], size):
            yield self._values[start : start + size]

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """A copy of some rows."""
        return np.take(self._values, rows, axis=0)

    def array(self) -> np.ndarray:
        """The array itself, not a copy."""
        return self._values


@dataclass(frozen=True)
class FitReport:
    """How a fit ended; None where the head has no such notion.

    Attributes:
        converged: whether `suboptimality` is below the head's tolerance.
        suboptimality: distance of the objective from its optimum, relative to the objective.
    """

    converged: bool | None = None
    suboptimality: float | None = None


@dataclass(frozen=True)
class SearchResult:
    """The outcome of a search over strengths.

    Attributes:
        strengths: the s strengths tried, strongest first.
        losses: (s,) mean held-out loss over all judged rows of all folds; lower is better: log loss
            of classes or labels; of numbers the squared error in units of their variance.
        best: the strength chosen; None where the head has none.
        held_scores: (n, k) float64 scores at the chosen strength of each row by a fit that did not
            see it, NaN for rows that no fold held; the run calibrates heads of classes on them.
            None where a search does not keep them: then the head's scores are believed as they are.
        fold_losses: (folds, s) the same, mean over each fold's judged rows, NaN for a fold without
            any; None where a search does not keep them.
    """

    strengths: tuple[float, ...] = ()
    losses: np.ndarray | None = None
    best: float | None = None
    held_scores: np.ndarray | None = None
    fold_losses: np.ndarray | None = None


class Head(ABC):
    """Base of all heads. `strength` is what regularises it; None where it has no such knob.

    A head is constructed without arguments. `search` sets `strength`; `fit` uses it.
    """

    name: ClassVar[str] = ""
    tasks: ClassVar[frozenset[str]] = frozenset({"class"})

    def __init__(self) -> None:
        self.strength: float | None = None
        self.threads = 1

    @abstractmethod
    def fit(
        self,
        rows: Rows,
        target: Target,
        *,
        sample_weight: np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        """Train on (n, d) rows and n targets at the present strength."""

    @abstractmethod
    def scores(self, rows: Rows) -> np.ndarray:
        """(n, k) float64 scores.

        Of a class target one column a class, whose softmax is the probabilities; of numbers the
        predictions; of labels one column each, their log odds.
        """

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """All that `from_state` needs, as named arrays; never a pickle.

        Names that start with ``calibration/`` are the run's, which keeps its own in the same file.
        """

    @classmethod
    @abstractmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> Head:
        """The trained head that `state` describes; raises ZooError on arrays that do not fit."""

    def strengths(self, rows: Rows, target: Target) -> tuple[float, ...]:
        """Strengths worth trying on these rows, strongest first; empty: nothing to choose."""
        del rows, target
        return ()

    def search(
        self,
        rows: Rows,
        target: Target,
        folds: Sequence[Fold],
        strengths: Sequence[float] = (),
    ) -> SearchResult:
        """Choose `strength` by held-out loss over the folds; ties go to the stronger.

        A strength at which the fit diverges (its loss is not a number) is never chosen over one
        at which it does not.

        Raises:
            UsageError: the target is not of classes, numbers or labels; such a head brings its own
                search.
        """
        grid = tuple(strengths) or self.strengths(rows, target)
        if not grid:
            return SearchResult()
        if target.task not in {"class", "regression", "multilabel"}:
            raise UsageError(f"head '{self.name}' has no search for task '{target.task}'")
        judged = max(1, sum(len(held) for _, held in folds))
        sums, losses, least = np.zeros((len(folds), len(grid))), np.zeros(len(grid)), np.inf
        best, held_scores = grid[0], None
        for s, strength in enumerate(grid):  # outside, so that two sets of scores are kept, not s
            self.strength = strength
            tried = np.full((rows.shape[0], len(target.names)), np.nan)
            for f, (fit_on, held) in enumerate(folds):
                self.fit(ArrayRows(rows.gather(fit_on)), target.take(fit_on))
                tried[held] = self.scores(ArrayRows(rows.gather(held)))
                sums[f, s] = held_out_loss(tried[held], target, held)
            losses[s] = sums[:, s].sum() / judged
            if held_scores is None or losses[s] < least:
                best, held_scores = strength, tried
                least = np.inf if np.isnan(losses[s]) else losses[s]
        self.strength = best
        return SearchResult(grid, losses, self.strength, held_scores, fold_means(sums, folds))

    def report(self) -> FitReport:
        """How the last fit ended."""
        return FitReport()


def fold_means(sums: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """(folds, s) means over the held rows of each fold, of sums over them."""
    rows = np.array([[len(held)] for _, held in folds], np.float64)
    return np.asarray(np.divide(sums, rows, out=np.full(sums.shape, np.nan), where=rows > 0))


def held_out_loss(scores: np.ndarray, target: Target, held: np.ndarray) -> float:
    """Sum over the held rows of what their (m, k) scores lose, by the target's task."""
    values = target.values[held]
    if target.task == "class":
        return log_loss_sum(scores, values)
    if target.task == "multilabel":
        return binary_loss_sum(scores, values)
    return float(squared_error_sums(scores, values) @ (1.0 / spread(target.values)))


def squared_error_sums(predictions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(t,) sums of squared errors of (n, t) predictions."""
    errors = np.asarray(predictions, np.float64) - values
    return np.asarray(np.einsum("ij,ij->j", errors, errors))


def spread(values: np.ndarray) -> np.ndarray:
    """(t,) variances of (n, t) numbers times t, that a mean over outputs is free of units."""
    variances = np.asarray(values, np.float64).var(axis=0)
    return np.asarray(np.where(variances > 0.0, variances, 1.0) * values.shape[1])


def binary_loss_sum(scores: np.ndarray, marks: np.ndarray) -> float:
    """Sum over rows of the labels' mean log loss, for (n, l) log odds and marks of 0 and 1."""
    scores = np.asarray(scores, dtype=np.float64)
    if not len(scores):
        return 0.0
    return float(np.logaddexp(0.0, np.where(marks == 1, -scores, scores)).mean(axis=1).sum())


def log_loss_sum(scores: np.ndarray, codes: np.ndarray) -> float:
    """Sum of -log softmax(scores)[i, codes[i]] in float64 for (n, k) scores and n codes.

    NaN where scores are NaN or +inf.
    """
    scores = np.asarray(scores, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # inf - inf: the head diverged, and NaN says so
        shifted = scores - scores.max(axis=1, keepdims=True)
    log_norm = np.log(np.exp(shifted).sum(axis=1))
    return float((log_norm - shifted[np.arange(len(codes)), codes]).sum())
