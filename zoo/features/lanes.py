"""Runs the forward passes of several batches side by side, each in a thread and on a twin.

torch splits every operation of a pass among its threads, which wait for each other after each one:
on two cores that costs a tenth to a half of the time. Batches wait for nothing. So where a backbone
has twins, as many samples as one batch would hold are spread over several, in flight together.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from zoo.plugin import Backbone

Batch = list[tuple[int, Any]]  # item numbers with what was prepared
Pass = Callable[[Batch, Backbone], Any]

# Samples of a batch on one thread. Of images and recordings 4 to 8 are fastest, as what layers give
# then stays in the cache (measured: ViT-S/16, ResNet-50, Wav2Vec2-base); texts are short.
SHARE = 8
_FIRST = 2  # samples of the batch that is looked at before any other runs


def wanted(threads: int, batch_size: int, *, alone: bool) -> int:
    """How many lanes would be good; `alone` where a batch is one sample whatever its size."""
    return max(1, threads if alone else min(threads, batch_size // SHARE))


def share(batch_size: int, lanes: int, modality: str) -> int:
    """Samples of a batch in one of so many lanes."""
    if lanes == 1 or modality == "text":
        return batch_size
    return max(1, min(SHARE, batch_size // lanes))


def side_by_side(
    source: Iterable[Batch],
    run: Pass,
    backbones: Sequence[Backbone],
    *,
    threads: int,
    wide: Callable[[Batch], bool],
) -> Iterator[tuple[Batch, Any]]:
    """Every batch, in order, with what `run` gives for it.

    Args:
        source: batches; asked for the next while others run.
        run: a forward pass of one batch on one of the backbones.
        backbones: the one that was loaded, and its twins.
        threads: of all passes together.
        wide: whether a batch runs alone, on all threads; a few samples do so before all others.
    """
    import torch

    before = torch.get_num_threads()
    free: queue.SimpleQueue[Backbone] = queue.SimpleQueue()
    for backbone in backbones:
        free.put(backbone)

    def lane(batch: Batch) -> Any:
        backbone = free.get()
        try:
            return run(batch, backbone)
        finally:
            free.put(backbone)

    pool = ThreadPoolExecutor(len(backbones), thread_name_prefix="zoo-forward")
    flying: deque[tuple[Batch, Future[Any]]] = deque()
    try:
        for number, batch in enumerate(_split(source)):
            if number == 0 or wide(batch):
                yield from _landed(flying, 0)
                torch.set_num_threads(threads)
                yield batch, run(batch, backbones[0])
                torch.set_num_threads(max(1, threads // len(backbones)))
            else:
                flying.append((batch, pool.submit(lane, batch)))
                yield from _landed(flying, len(backbones))
        yield from _landed(flying, 0)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _split(source: Iterable[Batch]) -> Iterator[Batch]:
    """The same batches, the first in two."""
    for number, batch in enumerate(source):
        if number == 0 and len(batch) > _FIRST:
            yield batch[:_FIRST]
            yield batch[_FIRST:]
        else:
            yield batch


def _landed(flying: deque[tuple[Batch, Future[Any]]], most: int) -> Iterator[tuple[Batch, Any]]:
    """The oldest batches, waited for until `most` are in the air."""
    while len(flying) > most:
        batch, future = flying.popleft()
        yield batch, future.result()
