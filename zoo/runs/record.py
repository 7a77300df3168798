"""What a run says of itself: the result that is printed, and the plan that repeats it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import zoo
from zoo.data.shards import expanded
from zoo.errors import DataError
from zoo.runs.details import details
from zoo.runs.strengths import strength_path
from zoo.runs.tasks import PRIMARY
from zoo.runs.verdict import why

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.features import Extracted, Model
    from zoo.plugin import Dataset
    from zoo.runs.assess import Assessment
    from zoo.runs.plan import RunOptions


def model_part(source: str, model: Model, extracted: Extracted) -> dict[str, Any]:
    """The `model` object of every result."""
    return {
        "source": source,
        "revision": model.contract.revision or None,
        "dim": int(extracted.features.shape[1]),
        "parameters": extracted.parameters,
    }


def data_part(extracted: Extracted, split: np.ndarray) -> dict[str, Any]:
    """The `data` object of every result."""
    target = extracted.dataset.target
    names, counts = np.unique(split[split != ""], return_counts=True)
    order = {"train": 0, "val": 1, "test": 2}
    pairs = sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda p: order[p[0]])
    return {
        "rows": len(extracted.dataset),
        "classes": len(target.names) if target.task == "class" else 0,
        "outputs": {"none": 0, "class": 1}.get(target.task, len(target.names)),
        "splits": dict(pairs),
        "bad": [{"item": bad.name, "reason": bad.reason} for bad in extracted.bad],
    }


def features_part(extracted: Extracted) -> dict[str, Any]:
    """The `features` object of every result."""
    return {
        "rows": extracted.distinct,
        "dim": int(extracted.features.shape[1]),
        "forwards": extracted.forwards,
        "seconds": round(extracted.seconds, 4),
        "dtype": extracted.key["dtype"],
        "fidelity": extracted.fidelity,
        "frozen": extracted.frozen,
    }


def summary_of(  # noqa: PLR0917
    source: str,
    model: Model,
    extracted: Extracted,
    plan: SplitPlan,
    assessment: Assessment,
    options: RunOptions,
) -> dict[str, Any]:
    """The result, as far as it is known before the verdict."""
    report, calibration = assessment.head.report(), assessment.calibration
    return {
        "schema": 1,
        "run": "",
        "task": extracted.dataset.target.task,
        "model": model_part(source, model, extracted),
        "data": data_part(extracted, split_names(extracted.dataset, plan)),
        "features": features_part(extracted),
        "head": {
            "name": options.head,
            "strength": assessment.head.strength,
            "converged": report.converged,
            "suboptimality": report.suboptimality,
            "seconds": round(assessment.seconds, 4),
            "path": strength_path(assessment.search),
        },
        "evaluation": {
            "protocol": plan.protocol,
            "folds": [len(folds) for folds in plan.repeats],
            "rows": len(assessment.rows),
            "primary": PRIMARY[extracted.dataset.target.task],
            "metrics": assessment.metrics,
            "outputs": assessment.outputs,
            **details(extracted, plan, assessment, options.seed),
        },
        "calibration": None if calibration is None else calibration.summary(),
        "health": [],
        "verdict": None,
    }


def plan_of(  # noqa: PLR0917
    source: str,
    data: Any,
    model: Model,
    extracted: Extracted,
    plan: SplitPlan,
    options: RunOptions,
    failure: Exception | KeyboardInterrupt | None,
) -> dict[str, Any]:
    """run.json: everything that is needed to say what was run, and to predict with it."""
    path = model.source.path
    names = split_names(extracted.dataset, plan)
    keys = [key.tobytes().hex() for key in extracted.keys]
    without = []
    if failure is not None:
        stopped = isinstance(failure, KeyboardInterrupt)
        without = [f"no verdict: {'interrupted' if stopped else why(failure)}"]
    splits = {
        name: [keys[i] for i in np.flatnonzero(names == name)] for name in sorted(set(names) - {""})
    }
    return {
        "task": extracted.dataset.target.task,
        "names": list(extracted.dataset.target.names),
        "options": options.as_dict(),
        "source": source,
        "resolved": str(model.source),
        "path": None if path is None else str(path.resolve()),
        "weights_path": _absolute(model.source.weights),
        "data": name_of(data),
        "data_path": _again(data),
        "contract": model.stated(),
        "key": extracted.key,
        "column": model.column,
        "versions": {"zoo-transfer": zoo.__version__, **model.versions()},
        "inputs": extracted.inputs,
        "features_made_with": extracted.provenance.get("made_with", {}),
        "protocol": plan.protocol,
        "notes": [*extracted.dataset.notes, *plan.notes, *without],
        "splits": splits,
    }


def _absolute(weights: str) -> str | None:
    """Where a file of ``?weights=`` lies, for predictions from another folder."""
    path = Path(weights).expanduser()
    return str(path.resolve()) if weights and path.is_file() else None


def _again(data: Any) -> str | None:
    """What opens the data again from another folder, too; None where it was in memory."""
    if not isinstance(data, str | Path):
        return None
    there = os.path.exists(data)  # noqa: PTH110 - Path.exists raises on overlong names
    here = there or expanded(str(data)) != [str(data)]  # a pattern of shards
    return str(Path(data).absolute() if here else data)


def split_names(dataset: Dataset, plan: SplitPlan | None) -> np.ndarray:
    """(n,) split names: as given, else by the plan; empty for rows that are in none."""
    if dataset.split is not None:
        return np.array(dataset.split, dtype=np.str_)
    names = np.full(len(dataset), "", dtype="<U5")
    if plan is not None:
        names[plan.train], names[plan.val], names[plan.test] = "train", "val", "test"
    return names


def name_of(data: Any) -> str:
    """The data as it was named; raises DataError on what is neither a name nor samples."""
    if isinstance(data, str | Path):
        return str(data)
    try:
        return f"{len(data)} items in memory"
    except TypeError as error:
        raise DataError(f"data of type {type(data).__name__} is not understood") from error
