"""How good the head would be with less data: refits on nested parts of the training rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.stratify import labels_in_strata, numbers_in_strata
from zoo.errors import UsageError
from zoo.metrics import evaluate
from zoo.metrics.intervals import wilson
from zoo.plugin import ArrayRows
from zoo.reports.embedding import in_proportion
from zoo.reports.held_out import head_of, seed_of
from zoo.runs.tasks import metrics_of

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.plugin import Fold, Target
    from zoo.reports.rows import RunRows
    from zoo.runs import Run

_LEAST = 10  # rows of the smallest part, and at least two a class


@dataclass(frozen=True)
class LearningCurve:
    """The primary metric by the number of rows that heads were fitted on.

    Attributes:
        metric: its name.
        judged: rows that judge every point, the same ones.
        points: for each size ``{"rows", "value", "low", "high", "draws"}``, from few rows to all:
            the mean over the draws with its 95 % interval over judged rows, and each draw's value.
        complete: whether no size or draw was left out for lack of time.
        seconds: it took.
    """

    metric: str
    judged: int
    points: tuple[dict[str, Any], ...]
    complete: bool
    seconds: float


@dataclass(frozen=True)
class _Part:
    """One fit of one draw: rows in the order in which they are added, and whom it judges."""

    order: np.ndarray
    folds: Sequence[Fold]
    held: np.ndarray


def learning_curve(
    run: Run,
    rows: RunRows,
    *,
    sizes: int = 8,
    draws: int = 3,
    seconds: float = 60.0,
    threads: int = 1,
) -> LearningCurve:
    """Refit the run's head on nested, stratified parts of what it was trained on.

    Every part judges the very rows that judged the run. The strength is chosen anew for each part
    on those of the run's folds that are inside it, so that duplicates and groups stay on one side
    as they do in the run. Where the run was cross-validated each draw is a repeat of its folds, and
    a size is the rows that each of the fold's heads is fitted on.

    Args:
        run: the run.
        rows: its samples, with their plan.
        sizes: numbers of rows, evenly spaced in ratio; fewer where there are few rows.
        draws: orders in which rows are added.
        seconds: no fit is begun later than that; small sizes come first.
        threads: upper bound for the heads.

    Raises:
        UsageError: `rows` are without the plan of their run, or a number is not positive.
    """
    plan = rows.plan
    if min(sizes, draws, threads) < 1:
        raise UsageError("sizes, draws and threads of a learning curve must be at least 1")
    start = time.perf_counter()
    parts = [_parts(rows, plan, draw, seed_of(run)) for draw in range(draws)]
    full = min(len(part.order) for own in parts for part in own)
    metric = str(run.summary["evaluation"]["primary"])
    points: list[dict[str, Any]] = []
    late = False
    for size in _sizes(rows.target, full, sizes):
        scores: list[np.ndarray] = []
        # All rows of a holdout are the same rows whatever their order.
        wanted = parts[:1] if size == full and plan.protocol == "holdout" else parts
        for own in wanted:
            late = late or time.perf_counter() - start > seconds
            if not late:
                scores.append(_scores(run, rows, own, size, threads)[plan.judge])
        if scores:
            points.append({"rows": size, **_measured(rows.target.take(plan.judge), scores, metric)})
    took = time.perf_counter() - start
    return LearningCurve(metric, len(plan.judge), tuple(points), not late, took)


def _parts(rows: RunRows, plan: SplitPlan, draw: int, seed: int) -> list[_Part]:
    """What is fitted in one draw: one head on a holdout, one for each fold of a repeat."""
    rng = np.random.Generator(np.random.PCG64([seed, draw]))
    target = rows.target
    if plan.protocol != "cv":
        order = plan.final[in_proportion(_strata(target.take(plan.final)), rng)]
        return [_Part(order, plan.folds, plan.judge)]
    codes = target.values if target.task == "class" else None
    repeat = draw % len(plan.repeats)
    return [
        _Part(
            fit_on[in_proportion(_strata(target.take(fit_on)), rng)],
            plan.inner(repeat, number, codes),
            held,
        )
        for number, (fit_on, held) in enumerate(plan.repeats[repeat])
    ]


def _strata(target: Target) -> np.ndarray:
    if target.task == "regression":
        return numbers_in_strata(target.values)
    return labels_in_strata(target.values) if target.task == "multilabel" else target.values


def _sizes(target: Target, full: int, sizes: int) -> list[int]:
    """From few rows to all of them, each at least a fifth more than the last."""
    classes = len(target.names) if target.task == "class" else 0
    least = min(full, max(_LEAST, 2 * classes))
    wanted = np.rint(np.geomspace(full, least, sizes)).astype(np.int64).tolist()
    kept = [full]
    for size in wanted:
        if size * 1.2 <= kept[-1]:
            kept.append(size)
    return kept[::-1]


def _scores(run: Run, rows: RunRows, parts: list[_Part], size: int, threads: int) -> np.ndarray:
    """(n, k) scores of the rows that the parts judge, at one size."""
    out = np.full((len(rows), len(rows.target.names)), np.nan)
    for part in parts:
        subset = np.sort(part.order[:size])
        head = head_of(run, threads)
        x, target = ArrayRows(rows.features[subset]), rows.target.take(subset)
        folds = list(_inside(part.folds, subset, target))
        if folds:
            head.search(x, target, folds)
        head.fit(x, target, seed=seed_of(run))
        out[part.held] = head.scores(ArrayRows(rows.features[part.held]))
    return out


def _inside(folds: Sequence[Fold], subset: np.ndarray, target: Target) -> Iterator[Fold]:
    """The folds' rows within a subset, by their numbers in it; folds that can't judge are left."""
    for fit_on, held in folds:
        fit, judge = (np.flatnonzero(np.isin(subset, part)) for part in (fit_on, held))
        if target.task == "class":
            judge = judge[np.isin(target.values[judge], target.values[fit])]
            if len(np.unique(target.values[fit])) < 2:
                continue
        if len(judge) and len(fit) > 1:
            yield fit, judge


def _measured(target: Target, scores: list[np.ndarray], metric: str) -> dict[str, Any]:
    """A metric of several draws together, and of each."""

    def of(stack: np.ndarray) -> dict[str, float]:
        if metric == "accuracy":
            return wilson(
                float((stack.argmax(axis=-1) == target.values).mean()), len(target.values)
            )
        if target.task == "class":
            return evaluate(stack, target.values, target.names)[metric]
        return metrics_of(stack, target, 0)[metric]

    return {**of(np.stack(scores)), "draws": [of(one)["value"] for one in scores]}
