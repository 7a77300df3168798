"""The main job: features once, the best head on them, an honest score, a run on disk."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo import settings
from zoo.data import plan_splits, usable
from zoo.features import extract, open_model
from zoo.features.bad import bad_warning
from zoo.runs.assess import assess
from zoo.runs.energy import Meter
from zoo.runs.folder import Run, RunPlace, save_run
from zoo.runs.health import examine, sayings, slice_findings
from zoo.runs.ledger import make_ledger
from zoo.runs.prepare import open_data
from zoo.runs.record import name_of, plan_of, split_names, summary_of
from zoo.runs.tasks import check_head, head_for, predictions_table
from zoo.runs.verdict import judge, why

if TYPE_CHECKING:
    from zoo.data.splits import SplitPlan
    from zoo.features import Extracted, Model
    from zoo.plugin import Dataset, Head
    from zoo.registry import Registry
    from zoo.runs.plan import RunOptions

_log = logging.getLogger(__name__)


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
    plan = {"verb": "transfer", "model": model, "data": name_of(data), **options.as_dict()}
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
    RunPlace.of(options.out, source, name_of(data), options.head)  # nor does a taken place
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
    place = RunPlace.of(options.out, source, name_of(data), options.head)
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
    summary = summary_of(source, model, extracted, plan, assessment, options)
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
        plan=plan_of(source, data, model, extracted, plan, options, failure),
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
) -> tuple[dict[str, Any] | None, Exception | KeyboardInterrupt | None]:
    """The verdict where one is asked for, or what it failed by: the run is worth having without."""
    if options.no_verdict:
        return None, None
    try:
        return judge(registry, model, extracted, plan, options), None
    except KeyboardInterrupt as error:
        return None, error
    except Exception as error:  # noqa: BLE001 - the run is worth having without
        if options.interrupted():
            return None, KeyboardInterrupt()
        _log.debug("the verdict", exc_info=True)
        options.say(f"warning: no verdict: {why(error)}")
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
