"""What stands behind a run's metrics: each class, the confusions, each value of chosen columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.metrics import Confusions
from zoo.runs.slices import slice_metrics

if TYPE_CHECKING:
    from zoo.plugin import Dataset
    from zoo.runs.assess import Assessment


def details(dataset: Dataset, assessment: Assessment, seed: int) -> dict[str, Any]:
    """`classes`, `confusion` and `slices` of the `evaluation` object; null where they do not apply.

    Classes and confusions are those of `zoo.metrics.by_class`, slices those of `zoo.runs.slices`,
    all on the rows that judge.
    """
    target = dataset.target.take(assessment.rows)
    out: dict[str, Any] = {"classes": None, "confusion": None, "slices": None}
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
