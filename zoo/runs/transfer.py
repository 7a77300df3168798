"""The main job: features once, the best head on them, an honest score, a run on disk."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import zoo
from zoo import settings
from zoo.data import plan_splits, usable
from zoo.data.shards import expanded
from zoo.errors import DataError, ZooError
from zoo.features import extract, open_model
from zoo.features.bad import bad_warning
from zoo.runs.assess import Assessment, assess
from zoo.runs.details import details
from zoo.runs.energy import Meter
from zoo.runs.folder import Run, RunPlace, save_run
from zoo.runs.health import examine, sayings, slice_findings
from zoo.runs.ledger import make_ledger
from zoo.runs.prepare import open_data
from zoo.runs.strengths import strength_path
from zoo.runs.tasks import PRIMARY, check_head, head_for, predictions_table
from zoo.runs.verdict import judge

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.features import Extracted, Model
    from zoo.plugin import Dataset, Head
    from zoo.registry import Registry
    from zoo.runs.plan import RunOptions


def run_transfer(
    registry: Registry, model: str, data: Any, labels: Any = None, *, options: RunOptions
) -> Run:
    """Train a head on a frozen backbone's features and measure it.

    Raises:
        ZooError: with the exit code of what went wrong; rows already computed are kept.
        KeyboardInterrupt: Ctrl-C; during the verdict the run is saved first, without one.
    """
    options.check()
    options.check_pooled()
    plan = {"verb": "transfer", "model": model, "data": _name(data), **options.as_dict()}
    registry.observe("zoo_run_started", plan=plan)
    try:
        with Meter(gpu=options.device != "cpu") as meter:
            run = _transfer(registry, model, data, labels, options, meter)
    except BaseException as error:
        registry.observe("zoo_run_failed", plan=plan, error=error)
        raise
    registry.observe("zoo_run_finished", plan=plan, result=run)
    return run


def _transfer(  # noqa: PLR0917 - the one way, its state passed as it is
    registry: Registry, source: str, data: Any, labels: Any, options: RunOptions, meter: Meter
) -> Run:
    if options.head != "auto":
        registry.create("head", options.head)  # a wrong name costs nothing
    RunPlace.of(options.out, source, _name(data), options.head)  # nor does a taken place
    model = open_model(registry, source, options.load_options())
    dataset = open_data(registry, data, labels, options)
    usable(dataset)
    model = model.taking(dataset.modality)
    options = replace(
        options,
        head=head_for(dataset.target.task, options.head),
        no_verdict=settings.no_verdict(flag=options.no_verdict),
    )
    make_head = _head_maker(registry, options.head, dataset)
    place = RunPlace.of(options.out, source, _name(data), options.head)
    meter.lap("data")
    with registry.blaming("provider", model.source.provider):
        extracted = extract(dataset, model, options.extract_options())
    meter.lap("features")
    _say_notes(extracted, options)
    plan = plan_splits(extracted.dataset, extracted.keys, options.seed)
    findings = examine(extracted, plan, seed=options.seed, threads=options.thread_count)
    for note in plan.notes:
        if not any(finding.text.startswith(note) for finding in findings):
            options.say(note)
    for line in sayings(findings):
        options.say(line)
    meter.lap("health")
    with registry.blaming("head", options.head):
        assessment = assess(
            make_head,
            extracted.features,
            extracted.dataset.target,
            plan,
            seed=options.seed,
            threads=options.thread_count,
            coverage=options.coverage,
        )
    report = assessment.head.report()
    if report.converged is False:
        options.say(
            "warning: the head did not converge: it is "
            f"{report.suboptimality:.1e} of its objective from the optimum"
        )
    summary = _summary(source, model, extracted, plan, assessment, options)
    evaluation = summary["evaluation"]
    worse = slice_findings(evaluation["slices"] or (), evaluation["metrics"], evaluation["primary"])
    for line in sayings(worse):
        options.say(line)
    summary["health"] = [finding.as_dict() for finding in (*findings, *worse)]
    meter.lap("assessment")
    summary["verdict"], failure = _verdict(registry, model, extracted, plan, options)
    meter.lap("verdict")
    ledger = make_ledger(
        meter,
        extracted,
        model=model,
        assessment=assessment,
        plan=plan,
        options=options,
        verdict=summary["verdict"],
    )
    summary["ledger"] = ledger
    run = save_run(
        place,
        summary,
        plan=_plan_record(source, data, model, extracted, plan, options, failure),
        ledger=ledger,
        head=assessment.head,
        calibration=assessment.calibration,
        predictions=predictions_table(
            extracted.dataset, split_names(extracted.dataset, plan), assessment
        ),
        features=extracted.features,
        registry=registry,
    )
    if isinstance(failure, KeyboardInterrupt):
        options.say(
            f"the run is kept in '{run.folder.as_posix()}', without a verdict; the same command "
            "finds its features, and the arms that were finished, again"
        )
        raise failure
    return run


def _verdict(
    registry: Registry, model: Model, extracted: Extracted, plan: SplitPlan, options: RunOptions
) -> tuple[dict[str, Any] | None, ZooError | KeyboardInterrupt | None]:
    """The verdict where one is asked for, or what it failed by: the run is worth having without."""
    if options.no_verdict:
        return None, None
    try:
        return judge(registry, model, extracted, plan, options), None
    except ZooError as error:
        options.say(f"warning: no verdict: {error}")
        return None, error
    except KeyboardInterrupt as error:
        return None, error


def _head_maker(registry: Registry, name: str, dataset: Dataset) -> Any:
    """Gives new heads by name; the first is made now, so that an unfit one costs nothing."""
    first: list[Head] = [registry.create("head", name)]
    check_head(first[0], name, dataset.target)

    def make() -> Head:
        return first.pop() if first else registry.create("head", name)

    return make


def _say_notes(extracted: Extracted, options: RunOptions) -> None:
    for note in extracted.dataset.notes:
        options.say(note)
    if extracted.bad:
        options.say(bad_warning(extracted.bad))
    usable(extracted.dataset)  # of those that could be read


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


def _summary(  # noqa: PLR0917
    source: str,
    model: Model,
    extracted: Extracted,
    plan: SplitPlan,
    assessment: Assessment,
    options: RunOptions,
) -> dict[str, Any]:
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


def _plan_record(  # noqa: PLR0917
    source: str,
    data: Any,
    model: Model,
    extracted: Extracted,
    plan: SplitPlan,
    options: RunOptions,
    failure: BaseException | None,
) -> dict[str, Any]:
    """run.json: everything that is needed to say what was run, and to predict with it."""
    path = model.source.path
    names = split_names(extracted.dataset, plan)
    keys = [key.tobytes().hex() for key in extracted.keys]
    without = [] if failure is None else [f"no verdict: {str(failure) or 'interrupted'}"]
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
        "data": _name(data),
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


def _name(data: Any) -> str:
    if isinstance(data, str | Path):
        return str(data)
    try:
        return f"{len(data)} items in memory"
    except TypeError as error:
        raise DataError(f"data of type {type(data).__name__} is not understood") from error
