"""Runs the backbone over samples: rows batch by batch, pooled and checked to be finite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from zoo.backbones.torch_exact import exact_arithmetic
from zoo.errors import SourceError
from zoo.features.batches import batches
from zoo.features.columns import Columns, finite, pooled

if TYPE_CHECKING:
    from zoo.features.bad import Unreadable
    from zoo.features.model import Model
    from zoo.features.options import ExtractOptions
    from zoo.plugin import Features, Item


def computed(
    items: list[Item],
    todo: list[int],
    model: Model,
    options: ExtractOptions,
    unreadable: Unreadable,
) -> Iterator[tuple[list[int], Columns]]:
    """Batches of item numbers and their rows by column, checked to be finite."""
    for numbers, outputs in forwarded(items, todo, model, options, unreadable):
        yield numbers, rows_of(outputs, numbers, items, model)


def forwarded(
    items: list[Item],
    todo: list[int],
    model: Model,
    options: ExtractOptions,
    unreadable: Unreadable,
) -> Iterator[tuple[list[int], dict[str, Features]]]:
    """Batches of item numbers and what the backbone gives for them, by tap."""
    backbone = model.backbone
    exact = model.options.deterministic and backbone.module() is not None
    for batch in batches(items, todo, model, options, unreadable):
        collated = backbone.collate([prepared for _, prepared in batch])
        with exact_arithmetic() if exact else nullcontext():
            outputs = model.proof.forward(collated)
        yield [i for i, _ in batch], outputs


def rows_of(
    outputs: dict[str, Features], numbers: list[int], items: list[Item], model: Model
) -> Columns:
    """The rows of one batch by column; raises SourceError where a value is not finite."""
    rows = pooled(outputs, model)
    sound = finite(rows)
    if not sound.all():
        name = items[numbers[int(np.argmin(sound))]].name
        raise SourceError(
            f"the backbone gave values that are not finite for '{name}'",
            hint="compute in --dtype float32, or check the stated preprocessing",
        )
    return rows
