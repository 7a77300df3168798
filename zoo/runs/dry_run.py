"""Says what a run would compute, write and take, and leaves no trace of having looked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import settings
from zoo.data import usable
from zoo.engine.digests import nothing_remembered
from zoo.errors import SourceError
from zoo.features import look, open_model
from zoo.features.export import check_format
from zoo.features.speed import recorded
from zoo.runs.folder import RunPlace
from zoo.runs.predict import opened
from zoo.runs.prepare import open_data
from zoo.runs.tasks import check_head, head_for

if TYPE_CHECKING:
    from zoo.features import Model
    from zoo.features.looking import Look
    from zoo.plugin import Dataset
    from zoo.registry import Registry
    from zoo.runs.folder import Run
    from zoo.runs.plan import RunOptions

_ROW_BYTES = 16 + 4  # key and checksum of a stored row beside its values
_VALUE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


def dry_transfer(
    registry: Registry, model: str, data: Any, labels: Any = None, *, options: RunOptions
) -> dict[str, Any]:
    """What `run_transfer` would do; raises what it would raise before the first forward pass."""
    options.check()
    options.check_pooled()
    if options.head != "auto":
        registry.create("head", options.head)  # a wrong name costs nothing
    with nothing_remembered():
        described, dataset = _inputs(registry, model, data, labels, options)
        usable(dataset)
        head = head_for(dataset.target.task, options.head)
        check_head(registry.create("head", head), head, dataset.target)
        place = RunPlace.of(options.out, model, str(data), head)
        folder = next(path for path in place.candidates() if place.replaces or not path.exists())
        return {**_foreseen(registry, described, dataset, options), "run": folder.as_posix()}


def dry_extract(
    registry: Registry,
    model: str,
    data: Any,
    labels: Any = None,
    *,
    options: RunOptions,
    export_to: Path | None = None,
) -> dict[str, Any]:
    """What `run_extract` would do; raises what it would raise before the first forward pass."""
    options.check()
    if export_to is not None:
        check_format(export_to)
    with nothing_remembered():
        return _foreseen(registry, *_inputs(registry, model, data, labels, options), options)


def dry_predict(
    registry: Registry, run: Run, inputs: Any, *, options: RunOptions
) -> dict[str, Any]:
    """What `run_predict` would do; raises what it would raise before the first forward pass."""
    options.check()
    with nothing_remembered():
        model, dataset, options = opened(registry, run, inputs, _offline(options))
        return _foreseen(registry, model, dataset, options)


def _inputs(
    registry: Registry, source: str, data: Any, labels: Any, options: RunOptions
) -> tuple[Model, Dataset]:
    tokens = options.features == "tokens"
    model = open_model(registry, source, _offline(options).load_options(), tokens=tokens)
    with registry.blaming("provider", model.source.provider):
        _at_hand(model, options)
    dataset = open_data(registry, data, labels, options)
    return model.taking(dataset.modality), dataset


def _offline(options: RunOptions) -> RunOptions:
    return replace(options, offline=True)


def _at_hand(model: Model, options: RunOptions) -> None:
    """Raise SourceError where the model would have to be downloaded to be described."""
    try:
        _ = model.contract
    except SourceError as error:
        if settings.offline(flag=options.offline) or model.source.path is not None:
            raise
        raise SourceError(
            str(error),
            hint=f"a dry run downloads nothing; to fetch the model: zoo models {model.source}",
        ) from error


def _foreseen(
    registry: Registry, model: Model, dataset: Dataset, options: RunOptions
) -> dict[str, Any]:
    """Rows, forward passes, seconds and bytes; None for what nobody knows."""
    root = settings.store_root()
    with registry.blaming("provider", model.source.provider):
        seen = look(dataset, model, root)
        forwards = len(seen.missing) + len(seen.compare)
        speed, dim = _known(model, seen, root, options)
        if dim is None and forwards:
            dim = model.facts().dim
    row = (dim or 0) * _VALUE_BYTES[model.options.compute_dtype] + _ROW_BYTES
    return {
        "schema": 1,
        "rows": len(dataset),
        "distinct": seen.distinct,
        "unreadable": len(seen.bad),
        "stored": seen.distinct - len(seen.missing),
        "forwards": forwards,
        "samples_per_second": speed,
        "seconds": forwards / speed if speed else (None if forwards else 0.0),
        # How many tokens a sample has is known once it went through.
        "bytes": None if forwards and (dim is None or model.tokens) else len(seen.missing) * row,
    }


def _known(
    model: Model, seen: Look, root: Path, options: RunOptions
) -> tuple[float | None, int | None]:
    """Samples a second and features a sample, as the store of the key knows them."""
    store = model.open_store(root, seen.key, read_only=True)
    if store is None:
        return None, None
    with store:
        known = store.columns()
        speed = recorded(store.folder, model.conditions, options.thread_count)
    dims = [known[column][1] for column in model.columns if column in known]
    return speed, sum(dims) if len(dims) == len(model.columns) else None
