"""Applies a finished run to new samples, under the contract it was trained with or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data import is_frame
from zoo.engine import sigmoid, softmax
from zoo.errors import DataError, SourceError, UsageError
from zoo.features import extract, open_model
from zoo.features.provenance import changed
from zoo.plugin import ArrayRows, Dataset, Item, Source, Target
from zoo.runs.prepare import open_unlabelled
from zoo.runs.tasks import named

if TYPE_CHECKING:
    from zoo.features import BadItem, Extracted, Model
    from zoo.registry import Registry
    from zoo.runs.folder import Run
    from zoo.runs.plan import RunOptions


@dataclass(frozen=True)
class Prediction:
    """What is said of one sample; what its run's task does not have is None.

    Attributes:
        item: its name.
        label: the class of the head's highest score.
        probability: the label's.
        probabilities: of all classes or labels, in the order of `names`; of classes they are
            calibrated where the run is.
        conformal_set: names of the classes of its conformal set, likeliest first, at the run's
            coverage; None where the run is not calibrated.
        labels: names of the labels with a probability above one half, where a sample may have
            several.
        values: the numbers, in the order of `names`, where numbers are predicted.
    """

    item: str
    label: str | None = None
    probability: float | None = None
    probabilities: tuple[float, ...] | None = None
    conformal_set: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    values: tuple[float, ...] | None = None


class Predictions(list[Prediction]):
    """Predictions in the order of the samples, with those that could not be read."""

    bad: tuple[BadItem, ...] = ()
    forwards: int = 0
    names: tuple[str, ...] = ()
    task: str = "class"


def run_predict(registry: Registry, run: Run, inputs: Any, *, options: RunOptions) -> Predictions:
    """Labels with probabilities, or numbers, for files, folders, tables or items in memory.

    Args:
        registry: knows providers, readers and heads.
        run: a finished run.
        inputs: one path or several (files, folders, CSV), a sequence of items or a DataFrame.
        options: how to compute; columns as when training unless given.

    Raises:
        SourceError: the backbone is no longer the one the head was trained on.
        DataError: nothing can be read, or it is of another kind.
    """
    options.check()
    model, dataset, options = opened(registry, run, inputs, options)
    with registry.blaming("provider", model.source.provider):
        expected = run.plan.get("inputs") or {}  # not told by runs before they were looked at
        extracted = extract(dataset, model, replace(options.extract_options(), trained_on=expected))
    _say_other_key(extracted, run, options)
    with registry.blaming("head", run.plan["options"]["head"]):
        scores = run.head.scores(ArrayRows(extracted.features))
    if scores.shape[1] != len(run.names):
        raise DataError(f"the head of '{run.folder}' has {scores.shape[1]} outputs")
    names = [item.name for item in extracted.dataset.items]
    out = Predictions(_said(run, names, scores))
    out.bad, out.forwards = extracted.bad, extracted.forwards
    out.names, out.task = run.names, run.task
    return out


def _said(run: Run, items: list[str], scores: np.ndarray) -> Iterator[Prediction]:
    """What (n, k) scores of a run's head say of its items."""
    if run.task == "regression":
        if not np.isfinite(scores).all():
            raise DataError(f"the head of '{run.folder}' predicts numbers that are not finite")
        for item, row in zip(items, scores, strict=True):
            yield Prediction(item, values=tuple(row.tolist()))
        return
    if run.task == "multilabel":
        for item, row in zip(items, sigmoid(scores), strict=True):
            labels = named(run.names, row > 0.5)
            yield Prediction(item, probabilities=tuple(row.tolist()), labels=labels)
        return
    best, calibration = scores.argmax(axis=1), run.calibration
    calibrated = scores if calibration is None else calibration.apply(scores)
    chances = softmax(calibrated)
    sets = None if calibration is None else calibration.sets(calibrated)
    for i, item in enumerate(items):
        yield Prediction(
            item,
            run.names[best[i]],
            float(chances[i, best[i]]),
            tuple(chances[i].tolist()),
            None if sets is None else _names(run.names, chances[i], sets[i]),
        )


def opened(
    registry: Registry, run: Run, inputs: Any, options: RunOptions
) -> tuple[Model, Dataset, RunOptions]:
    """The run's model, the inputs as a dataset, and the options as when the head was trained.

    Raises:
        SourceError: the backbone is no longer the one the head was trained on.
        DataError: nothing can be read, or it is of several kinds.
        UsageError: features that no head takes.
    """
    options.check_pooled()
    trained = run.plan["options"]
    options = replace(
        options,
        dtype=run.plan.get("key", {}).get("dtype", trained["dtype"]),
        deterministic=options.deterministic or trained.get("deterministic", False),
        preprocess=options.preprocess or trained["preprocess"],
    )
    model = open_model(registry, source_of(run), options.load_options())
    model = model.taking(run.plan["contract"]["modality"])
    with registry.blaming("provider", model.source.provider):
        _check_contract(model, run)
        return model, _dataset(registry, inputs, options, trained["input"]), options


def _names(names: tuple[str, ...], chances: np.ndarray, chosen: np.ndarray) -> tuple[str, ...]:
    """The chosen names, the likeliest first."""
    return tuple(names[i] for i in np.argsort(-chances, kind="stable") if chosen[i])


def _check_contract(model: Model, run: Run) -> None:
    """Raise SourceError unless features come out as they did when the head was trained."""
    expected = run.plan["contract"]
    if model.contract.weights != expected["weights"]:
        raise SourceError(
            f"the weights of '{model.source}' are not those the head was trained on",
            hint="restore the model, or run zoo transfer again",
        )
    if model.contract.digest() != expected["digest"] or model.column != run.plan["column"]:
        raise SourceError(
            f"'{model.source}' is prepared otherwise than when the head was trained",
            hint="restore its configuration, or run zoo transfer again",
        )


def _say_other_key(extracted: Extracted, run: Run, options: RunOptions) -> None:
    """Say where rows of one key are judged by a head that was trained on those of another."""
    if extracted.key == run.plan.get("key"):
        return
    then, now = run.plan.get("features_made_with"), extracted.provenance.get("made_with", {})
    options.say(
        "warning: the head was trained on features of another key, and may judge these otherwise: "
        + (changed(then, now) or "zoo computes them otherwise now")
    )


def source_of(run: Run) -> str:
    """The run's source, its revision pinned; local files by their path then, if still there."""
    source = Source.parse(run.plan["resolved"])
    pinned = run.plan["contract"]["revision"]
    if pinned:
        source = replace(source, revision=pinned)
    path = run.plan.get("path")
    if path and source.path is not None and not _there(source.path) and _there(Path(path)):
        source = replace(source, reference=path)
    weights = run.plan.get("weights_path")
    if weights and not Path(source.weights).expanduser().is_file() and Path(weights).is_file():
        source = replace(source, weights=weights)
    return str(source)


def _there(path: Path) -> bool:
    """Whether a local source is: a folder, a file, or an entry point of the folder above it."""
    return path.exists() or (path.parent / "hubconf.py").is_file()


def _dataset(registry: Registry, inputs: Any, options: RunOptions, column: str) -> Dataset:
    """One dataset of all inputs, without labels; `column` was the input when training."""
    if isinstance(inputs, str | Path):
        inputs = [inputs]
    if is_frame(inputs):
        chosen = replace(options, input=options.input or column)
        return open_unlabelled(registry, inputs, chosen)
    inputs = list(inputs)
    if not inputs:
        raise DataError("there is nothing to predict")
    if not all(_is_path(x) for x in inputs):
        return open_unlabelled(registry, inputs, options)
    parts = [_opened(registry, Path(x), options, column) for x in inputs]
    return join([_named_from(Path(x), part) for x, part in zip(inputs, parts, strict=True)])


def _opened(registry: Registry, data: Any, options: RunOptions, column: str) -> Dataset:
    """Data without labels, by the column that was trained on where it has that."""
    if options.input or not column:
        return open_unlabelled(registry, data, options)
    try:
        return open_unlabelled(registry, data, replace(options, input=column))
    except (DataError, UsageError) as error:
        try:  # a run that read a table may predict for a folder or for archives
            return open_unlabelled(registry, data, options)
        except (DataError, UsageError):
            raise error from None


def _is_path(value: Any) -> bool:
    """Whether a value is the path of something that exists; long texts are not."""
    if not isinstance(value, str | Path):
        return False
    try:
        return Path(value).exists()
    except (OSError, ValueError):
        return False


def _named_from(path: Path, part: Dataset) -> Dataset:
    """The same data with items named as the path they were asked for by."""
    root = path if path.is_dir() else path.parent
    items = tuple(Item((root / item.name).as_posix(), item.value) for item in part.items)
    return replace(part, items=items)


def join(parts: Sequence[Dataset]) -> Dataset:
    """Several unlabelled datasets as one; raises DataError where they differ in kind."""
    kinds = {part.modality for part in parts}
    if len(kinds) > 1:
        raise DataError(f"the inputs mix {' and '.join(sorted(kinds))} samples")
    items = tuple(item for part in parts for item in part.items)
    return Dataset(
        parts[0].name, parts[0].modality, items, Target("none", np.full(len(items), -1, np.int64))
    )
