"""Gets the feature rows of a dataset: what the store has is read, the rest is computed and kept.

Samples are addressed by their content, so that a renamed or repeated file costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.backbones.pooling import pool
from zoo.engine import mark_used, row_keys, sample_digest
from zoo.errors import DataError, SourceError
from zoo.features.bad import BadItem, OnBad, Unreadable
from zoo.features.batches import batches
from zoo.features.provenance import TOLERANCE, changed, distance, spread, vouch, vouched
from zoo.features.speed import measured
from zoo.preprocess.decode import decode, quiet_decoding

if TYPE_CHECKING:
    from zoo.engine import FeatureStore
    from zoo.features.model import Model
    from zoo.plugin import Dataset, Item

Progress = Callable[[int, int], None]  # samples done, samples to do


@dataclass(frozen=True)
class ExtractOptions:
    """How to run: samples a batch, threads that decode, who hears of progress and what is said.

    `on_bad` says how many samples may be unreadable.
    """

    store_root: Path
    batch_size: int = 32
    threads: int = 1
    progress: Progress | None = None
    say: Callable[[str], None] | None = None
    on_bad: OnBad = field(default_factory=OnBad)


@dataclass(frozen=True)
class Look:
    """What is known before any forward pass.

    Attributes:
        keys: (n, 16) uint8 content digests of the readable items.
        kept: numbers of the readable items within the dataset, in order.
        bad: the others.
        missing: positions in `kept` whose rows are not in the store, each content once.
        distinct: how many different samples there are.
        key: of the store that the rows are in, or go to.
        compare: positions in `kept` of stored rows to be computed again before others are computed
            under conditions that the store is not vouched for; empty where there are none, or none
            are needed.
    """

    keys: np.ndarray
    kept: np.ndarray
    bad: tuple[BadItem, ...]
    missing: np.ndarray
    distinct: int
    key: dict[str, Any]
    compare: np.ndarray


@dataclass(frozen=True)
class Extracted:
    """Feature rows and what they cost.

    Attributes:
        features: (n, d) float32, one row for each item of `dataset`.
        keys: (n, 16) uint8 content digests.
        dataset: the data without its bad items.
        bad: items that could not be read.
        forwards: samples that went through the backbone just now, those included that were computed
            again to compare them with their stored rows.
        distinct: different samples among the n.
        seconds: wall time of all of it.
        parameters: of the backbone, where it tells.
        provenance: of the store that the rows are in.
        key: of that store.
    """

    features: np.ndarray
    keys: np.ndarray
    dataset: Dataset
    bad: tuple[BadItem, ...]
    forwards: int
    distinct: int
    seconds: float
    parameters: int | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    key: dict[str, Any] = field(default_factory=dict)


def look(dataset: Dataset, model: Model, store_root: Path) -> Look:
    """Digest every item and see which rows the store lacks; loads no weights.

    Raises:
        DataError: the model takes another kind of data.
    """
    wanted = model.contract.modality
    if dataset.modality != wanted:
        raise DataError(
            f"'{model.source}' takes {wanted} samples, the data holds {dataset.modality} samples",
            hint="choose a model of the same kind as the data",
        )
    keys, kept, bad = [], [], []
    for i, item in enumerate(dataset.items):
        try:
            keys.append(sample_digest(item.content()))
            kept.append(i)
        except DataError as error:
            bad.append(BadItem(item.name, str(error)))
    table = row_keys(keys)
    first = _firsts(table)
    key, missing, compare = _choose(model, store_root, table, first)
    return Look(table, np.array(kept, np.int64), tuple(bad), missing, len(first), key, compare)


def _choose(
    model: Model, root: Path, table: np.ndarray, first: np.ndarray
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """The key to use, which of the rows `first` its store lacks, and which are to be compared.

    A store that has all of them is used as it is, that of `model.key` before that of
    `model.own_key`: nothing is computed then, so nothing needs to be vouched for.
    """
    none = first[:0]
    serves, here = _stored(model, root, model.key, table[first])
    if here.all():
        return model.key, none, none
    _, own = _stored(model, root, model.own_key, table[first])
    if own.all() or serves is False or (serves is None and not here.any()):
        return model.own_key, first[~own], none
    return model.key, first[~here], none if serves else spread(first[here])


def _stored(
    model: Model, root: Path, key: dict[str, Any], wanted: np.ndarray
) -> tuple[bool | None, np.ndarray]:
    """Whether the store of `key` is vouched for, and which of the `wanted` rows it has.

    A store that is not there yet is: its first rows will be made under these conditions.
    """
    store = model.open_store(root, key, read_only=True)
    if store is None:
        return True, np.zeros(len(wanted), np.bool_)
    with store:
        return vouched(store, model.conditions), store.contains(wanted, model.column)


def extract(dataset: Dataset, model: Model, options: ExtractOptions) -> Extracted:
    """The rows of every readable item.

    Ctrl-C or an error keeps all rows finished so far; the next call goes on from there.

    Raises:
        DataError: no item could be read, more could not than `options.on_bad` allows, or the model
            takes another kind of data.
        SourceError: the backbone failed or gave values that are not finite.
        StoreError: the store is damaged, full or not writable.
    """
    start = time.perf_counter()
    seen = look(dataset, model, options.store_root)
    items = [dataset.items[i] for i in seen.kept]
    key, todo = seen.key, [int(i) for i in seen.missing]
    unreadable = Unreadable(options.on_bad, items, seen.bad)
    forwards = 0
    with quiet_decoding():
        first_good = _skip_unreadable(items, todo, dataset.modality, unreadable)
        todo = todo[first_good:]
        if todo:
            key, forwards = _decide(items, seen, model, options)
            if key != seen.key:
                distinct = _firsts(seen.keys)
                _, own = _stored(model, options.store_root, key, seen.keys[distinct])
                todo = [i for i in distinct[~own].tolist() if i not in unreadable.reasons]
        if todo:
            with model.create_store(options.store_root, key) as store:
                forwards += _fill(store, items, todo, seen.keys, model, options, unreadable)
    good, bad = unreadable.sorted_out(seen.keys)
    if not good:
        reason = f": {bad[0].reason}" if bad else ""
        raise DataError(
            f"none of the {len(dataset)} samples could be read{reason}",
            hint="check the files' format and permissions",
        )
    keys = seen.keys[good]
    with (
        model.create_store(options.store_root, key)
        if model.loaded
        else _opened(model, options.store_root, key) as store
    ):
        features = store.rows(keys, model.column, dtype="float32")
        mark_used(store.folder)
        provenance = dict(store.provenance)
    return Extracted(
        features=features,
        keys=keys,
        dataset=dataset.take(seen.kept[good]),
        bad=bad,
        forwards=forwards,
        distinct=len(np.unique(keys.view("V16").ravel())),
        seconds=time.perf_counter() - start,
        parameters=provenance.get("parameters"),
        provenance=provenance,
        key=key,
    )


def _decide(
    items: list[Item], seen: Look, model: Model, options: ExtractOptions
) -> tuple[dict[str, Any], int]:
    """The key for the rows to be computed now, and how many forwards it took to know.

    Stored rows of the samples at hand are computed again where the store is not vouched for; see
    `zoo.features.provenance`.
    """
    # Made here where there was none, unless another process, under other conditions, was faster.
    with model.create_store(options.store_root, model.key) as store:
        serves = vouched(store, model.conditions)
        if seen.key != model.key and serves is False:
            return seen.key, 0
        if seen.key == model.key and serves:
            return seen.key, 0
        differences = changed(store.provenance.get("made_with"), model.conditions)
        numbers: list[int] = []
        again: list[np.ndarray] = []
        again_bad = Unreadable(OnBad(), items)  # told of once, with the rows that are missing
        for some, rows in _computed(items, seen.compare.tolist(), model, options, again_bad):
            numbers += some
            again.append(rows)
        if not numbers:
            _say(
                options,
                f"none of these samples can be compared with a stored row, so what {differences} "
                "changes is not known: their rows go to a key of their own",
            )
            return model.own_key, 0
        stored = store.rows(seen.keys[numbers], model.column, dtype="float32")
        apart = distance(stored, np.concatenate(again))
        tolerance = TOLERANCE[model.options.compute_dtype]
        serves = apart <= tolerance
        vouch(store, model.conditions, serves=serves, distance=apart, rows=len(numbers))
    if serves:
        return model.key, len(numbers)
    _say(
        options,
        f"{len(numbers)} stored rows come out otherwise here ({differences}): {apart:.1e} apart, "
        f"more than {tolerance:.0e}; rows made here go to a key of their own",
    )
    with model.create_store(options.store_root, model.own_key) as own:
        columns = {model.column: np.concatenate(again)}
        own.append(seen.keys[numbers], columns, dtype=model.options.compute_dtype)
    return model.own_key, len(numbers)


def _firsts(table: np.ndarray) -> np.ndarray:
    """The first position of each key, in order."""
    _, first = np.unique(table.view("V16").ravel(), return_index=True)
    return np.sort(first)


def _say(options: ExtractOptions, line: str) -> None:
    if options.say is not None:
        options.say(line)


def _opened(model: Model, root: Path, key: dict[str, Any]) -> FeatureStore:
    store = model.open_store(root, key)
    if store is None:  # all rows were there a moment ago
        raise SourceError("the feature store vanished while it was read", hint="run again")
    return store


def _skip_unreadable(
    items: list[Item], todo: list[int], modality: str, unreadable: Unreadable
) -> int:
    """Position in `todo` of the first sample that decodes: no weights are read for bad files."""
    for position, i in enumerate(todo):
        try:
            decode(items[i], modality)
        except DataError as error:
            unreadable.add(i, str(error))
        else:
            return position
    return len(todo)


def _fill(  # noqa: PLR0917 - one loop, its state passed as it is
    store: FeatureStore,
    items: list[Item],
    todo: list[int],
    keys: np.ndarray,
    model: Model,
    options: ExtractOptions,
    unreadable: Unreadable,
) -> int:
    """Run the backbone over the missing samples; returns how many went through it."""
    done = forwards = 0
    _report(options, 0, len(todo))
    with measured(store.folder, model.conditions, options.threads) as count:
        for numbers, rows in _computed(items, todo, model, options, unreadable):
            store.append(keys[numbers], {model.column: rows}, dtype=model.options.compute_dtype)
            count(len(numbers))
            forwards += len(numbers)
            done = forwards + len(unreadable.reasons)
            _report(options, min(done, len(todo)), len(todo))
    _report(options, len(todo), len(todo))
    return forwards


def _computed(
    items: list[Item],
    todo: list[int],
    model: Model,
    options: ExtractOptions,
    unreadable: Unreadable,
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Batches of item numbers and their feature rows, (b, d) float32, checked to be finite."""
    backbone, contract = model.backbone, model.contract
    size = min(options.batch_size, backbone.max_batch or options.batch_size)
    for batch in batches(items, todo, model, size, options.threads, unreadable):
        numbers = [i for i, _ in batch]
        outputs = backbone.forward(backbone.collate([prepared for _, prepared in batch]))
        values, mask = outputs[contract.tap].numpy()
        rows = pool(
            values, mask, pooling=contract.pooling, layout=contract.layout, tap=contract.tap
        )
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            name = items[numbers[int(np.argmin(finite))]].name
            raise SourceError(
                f"the backbone gave values that are not finite for '{name}'",
                hint="compute in --dtype float32, or check the stated preprocessing",
            )
        yield numbers, np.asarray(rows, np.float32)


def _report(options: ExtractOptions, done: int, total: int) -> None:
    if options.progress is not None:
        options.progress(done, total)
