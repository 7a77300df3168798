"""What stands behind a run's metrics: each class, the confusions, each value of chosen columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data.stratify import units_of
from zoo.metrics import Confusions
from zoo.runs.slices import metrics_of_rows, slice_metrics

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.features import Extracted
    from zoo.runs.assess import Assessment


def details(
    extracted: Extracted, plan: SplitPlan, assessment: Assessment, seed: int
) -> dict[str, Any]:
    """What `evaluation` holds beside metrics; null where it does not apply.

    `classes` and `confusion` are those of `zoo.metrics.by_class`, `slices` those of
    `zoo.runs.slices`, all on the rows that judge. `without_duplicates` are rows and metrics of
    those that are byte-identical to no row of the head's, where given splits share some.
    """
    dataset = extracted.dataset
    target = dataset.target.take(assessment.rows)
    out: dict[str, Any] = {
        "classes": None,
        "confusion": None,
        "slices": None,
        "without_duplicates": _without_duplicates(extracted, plan, assessment, seed),
    }
    if target.task == "class":
        found = Confusions.of(assessment.held_scores, target.values, target.names)
        out["classes"], out["confusion"] = found.classes(), found.as_dict()
    if dataset.slices:
        out["slices"] = slice_metrics(
            assessment.held_scores,
            assessment.held_beliefs,
            target,
            {name: values[assessment.rows] for name, values in dataset.slices.items()},
            seed=seed,
        )
    return out


def _without_duplicates(
    extracted: Extracted, plan: SplitPlan, assessment: Assessment, seed: int
) -> dict[str, Any] | None:
    samples = units_of(extracted.keys)
    new = np.flatnonzero(~np.isin(samples[assessment.rows], samples[plan.final]))
    if plan.protocol == "cv" or not 0 < len(new) < len(assessment.rows):
        return None
    target = extracted.dataset.target.take(assessment.rows[new])
    scores, beliefs = assessment.held_scores[new], assessment.held_beliefs[new]
    return {"rows": len(new), "metrics": metrics_of_rows(scores, beliefs, target, seed)}
