"""Runs the backbone over samples: rows batch by batch, pooled and checked to be finite."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from zoo.backbones.torch_exact import exact_arithmetic
from zoo.errors import SourceError
from zoo.features.batches import batches
from zoo.features.columns import Columns, finite, pooled
from zoo.features.lanes import Batch, side_by_side, wanted

if TYPE_CHECKING:
    from zoo.features.bad import Unreadable
    from zoo.features.model import Model
    from zoo.features.options import ExtractOptions
    from zoo.plugin import Backbone, Features, Item


def computed(
    items: list[Item],
    todo: list[int],
    model: Model,
    options: ExtractOptions,
    unreadable: Unreadable,
) -> Generator[tuple[list[int], Columns], None, None]:
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
    """Batches of item numbers and what the backbone gives for them, by tap.

    Where the backbone has twins a batch is split, or several run at once; see `zoo.features.lanes`.
    """
    backbone, alone = model.backbone, model.options.deterministic
    exact = alone and backbone.module() is not None
    lanes = [backbone]
    if len(todo) > 1:
        lanes = model.proof.lanes(wanted(options.threads, options.batch_size, alone=alone))

    def run(batch: Batch, lane: Backbone) -> dict[str, Features]:
        return model.proof.forward(lane.collate([prepared for _, prepared in batch]), lane)

    def wide(batch: Batch) -> bool:
        """Whether the lanes would together hold more than the backbone takes at once."""
        dearest = max(backbone.cost(prepared) for _, prepared in batch)
        return len(batch) * dearest * len(lanes) > (backbone.max_cost or math.inf)

    with exact_arithmetic() if exact else nullcontext():
        if len(lanes) == 1:
            for batch in batches(items, todo, model, options, unreadable):
                yield [i for i, _ in batch], run(batch, backbone)
            return
        source = batches(items, todo, model, options, unreadable, lanes=len(lanes))
        threads = 1 if exact else options.threads
        for batch, outputs in side_by_side(source, run, lanes, threads=threads, wide=wide):
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
