"""Says of every labelled row what heads say that have not seen it, without any search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.engine import log_softmax, sigmoid, softmax
from zoo.plugin import ArrayRows

if TYPE_CHECKING:
    from zoo.heads.calibration import Calibration
    from zoo.plugin import Fold, Head
    from zoo.reports.rows import RunRows
    from zoo.runs import Run


def held_out(run: Run, rows: RunRows, *, threads: int = 1) -> np.ndarray:
    """(n, k) float64: probabilities of classes or labels, or predicted numbers; NaN where unknown.

    Rows that only judge are told by the run's own head, as in its predictions.csv. All others are
    told by heads that are fitted at the run's strength on the other folds of its split plan, and
    made probabilities by the run's calibration; of repeated folds the mean of the log
    probabilities. Strength and calibration were chosen with such rows: a handful of numbers.
    """
    plan = rows.plan
    told = np.full((len(rows), len(rows.target.names)), np.nan)
    folds = plan.repeats or ((plan.folds,) if plan.folds else ())
    scores = [_out_of_fold(run, rows, part, threads) for part in folds]
    if scores:
        stack = np.stack([_calibrated(run, part) for part in scores])
        with np.errstate(invalid="ignore"):
            told = (log_softmax(stack) if run.task == "class" else stack).mean(axis=0)
    if plan.protocol == "holdout":
        told[plan.judge] = _calibrated(run, run.head.scores(ArrayRows(rows.features[plan.judge])))
    if run.task == "regression":
        return told
    with np.errstate(invalid="ignore"):
        return softmax(told) if run.task == "class" else sigmoid(told)


def head_of(run: Run, threads: int) -> Head:
    """A new head of the run's kind, at its strength."""
    head: Head = run.registry.create("head", run.plan["options"]["head"])
    head.strength, head.threads = run.summary["head"]["strength"], threads
    return head


def _out_of_fold(run: Run, rows: RunRows, folds: tuple[Fold, ...], threads: int) -> np.ndarray:
    """(n, k) scores of each row by the fit that did not see it; NaN for rows that no fold held."""
    out = np.full((len(rows), len(rows.target.names)), np.nan)
    for fit_on, held in folds:
        head = head_of(run, threads)
        head.fit(ArrayRows(rows.features[fit_on]), rows.target.take(fit_on), seed=seed_of(run))
        out[held] = head.scores(ArrayRows(rows.features[held]))
    return out


def _calibrated(run: Run, scores: np.ndarray) -> np.ndarray:
    calibration: Calibration | None = run.calibration
    return scores if calibration is None else calibration.apply(scores)


def seed_of(run: Run) -> int:
    """The seed of the run's splits and heads."""
    return int(run.plan["options"].get("seed", 0))
