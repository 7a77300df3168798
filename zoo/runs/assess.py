"""Trains a head and measures it on rows that it has not seen: one hold-out, or repeated folds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.engine import log_softmax, sigmoid, softmax
from zoo.heads.calibration import Calibration, fit_calibration
from zoo.metrics import evaluate
from zoo.plugin import ArrayRows, Fold, Head, SearchResult, Target
from zoo.runs.tasks import metrics_of, metrics_of_outputs

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.metrics import Metrics


@dataclass(frozen=True)
class Assessment:
    """A trained head and how good it is.

    Attributes:
        head: refitted on all rows that are not test.
        search: the search that chose its strength.
        calibration: fitted on the search's out-of-fold scores; None where it kept none, or where
            the target is not of classes.
        metrics: name -> value, low, high.
        outputs: the same for each of several numbers or labels; None for classes and single ones.
        rows: (m,) row numbers that were judged.
        scores: (m, k) the head's own; with repeated folds the mean log probabilities of classes,
            numbers or log odds of labels.
        probabilities: (m, k) calibrated; with repeated folds of their mean logarithms; of labels
            that of each; (m, 0) for numbers.
        seconds: wall time of searching, calibrating and fitting the final head.
        evaluation_seconds: wall time of everything else here.
        held_scores: (m, k), or (r, m, k) with r repeats, the heads' own before they are merged.
        held_beliefs: of the same shape; their softmax is the probabilities.
    """

    head: Head
    search: SearchResult
    calibration: Calibration | None
    metrics: Metrics
    outputs: dict[str, Metrics] | None
    rows: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray
    seconds: float
    evaluation_seconds: float
    held_scores: np.ndarray
    held_beliefs: np.ndarray


@dataclass(frozen=True)
class _Judged:
    """What heads say of rows that they have not seen, each array (m, k) or (r, m, k).

    Attributes:
        scores: the heads' own; their highest is the label.
        calibrated: scores whose softmax is the probabilities.
        sets: bool, the conformal sets; all classes where a head has no calibration.
    """

    scores: np.ndarray
    calibrated: np.ndarray
    sets: np.ndarray


def assess(
    make_head: Callable[[], Head],
    features: np.ndarray,
    target: Target,
    plan: SplitPlan,
    *,
    seed: int,
    threads: int,
    coverage: float = 0.9,
) -> Assessment:
    """Search, calibrate, evaluate and fit by the plan's protocol.

    A calibration changes probabilities and sets, never a label: that is the highest of the head's
    own scores, here, in predictions.csv and for new samples alike. With repeated folds each outer
    fold's head is calibrated on its own inner out-of-fold scores, so that no row has a part in the
    probabilities that it judges.

    Args:
        make_head: gives a new untrained head.
        features: (n, d) rows.
        target: n class codes, or n rows of numbers or labels.
        plan: which rows are for what.
        seed: of heads and bootstraps.
        threads: upper bound for the heads.
        coverage: of the conformal sets, in (0, 1).
    """
    start = time.perf_counter()
    rows = plan.judge
    train = _Trainer(make_head, features, target, seed, threads, coverage)
    measured = _out_of_fold(train, plan) if plan.protocol == "cv" else None
    judged = time.perf_counter()
    head, search, calibration = train(plan.final, plan.folds)
    seconds = time.perf_counter() - judged
    if measured is None:
        measured = _judge(head, calibration, features[rows])
    outputs = None
    if target.task == "class":
        metrics = evaluate(
            measured.scores,
            target.values[rows],
            target.names,
            seed,
            calibrated=None if calibration is None else measured.calibrated,
            sets=None if calibration is None else measured.sets,
        )
    else:
        metrics = metrics_of(measured.scores, target.take(rows), seed)
        outputs = metrics_of_outputs(measured.scores, target.take(rows), seed)
    scores, probabilities = _merged(measured, target.task)
    return Assessment(
        head,
        search,
        calibration,
        metrics,
        outputs,
        rows,
        scores,
        probabilities,
        seconds,
        time.perf_counter() - start - seconds,
        measured.scores,
        measured.calibrated,
    )


def _merged(measured: _Judged, task: str) -> tuple[np.ndarray, np.ndarray]:
    """The (m, k) scores and probabilities of one evaluation, or of r repeats together."""
    scores, calibrated = measured.scores, measured.calibrated
    if scores.ndim == 3:
        parts = (scores, calibrated)
        if task == "class":
            parts = (log_softmax(scores), log_softmax(calibrated))
        scores, calibrated = (part.mean(axis=0) for part in parts)
    if task == "regression":
        return scores, np.empty((len(scores), 0))
    return scores, softmax(calibrated) if task == "class" else sigmoid(scores)


@dataclass(frozen=True)
class _Trainer:
    """Makes heads: strength chosen by folds, calibrated on them, fitted on rows."""

    make_head: Callable[[], Head]
    features: np.ndarray
    target: Target
    seed: int
    threads: int
    coverage: float

    def __call__(
        self, rows: np.ndarray, folds: Sequence[Fold]
    ) -> tuple[Head, SearchResult, Calibration | None]:
        head = self.make_head()
        head.threads = self.threads
        some, labels = ArrayRows(self.features[rows]), self.target.take(rows)
        place = np.full(len(self.features), -1, np.int64)
        place[rows] = np.arange(len(rows))
        inner = [(place[fit], place[held]) for fit, held in folds]
        search = head.search(some, labels, inner) if inner else SearchResult()
        calibration = None
        if labels.task == "class":
            calibration = fit_calibration(search.held_scores, labels.values, coverage=self.coverage)
        head.fit(some, labels, seed=self.seed)
        return head, search, calibration


def _judge(head: Head, calibration: Calibration | None, x: np.ndarray) -> _Judged:
    scores = head.scores(ArrayRows(x))
    if calibration is None:
        return _Judged(scores, scores, np.ones(scores.shape, np.bool_))
    calibrated = calibration.apply(scores)
    return _Judged(scores, calibrated, calibration.sets(calibrated))


def _out_of_fold(train: _Trainer, plan: SplitPlan) -> _Judged:
    """In each of r repeats every judged row's scores, by the head that did not see it.

    Inside a fold the strength is chosen on the other folds of the same repeat in turn.
    """
    target = train.target
    codes = target.values if target.task == "class" else None
    place = np.full(len(train.features), -1, np.int64)
    place[plan.judge] = np.arange(len(plan.judge))
    shape = len(plan.repeats), len(plan.judge), len(target.names)
    out = _Judged(np.zeros(shape), np.zeros(shape), np.zeros(shape, np.bool_))
    for repeat, outer in enumerate(plan.repeats):
        for number, (fit_on, held) in enumerate(outer):
            head, _, calibration = train(fit_on, plan.inner(repeat, number, codes))
            judged = _judge(head, calibration, train.features[held])
            out.scores[repeat, place[held]] = judged.scores
            out.calibrated[repeat, place[held]] = judged.calibrated
            out.sets[repeat, place[held]] = judged.sets
    return out
