"""Prepares samples in batches: decoded by threads beside the forward pass, like costs together.

Never more than two windows of samples are in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError
from zoo.preprocess.decode import decode

if TYPE_CHECKING:
    from zoo.features.bad import Unreadable
    from zoo.features.model import Model
    from zoo.plugin import Backbone, Item

# Batches whose samples are ordered by cost (length) before they are cut; recordings are large.
_SORT_WINDOW = {"text": 16, "audio": 2}


def batches(  # noqa: PLR0917 - one loop, its state passed as it is
    items: list[Item],
    todo: list[int],
    model: Model,
    size: int,
    threads: int,
    unreadable: Unreadable,
) -> Iterator[list[tuple[int, Any]]]:
    """Prepared samples in batches, decoded ahead by threads, samples of like cost together."""
    modality = model.contract.modality
    backbone = model.backbone
    window = max(size * _SORT_WINDOW.get(modality, 1), threads)

    def work(i: int) -> tuple[int, Any, str]:
        try:
            return i, backbone.prepare(decode(items[i], modality)), ""
        except DataError as error:
            return i, None, str(error)

    with ThreadPoolExecutor(threads, thread_name_prefix="zoo-decode") as pool_:
        ahead = [pool_.submit(work, i) for i in todo[:window]]
        for start in range(0, len(todo), window):
            current = ahead
            ahead = [pool_.submit(work, i) for i in todo[start + window : start + 2 * window]]
            ready = []
            for future in current:
                i, prepared, reason = future.result()
                if reason:
                    unreadable.add(i, reason)
                else:
                    ready.append((i, prepared))
            ready.sort(key=lambda pair: backbone.cost(pair[1]))  # stable: images keep their order
            yield from _cut(ready, size, backbone)


def _cut(
    ready: list[tuple[int, Any]], size: int, backbone: Backbone
) -> Iterator[list[tuple[int, Any]]]:
    """Samples in batches that the backbone takes; the last of a batch is its dearest."""
    batch: list[tuple[int, Any]] = []
    for pair in ready:
        dear = (len(batch) + 1) * backbone.cost(pair[1]) > (backbone.max_cost or math.inf)
        if batch and (len(batch) == size or dear):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch
