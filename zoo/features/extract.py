"""Gets the feature rows of a dataset: what the store has is read, the rest is computed and kept.

Samples are addressed by their content, so that a renamed or repeated file costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.engine import mark_used
from zoo.errors import DataError, SourceError
from zoo.features.bad import BadItem, Unreadable
from zoo.features.columns import Columns, read
from zoo.features.computing import forwarded, rows_of
from zoo.features.deciding import decide
from zoo.features.dtypes import recorded, try_dtypes, worth_trying
from zoo.features.frozen import proven, proving
from zoo.features.guard import check_prepared, guard
from zoo.features.looking import choose, firsts, look, stored
from zoo.features.speed import measured
from zoo.features.writing import Writer
from zoo.preprocess.decode import decode, quiet_decoding

if TYPE_CHECKING:
    from zoo.engine import FeatureStore
    from zoo.features.looking import Look
    from zoo.features.model import Model
    from zoo.features.options import ExtractOptions
    from zoo.plugin import Dataset, Features, Item


@dataclass(frozen=True)
class Extracted:
    """Feature rows and what they cost.

    Attributes:
        features: (n, d) float32, one row for each item of `dataset`; of tokens (n, 0).
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
        fidelity: what a trial of bfloat16 against float32 found, where ``--dtype auto`` made one.
        frozen: true where all rows of that store are proven to be of a backbone that did not change
            while they were made, None where that is not known; see `zoo.features.frozen`.
        inputs: statistics of what reaches the backbone; see `zoo.features.inputs`.
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
    fidelity: dict[str, Any] | None = None
    frozen: bool | None = None
    inputs: dict[str, Any] = field(default_factory=dict)


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
    inputs = guard(model, items, options.trained_on, options.say)
    todo = [int(i) for i in seen.missing]
    unreadable = Unreadable(options.on_bad, items, seen.bad)
    with quiet_decoding():
        first_good = _skip_unreadable(items, todo, dataset.modality, unreadable)
        todo = todo[first_good:]
        if todo:
            check_prepared(model, items[todo[0]])
        key, todo, forwards = _placed(items, seen, todo, model, options, unreadable)
        if todo and worth_trying(model, todo):
            created = model.create_store(options.store_root, key)
            with created as store, proving(store, model.proof):
                keep = _keeper(store, seen.keys, model)
                tried = try_dtypes(items, todo, model, options, unreadable, keep)
            forwards += len(tried.numbers)
            if model.options.compute_dtype != seen.key["dtype"]:
                distinct = firsts(seen.keys)
                found = choose(model, options.store_root, seen.keys, distinct)
                seen = replace(seen, key=found[0], missing=found[1], compare=found[2])
                key, todo, more = _placed(
                    items, seen, found[1].tolist(), model, options, unreadable
                )
                forwards += more
                created = model.create_store(options.store_root, key)
                with created as store, proving(store, model.proof):
                    _keeper(store, seen.keys, model)(tried.numbers, tried.rows)
            done = {*tried.numbers, *unreadable.reasons}
            todo = [i for i in todo if i not in done]
        if todo:
            created = model.create_store(options.store_root, key)
            with created as store, proving(store, model.proof):
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
        features = read(store, keys, model)
        mark_used(store.folder)
        provenance = dict(store.provenance)
        frozen = proven(store)
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
        fidelity=model.fidelity or recorded(provenance, model),
        frozen=frozen,
        inputs=inputs,
    )


def _placed(  # noqa: PLR0917 - a step of the above, its state passed as it is
    items: list[Item],
    seen: Look,
    todo: list[int],
    model: Model,
    options: ExtractOptions,
    unreadable: Unreadable,
) -> tuple[dict[str, Any], list[int], int]:
    """The key that rows go to, which are to do under it, and what it took to know: forwards."""
    if not todo:
        return seen.key, todo, 0
    key, forwards = decide(items, seen, model, options)
    if key != seen.key:
        distinct = firsts(seen.keys)
        _, own = stored(model, options.store_root, key, seen.keys[distinct])
        todo = [i for i in distinct[~own].tolist() if i not in unreadable.reasons]
    return key, todo, forwards


def _keeper(
    store: FeatureStore, keys: np.ndarray, model: Model
) -> Callable[[list[int], Columns], None]:
    """Commits rows by the numbers of their items."""

    def keep(numbers: list[int], rows: Columns) -> None:
        store.append(keys[numbers], rows, dtype=model.options.compute_dtype)

    return keep


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
    keep = _keeper(store, keys, model)
    options.report(0, len(todo))
    with (
        measured(store.folder, model.conditions, options.threads) as count,
        Writer() as writer,
    ):
        for numbers, outputs in forwarded(items, todo, model, options, unreadable):

            def commit(numbers: list[int] = numbers, outputs: dict[str, Features] = outputs) -> int:
                keep(numbers, rows_of(outputs, numbers, items, model))
                count(len(numbers))
                return len(numbers)

            writer.put(commit)
            done = writer.rows + len(unreadable.reasons)
            options.report(min(done, len(todo)), len(todo))
    options.report(len(todo), len(todo))
    return writer.rows
