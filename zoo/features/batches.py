"""Prepares samples in batches: decoded by threads beside the forward pass, like costs together.

Never more than two windows of samples are in memory.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError
from zoo.features.lanes import share
from zoo.preprocess.decode import decode

if TYPE_CHECKING:
    from zoo.features.bad import Unreadable
    from zoo.features.model import Model
    from zoo.features.options import ExtractOptions
    from zoo.plugin import Item

# Of kinds whose samples differ in length: batches whose samples are ordered by cost before they are
# cut, so that little is padded. Recordings are large.
_SORT_WINDOW = {"text": 16, "audio": 2}
# Batches of samples shorter than most hold more of them, up to so many times as many.
_MOST_TIMES = 8


def batches(
    items: list[Item],
    todo: list[int],
    model: Model,
    options: ExtractOptions,
    unreadable: Unreadable,
    *,
    lanes: int = 1,
) -> Generator[list[tuple[int, Any]], None, None]:
    """Prepared samples in batches, decoded ahead by threads, samples of like cost together.

    Deterministic features take batches of one. Else a batch of images has the batch size; a batch
    of texts or recordings has what so many samples of the mean cost would cost, padding included:
    many short ones or a few long ones. `lanes` that run side by side share what the backbone takes
    at once; see `zoo.features.lanes`.
    """
    modality = model.contract.modality
    backbone = model.backbone
    size = min(options.batch_size, backbone.max_batch or options.batch_size)
    varied = modality in _SORT_WINDOW
    window = max(size * _SORT_WINDOW.get(modality, 1), options.threads)
    size = share(size, lanes, modality)
    if model.options.deterministic:
        size, varied = 1, False

    def work(i: int) -> tuple[int, Any, str]:
        try:
            return i, backbone.prepare(decode(items[i], modality)), ""
        except DataError as error:
            return i, None, str(error)

    pool_ = ThreadPoolExecutor(options.threads, thread_name_prefix="zoo-decode")
    try:
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
            del current, future  # what is prepared goes with its batch
            costs = {i: backbone.cost(prepared) for i, prepared in ready}
            ready.sort(key=lambda pair: costs[pair[0]])  # stable: images keep their order
            most, budget = size, (backbone.max_cost or math.inf) / lanes
            if varied and ready:
                most = backbone.max_batch or size * _MOST_TIMES
                budget = min(budget, size * sum(costs.values()) / len(ready))
            yield from _cut(ready, costs, most, budget)
            del ready  # before the next window is awaited, or there would be three
    finally:
        pool_.shutdown(cancel_futures=True)


def _cut(
    ready: list[tuple[int, Any]], costs: dict[int, int], most: int, budget: float
) -> Iterator[list[tuple[int, Any]]]:
    """Samples in batches of at most `most` that cost at most `budget`; the last is its dearest."""
    batch: list[tuple[int, Any]] = []
    for pair in ready:
        dear = (len(batch) + 1) * costs[pair[0]] > budget
        if batch and (len(batch) == most or dear):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch
