"""Runs the backbone over samples: rows batch by batch, pooled and checked to be finite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from zoo.backbones.pooling import pool
from zoo.errors import SourceError
from zoo.features.batches import batches

if TYPE_CHECKING:
    from zoo.features.bad import Unreadable
    from zoo.features.model import Model
    from zoo.features.options import ExtractOptions
    from zoo.plugin import Item


def computed(
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
