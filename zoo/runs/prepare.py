"""Opens the data that a run starts from: by path, name or value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data import from_frame, from_items, is_frame, open_dataset
from zoo.data.columns import no_slice
from zoo.errors import SourceError, UsageError
from zoo.plugin import DatasetReader

if TYPE_CHECKING:
    from zoo.plugin import DataOptions, Dataset
    from zoo.registry import Registry
    from zoo.runs.plan import RunOptions, Say


def open_data(registry: Registry, data: Any, labels: Any, options: RunOptions) -> Dataset:
    """A dataset from a path or ``name:reference``, or from items and labels in memory.

    Args:
        registry: knows the readers.
        data: a path or reference as str or Path; otherwise a sequence of items, or a DataFrame.
        labels: of items in memory, as `zoo.data.from_items` takes them; else None.
        options: columns and task; at most `limit` samples, drawn by `seed` and kept in order.
    """
    return limited(_opened(registry, data, labels, options, labelled=True), options)


def open_unlabelled(registry: Registry, data: Any, options: RunOptions) -> Dataset:
    """The same for prediction: labels are neither needed nor read."""
    return _opened(registry, data, None, options, labelled=False)


def limited(dataset: Dataset, options: RunOptions) -> Dataset:
    """At most `options.limit` samples, drawn by the seed and kept in order."""
    if not options.limit or options.limit >= len(dataset):
        return dataset
    generator = np.random.Generator(np.random.PCG64(options.seed))
    return dataset.take(np.sort(generator.permutation(len(dataset))[: options.limit]))


def _opened(
    registry: Registry, data: Any, labels: Any, options: RunOptions, *, labelled: bool
) -> Dataset:
    if labels is None and isinstance(data, str | Path):
        readers = _readers(registry, str(data).partition(":")[0], options.say)
        read = open_dataset(data, readers, options.data_options(labelled=labelled))
        for column in options.slices if labelled else ():
            if column not in read.slices:  # a plugin's reader may know of no slices
                raise no_slice(column, "this data", ())
        return read
    chosen = options.data_options(labelled=labelled)
    if is_frame(data):
        return from_frame(data, labels, chosen)
    columns = {name: getattr(chosen, name) for name in ("input", "target", "group")}
    if labelled and options.slices:
        raise no_slice(options.slices[0], "this data", ())
    if labelled and any(columns.values()):
        name = next(name for name, value in columns.items() if value)
        raise UsageError(
            f"{name} {columns[name]!r} names a column, and these items have none",
            hint="give a DataFrame or a table, or leave it out",
        )
    return from_items(data, labels, task=options.task)


def _readers(registry: Registry, wanted: str, say: Say) -> list[tuple[str, DatasetReader]]:
    """Every reader that works; one that does not is an error where it is asked for by name."""
    found: list[tuple[str, DatasetReader]] = []
    for name in registry.datasets:
        try:
            found.append((name, _Fenced(registry, name)))
        except SourceError as error:
            if name == wanted:
                raise
            say(f"warning: {error}")
    return found


class _Fenced(DatasetReader):
    """A reader whose faults are blamed on the plugin it came from."""

    def __init__(self, registry: Registry, name: str) -> None:
        self._reader: DatasetReader = registry.create("dataset", name)
        self._registry, self._name = registry, name

    def claims(self, path: Path) -> bool:
        """As the reader says."""
        with self._registry.blaming("dataset", self._name):
            return self._reader.claims(path)

    def read(self, reference: str, options: DataOptions) -> Dataset:
        """As the reader does."""
        with self._registry.blaming("dataset", self._name):
            return self._reader.read(reference, options)
