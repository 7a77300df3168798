"""Opens what a run starts from: the model by its source, the data by path, name or value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.data import from_items, open_dataset
from zoo.features import Model

if TYPE_CHECKING:
    from zoo.plugin import DataOptions, Dataset, LoadOptions, Provider
    from zoo.registry import Registry


def open_model(registry: Registry, source: str, options: LoadOptions) -> Model:
    """A described model; raises SourceError where no provider knows the source."""
    parsed = registry.resolve_source(source)
    provider: Provider = registry.create("provider", parsed.provider)
    return Model(parsed, provider, options)


def open_data(
    registry: Registry,
    data: Any,
    labels: Any,
    options: DataOptions,
    *,
    limit: int = 0,
    seed: int = 0,
) -> Dataset:
    """A dataset from a path or ``name:reference``, or from items and labels in memory.

    Args:
        registry: knows the readers.
        data: a path or reference as str or Path; otherwise a sequence of items.
        labels: one label an item, for items in memory; else None.
        options: columns and task.
        limit: at most so many samples, drawn by `seed` and kept in order; 0 for all.
        seed: of the draw.
    """
    if labels is None and isinstance(data, str | Path):
        readers = [(name, registry.create("dataset", name)) for name in registry.datasets]
        dataset = open_dataset(data, readers, options)
    else:
        dataset = from_items(data, labels)
    if limit and limit < len(dataset):
        generator = np.random.Generator(np.random.PCG64(seed))
        dataset = dataset.take(np.sort(generator.permutation(len(dataset))[:limit]))
    return dataset
