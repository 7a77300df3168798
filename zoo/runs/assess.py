"""Trains a head and measures it on rows that it has not seen: one hold-out, or repeated folds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.metrics import evaluate
from zoo.plugin import ArrayRows, Fold, Head, SearchResult, Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.data.splits import SplitPlan


@dataclass(frozen=True)
class Assessment:
    """A trained head and how good it is.

    Attributes:
        head: refitted on all rows that are not test.
        search: the search that chose its strength.
        metrics: name -> value, low, high.
        rows: (m,) row numbers that were judged.
        scores: (m, k) their scores; with repeated folds the mean log probabilities.
        seconds: wall time of searching and fitting the final head.
        evaluation_seconds: wall time of everything else here.
    """

    head: Head
    search: SearchResult
    metrics: dict[str, dict[str, float]]
    rows: np.ndarray
    scores: np.ndarray
    seconds: float
    evaluation_seconds: float


def assess(
    make_head: Callable[[], Head],
    features: np.ndarray,
    target: Target,
    plan: SplitPlan,
    *,
    seed: int,
    threads: int,
) -> Assessment:
    """Search, evaluate and fit by the plan's protocol.

    Args:
        make_head: gives a new untrained head.
        features: (n, d) rows.
        target: n class codes.
        plan: which rows are for what.
        seed: of heads and bootstraps.
        threads: upper bound for the heads.
    """
    start = time.perf_counter()
    rows = plan.judge
    measured = np.zeros(0)
    if plan.protocol == "cv":
        measured = _out_of_fold(make_head, features, target, plan, seed=seed, threads=threads)
    judged = time.perf_counter()
    head, search = _search_and_fit(
        make_head, features, target, (plan.final, plan.folds), seed=seed, threads=threads
    )
    seconds = time.perf_counter() - judged
    if plan.protocol == "cv":
        parts = [_log_softmax(measured[repeat]) for repeat in range(len(measured))]
        scores: np.ndarray = np.stack(parts).mean(axis=0)
    else:
        scores = measured = head.scores(ArrayRows(features[rows]))
    metrics = evaluate(measured, target.values[rows], target.names, seed)
    return Assessment(
        head, search, metrics, rows, scores, seconds, time.perf_counter() - start - seconds
    )


def probabilities(scores: np.ndarray) -> np.ndarray:
    """(n, k) softmax of (n, k) scores in float64."""
    return np.asarray(np.exp(_log_softmax(scores)))


def _search_and_fit(
    make_head: Callable[[], Head],
    features: np.ndarray,
    target: Target,
    chosen: tuple[np.ndarray, Sequence[Fold]],
    *,
    seed: int,
    threads: int,
) -> tuple[Head, SearchResult]:
    """A head whose strength is chosen by folds, then fitted on rows; `chosen` is (rows, folds)."""
    rows, folds = chosen
    head = make_head()
    head.threads = threads
    some, labels = ArrayRows(features[rows]), target.take(rows)
    place = np.full(len(features), -1, np.int64)
    place[rows] = np.arange(len(rows))
    inner = [(place[fit], place[held]) for fit, held in folds]
    search = head.search(some, labels, inner) if inner else SearchResult()
    head.fit(some, labels, seed=seed)
    return head, search


def _out_of_fold(
    make_head: Callable[[], Head],
    features: np.ndarray,
    target: Target,
    plan: SplitPlan,
    *,
    seed: int,
    threads: int,
) -> np.ndarray:
    """(r, m, k) scores: in each of r repeats every judged row's, by the head that did not see it.

    Inside a fold the strength is chosen on the other folds of the same repeat in turn.
    """
    place = np.full(len(features), -1, np.int64)
    place[plan.judge] = np.arange(len(plan.judge))
    scores = np.zeros((len(plan.repeats), len(plan.judge), len(target.names)))
    for repeat, outer in enumerate(plan.repeats):
        for number, (fit_on, held) in enumerate(outer):
            inner = plan.inner(repeat, number, target.values)
            head, _ = _search_and_fit(
                make_head, features, target, (fit_on, inner), seed=seed, threads=threads
            )
            scores[repeat, place[held]] = head.scores(ArrayRows(features[held]))
    return scores


def _log_softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
